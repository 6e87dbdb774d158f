"""Copies of training text in held-out text, against a comparison of all substrings."""

import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sick_runs import made_up_names

from rnnlab.config import DataSettings
from rnnlab.data import copies
from rnnlab.data.copies import CHUNK, COPY, Copies, copy_lengths, find_copies
from rnnlab.data.dataset import load_dataset
from rnnlab.data.named_corpora import python_reference, without_repeated_paragraphs
from rnnlab.errors import UnavailableError


def copied_characters(held_out: str, train: str, length: int) -> int:
    """Characters in passages of some length that stand in the training text, one by one."""
    places = set[int]()
    for start in range(len(held_out) - length + 1):
        if held_out[start : start + length] in train:
            places.update(range(start, start + length))
    return len(places)


@given(
    held_out=st.text(st.sampled_from("aab\n"), max_size=60),
    train=st.text(st.sampled_from("aab\n😀"), max_size=80),
    length=st.integers(1, 9),
    chunk=st.integers(1, 30),
)
@settings(max_examples=200, derandomize=True)
def test_copies_are_those_of_all_substrings(
    held_out: str, train: str, length: int, chunk: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "COPY", length)
        patch.setattr(copies, "CHUNK", chunk)
        found = find_copies(held_out, train)
    expected = copied_characters(held_out, train, length)
    assert found.copied_share == pytest.approx(expected / max(1, len(held_out)))
    lines = [line.strip() for line in held_out.splitlines() if line.strip()]
    known = {line.strip() for line in train.splitlines()}
    assert found.lines == len(lines)
    assert found.duplicate_share == sum(line in known for line in lines) / max(1, len(lines))


def test_a_passage_is_found_wherever_it_stands() -> None:
    passage = "It was the best of times, it was the worst of times"[:COPY]
    new = "".join(chr(0x4E00 + n) for n in range(400))
    for start in (0, CHUNK - COPY, CHUNK - 1, CHUNK, 2 * CHUNK - 7):
        train = "x" * start + passage + "y" * 10
        assert find_copies(new + passage + new, train).copied_share == COPY / (800 + COPY)
        assert find_copies(new + passage[1:] + new, train).copied_share == 0


def test_lines_are_told_if_there_are_some() -> None:
    train = "".join(f"{n}\n" for n in range(100))
    assert str(find_copies("".join(f"{n}\n" for n in range(90, 110)), train)) == "0.0%, lines 50.0%"
    assert str(find_copies("one line", train)) == "0.0%"


def test_duplicate_lines_decide_a_list_of_names() -> None:
    """Names are shorter than a copy; in natural text the same share of lines decides nothing."""
    rng, names = random.Random(0), made_up_names().split()
    drawn = "\n".join(rng.choices(names, k=1400))
    found = find_copies(drawn[-900:], drawn[:-900])
    assert 0.4 < found.duplicate_share < 0.7
    assert found.copied_share == 0
    assert found.decide
    apart = "\n".join(names)
    assert not find_copies(apart[-900:], apart[:-900]).decide


def test_choruses_and_blank_lines_decide_nothing() -> None:
    rng, names = random.Random(0), made_up_names().split()
    chorus = "O come let us sing\nthe song of the sea\n\nand dance!\n\n"
    verses = [" ".join(rng.choices(names, k=9)) + "\n\n" + chorus for _ in range(60)]
    found = find_copies("".join(verses[30:]), "".join(verses[:30]))
    assert found.duplicate_share == 0.75
    assert not found.lines_decide
    few = "yes\nno\nyes\n"
    assert not find_copies(few, few).decide


def test_copies_of_earlier_versions_are_read() -> None:
    found = find_copies("a\n", "a\n")
    assert Copies.from_dict(found.to_dict()) == found
    earlier = found.to_dict()
    del earlier["different_lines"], earlier["different_duplicate_share"]
    assert Copies.from_dict(earlier).decide is False


def test_a_dataset_tells_copies_of_each_held_out_split(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    new = "".join(f"{n * n} and {n}; " for n in range(1000, 1100))
    train, again = "".join(f"line {n * 7}\n" for n in range(500)), "".join(
        f"line {n * 7}\n" for n in range(100, 200)
    )  # fmt: skip
    file.write_text(train + again + new)
    split = (len(train), len(again), len(new))
    found = load_dataset(DataSettings(corpus=(str(file),), split=split)).copies
    assert found["validation"].copied_share == found["validation"].duplicate_share == 1
    assert found["validation"].decide
    assert found["test"].copied_share == 0
    assert not found["test"].decide


def test_repeated_paragraphs_are_dropped() -> None:
    text = "One  of\n  them.\n\nAnother.\n\n| a | table |\n+---+\nOne of them.\n \n\n\nLast."
    assert without_repeated_paragraphs(text) == "One  of\n  them.\n\nAnother.\n\nLast.\n"


def test_the_python_reference_holds_out_what_is_not_in_its_training_text() -> None:
    """Its topics are parts of each other: a third of the test split was a copy."""
    found = load_dataset(DataSettings(corpus=("python-reference",))).copies
    assert len(python_reference().text) > 200_000
    assert all(split.copied_share < 0.03 for split in found.values())


def longest_copies(text: str, train: str) -> list[int]:
    """For every place, the longest passage from there that stands in the training text."""
    found = []
    for place in range(len(text)):
        size = 0
        while place + size < len(text) and text[place : place + size + 1] in train:
            size += 1
        found.append(size)
    return found


@given(
    texts=st.lists(st.text(st.sampled_from("aabé😀\x00\ud800"), max_size=30), max_size=4),
    train=st.text(st.sampled_from("aabé😀\ud800"), max_size=60),
    step=st.integers(1, 5),
)
@settings(max_examples=300, derandomize=True)
def test_lengths_are_those_of_all_passages(texts: list[str], train: str, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "STEP", step)
        found = copy_lengths(texts, train)
    assert [each.tolist() for each in found] == [longest_copies(text, train) for text in texts]


@given(texts=st.lists(st.text(st.sampled_from("ab"), min_size=1, max_size=9), max_size=6))
def test_lengths_do_not_depend_on_the_other_texts(texts: list[str]) -> None:
    alone = [copy_lengths([text], "abba" * 3)[0].tolist() for text in texts]
    assert [each.tolist() for each in copy_lengths(texts, "abba" * 3)] == alone


def test_lengths_need_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydivsufsort", None)
    with pytest.raises(UnavailableError, match=r"need the package pydivsufsort; install it with"):
        copy_lengths(["a"], "a")
