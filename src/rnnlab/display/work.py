"""How much of reading and measuring is done: a bar on a terminal, otherwise now and then a line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rnnlab.display.plain_console import PlainConsole, in_notebook

if TYPE_CHECKING:
    from rnnlab.display.training_views import View

WORKING_SECONDS = 10.0
"""Without a terminal, a line in this interval shows the progress of reading and measuring."""


class WorkDisplay:
    """Prints to standard output, or nothing if `quiet`. Leaving its context ends the display."""

    def __init__(self, *, quiet: bool = False, console: PlainConsole | None = None) -> None:
        self.quiet = quiet
        self.console = console or PlainConsole(quiet=quiet, highlight=False, soft_wrap=True)
        self._view: View | None = None
        self._told = time.perf_counter()

    @classmethod
    def on_standard_error(cls) -> Self:
        """Return one for commands whose results go to standard output."""
        return cls(console=PlainConsole(stderr=True, highlight=False, soft_wrap=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_view()

    def reading(self, purpose: str, share: float) -> None:
        """Show how much of a long text has been read."""
        self._working("reading", purpose, share, purpose)

    def measuring(self, purpose: str, share: float) -> None:
        """Show how much of an evaluation is done."""
        self._working("measuring", purpose, share, f"measuring {purpose}")

    def _working(self, heading: str, purpose: str, share: float, in_bar: str) -> None:
        self._open_view()
        if self._view is not None:
            self._view.working(in_bar, share)
        elif time.perf_counter() - self._told > WORKING_SECONDS:
            self._told = time.perf_counter()
            self.console.tell(heading, f"{purpose}: {share:.0%}")

    def _open_view(self) -> None:
        if self._view is None and not self.quiet:
            if in_notebook():
                from rnnlab.display.notebook_view import NotebookView

                self._view = NotebookView()
            elif self.console.is_terminal:
                from rnnlab.display.training_views import TerminalView

                self._view = TerminalView(self.console)

    def _close_view(self) -> None:
        """Remove the live display and show the cursor again."""
        if self._view is not None:
            self._view.close()
            self._view = None
