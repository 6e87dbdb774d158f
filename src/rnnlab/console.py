"""Where commands print for people."""

import errno
import os
from typing import Any

from rich.console import Console

from rnnlab.errors import visible


class PlainConsole(Console):
    """One whose terminal obeys no text that is printed; whoever prints is told of a closed pipe."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as `rich` does, control characters made visible."""
        super().print(*(visible(o) if isinstance(o, str) else o for o in objects), **options)

    def on_broken_pipe(self) -> None:
        """Leave it to the caller, where rich would end the process."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
