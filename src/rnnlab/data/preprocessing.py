"""Text rules by name. Each turns pieces of text into pieces; the cuts do not change the text."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from rnnlab.data.pieces import recut

LONGEST_RUN = 65_536
"""How many characters without white space `lower` looks at together; bounds memory."""

_NOT_LETTERS = re.compile("[^A-Za-z]+")
_RUNS = re.compile(rf"\s+|\S{{1,{LONGEST_RUN}}}")
_MARKS = r"\p{M}\u1160-\u11ff\ud7b0-\ud7ff\U00016d40-\U00016d7f"
"""Characters that may compose with one before them or change places with it: marks, vowels and
final consonants of Hangul, and Kirat Rai, whose vowel signs are letters."""

# For `regex`, which is imported where it is used: it takes a tenth of a second, as long as to
# compile these, and keeps what it has compiled.
LAST_LETTER = f"(?r)[^{_MARKS}]"
LETTERS = f"[^{_MARKS}][{_MARKS}]*+|[{_MARKS}]++"
LONGEST_MARKS = f"[{_MARKS}]{{{LONGEST_RUN}}}"

_FINAL_SIGMA = "\u03a3"
"""The one letter whose lower case depends on its neighbours."""


def _letters(pieces: Iterable[str]) -> Iterator[str]:
    """Keep only a-z and single spaces, as d2l does.

    In each line, every run of characters other than A-Z a-z becomes one space, and the line is
    stripped and lower-cased. Lines are joined with nothing between them.

    Source: Zhang et al., Dive into Deep Learning, section 9.2 "Converting Raw Text into Sequence
    Data".
    """
    begun = gap = False  # whether this line has had a letter, and other characters after it
    for piece in pieces:
        kept = []
        for number, line in enumerate(piece.split("\n")):
            if number:
                begun = gap = False
            spaced = _NOT_LETTERS.sub(" ", line)
            word = spaced.strip()
            if word:
                kept.append(" " + word if begun and (gap or spaced[0] == " ") else word)
                begun, gap = True, spaced[-1] == " "
            elif spaced:
                gap = True
        yield "".join(kept).lower()


def _lower(pieces: Iterable[str]) -> Iterator[str]:
    """As str.lower, but a run of more than LONGEST_RUN characters without white space is cut."""
    for text in recut(pieces, _end_of_runs):
        if _FINAL_SIGMA in text:
            yield "".join(run.lower() for run in _RUNS.findall(text))
        else:
            yield text.lower()


def _end_of_runs(text: str) -> int:
    """Return where the last run, which may go on, begins, or the last part of it."""
    run = text[-1:].strip() and text.rsplit(None, 1)[-1]
    return len(text) - len(run) + max(0, len(run) - 1) // LONGEST_RUN * LONGEST_RUN


def _nfc(pieces: Iterable[str]) -> Iterator[str]:
    """Compose letters with their marks: normalization form C (UAX 15).

    A letter with more than LONGEST_RUN marks is cut.
    """
    import regex

    for text in recut(pieces, _end_of_letters):
        if unicodedata.is_normalized("NFC", text):
            yield text
        elif regex.search(LONGEST_MARKS, text):
            yield "".join(
                unicodedata.normalize("NFC", letter[start : start + LONGEST_RUN])
                for letter in regex.findall(LETTERS, text)
                for start in range(0, len(letter), LONGEST_RUN)
            )
        else:
            yield unicodedata.normalize("NFC", text)


def _end_of_letters(text: str) -> int:
    """Return where the last letter with its marks begins, or the last part of it."""
    import regex

    begin = regex.search(LAST_LETTER, text)
    start = begin.start() if begin else 0
    return start + (len(text) - 1 - start) // LONGEST_RUN * LONGEST_RUN


RULES: dict[str, Callable[[Iterable[str]], Iterator[str]]] = {
    "none": iter,
    "nfc": _nfc,
    "lower": _lower,
    "letters": _letters,
}


def preprocess(text: str, rule: str) -> str:
    """Apply a rule, or several whose names are separated by spaces, to a text."""
    return "".join(preprocess_pieces([text], rule))


def preprocess_pieces(pieces: Iterable[str], rule: str) -> Iterator[str]:
    """Apply rules to a text in pieces; yield no empty pieces."""
    for name in rule.split():
        pieces = RULES[name](pieces)
    return (piece for piece in pieces if piece)


def quoted_end(text: str, most: int = 40) -> str:
    """Return a text as a notice quotes it: of a long one only the last characters."""
    return repr(text) if len(text) <= most else f"...{text[-most:]!r}"
