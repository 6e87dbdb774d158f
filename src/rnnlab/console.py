"""Print for people: no text may act as a command to a terminal, and every stream can take it.

A stream's encoding may lack what is printed: ISO-8859-1 has no blocks and no Greek. `UNENCODABLE`
names the rule for that, and everything that is printed goes through it.
"""

import codecs
import io
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, Any, cast

CONTROLS = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}
"""Control characters, and what is shown in their place: U+241B for ESC."""

BLOCKS = " ▁▂▃▄▅▆▇█"
"""Columns of 0 to 8 eighths of a line."""

STAND_INS = {
    **{chr(code): "+" for code in range(0x2500, 0x2580)},  # corners and crossings of boxes
    **dict.fromkeys("─━┄┅┈┉╌╍═╴╶╸╺╼╾", "-"),
    **dict.fromkeys("│┃┆┇┊┋╎╏║╵╷╹╻╽╿", "|"),
    **dict(zip(BLOCKS[1:], "__..::##", strict=True)),
    **{chr(0x2400 + code): f"^{chr(code ^ 0x40)}" for code in [*range(0x20)]},
    "\u2421": "^?", "⏎": "/",
    "µ": "u", "×": "x", "÷": "/", "±": "+-", "−": "-", "…": "...", "⁷": "^7", "¹": "^1", "⁴": "4",
}  # fmt: skip
"""What is written in place of rnnlab's own symbols in an encoding that lacks them."""

UNENCODABLE = "rnnlab.stand-in"
"""Name of the error handler of encodings: a stand-in, or a backslash escape such as \\u03b1."""


def _stand_in(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    first = error.object[error.start]
    if first in STAND_INS:
        return STAND_INS[first], error.start + 1
    one = UnicodeEncodeError(
        error.encoding, error.object, error.start, error.start + 1, error.reason
    )
    return codecs.backslashreplace_errors(one)


codecs.register_error(UNENCODABLE, _stand_in)


def printable(text: str, stream: IO[str]) -> str:
    """Return a text in which everything that the stream's encoding lacks is replaced or escaped."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, UNENCODABLE).decode(encoding)


def visible(text: str) -> str:
    """Replace control characters, so that a terminal shows the text and does not obey it."""
    return text.translate(CONTROLS)


def notice(text: str) -> None:
    """Print a note for people to standard error; it is neither an error nor output."""
    say(f"rnnlab: note: {text}", sys.stderr)


def say(text: str, stream: IO[str]) -> None:
    """Print a text for people; on a terminal, lines are broken between words."""
    lines = printable(visible(text), stream).split("\n")
    if stream.isatty():
        width = shutil.get_terminal_size().columns
        lines = [part for line in lines for part in wrapped(line, width)]
    print("\n".join(lines), file=stream)


def wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    """Break a text between words into lines of at most `width`, a longer word stands alone.

    indent: spaces before all lines but the first.
    """
    return textwrap.wrap(
        text, max(20, width), subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    ) or [""]  # fmt: skip


def counted(count: int, what: str) -> str:
    """Return `1 run`, `2 runs`, `1,200 runs`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def listed(words: Sequence[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def make_streams_take_all_text() -> None:
    """Let standard output and standard error replace or escape what their encodings lack."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=UNENCODABLE)


class PlainStream:
    """A stream that can take all text; without a terminal, no line ends in spaces."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._spaces = ""
        """Not written yet: they may be the last of their line."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text; spaces at the end of a line are kept only on a terminal."""
        size = len(text)
        if not self._stream.isatty():
            text = re.sub(r"[ \t]+(?=\n)", "", self._spaces + text)
            kept = text.rstrip(" \t")
            text, self._spaces = kept, text[len(kept) :]
        self._stream.write(printable(text, self._stream))
        return size


@contextmanager
def plain_streams() -> Iterator[None]:
    """Let everything that is printed in this context go through a `PlainStream`."""
    out, err = (cast(IO[str], PlainStream(stream)) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(err):
        yield
