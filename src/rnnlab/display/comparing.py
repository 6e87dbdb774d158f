"""What the terminal shows of a comparison."""

from pathlib import Path

from rnnlab.console import counted, notice
from rnnlab.display.plain_console import PlainConsole
from rnnlab.report.comparison_table import WIDTH
from rnnlab.report.write_up import WriteUp


def write_comparison(found: WriteUp, form: str) -> None:
    """Print a comparison in one of its forms."""
    console = PlainConsole(highlight=False, soft_wrap=True)
    if form != "text":
        print(found.as_form(form).rstrip("\n"))
        return
    console.print(
        found.to_text(console.width if console.is_terminal else WIDTH), markup=False,
        soft_wrap=not console.is_terminal,
    )  # fmt: skip


def tell_saved(files: list[Path], folder: Path, found: WriteUp) -> None:
    """Say what was written."""
    without = "" if found.comparison.has_curves else "; without figures, there are no curves"
    notice(f"{counted(len(files), 'file')} written to {folder}{without}")


def tell_new_experiment(file: Path) -> None:
    """Say where the experiment is and how to run it."""
    tell = PlainConsole(highlight=False, soft_wrap=True).tell
    tell("written", f"{file}; read it first: what it claims was seen, and is not yet tested")
    tell("try it", f"rnnlab experiment {file.parent} --quick")
    tell("run it", f"rnnlab experiment {file.parent}")
