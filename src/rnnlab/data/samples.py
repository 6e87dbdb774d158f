"""Samples: lines or documents, each a text of its own.

A sample ends with a line break, and a text of samples begins with one. So a line break is both the
end of a sample and the beginning of the next: after it the state is zero, and nothing that came
before counts. White space at the end of a sample is dropped, and empty ones are left out.

Line breaks within a document are vertical tabs (U+000B) in such a text, which every tokenizer reads
as it reads line breaks; people see line breaks.

Legend: N samples.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from rnnlab.data.base_tokenizer import Ids, Tokenizer
from rnnlab.data.preprocessing import preprocess
from rnnlab.data.splits import SPLITS, fold_ends, outside_fold, parts_of_divided
from rnnlab.errors import CorpusError, UsageError

SEPARATOR = "\n"

LINE_BREAK_WITHIN = "\v"
"""What stands for a line break within a document."""

LONGEST_SAMPLE = 2**24
"""Characters of the longest sample; bounds memory for a file without line breaks."""

UNUSED = len(SPLITS)

Keys = npt.NDArray[np.uint64]


def start_of_samples(tokenizer: Tokenizer) -> int:
    """Return the id of the separator; raises UsageError if it is not one token."""
    ids = tokenizer.encode(SEPARATOR)
    if len(ids) != 1 or ids[0] == tokenizer.unknown_id:
        raise UsageError(
            f"samples end with a line break, and this {tokenizer!r} does not know it; rnnlab "
            "evaluate measures a whole text"
        )
    return int(ids[0])


def as_text(samples: Iterable[str]) -> str:
    """Return samples as one text, which begins with the separator; "" for none."""
    text = SEPARATOR.join(samples)
    return f"{SEPARATOR}{text}{SEPARATOR}" if text else ""


def samples_of(pieces: Iterable[str], rule: str = "none") -> Iterator[str]:
    """Yield the samples of a text in pieces, each under a text rule; see `prepared`."""
    return prepared(_lines(pieces), rule)


def prepared(samples: Iterable[str], rule: str, origin: str = "") -> Iterator[str]:
    """Yield samples under a text rule, without those of which nothing is left.

    Raises CorpusError for one that is too long; origin: where they come from.
    """
    for number, line in enumerate(samples, start=1):
        if len(line) > LONGEST_SAMPLE:
            raise _too_long(origin or f"line {number:,}")
        if sample := prepared_sample(line, rule):
            yield sample


def prepared_sample(text: str, rule: str) -> str:
    """Return one sample as a model reads it, without its end."""
    return within(preprocess(text.rstrip(), rule).rstrip())


def within(text: str) -> str:
    """Return what stands for a text within a sample: it has no separator."""
    return text.replace(SEPARATOR, LINE_BREAK_WITHIN)


def shown(sample: str) -> str:
    """Return a document as people see it."""
    return sample.replace(LINE_BREAK_WITHIN, SEPARATOR)


def document(pieces: Iterable[str], origin: str) -> str:
    """Return all of a text as one sample; raises CorpusError if it is too long."""
    parts, size = [], 0
    for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size > LONGEST_SAMPLE + 1:  # a last line break is not part of it
            raise _too_long(origin)
    return "".join(parts)


def _too_long(what: str) -> CorpusError:
    return CorpusError(
        f"{what} has more than {LONGEST_SAMPLE:,} characters, which is too long for a sample "
        "(--unit text reads the corpus as one running text)"
    )


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text; one that is too long ends where that is known."""
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split(SEPARATOR)
        yield from lines
        if len(rest) > LONGEST_SAMPLE:
            break
    yield rest


@dataclass(frozen=True)
class SampleCounts:
    """What is told of the samples of a corpus."""

    counts: dict[str, int]
    """By split."""
    repeated: int
    """How many are equal to one before them."""
    left_out: int
    """How many held-out ones are not used, since an earlier split has them."""
    also_held_out: int = 0
    """How many of the corpus are not used, since a held-out text of its own has them."""
    also_in_test: int = 0
    """How many of the validation text are not used, since the test text has them."""


@dataclass(frozen=True)
class Assignment:
    """Where each of N samples goes, in the order of the corpus."""

    splits: npt.NDArray[np.int64]  # (N,) numbers in SPLITS, or UNUSED
    places: Keys  # (N,) the samples of a split are in ascending order of these
    repeated: int
    left_out: int
    also_held_out: int = 0
    also_in_test: int = 0

    def members(self, split: str) -> Ids:
        """Return the numbers of the samples of a split, in order."""
        found = np.flatnonzero(self.splits == SPLITS.index(split))
        return found[np.argsort(self.places[found], kind="stable")]

    @property
    def counts(self) -> dict[str, int]:
        """The number of samples of each split."""
        found = np.bincount(self.splits, minlength=UNUSED)
        return {name: int(n) for name, n in zip(SPLITS, found, strict=False)}

    @property
    def told(self) -> SampleCounts:
        """What is told of it."""
        return SampleCounts(
            self.counts, self.repeated, self.left_out, self.also_held_out, self.also_in_test
        )


