"""The text of the course: a book in small letters."""

from rnnlab.data.named_corpora import load_default
from rnnlab.data.preprocessing import preprocess
from rnnlab.errors import UsageError

RULE = "letters"


def book(*sizes: int) -> tuple[str, ...]:
    """Return texts of so many characters, which follow each other from the beginning of a book.

    The book is The Time Machine in the letters a to z and single spaces, as in the lab report; or
    the Python reference, if that cannot be downloaded. Raises UsageError if it is too short.
    """
    text = preprocess(load_default("", "strict").text, RULE)
    if sum(sizes) > len(text):
        raise UsageError(
            f"the book has {len(text):,} characters, which is less than {sum(sizes):,}"
        )
    found, at = list[str](), 0
    for size in sizes:
        found.append(text[at : at + size])
        at += size
    return tuple(found)
