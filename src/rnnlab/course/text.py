"""The text of the course: a book in small letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rnnlab.data.named_corpora import PYTHON_REFERENCE, load_default
from rnnlab.data.preprocessing import preprocess
from rnnlab.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

RULE = "letters"
LETTERS = "_. 0123456789abcdefghijklmnopqrstuvwxyz"
"""What an id of `columns` stands for; "_" is nothing."""


def book(*sizes: int) -> tuple[str, ...]:
    """Return texts of so many characters, which follow each other from the beginning of a book.

    The book is The Time Machine in the letters a to z and single spaces, as in the lab report; or
    the Python reference, if that cannot be downloaded, which is said. Raises UsageError if it is
    too short.
    """
    corpus = load_default("", "strict")
    if corpus.name == PYTHON_REFERENCE:
        print(f"This is not The Time Machine, so the figures are others: {corpus.origin}.")
    text = preprocess(corpus.text, RULE)
    if sum(sizes) > len(text):
        raise UsageError(
            f"the book has {len(text):,} characters, which is less than {sum(sizes):,}"
        )
    found, at = list[str](), 0
    for size in sizes:
        found.append(text[at : at + size])
        at += size
    return tuple(found)


def columns(texts: Sequence[str]) -> Tensor:
    """Return the ids of texts, one in each column (T, B), with 0 after the end of shorter ones.

    Raises ValueError for a character that is not in `LETTERS`.
    """
    import torch

    longest = max(map(len, texts))
    rows = [[LETTERS.index(x) for x in text.ljust(longest, "_")] for text in texts]
    return torch.tensor(rows).T
