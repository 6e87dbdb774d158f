"""Where the figures of a run in progress are shown, and updated in place: terminal or notebook."""

from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rnnlab.console import printable
from rnnlab.display.training_status import TrainingStatus, sample_lines, text_chart

CHART_HEIGHT = 5
BAR_WIDTH = 20
SAMPLE_LINES = 2

HIGHEST = CHART_HEIGHT + SAMPLE_LINES + 7
"""Lines of a terminal that the whole view needs; on a lower one the curve is left out."""


class View(Protocol):
    """Shows the newest figures in place of those before."""

    def show(self, status: TrainingStatus) -> None:
        """Show the figures of training."""

    def working(self, what: str, share: float) -> None:
        """Show how much of something else is done."""

    def close(self) -> None:
        """Show nothing more."""


class TerminalView:
    """Some lines at the bottom of a terminal; each fits its width."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = Group()
        self._live = Live(
            get_renderable=lambda: self._shown, console=console, refresh_per_second=4,
            transient=True, vertical_overflow="crop",
        )  # fmt: skip
        self._live.start()

    def show(self, status: TrainingStatus) -> None:
        """See `View`."""
        width = self._console.width
        lines = [Text(words) for words in (status.losses(), status.speed())]
        if len(status.held_out) > 1 and self._console.height >= HIGHEST:
            chart = text_chart(status.held_out, min(60, width - 10), CHART_HEIGHT)
            lines += [Text(line) for line in ["", *chart]]
        sample = printable(status.sample, self._console.file)
        samples = sample_lines(sample, self._console, width, SAMPLE_LINES)
        lines += [Text(line, style="dim") for line in (["", *samples] if samples else [])]
        for line in lines:
            line.truncate(width, overflow="crop")
        self._shown = Group("", self._bar(status.last.progress, status.summary()), *lines)

    def working(self, what: str, share: float) -> None:
        """See `View`."""
        self._shown = Group("", self._bar(share, what))

    def close(self) -> None:
        """Remove the lines and show the cursor again."""
        self._live.stop()

    def _bar(self, share: float, words: str) -> Table:
        text = Text(f"{share:4.0%} {words}", no_wrap=True)
        text.truncate(max(1, self._console.width - BAR_WIDTH - 1), overflow="crop")
        line = Table.grid(padding=(0, 1))
        line.add_row(ProgressBar(total=1.0, completed=share, width=BAR_WIDTH), text)
        return line
