"""Print for people: on a terminal, no text may act as a command to it."""

import errno
import os
import sys
from typing import Any

from rich.console import Console

CONTROLS = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}
"""Control characters, and what is shown in their place: U+241B for ESC."""


def visible(text: str) -> str:
    """Replace control characters, so that a terminal shows the text and does not obey it."""
    return text.translate(CONTROLS)


def notice(text: str) -> None:
    """Print a note for people to standard error; it is neither an error nor output."""
    print(f"rnnlab: note: {visible(text)}", file=sys.stderr)


def counted(count: int, what: str) -> str:
    """Return `1 run`, `2 runs`, `1,200 runs`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


class PlainConsole(Console):
    """A rich console that shows control characters and reports a closed pipe to its caller."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does, with control characters made visible."""
        super().print(*(visible(o) if isinstance(o, str) else o for o in objects), **options)

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError; rich would end the process here."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
