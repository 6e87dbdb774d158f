"""Lines of files or of standard input, as many at a time as can be had without waiting.

Or files as they are, each one document.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rnnlab.data.decoding import chunks, decoded
from rnnlab.data.encodings import DEFAULT, detected
from rnnlab.data.folders import files_in, is_folder
from rnnlab.data.samples import document

BATCH_BYTES = 1 << 16
STANDARD_INPUT = "-"


class Line(NamedTuple):
    """A line or a document, and where it stands."""

    file: str
    number: int
    """From 1 up; 0: it is a document."""
    text: str
    """Without its line break."""

    def place(self, *, with_file: bool) -> dict[str, str | int]:
        """Return what tells it from others: its number, its file if so asked or it has none."""
        file = {"file": self.file} if with_file or not self.number else {}
        return {**file, **({"line": self.number} if self.number else {})}


def line_batches(
    names: Sequence[str], errors: str = "strict", encoding: str = DEFAULT
) -> Iterator[list[Line]]:
    """Yield the lines of files that are not empty, one file after another.

    `-` stands for standard input.

    A batch has the lines of about BATCH_BYTES. Of a pipe it has those that are there, so that a
    line is answered at once. Raises as `decoded` does.
    """
    for name in names:
        content, origin = _opened(name)
        number = 0
        found, content = detected(content, encoding, origin)
        for texts in _complete_lines(decoded(content, origin, errors, found, at_once=True)):
            lines = (Line(name, number + i, text) for i, text in enumerate(texts, start=1))
            yield [line for line in lines if line.text.strip()]
            number += len(texts)


def document_batches(
    names: Sequence[str], errors: str = "strict", encoding: str = DEFAULT
) -> Iterator[list[Line]]:
    """Yield files one by one, each with all of its text; of a folder, all of its files.

    `-` stands for standard input. Raises as `decoded` and `document` do.
    """
    for given in names:
        is_one = not is_folder(given)
        files = [given] if is_one else map(str, files_in(Path(given), errors, encoding))
        for name in files:
            content, origin = _opened(name)
            found, content = detected(content, encoding, origin)
            yield [Line(name, 0, document(decoded(content, origin, errors, found), origin))]


def batches_of(
    names: Sequence[str], errors: str, encoding: str, *, of_documents: bool
) -> Iterator[list[Line]]:
    """Yield what a model takes for its samples: lines, or whole files."""
    return (document_batches if of_documents else line_batches)(names, errors, encoding)


def _opened(name: str) -> tuple[Iterable[bytes], str]:
    if name == STANDARD_INPUT:
        return _available(), "standard input"
    return chunks(Path(name), BATCH_BYTES), f"file {name}"


def _available() -> Iterator[bytes]:
    """Read what standard input has, as soon as it has something."""
    stream = sys.stdin.buffer
    read = getattr(stream, "read1", stream.read)  # read1 does not wait for more
    while chunk := read(BATCH_BYTES):
        yield chunk


def _complete_lines(pieces: Iterable[str]) -> Iterator[list[str]]:
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        if lines:
            yield [line.removesuffix("\r") for line in lines]
    if rest:
        yield [rest.removesuffix("\r")]
