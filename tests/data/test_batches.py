import subprocess
import sys
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.data import batches as batches_module
from rnnlab.data.batches import (
    BATCH_KINDS,
    MOST_ORDERED_IN_MEMORY,
    Batches,
    DocumentBatches,
    RandomBatches,
    SequentialBatches,
    shuffled,
)
from rnnlab.errors import CorpusError

# With ids = 0 .. N-1 every token is its own position, so a batch says where it was cut.
Pair = tuple[np.ndarray, np.ndarray]
SIZES = {"batch_size": st.integers(1, 5), "num_steps": st.integers(1, 6)}
SEEDS = st.integers(0, 2**32 - 1)
moderate = settings(max_examples=150, deadline=None, derandomize=True)


def smallest(kind: str, b: int, t: int) -> int:
    """B·T inputs, the last target, and the largest offset of d2l: T sequential, T-1 random."""
    return b * t + 1 + (t if kind == "sequential" else t - 1)


def epoch(kind: str, more: int, b: int, t: int, seed: int) -> tuple[int, list[Pair]]:
    batches = BATCH_KINDS[kind](np.arange(smallest(kind, b, t) + more), b, t)
    count, pairs = batches.epoch(np.random.default_rng(seed))
    return count, list(pairs)


def d2l_sequential(corpus: np.ndarray, offset: int, b: int, num_steps: int) -> Iterator[Pair]:
    """`seq_data_iter_sequential` of d2l 0.17 for a given offset; pairs of shape (B, T)."""
    num_tokens = ((len(corpus) - offset - 1) // b) * b
    xs = corpus[offset : offset + num_tokens]
    ys = corpus[offset + 1 : offset + 1 + num_tokens]
    xs, ys = xs.reshape(b, -1), ys.reshape(b, -1)
    num_batches = xs.shape[1] // num_steps
    for i in range(0, num_steps * num_batches, num_steps):
        yield xs[:, i : i + num_steps], ys[:, i : i + num_steps]


@given(kind=st.sampled_from(sorted(BATCH_KINDS)), more=st.integers(0, 80), seed=SEEDS, **SIZES)
@moderate
def test_an_epoch_has_the_right_shapes_and_no_target_twice(
    kind: str, more: int, seed: int, batch_size: int, num_steps: int
) -> None:
    """Shapes (T, B), the right count, targets shifted by one, no target twice."""
    count, pairs = epoch(kind, more, batch_size, num_steps, seed)
    assert len(pairs) == count >= 1
    for inputs, targets in pairs:
        assert inputs.shape == targets.shape == (num_steps, batch_size)
        assert inputs.dtype == targets.dtype == np.int64
        assert np.array_equal(targets, inputs + 1)
        assert np.array_equal(inputs, inputs[0] + np.arange(num_steps)[:, None])
    seen = np.concatenate([targets.ravel() for _, targets in pairs])
    assert len(np.unique(seen)) == len(seen)


@given(kind=st.sampled_from(sorted(BATCH_KINDS)), more=st.integers(0, 80), first=st.integers(0, 9))
@moderate
def test_an_epoch_can_begin_at_a_later_batch(kind: str, more: int, first: int) -> None:
    """It is the rest of the whole epoch, and leaves the random generator in the same state."""
    count, pairs = epoch(kind, more, 2, 3, seed=5)
    rng, whole = np.random.default_rng(5), np.random.default_rng(5)
    batches = BATCH_KINDS[kind](np.arange(smallest(kind, 2, 3) + more), 2, 3)
    batches.epoch(whole)
    same, rest = batches.epoch(rng, first)
    assert same == count
    assert rng.bit_generator.state == whole.bit_generator.state
    assert np.array_equal(list(rest), pairs[first:])


@given(more=st.integers(0, 80), seed=SEEDS, **SIZES)
@moderate
def test_sequential_batches_are_those_of_d2l_for_the_same_offset(
    more: int, seed: int, batch_size: int, num_steps: int
) -> None:
    rng = np.random.default_rng(seed + 1)
    ids = rng.integers(0, 28, smallest("sequential", batch_size, num_steps) + more)
    _, positions = epoch("sequential", more, batch_size, num_steps, seed)
    offset = int(positions[0][0][0, 0])
    assert 0 <= offset <= num_steps
    count, pairs = SequentialBatches(ids, batch_size, num_steps).epoch(np.random.default_rng(seed))
    expected = list(d2l_sequential(ids, offset, batch_size, num_steps))
    assert count == len(expected)
    for (inputs, targets), (x, y) in zip(pairs, expected, strict=True):
        assert np.array_equal(inputs, x.T)
        assert np.array_equal(targets, y.T)


@given(more=st.integers(0, 80), seed=SEEDS, **SIZES)
@moderate
def test_sequential_rows_continue_in_the_next_batch(
    more: int, seed: int, batch_size: int, num_steps: int
) -> None:
    _, pairs = epoch("sequential", more, batch_size, num_steps, seed)
    for (_, before), (inputs, _) in pairwise(pairs):
        assert np.array_equal(inputs[0], before[-1])


@given(more=st.integers(0, 80), seed=SEEDS, **SIZES)
@moderate
def test_random_windows_are_those_of_d2l_for_the_same_offset(
    more: int, seed: int, batch_size: int, num_steps: int
) -> None:
    count, pairs = epoch("random", more, batch_size, num_steps, seed)
    starts = np.concatenate([inputs[0] for inputs, _ in pairs])
    offset = int(starts[0]) % num_steps
    # d2l: corpus = corpus[offset:]; num_subseqs = (len(corpus) - 1) // num_steps
    num_subseqs = (smallest("random", batch_size, num_steps) + more - offset - 1) // num_steps
    initial_indices = set(range(offset, offset + num_subseqs * num_steps, num_steps))
    assert count == num_subseqs // batch_size
    assert len(starts) == len(set(starts)) == count * batch_size
    assert set(starts) <= initial_indices


@pytest.mark.parametrize(("kind", "largest"), [("sequential", 5), ("random", 4)])
def test_every_offset_occurs(kind: str, largest: int) -> None:
    rng = np.random.default_rng(0)
    batches = BATCH_KINDS[kind](np.arange(200), 3, 5)
    starts = []
    for _ in range(300):
        inputs = np.stack([inputs[0] for inputs, _ in batches.epoch(rng)[1]])
        starts.append(int(inputs.min()) if kind == "sequential" else int(inputs.flat[0]) % 5)
    assert set(starts) == set(range(largest + 1))


def test_random_windows_come_in_another_order_every_epoch() -> None:
    rng = np.random.default_rng(0)
    batches = RandomBatches(np.arange(2000), 4, 5)
    orders = [[int(x[0, 0]) // 5 for x, _ in batches.epoch(rng)[1]] for _ in range(3)]
    assert all(order != sorted(order) for order in orders)
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize("kind", sorted(BATCH_KINDS))
def test_the_same_generator_state_gives_the_same_epoch(kind: str) -> None:
    first, second = (epoch(kind, 50, 3, 4, seed=7)[1] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


class Extreme(np.random.Generator):
    """Draws the largest integer that it may."""

    def integers(self, low: int, high: int) -> int:  # type: ignore[override]
        return high - 1


@given(kind=st.sampled_from(sorted(BATCH_KINDS)), **SIZES)
@moderate
def test_the_smallest_allowed_text_works_and_one_token_less_is_refused(
    kind: str, batch_size: int, num_steps: int
) -> None:
    needed = smallest(kind, batch_size, num_steps)
    batches: Batches = BATCH_KINDS[kind](np.arange(needed), batch_size, num_steps)
    for rng in [Extreme(np.random.PCG64(0)), *map(np.random.default_rng, range(10))]:
        count, pairs = batches.epoch(rng)
        assert count == len(list(pairs)) >= 1
    assert batches.epoch(Extreme(np.random.PCG64(0)))[0] == 1  # so not one token to spare
    with pytest.raises(CorpusError, match=f"at least {needed} tokens, not {needed - 1};"):
        BATCH_KINDS[kind](np.arange(needed - 1), batch_size, num_steps)


def test_the_error_for_a_short_text_names_the_length_it_needs() -> None:
    with pytest.raises(CorpusError) as caught:
        SequentialBatches(np.arange(10), 32, 64)
    assert str(caught.value) == (
        "text too short: batch_size 32 x num_steps 64 needs a training split of at least 2113 "
        "tokens, not 10; use a longer text, or a smaller --batch-size or --num-steps"
    )


def test_only_sequential_batches_carry_the_state() -> None:
    assert SequentialBatches.carries_state
    assert not RandomBatches.carries_state


@pytest.mark.parametrize("kind", sorted(BATCH_KINDS))
@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("type_", [np.uint8, np.uint16, np.int32, np.int64])
def test_ids_of_a_mapped_file_give_the_same_batches(
    kind: str, batch_size: int, type_: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_module, "MOST_MAPPED_BYTES", 2**17)  # unmap now and then
    ids = np.random.default_rng(0).integers(0, 200, 500)
    ids.astype(type_).tofile(tmp_path / "ids")
    mapped = np.memmap(tmp_path / "ids", type_, "r")
    found, expected = (
        list(BATCH_KINDS[kind](each, batch_size, 7).epoch(np.random.default_rng(1))[1])
        for each in (mapped, ids)
    )
    assert len(found) == len(expected) > 10
    for pair, same in zip(found, expected, strict=True):
        for batch, other in zip(pair, same, strict=True):
            assert np.array_equal(batch, other)
            assert batch.dtype == np.int64
            assert batch.flags.c_contiguous
            assert type(batch) is np.ndarray


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("kind", sorted(BATCH_KINDS))
def test_little_of_a_mapped_file_stays_in_memory(kind: str, tmp_path: Path) -> None:
    """A file three times as large as what batches may leave mapped, read in another process."""
    code = """
import re, sys
import numpy as np
from rnnlab.data import batches
file, kind = sys.argv[1:]
batches.MOST_MAPPED_BYTES = 2**24
size = 3 * 2**24
def resident():
    return 1024 * int(re.search(r"RssFile:\\s+(\\d+)", open("/proc/self/status").read())[1])
with open(file, "wb") as stream:
    stream.truncate(size)
ids = np.memmap(file, np.uint8, "r")
before, most = resident(), 0
_, epoch = batches.BATCH_KINDS[kind](ids, 128, 1024).epoch(np.random.default_rng(0))
for number, _ in enumerate(epoch):
    if number % 8 == 0:
        most = max(most, resident() - before)
assert ids.sum() == 0 and resident() - before > size * 0.9  # what stays mapped without unmapping
print(most / 2**24)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "ids"), kind], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1.5


@given(count=st.integers(1, 5000), seed=st.integers(0, 2**32 - 1), most=st.sampled_from([0, 10**6]))
@moderate
def test_an_order_has_every_number_once(count: int, seed: int, most: int) -> None:
    order = shuffled(np.random.default_rng(seed), count, most)
    assert np.array_equal(np.sort(order(0, count)), np.arange(count))


@given(count=st.integers(1, 5000), cut=st.integers(0, 5000), most=st.sampled_from([0, 10**6]))
@moderate
def test_parts_of_an_order_join_to_the_whole_order(count: int, cut: int, most: int) -> None:
    order = shuffled(np.random.default_rng(1), count, most)
    parts = [order(0, cut), order(min(cut, count), count)]
    assert np.array_equal(np.concatenate(parts), order(0, count))
    assert all(part.dtype == np.int64 for part in parts)


def test_a_short_order_is_the_permutation_of_numpy() -> None:
    rng, same = np.random.default_rng(3), np.random.default_rng(3)
    assert np.array_equal(shuffled(rng, 1000)(0, 1000), same.permutation(1000))
    assert rng.bit_generator.state == same.bit_generator.state


def test_a_long_order_is_computed_part_by_part() -> None:
    count = 2**52 + 1
    order = shuffled(np.random.default_rng(0), count)
    first, last = order(0, 1000), order(count - 1000, count)
    together = np.concatenate([first, last])
    assert len(np.unique(together)) == 2000
    assert together.min() >= 0
    assert together.max() < count
    assert count > MOST_ORDERED_IN_MEMORY


@pytest.mark.parametrize("count", [4097, 5000, 65_536])
def test_a_computed_order_looks_like_a_drawn_one(count: int) -> None:
    """Over 200 seeds, where a number lands and what comes after it are spread evenly."""
    orders = np.stack([shuffled(np.random.default_rng(s), count, 0)(0, count) for s in range(200)])
    uniform = (count - 1) / 2
    for numbers in (orders[:, 0], orders[:, -1], (orders[:, 1] - orders[:, 0]) % count):
        # The mean of 200 uniform draws; 5 standard deviations.
        assert abs(numbers.mean() - uniform) < 5 * count / np.sqrt(12 * 200)
        assert len(np.unique(numbers)) > 150
    # A uniform order has one fixed point on average, and as many ascents as descents.
    assert abs((orders == np.arange(count)).sum(1).mean() - 1) < 5 / np.sqrt(200)
    ascents = (np.diff(orders, axis=1) > 0).mean()
    assert abs(ascents - 0.5) < 5 / np.sqrt(12 * count * 200)


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    batch_size=st.integers(1, 4),
    num_steps=st.integers(1, 6),
    seed=st.integers(0, 99),
)
@moderate
def test_windows_lie_within_documents_and_the_state_starts_with_each(
    lengths: list[int], batch_size: int, num_steps: int, seed: int
) -> None:
    *begins, total = accumulate(lengths, initial=0)
    ids = np.arange(total + 1)  # so that every token is its own position
    windows = sum(length // num_steps for length in lengths)
    if windows < batch_size:
        with pytest.raises(CorpusError, match=f"^documents too short: of their {windows} windows"):
            DocumentBatches(ids, batch_size, num_steps, tuple(begins))
        return
    batches = DocumentBatches(ids, batch_size, num_steps, tuple(begins))
    count, pairs = batches.epoch(np.random.default_rng(seed))
    kept = list(pairs)
    assert len(kept) == count == windows // batch_size
    document = np.repeat(np.arange(len(lengths)), lengths)
    last = np.full(batch_size, -1)
    for number, (inputs, targets) in enumerate(kept):
        assert np.array_equal(targets, inputs + 1)
        assert np.array_equal(inputs, inputs[:1] + np.arange(num_steps)[:, None])
        assert (document[inputs] == document[inputs[0]]).all()
        fresh = batches.fresh_rows(number)
        assert fresh is not None
        follows = (inputs[0] == last + 1) & (last >= 0)
        same = np.where(last >= 0, document[np.maximum(last, 0)] == document[inputs[0]], False)
        assert (fresh[~same] | (number == 0)).all(), "a document never sees the one before"
        assert (follows & same == ~fresh)[last >= 0].all(), "within one, the state is carried on"
        last = inputs[-1]
    assert len({i for inputs, _ in kept for i in inputs.ravel()}) == count * batch_size * num_steps
    if count > 1:  # as a resumed run begins
        rest = list(batches.epoch(np.random.default_rng(seed), 1)[1])
        assert all(np.array_equal(a[0], b[0]) for a, b in zip(rest, kept[1:], strict=True))
