"""Bytes become pieces of text: files are read and decoded without being held in memory.

The text does not depend on where the bytes are cut.
"""

import codecs
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from rnnlab.data.unpacking import Unpacked
from rnnlab.errors import CorpusError

BYTE_ORDER_MARK = "\ufeff"

NAMES = {"utf-8": "UTF-8", "utf-16": "UTF-16", "utf-32": "UTF-32"}

UNPACK = "unpack it first: {} FILE"
SAVE_AS_TEXT = "save it as plain text in UTF-8"

KNOWN_FORMATS = {
    codecs.BOM_UTF32_LE: ("UTF-32 text", "say so: --encoding utf-32"),
    codecs.BOM_UTF32_BE: ("UTF-32 text", "say so: --encoding utf-32"),
    codecs.BOM_UTF16_LE: ("UTF-16 text", "say so: --encoding utf-16"),
    codecs.BOM_UTF16_BE: ("UTF-16 text", "say so: --encoding utf-16"),
    b"\x1f\x8b": ("gzip data", UNPACK.format("gunzip -k")),
    b"BZh": ("bzip2 data", UNPACK.format("bunzip2 -k")),
    b"\xfd7zXZ\0": ("xz data", UNPACK.format("unxz -k")),
    b"\x28\xb5\x2f\xfd": ("zstandard data", UNPACK.format("unzstd")),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip archive", UNPACK.format("7z x")),
    b"PK\x03\x04": (
        "a zip archive, as .docx, .odt, .xlsx and .epub files are",
        f"unpack it (unzip FILE), or open the document and {SAVE_AS_TEXT}",
    ),
    b"\xd0\xcf\x11\xe0": (
        "an old Office document (.doc, .xls)", f"open it and {SAVE_AS_TEXT}"
    ),
    b"%PDF-": ("a PDF", "take its text out first: pdftotext FILE"),
    b"\x89PNG": ("a PNG image", "a corpus needs text"),
    b"\xff\xd8\xff": ("a JPEG image", "a corpus needs text"),
    b"SQLite format 3\0": ("an SQLite database", "export its text to a file in UTF-8"),
    b"PAR1": ("a Parquet file", "export its text to a file in UTF-8"),
}  # fmt: skip
"""Files that are not UTF-8 text, by their first bytes: what they are, and what to do. UTF-32 comes
before UTF-16, whose mark is a part of its own."""

HEAD_BYTES = max(map(len, KNOWN_FORMATS))


def chunks(file: Path, size: int, passed: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """Read a file, `size` bytes at a time, and unpack it if it is packed.

    passed: called after each chunk has been used, with the size of the part of the file that it
    came from. Raises CorpusError if the file cannot be read or unpacked.
    """
    try:
        with file.open("rb", buffering=0) as stream:
            content, before = Unpacked(stream, f"file {file}"), 0
            while chunk := content.read(size):
                yield chunk
                if passed:
                    passed(content.position - before)
                before = content.position
    except OSError as error:
        raise CorpusError(f"file {file}: cannot be read: {error.strerror}") from None


def decoded(
    content: Iterable[bytes],
    origin: str,
    errors: str,
    encoding: str = "utf-8",
    *,
    at_once: bool = False,
) -> Iterator[str]:
    """Decode bytes and drop a byte order mark at the start.

    Raises CorpusError if there is no text at all. With errors "strict", also raises it for a NUL
    byte anywhere, or else for the first bytes that are not in the encoding.
    origin: names the text in errors. at_once: a first chunk that is too short to tell a known
    format does not wait for the next one, and there may be no text.
    """
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    has_nul = "a".encode(encoding) != b"a"  # such as UTF-16
    read, begun, empty = 0, False, True
    rest_of_content = iter(content)
    first = next(rest_of_content, b"") if at_once else first_bytes(rest_of_content, HEAD_BYTES)
    head = first[:HEAD_BYTES]
    steps = chain([(first, False)], ((chunk, False) for chunk in rest_of_content), [(b"", True)])
    for chunk, is_end in steps:
        if errors == "strict" and not has_nul:
            _refuse_nul(chunk, read, origin, head)
        start = read - len(decoder.getstate()[0])  # the last chunk may have ended in a character
        read += len(chunk)
        try:
            text = decoder.decode(chunk, is_end)
        except UnicodeDecodeError as error:
            for rest, _ in steps:
                if not has_nul:
                    _refuse_nul(rest, read, origin, head)
                read += len(rest)
            _refuse_known_format(head, origin)
            raise CorpusError(
                f"{origin} is not {NAMES.get(encoding, encoding)} text: byte "
                f"0x{error.object[error.start]:02x} at offset {start + error.start}; name its "
                "encoding (--encoding cp1252, or auto to detect it), or lose characters by "
                "--errors replace"
            ) from None
        if text and not begun:
            begun, text = True, text.removeprefix(BYTE_ORDER_MARK)
        if text:
            empty = False
            yield text
    if empty and not at_once:
        raise CorpusError(f"{origin} is empty; a corpus needs text")


def first_bytes(content: Iterator[bytes], size: int) -> bytes:
    """Take the first chunks, until they have so many bytes."""
    first = b""
    for chunk in content:
        first += chunk
        if len(first) >= size:
            break
    return first


def _refuse_nul(chunk: bytes, offset: int, origin: str, head: bytes) -> None:
    if (nul := chunk.find(b"\0")) >= 0:
        _refuse_known_format(head, origin)
        raise CorpusError(
            f"{origin} is not text: NUL byte at offset {offset + nul}; "
            "use --errors replace to read it anyway"
        )


def _refuse_known_format(head: bytes, origin: str) -> None:
    """Raise CorpusError with a better message if bytes that are not text begin like a format."""
    for mark, (what, advice) in KNOWN_FORMATS.items():
        if head.startswith(mark):
            raise CorpusError(f"{origin} is {what}, not UTF-8 text; {advice}")
