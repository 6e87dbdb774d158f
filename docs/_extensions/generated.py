"""Parts of pages made from the program: commands from its help, settings from their classes.

The directives: `commands` lists all, `command generate` says all about one, and `settings model`
has the settings of a group.
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import rnnlab
from rnnlab.cli import run_command
from rnnlab.commands import COMMANDS
from rnnlab.config import CHANGEABLE, CHOSEN, Settings

SOURCE = Path(rnnlab.__file__).parent
SETTINGS = "data options", "model options", "training options", "machine options"


def help_of(command: str) -> str:
    """Return what `rnnlab COMMAND --help` prints into a file, 100 columns wide."""
    with (
        redirect_stdout(io.StringIO()) as printed,
        patch.dict(os.environ, COLUMNS="100"),
        suppress(SystemExit),
    ):
        run_command([*command.split(), "--help"])
    return printed.getvalue()


def parts(text: str) -> dict[str, list[str]]:
    """Return the lines below each title of a help, which has a rule below it."""
    found: dict[str, list[str]] = {}
    lines = text.splitlines()
    for line, following in pairwise(lines):
        if following.startswith(" ---"):
            own = found[line.strip()] = []
        elif found and line.startswith("  "):
            own.append(line[2:])
    return found


def flags(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Return each flag and what it does; of the text above a rule, nothing."""
    rule = next((n + 1 for n, line in enumerate(lines) if line.startswith("---")), 0)
    found: list[tuple[str, str]] = []
    for line in lines[rule:]:
        if line.startswith(" "):
            flag, about = found.pop()
            found.append((flag, f"{about} {line.strip()}".strip()))
        else:
            flag, _, about = line.partition("  ")
            found.append((flag, about.strip()))
    return (each for each in found if not each[0].startswith("-h,"))


def code(text: str) -> str:
    """Return text as code within a cell of a table."""
    return "`" + text.replace("|", "\\|") + "`"


def plain(text: str) -> str:
    """Return text of the help for a cell of a table: nothing in it is Markdown."""
    return re.sub(r"([\\|<>*_$\[\]{}~^#])", r"\\\1", text)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


def command_in_markdown(name: str) -> str:
    """Say what a command does and what its flags are, except settings of a training."""
    text = help_of(name)
    usage, *about = re.split(r"\n (?=.*\n ---)", text)[0].strip().split("\n\n")
    rows, has_settings = list[tuple[str, ...]](), False
    for title, lines in parts(text).items():
        if name == "train" and title in SETTINGS:
            has_settings = True
        else:
            rows += [(code(flag), plain(does)) for flag, does in flags(lines)]
    written = [
        f"```text\n{' '.join(usage.removeprefix('usage: ').split())}\n```",
        *map(plain, about),
    ]
    if rows:
        written.append(table(("flag", "meaning"), rows))
    if has_settings:
        written.append("All [settings](settings.md) are flags, too.")
    return "\n\n".join(written)


def settings_in_markdown(name: str) -> str:
    """List the settings of a group."""
    group = Settings.groups[name]
    lines = parts(help_of("train"))[f"{name} options"]
    forms = {form.split()[0].rstrip(","): form for form, _ in flags(lines)}
    rows = list[tuple[str, ...]]()
    for setting, field in group.model_fields.items():
        flag = f"--{setting.replace('_', '-')}"
        marks = [word for word, names in MARKS.items() if setting in names]
        about = "; ".join([plain(field.description or ""), *marks])
        rows.append((code(forms[flag]), default(field.default), about))
    return table(("flag", "default", "meaning"), rows)


MARKS = {"*chosen*": CHOSEN, "*may change*": CHANGEABLE}
"""What is said of some settings."""


def default(value: object) -> str:
    """Return a default as it is typed."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        value = " ".join(map(str, value))
    return code(f"{value:g}" if isinstance(value, float) else str(value)) if value != "" else ""


def commands_in_markdown(folder: Path) -> str:
    """List all commands, each with the page of the folder that has its flags."""
    rows = []
    for name, command in COMMANDS.items():
        about = plain((command.__doc__ or "").partition("\n")[0])
        (page,) = (
            page
            for page in folder.glob("*.md")
            if f"`{{command}} {name}\n" in page.read_text("utf-8")
        )
        anchor = f"rnnlab-{name.replace(' ', '-')}"
        rows.append((f"[`rnnlab {name}`]({page.name}#{anchor})", about))
    return table(("command", "what it does"), rows)


class Generated(SphinxDirective):
    """Puts Markdown that is made here into a page."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Make it, and note what it is made from."""
        for folder in ("commands", "config"):
            for file in SOURCE.joinpath(folder).glob("*.py"):
                self.env.note_dependency(str(file))
        name = self.arguments[0] if self.arguments else ""
        if self.name == "command":
            text = command_in_markdown(name)
        elif self.name == "settings":
            text = settings_in_markdown(name)
        else:
            text = commands_in_markdown(Path(self.env.doc2path(self.env.docname)).parent)
        made = self.parse_text_to_nodes(text)
        for table_node in (each for node in made for each in node.findall(nodes.table)):
            table_node["classes"].append("flags")
        return made


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    for name in ("commands", "command", "settings"):
        app.add_directive(name, Generated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
