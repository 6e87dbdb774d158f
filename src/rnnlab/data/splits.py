"""The three contiguous parts of a text."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from rnnlab.data.base_tokenizer import Ids
from rnnlab.errors import UsageError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """One contiguous part of a text, and its ids."""

    text: str
    """What is evaluated: all of the split, or the first characters of a long text's split."""
    ids: Ids  # (N,) of `text`
    all_ids: npt.NDArray[Any]  # (M,) of all of the split, of any integer type, maybe mapped
    characters: int
    """The number of characters of all of the split."""
    end: str
    """What simple methods learn from: all of the split, or the last characters of a long text's
    training split; empty for the other splits of a long text."""

    @property
    def is_cut(self) -> bool:
        """Whether `text` is only the beginning of the split."""
        return len(self.text) < self.characters


def split_sizes(characters: int, parts: tuple[float, float, float]) -> dict[str, int]:
    """Return the number of characters of the train, validation and test parts of a text.

    parts: shares that sum to 1, or whole numbers of characters; then the rest of the text is not
    used, and UsageError is raised if the text has fewer.
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
