"""The three contiguous parts of a text."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy.typing as npt

from rnnlab.config import DataSettings
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
    documents: tuple[int, ...] = ()
    """Where documents begin, but for one at the start of the split [tokens of `all_ids`]."""
    cuts_document: bool = False
    """Whether the split ends within a document."""
    seams: tuple[int, ...] = ()
    """Where the beginning of the text follows its end, since a fold was cut out [tokens]."""

    @property
    def is_cut(self) -> bool:
        """Whether `text` is only the beginning of the split."""
        return len(self.text) < self.characters


def is_held_out(settings: DataSettings, split: str) -> bool:
    """Whether something is asked for the validation or the test split."""
    if split in settings.held_out_names or (settings.fold and split == "test"):
        return True
    return settings.split[SPLITS.index(split)] > 0


def fold_ends(
    size: int, fold: tuple[int, int], borders: Sequence[int] = (), at: str = "anywhere"
) -> tuple[int, int]:
    """Return where fold K of N begins and ends in a text, or in samples, of this size.

    The N folds are as equal as can be, and together they are all of the text. borders, at: as in
    `split_sizes`; where documents begin, folds end at the nearest ones. Raises UsageError for more
    folds than there is to divide.
    """
    number, count = fold
    ends = [size * k // count for k in range(count + 1)]
    if at != "anywhere" and borders:
        nearest = [min(borders, key=lambda border: abs(border - end)) for end in ends[1:-1]]
        moved = [0, *nearest, size]
        sizes, asked = _lengths(moved), _lengths(ends)
        if min(sizes) > 0 and (at == "documents" or _are_close(sizes, asked)):
            ends = moved
        elif at == "documents":
            raise UsageError(
                f"split_at = 'documents' leaves one of {count} folds without a text; the corpus "
                f"has {len(borders) + 1} that are not empty"
            )
    if min(_lengths(ends)) < 1:
        raise UsageError(f"fold = '{number}/{count}' needs at least {count} parts, not {size}")
    return ends[number - 1], ends[number]


def outside_fold(
    parts: tuple[float, float, float], own: Collection[str]
) -> tuple[float, float, float]:
    """Return the shares that train and validation have of what a fold leaves."""
    train, validation, _ = parts_of_divided(parts, own)
    return train / (train + validation), validation / (train + validation), 0.0


def _lengths(ends: Sequence[int]) -> list[int]:
    return [after - before for before, after in pairwise(ends)]


def parts_of_divided(
    parts: tuple[float, float, float], own: Collection[str]
) -> tuple[float, float, float]:
    """Return the parts of a text that is divided, where some splits have texts of their own.

    The share of such a split goes to training; of whole numbers, it must be 0, or UsageError is
    raised.
    """
    first, *others = parts
    for number, name in enumerate(SPLITS[1:]):
        if name in own:
            share = others[number]
            if share and sum(parts) > 1 + 1e-6:
                raise UsageError(
                    f"split asks for {int(share)} from the corpus for the {name} split, which has "
                    f"a text of its own ({name}_corpus); make it 0"
                )
            first, others[number] = first + share, 0
    return first, others[0], others[1]


def split_sizes(
    characters: int,
    parts: tuple[float, float, float],
    borders: Sequence[int] = (),
    at: str = "auto",
) -> dict[str, int]:
    """Return the number of characters of the train, validation and test parts of a text.

    parts: shares that sum to 1, or whole numbers of characters; then the rest of the text is not
    used, and UsageError is raised if the text has fewer.
    borders: where documents begin, after the first.
    at: "anywhere"; "documents": the parts end at the nearest borders, or UsageError is raised if
    there are too few; "auto": at borders, if there are some and each part has between half and
    twice the size that was asked for. Whole numbers are exact, whatever the borders.
    """
    if sum(parts) > 1 + 1e-6:
        sizes = [int(part) for part in parts]
        if at == "documents":
            raise UsageError(
                "split_at = 'documents' needs a split by shares; whole numbers of characters are "
                "exact"
            )
        if sum(sizes) > characters:
            raise UsageError(f"split asks for {sum(sizes)} characters; the text has {characters}")
        return dict(zip(SPLITS, sizes, strict=True))
    # Shares that sum to a little more than 1 must not ask for more than there is.
    first = min(characters, round(characters * parts[0]))
    second = min(characters, round(characters * (parts[0] + parts[1])))
    sizes = [first, second - first, characters - second]
    if at != "anywhere" and borders:
        moved = _at_borders(sizes, borders)
        if moved and (at == "documents" or _are_close(moved, sizes)):
            sizes = moved
        elif at == "documents":
            needed = sum(size > 0 for size in sizes)
            raise UsageError(
                f"split_at = 'documents' needs a document for each of the {needed} parts; the "
                f"corpus has {len(borders) + 1} that are not empty"
            )
    return dict(zip(SPLITS, sizes, strict=True))


def _at_borders(sizes: Sequence[int], borders: Sequence[int]) -> list[int] | None:
    """Return the sizes of parts that end at borders, as near as can be; None if that cannot be.

    A part that is asked for gets at least one document, the others stay empty.
    """
    first, second, end = accumulate(sizes)
    best: tuple[int, int, int] | None = None
    for one in (*borders, end):
        if (one < end) == (first == end):  # with validation and test parts, or without
            continue
        others = [one] if first == second else [end] if second == end else borders
        place = bisect_left(others, second)
        for two in others[max(0, place - 1) : place + 1]:
            if (two > one) != (second > first) or (two < end) != (second < end):
                continue
            best = min(best or (2 * end, 0, 0), (abs(one - first) + abs(two - second), one, two))
        after = bisect_right(others, one)  # the nearest border may be too far in front
        if second > first and second < end and after < len(others):
            two = others[after]
            best = min(best or (2 * end, 0, 0), (abs(one - first) + abs(two - second), one, two))
    if best is None:
        return None
    _, one, two = best
    return [one, two - one, end - two]


def _are_close(moved: Sequence[int], asked: Sequence[int]) -> bool:
    return all(size <= 2 * new <= 4 * size for new, size in zip(moved, asked, strict=True))
