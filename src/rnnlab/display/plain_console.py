"""A console of the rich library that everything shown in colour goes through."""

import errno
import os
from typing import IO, Any, cast

from rich.console import Console

from rnnlab.console import PlainStream, visible, wrapped


def in_notebook() -> bool:
    """Whether the library is used in a notebook."""
    return Console().is_jupyter


class PlainConsole(Console):
    """A rich console that shows control characters and reports a closed pipe to its caller.

    Boxes and bars are of ASCII if the stream's encoding is not a Unicode one. In a notebook it
    writes to the stream as well.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(force_jupyter=False, **options)

    @property
    def file(self) -> IO[str]:
        """The stream, see `PlainStream`."""
        return cast(IO[str], PlainStream(super().file))

    @file.setter
    def file(self, stream: IO[str]) -> None:
        self._file = stream

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does, with control characters made visible."""
        super().print(*(visible(o) if isinstance(o, str) else o for o in objects), **options)

    def tell(self, heading: str, words: str, column: int = 10) -> None:
        """Print a line whose words begin at a column; on a terminal it is broken between words."""
        line = f"{heading:<{column}}{words}"
        lines = wrapped(line, self.width, column) if self.is_terminal else [line]
        self.print("\n".join(lines), markup=False)

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError; rich would end the process here."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
