"""What the terminal shows of probes."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn
from rich.style import Style
from rich.text import Text

from rnnlab.console import PlainConsole, notice, visible
from rnnlab.files import write_atomically
from rnnlab.probes.surprise import Surprise
from rnnlab.report.probe_page import Probed, probe_page

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


def write_probes(probed: Sequence[Probed], *, json: bool, html: str, npz: str) -> None:
    """Print the findings, or JSON, and write the files asked for."""
    if json:
        whole = ", ".join(one.to_json() for one in probed)
        print(whole if len(probed) == 1 else f"[{whole}]")
    else:
        console = PlainConsole(highlight=False, soft_wrap=True)
        for one in probed:
            console.print(f"{one.name}, {one.text}", markup=False, style="bold")
            _print_findings(console, one)
    for number, one in enumerate(probed if npz else ()):
        path = Path(npz)
        one.save_npz(path if len(probed) == 1 else path.with_stem(f"{path.stem}-{number + 1}"))
    if html:
        write_atomically(Path(html), probe_page(probed).encode())
        notice(f"written to {html}")


def _print_findings(console: PlainConsole, probed: Probed) -> None:
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
