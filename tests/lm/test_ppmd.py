"""PPMd against what its own decoder and whole compressions say."""

import math
import random

import numpy as np
import pyppmd
import pytest

from rnnlab.lm import ppmd
from rnnlab.lm.ppmd import ppmd_codes

WORDS = ["the", "cat", "sat", "on", "mat", "and", "a", "rat", "né", "😀", "漢字", "hat", "with"]


def made_up(words: int, seed: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


TRAIN, TEXT = made_up(4_000, 1), made_up(1_500, 2)


def compressed(text: str) -> bytes:
    encoder = pyppmd.Ppmd7Encoder(6, 2**24)
    return encoder.encode(text.encode()) + encoder.flush()


def bits(nats: float) -> float:
    return nats / math.log(2)


def codes(train: str, text: str):
    return ppmd_codes(train, text, lambda _share: None)


def test_learning_on_is_charged_what_the_text_adds_to_the_training_text() -> None:
    code = codes(TRAIN, TEXT)["ppmd"]
    both = compressed(TRAIN + TEXT)
    assert bits(code.total) == pytest.approx(8 * (len(both) - len(compressed(TRAIN))))
    decoder = pyppmd.Ppmd7Decoder(6, 2**24)
    assert decoder.decode(both, len((TRAIN + TEXT).encode())) == (TRAIN + TEXT).encode()


def test_a_piece_of_it_is_what_the_text_up_to_there_adds() -> None:
    code = codes(TRAIN, TEXT)["ppmd"]
    assert code.ends[-1] == len(TEXT)
    assert np.diff(code.ends, prepend=0).max() <= 100
    for piece in (0, 9, len(code.ends) - 1):
        end = int(code.ends[piece])
        added = 8 * (len(compressed(TRAIN + TEXT[:end])) - len(compressed(TRAIN)))
        assert bits(code.nats[: piece + 1].sum()) == pytest.approx(added, abs=8 * 3)


def test_restarted_pieces_each_cost_what_they_add_to_the_training_text() -> None:
    code = codes(TRAIN, TEXT)["ppmd-restarted"]
    start = 0
    for end, nats in zip(code.ends, code.nats, strict=True):
        assert end - start <= 2_000
        added = len(compressed(TRAIN + TEXT[start:end])) - len(compressed(TRAIN))
        assert bits(nats) == pytest.approx(8 * added)
        start = int(end)
    assert start == len(TEXT)


def test_what_comes_back_in_the_text_helps_only_the_code_that_learns_on() -> None:
    new = "".join(random.Random(3).choices("bcdfghjk", k=2_000))
    found = codes(TRAIN, new * 4)
    assert found["ppmd"].total < 0.5 * found["ppmd-restarted"].total


def test_a_long_training_text_has_fewer_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ppmd, "RESTART_BYTES", 2 * len(TRAIN.encode()))
    assert len(codes(TRAIN, TEXT)["ppmd-restarted"].ends) == 2
    monkeypatch.setattr(ppmd, "RESTART_BYTES", 1)
    assert len(codes(TRAIN, TEXT)["ppmd-restarted"].ends) == 1


def test_progress_ends_at_one() -> None:
    shares: list[float] = []
    ppmd_codes(TRAIN, TEXT, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
