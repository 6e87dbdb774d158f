"""What the terminal shows of probes."""

import time
from dataclasses import dataclass
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn
from rich.style import Style
from rich.text import Text

from rnnlab.console import counted, notice, visible
from rnnlab.display.plain_console import PlainConsole
from rnnlab.files import write_atomically
from rnnlab.probes.surprise import Surprise
from rnnlab.report.probe_page import Compared, Probed

SHOWN_TOKENS = 600
"""Of a text that is coloured on a terminal."""

SHADES = ("", "#fdd49e", "#fdbb84", "#fc8d59", "#d7301f")
"""Backgrounds from 0 bits on, each BITS_PER_SHADE more; the last one for all above."""

BITS_PER_SHADE = 2.0

WIDTH = 14
"""Of the column with the names of the probes."""

LONG_SECONDS = 2.0
"""Work that takes longer has a progress bar."""


class ProbeProgress:
    """A progress bar on standard error, if it is a terminal and the work is long."""

    def __init__(self) -> None:
        self._console = PlainConsole(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description:12}"), BarColumn(), TextColumn("{task.percentage:3.0f}%"),
            console=self._console, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=1.0)
        self._began, self._shown = time.perf_counter(), False

    def watch(self, probe: str, share: float) -> None:
        """Show the share of a probe that is done."""
        if not self._console.is_terminal:
            return
        if not self._shown and time.perf_counter() - self._began > LONG_SECONDS:
            self._bar.start()
            self._shown = True
        self._bar.update(self._task, description=probe, completed=share)

    def end(self) -> None:
        """Remove the bar."""
        if self._shown:
            self._bar.stop()


@dataclass(frozen=True)
class Wanted:
    """What to print, and which files to write; "": none."""

    json: bool = False
    html: str = ""
    npz: str = ""
    figures: str = ""
    """A folder."""
    figure_format: str = "png"


def write_probes(found: Probed | Compared, wanted: Wanted) -> None:
    """Print the findings, or JSON, and write the files asked for."""
    if wanted.json:
        print(found.to_json())
    else:
        _print(PlainConsole(highlight=False, soft_wrap=True), found)
    if wanted.npz:
        found.save_npz(wanted.npz)
    if wanted.html:
        write_atomically(Path(wanted.html), found.to_html().encode())
        notice(f"written to {wanted.html}")
    if wanted.figures:
        files = found.save_figures(wanted.figures, wanted.figure_format)
        notice(f"{counted(len(files), 'figure')} written to {wanted.figures}")


def _print(console: PlainConsole, found: Probed | Compared) -> None:
    networks = [found] if isinstance(found, Probed) else [found.one, found.other]
    names = [found.name] if isinstance(found, Probed) else found.names
    if isinstance(found, Compared):
        for sentence in found.sentences():
            console.print(sentence, markup=False, style="bold")
        for name, reason in found.left_out.items():
            console.print(f"{name:{WIDTH}}left out: {reason}", markup=False)
    for name, one in zip(names, networks, strict=True):
        console.print(f"{name}, {one.text}", markup=False, style="bold")
        _print_findings(console, one)


def _print_findings(console: PlainConsole, probed: Probed) -> None:
    for words in probed.notices:
        notice(words)
    for name, result in probed.results.items():
        if isinstance(result, Surprise) and console.is_terminal:
            console.print(coloured(result))
        if name == "units":
            continue
        for number, sentence in enumerate(result.sentences()):
            heading = name if number == 0 else ""
            console.print(f"{heading:{WIDTH}}{sentence}", markup=False)
    for name, reason in probed.left_out.items():
        console.print(f"{name:{WIDTH}}left out: {reason}", markup=False)


def coloured(result: Surprise) -> Text:
    """Return the beginning of a text, each token on the background of its surprise."""
    text = Text(visible(result.tokens[0]))
    for token, bits in zip(result.tokens[1:SHOWN_TOKENS], result.bits, strict=False):
        shade = SHADES[min(len(SHADES) - 1, int(bits / BITS_PER_SHADE))]
        text.append(visible(token), Style(color="black", bgcolor=shade) if shade else None)
    return text
