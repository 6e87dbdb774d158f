"""The encoding of a text that does not say it."""

import codecs
from collections.abc import Iterable
from itertools import chain

from rnnlab.config.validation import check_encoding
from rnnlab.data.decoding import first_bytes
from rnnlab.errors import CorpusError, UsageError

AUTO, DEFAULT = "auto", "utf-8"

USUAL = "cp1252"
"""What is taken where several fit about equally well: the most common after UTF-8."""

CLOSE = 2.0
"""Percentage points of what the library calls chaos."""

LOOKED_AT = 1 << 16
"""How many bytes at the beginning of a text are looked at."""

MARKS = {
    codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
"""UTF-32 comes before UTF-16, whose mark is a part of its own."""


def usable_encoding(name: str) -> str:
    """Return the usual name of an encoding, or "auto"; raise UsageError if Python has no such."""
    try:
        return check_encoding(name)
    except ValueError as error:
        raise UsageError(f"encoding: {error}") from None


def detected(content: Iterable[bytes], encoding: str, origin: str) -> tuple[str, Iterable[bytes]]:
    """Return the encoding of a text, detected if `encoding` is "auto", and all of its bytes.

    Raises CorpusError if it cannot be told. origin: names the text in errors.
    """
    if encoding != AUTO:
        return encoding, content
    rest = iter(content)
    head = first_bytes(rest, LOOKED_AT)
    return _detect(head, origin), chain([head], rest)


def with_encoding(origin: str, encoding: str, asked: str) -> str:
    """Return where a text came from, and in which encoding it was read if not in the usual one."""
    if encoding == DEFAULT:
        return origin
    guess = ", which was detected: look at the text" if asked == AUTO else ""
    return f"{origin}, read as {encoding}{guess}"


def _detect(head: bytes, origin: str) -> str:
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            return encoding
    try:
        codecs.getincrementaldecoder(DEFAULT)().decode(head)
    except UnicodeDecodeError:
        pass
    else:
        return DEFAULT
    from charset_normalizer import from_bytes

    # A character that is cut in two would rule out its own encoding.
    whole = head[: head.rfind(b"\n") + 1] or head
    found = list(from_bytes(whole))
    if not found:
        raise CorpusError(f"{origin}: its encoding cannot be told; name it with --encoding")
    likely = [m for m in found if m.percent_chaos <= found[0].percent_chaos + CLOSE]
    usual = any(USUAL in match.could_be_from_charset for match in likely)
    return USUAL if usual else found[0].encoding
