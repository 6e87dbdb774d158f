"""Lines of metrics are made fewer without changing a curve's outline, and are read as they come."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnlab.web.metric_lines import BLOCK_BYTES, NewLines, place_after, thinned


def line(step: int, nats: float | None = 1.0, kind: str = "train") -> dict[str, Any]:
    return {"kind": kind, "step": step, "nats_per_token": nats}


def written(file: Path, *lines: dict[str, Any], rest: str = "") -> None:
    with file.open("a") as stream:
        stream.write("".join(f"{json.dumps(each)}\n" for each in lines) + rest)


def read(lines: NewLines) -> list[tuple[int, list[Any]]]:
    return [(before, [own and own["step"] for own in new]) for before, new in lines.read()]


def test_thinned_lines_keep_order_ends_and_extremes() -> None:
    rng = np.random.default_rng(5)
    lines = [line(n, float(rng.normal())) for n in range(100_000)]
    lines[70_123]["nats_per_token"] = 99.0
    lines[30_321]["nats_per_token"] = -99.0
    for place in range(40_000, 99_000, 1_000):
        lines.insert(place, line(place, 1.0, "held-out"))
    found = thinned(lines, 2_000)
    assert 1_500 < len(found) <= 2_000
    place_of = {id(each): place for place, each in enumerate(lines)}
    places = [place_of[id(each)] for each in found]
    assert places == sorted(places)
    assert sum(each["kind"] == "held-out" for each in found) == 59  # few, so all of them
    own = [each for each in found if each["kind"] == "train"]
    assert (own[0]["step"], own[-1]["step"]) == (0, 99_999)
    values = [each["nats_per_token"] for each in own]
    assert {99.0, -99.0} <= set(values)
    # The outline is that of all lines: neighbouring tenths keep their lowest and highest loss.
    for first in range(0, 100_000, 10_000):
        there = [each["nats_per_token"] for each in lines if each["kind"] == "train"]
        kept = [e["nats_per_token"] for e in own if first <= e["step"] < first + 10_000]
        part = there[first : first + 10_000]
        assert min(kept) <= np.quantile(part, 0.001)
        assert max(kept) >= np.quantile(part, 0.999)


def test_few_lines_stay_as_they_are_and_a_loss_that_is_null_counts_as_infinite() -> None:
    lines = [line(n, None if n == 7 else 1.0) for n in range(20)]
    assert thinned(lines, 20) == lines
    assert lines[7] in thinned(lines, 12)


def test_lines_are_read_once_and_whole(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    lines = NewLines(file)
    assert read(lines) == []
    written(file, line(1), line(2), rest='{"kind": "tr')
    assert read(lines) == [(0, [1, 2])]
    assert read(lines) == []
    written(file, rest='ain", "step": 3}\n')
    assert read(lines) == [(2, [3])]
    written(file, rest="not JSON\n[1]\n")
    assert read(lines) == [(3, [None, None])]


def test_a_place_says_what_was_read(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    written(file, line(1), line(2))
    first = NewLines(file)
    read(first)
    written(file, line(3))
    assert place_after(file, 2) == first.place
    assert read(NewLines(file, first.place)) == read(NewLines(file, "2")) == [(2, [3])]
    for unknown in ("2~00000000", "9", "9~00000000"):  # another file, or a longer one before
        assert read(NewLines(file, unknown)) == [(0, [1, 2, 3])]
    for wrong in ("", "x", "-3", "2~x"):
        assert read(NewLines(file, wrong)) == [(0, [1, 2, 3])]


@pytest.mark.parametrize("more", [0, 1, 5])
def test_lines_that_are_written_anew_after_a_resume_are_told_from_the_first_one(
    tmp_path: Path, more: int
) -> None:
    file = tmp_path / "metrics.jsonl"
    written(file, *map(line, range(1, 6)))
    lines = NewLines(file)
    read(lines)
    place = lines.place
    file.write_text("")
    new = [line(step, 2.0) for step in range(3, 4 + more)]
    written(file, line(1), line(2), *new)
    steps = [1, 2, *range(3, 4 + more)]
    assert read(lines) == read(NewLines(file, place)) == [(0, steps)]
    assert lines.count == len(steps)


def test_many_lines_come_in_blocks(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    own = [line(n, math.pi) for n in range(10_000)]
    written(file, *own)
    assert file.stat().st_size > 2 * BLOCK_BYTES
    found = list(NewLines(file).read())
    assert len(found) > 2
    assert [each for _, new in found for each in new] == own
    sizes = [len(new) for _, new in found]
    assert [before for before, _ in found] == [sum(sizes[:n]) for n in range(len(sizes))]
