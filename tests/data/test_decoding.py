import bz2
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_pieces import CUTS, TEXT, pieces

from rnnlab.data.decoding import chunks, decoded
from rnnlab.errors import CorpusError

BOM = "\ufeff"
BROKEN = st.sampled_from([b"\0", b"\xff", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc3"])


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """Text in which up to three places are not text."""
    content = draw(st.sampled_from(["", BOM])).encode() + draw(TEXT).encode()
    for broken in draw(st.lists(BROKEN | st.binary(max_size=3), max_size=3)):
        where = draw(st.integers(0, len(content)))
        content = content[:where] + broken + content[where:]
    return content


def expected(content: bytes, errors: str) -> str:
    """The text, or the message of the error, by decoding the whole at once."""
    if errors == "strict" and content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "a book is UTF-16 text, not UTF-8 text; say so: --encoding utf-16"
    if errors == "strict" and b"\0" in content:
        offset = content.index(b"\0")
        return (
            f"a book is not text: NUL byte at offset {offset}; "
            "use --errors replace to read it anyway"
        )
    try:
        text = content.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        return (
            f"a book is not UTF-8 text: byte 0x{content[error.start]:02x} at offset {error.start}; "
            "name its encoding (--encoding cp1252, or auto to detect it), or lose characters by "
            "--errors replace"
        )
    return text.removeprefix(BOM) or "a book is empty; a corpus needs text"


@given(content=contents(), cuts=CUTS, errors=st.sampled_from(["strict", "replace"]))
@settings(max_examples=400, derandomize=True)
def test_bytes_in_pieces_are_decoded_like_the_whole(
    content: bytes, cuts: set[int], errors: str
) -> None:
    try:
        found = "".join(decoded(pieces(content, cuts), "a book", errors))
    except CorpusError as error:
        found = str(error)
    assert found == expected(content, errors)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x" * 70_000 + b"\xff", "not UTF-8 text: byte 0xff at offset 70000;"),
        (b"x" * 65_535 + "é".encode() + b"\xc3(", "not UTF-8 text: byte 0xc3 at offset 65537;"),
        (b"x" * 65_535 + b"\xf0\x9f\x98", "not UTF-8 text: byte 0xf0 at offset 65535;"),
        (b"\xff" + b"x" * 70_000 + b"\0", "not text: NUL byte at offset 70001;"),
        ("abc".encode("utf-16-le"), "not text: NUL byte at offset 1;"),
        ("abc".encode("utf-16"), "UTF-16 text, not UTF-8 text; say so"),
        (b"\xfe\xff" + "абв".encode("utf-16-be"), "UTF-16 text, not UTF-8 text; say so"),
    ],
    ids=[
        "later chunk",
        "after a character across",
        "unfinished across",
        "NUL after all",
        "UTF-16 unmarked",
        "UTF-16",
        "big-endian",
    ],
)
def test_offsets_count_from_the_start_of_the_file(
    content: bytes, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "book.txt"
    file.write_bytes(content)
    with pytest.raises(CorpusError, match=f"^a book is {re.escape(message)}"):
        list(decoded(chunks(file, 65_536), "a book", "strict"))


def zipped(names: Sequence[str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "<text>a story</text>")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"a story"), "gzip data, not UTF-8 text; unpack it first: gunzip -k FILE"),
        (bz2.compress(b"a story"), "bzip2 data, not UTF-8 text; unpack it first: bunzip2 -k FILE"),
        (lzma.compress(b"a story"), "xz data, not UTF-8 text; unpack it first: unxz -k FILE"),
        (
            zipped(["[Content_Types].xml", "word/document.xml"]),
            "a zip archive, as .docx, .odt, .xlsx and .epub files are, not UTF-8 text; unpack it "
            "(unzip FILE), or open the document and save it as plain text in UTF-8",
        ),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF, not UTF-8 text; take its text out first"),
        ("a".encode("utf-32"), "UTF-32 text, not UTF-8 text; say so: --encoding utf-32"),
    ],
    ids=["gzip", "bzip2", "xz", "docx", "pdf", "UTF-32"],
)
def test_a_known_format_is_named_with_the_way_to_its_text(content: bytes, message: str) -> None:
    """Also if the first chunk holds nothing but the beginning of its mark."""
    for cuts in (set[int](), {1}, {1, 2, 3, 4}):
        with pytest.raises(CorpusError, match=f"^a book is {re.escape(message)}") as refused:
            list(decoded(pieces(content, cuts), "a book", "strict"))
        assert "--errors replace" not in str(refused.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"^file .*: cannot be read: Is a directory$"):
        list(chunks(tmp_path, 10))
