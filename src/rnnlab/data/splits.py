"""The three contiguous parts of a text."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from rnnlab.data.char_tokenizers import Ids
from rnnlab.errors import CorpusError, UsageError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Whole:
    """A split that is too long for memory, of which only parts are at hand."""

    ids: npt.NDArray[Any]  # (N,) of the smallest integer type that holds them, mapped
    characters: int
    end: str
    """Its last characters, as many as simple methods learn from; of the training split alone."""


@dataclass(frozen=True)
class Split:
    """One contiguous part of a text, and its ids; of a streamed text, how the part begins."""

    text: str
    """What is evaluated: all of it, or of a streamed text the first characters."""
    ids: Ids  # (N,) of `text`
    whole: Whole | None = None
    """All of it, where `text` is only the beginning."""

    @property
    def all_ids(self) -> npt.NDArray[Any]:
        """The ids (N,) of all of it, of any integer type."""
        return self.whole.ids if self.whole else self.ids

    @property
    def characters(self) -> int:
        """The length of all of it."""
        return self.whole.characters if self.whole else len(self.text)

    @property
    def end(self) -> str:
        """All of it, or of a streamed text the last characters, which only "train" has."""
        return self.whole.end if self.whole else self.text


def split(text: str, parts: tuple[float, float, float]) -> dict[str, str]:
    """Cut `text` into contiguous train, validation and test parts; see `split_sizes`."""
    pieces, start = {}, 0
    for name, size in split_sizes(len(text), parts).items():
        pieces[name] = text[start : start + size]
        start += size
    return pieces


def split_sizes(characters: int, parts: tuple[float, float, float]) -> dict[str, int]:
    """The sizes of contiguous train, validation and test parts of a text of so many characters.

    `parts` are shares that sum to 1, or whole numbers of characters; in the latter case what
    follows them is left out, and UsageError is raised where the text does not hold them.
    """
    if sum(parts) > 1 + 1e-6:
        sizes = [int(part) for part in parts]
        if sum(sizes) > characters:
            raise UsageError(f"split asks for {sum(sizes)} characters; the text has {characters}")
    else:
        # Shares that sum to a little more than 1 must not ask for more than there is.
        first = min(characters, round(characters * parts[0]))
        second = min(characters, round(characters * (parts[0] + parts[1])))
        sizes = [first, second - first, characters - second]
    return dict(zip(SPLITS, sizes, strict=True))


def nothing_left(corpus: str, rule: str) -> CorpusError:
    """The error for a text that is empty under the text rule."""
    return CorpusError(
        f"corpus {corpus!r}: nothing is left of the text after preprocessing {rule!r}"
    )


def too_short(characters: int) -> CorpusError:
    """The error for a training split of so many characters."""
    return CorpusError(
        f"text too short: a training split of {characters} characters holds less than two tokens"
    )