def sample_keys(samples: Iterable[str]) -> Keys:
    """Return a number for each sample that depends on nothing else, (N,)."""
    digests = (
        blake2b(sample.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for sample in samples
    )
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64, copy=False)


def assign_samples(
    keys: Keys,
    parts: tuple[float, float, float],
    order: str,
    seed: int,
    fold: tuple[int, int] = (0, 0),
) -> Assignment:
    """Divide samples (N,) among train, validation and test.

    parts: shares that sum to 1, or numbers of samples; then the rest is not used, and UsageError is
    raised if there are fewer.
    order: "shuffled" by `seed`, where equal samples are in one split and the order of the corpus
    does not matter; or "file", where held-out samples that an earlier split has are left out.
    fold: K and N; then part K of N in this order is for test, and `parts` are shares of the rest.

    Raises CorpusError if there are no samples for training.
    """
    count = len(keys)
    begin, turn = fold_ends(count, fold) if fold[1] else (0, 0)  # a fold comes last
    sizes = _sizes(count - turn + begin, parts)
    ends = list(accumulate([*sizes[:2], turn - begin if fold[1] else sizes[2]]))
    if not ends[0]:
        raise CorpusError(f"no training samples: the corpus has {count} samples with text")
    if order == "shuffled":
        keys = _mixed(keys ^ _mixed(np.full(1, seed, np.uint64)))
    else:
        keys = np.roll(keys, -turn)
    ascending = np.argsort(keys, kind="stable")
    first = np.searchsorted(keys, keys, "left", ascending)  # rank of the first equal one
    repeated = count - len(np.unique(first))
    if order == "file":
        splits = np.searchsorted(ends, np.arange(count), "right")
        before = splits[ascending[first]]
        is_known = (splits > before) & (splits < UNUSED)
        splits[is_known] = UNUSED
        places = np.arange(count, dtype=np.uint64)
        splits = np.roll(splits, turn)
        return Assignment(splits, places, repeated, int(is_known.sum()))
    splits = np.searchsorted(ends, (first - turn) % count, "right")
    number = np.empty(count, np.uint64)  # of each one among those equal to it
    number[ascending] = np.arange(count) - first[ascending]
    return Assignment(splits, _mixed(keys + _mixed(number)), repeated, 0)


def assign_with_own(
    keys: Keys,
    own: Mapping[str, Keys],
    parts: tuple[float, float, float],
    order: str,
    seed: int,
    fold: tuple[int, int] = (0, 0),
) -> Assignment:
    """Divide samples (N,) as `assign_samples` does, where some splits have samples of their own.

    own: the keys of these, by split; they come after the others, in the order of `own`. All test
    samples are kept. A validation sample that equals one of them is not used, nor is a sample of
    the corpus that equals any of `own`.
    """
    groups, where = [keys, *own.values()], [-1, *map(SPLITS.index, own)]
    splits = [np.full(len(group), UNUSED) for group in groups]
    places = [np.zeros(len(group), np.uint64) for group in groups]
    unused, divided = [], None
    for number, group in enumerate(groups):
        later = [np.empty(0, np.uint64), *groups[number + 1 :]]
        kept = ~np.isin(group, np.concatenate(later))
        unused.append(int((~kept).sum()))
        if number and not kept.any():
            continue
        if not number and len(keys) and not kept.any():
            raise CorpusError("no training samples: all of them are in the held-out texts, too")
        shares = outside_fold(parts, own) if fold[1] else parts_of_divided(parts, own)
        how = ((1.0, 0.0, 0.0), order, seed) if number else (shares, order, seed, fold)
        found = assign_samples(group[kept], *how)
        splits[number][kept] = where[number] if number else found.splits
        places[number][kept] = found.places
        divided = divided or found
    assert divided
    return Assignment(
        np.concatenate(splits), np.concatenate(places), divided.repeated, divided.left_out,
        unused[0], sum(unused[1:]),
    )  # fmt: skip


def _sizes(count: int, parts: Sequence[float]) -> list[int]:
    if sum(parts) > 1 + 1e-6:
        sizes = [int(part) for part in parts]
        if sum(sizes) > count:
            raise UsageError(f"split asks for {sum(sizes)} samples; the corpus has {count}")
        return sizes
    first = min(count, round(count * parts[0]))
    second = min(count, round(count * (parts[0] + parts[1])))
    return [first, second - first, count - second]


def _mixed(x: Keys) -> Keys:
    """Return other numbers, each a one-to-one function of one of x.

    Source: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014, figure 16.
    """
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
