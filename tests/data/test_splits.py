"""Splits of several texts end between two of them where that is near enough."""

import itertools
from pathlib import Path

import pytest
from dataset_outcome import dataset_of
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.data.splits import split_sizes
from rnnlab.errors import UsageError

moderate = settings(max_examples=200, deadline=None, derandomize=True)


pytestmark = pytest.mark.usefixtures("cache")


def at_borders(sizes: list[int], borders: list[int]) -> tuple[int, list[int]] | None:
    """The nearest parts that end at borders, by trying all."""
    end = sum(sizes)
    tried = [
        (abs(one - sizes[0]) + abs(two - sizes[0] - sizes[1]), [one, two - one, end - two])
        for one, two in itertools.product([*borders, end], repeat=2)
        if one <= two
    ]
    fit = [
        (cost, parts)
        for cost, parts in tried
        if all((new > 0) == (size > 0) for new, size in zip(parts, sizes, strict=True))
    ]
    return min(fit, default=None)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=2, max_size=12),
    shares=st.sampled_from(
        [
            (0.9, 0.05, 0.05),
            (0.8, 0.1, 0.1),
            (0.5, 0.3, 0.2),
            (0.9, 0.1, 0),
            (0.9, 0, 0.1),
            (1, 0, 0),
        ]
    ),
)
@moderate
def test_splits_end_at_the_nearest_borders(
    lengths: list[int], shares: tuple[float, float, float]
) -> None:
    *borders, total = itertools.accumulate(lengths)
    anywhere = list(split_sizes(total, shares, borders, "anywhere").values())
    assert anywhere == list(split_sizes(total, shares).values())
    best = at_borders(anywhere, borders)
    if best is None:
        with pytest.raises(UsageError, match=r"^split_at = 'documents' needs a document for each"):
            split_sizes(total, shares, borders, "documents")
        assert list(split_sizes(total, shares, borders).values()) == anywhere
        return
    moved = list(split_sizes(total, shares, borders, "documents").values())
    cost = sum(
        abs(a - b)
        for a, b in zip(
            itertools.accumulate(moved[:2]), itertools.accumulate(anywhere[:2]), strict=True
        )
    )
    assert cost == best[0]
    assert [size > 0 for size in moved] == [size > 0 for size in anywhere]
    assert {moved[0], moved[0] + moved[1]} <= {*borders, total}
    is_close = all(a / 2 <= b <= 2 * a for a, b in zip(anywhere, moved, strict=True))
    assert list(split_sizes(total, shares, borders).values()) == (moved if is_close else anywhere)


def test_whole_numbers_of_characters_are_exact() -> None:
    assert list(split_sizes(100, (50, 20, 10), [48, 71], "auto").values()) == [50, 20, 10]
    with pytest.raises(UsageError, match="needs a split by shares"):
        split_sizes(100, (50, 20, 10), [48, 71], "documents")


def test_a_dataset_splits_between_texts_and_says_where_it_could_not(tmp_path: Path) -> None:
    texts = [f"{'x' * length}\n" for length in (499, 399, 49, 59)]
    found = dataset_of(tmp_path, texts, split=(0.9, 0.05, 0.05))
    assert [part.characters for part in found.splits.values()] == [900, 50, 60]
    assert found.splits["train"].documents == (500,)
    assert not any(part.cuts_document for part in found.splits.values())
    few = dataset_of(tmp_path, texts[:2], split=(0.9, 0.05, 0.05))
    assert [part.cuts_document for part in few.splits.values()] == [True, True, False]
    with pytest.raises(
        UsageError, match="each of the 3 parts; the corpus has 2 that are not empty"
    ):
        dataset_of(tmp_path, texts[:2], split=(0.9, 0.05, 0.05), split_at="documents")
