import bz2
import lzma
import math
import random
from collections import Counter

import pytest

from rnnlab.data.spelling import CharacterSpelling
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.lm import baselines
from rnnlab.lm.baselines import Baselines
from rnnlab.lm.ngram import NGram


def shuffled(text: str, seed: int = 0) -> str:
    return "".join(random.Random(seed).sample(text, len(text)))


EVERY: dict[str, set[str]] = {
    "uniform": set(), "unigram": set(), "ngram": {"order", "smoothing"}, "ppmd": {"order"},
    "ppmd-restarted": {"order", "piece_characters"}, "xz": set(), "bzip2": set(),
}  # fmt: skip
"""What each baseline's record says in addition to its figures."""
VERSE = "the cat sat on the mat and the rat sat on the cat; "
TRAIN = VERSE * 20 + shuffled(VERSE * 3)
HELD_OUT = VERSE[10:] + shuffled(VERSE, 1)[:30]


def bits(train: str, text: str, validation: str = HELD_OUT) -> dict[str, float]:
    scores = Baselines(train, validation).score(text)
    return {name: score["bits_per_character"] for name, score in scores.items()}


def test_every_baseline_is_there_and_the_ngram_says_which() -> None:
    score = Baselines(TRAIN, HELD_OUT).score(HELD_OUT * 30)
    assert list(score) == list(EVERY)
    for name, record in score.items():
        extra = EVERY[name]
        units = {"nats_per_character", "bits_per_character", "perplexity"}
        assert set(record) == units | {"train_characters"} | extra
        assert record["perplexity"] == pytest.approx(2 ** record["bits_per_character"])
        assert record["perplexity"] == pytest.approx(math.exp(record["nats_per_character"]))
        assert record["train_characters"] == len(TRAIN)
        assert math.isfinite(record["bits_per_character"])


def test_uniform_is_the_logarithm_of_the_vocabulary_with_unk() -> None:
    assert bits("abcabca", "ab" * 7)["uniform"] == pytest.approx(2)  # a b c <unk>
    spelling = CharacterSpelling(TRAIN, excluded=True).nats("?") / math.log(2)
    assert bits(TRAIN, "??")["uniform"] == pytest.approx(math.log2(len(set(TRAIN)) + 1) + spelling)


def test_unigram_is_the_discounted_frequency_of_every_character_and_the_code_for_others() -> None:
    counts = Counter(TRAIN)
    assert min(counts.values()) > 3  # so all counts have the discount of last resort for 3 and more
    size, kinds = len(TRAIN), len(counts)

    def p(character: str) -> float:
        return max(counts[character] - 1.5, 0) / size + 1.5 * kinds / size / (kinds + 1)

    text = HELD_OUT + "É"
    code = math.log2(kinds + 1) - sum(math.log2(p(c)) for c in text[1:])
    code += CharacterSpelling(TRAIN, excluded=True).nats("É") / math.log(2)
    assert bits(TRAIN, text)["unigram"] == pytest.approx(code / len(text))


@pytest.mark.parametrize("name", ["xz", "bzip2"])
@pytest.mark.parametrize(
    "text", [HELD_OUT * 30, "né, 😀 — unlike all before" * 60], ids=["alike", "unlike"]
)
def test_a_compressor_is_charged_what_the_text_adds_to_the_training_text(
    name: str, text: str
) -> None:
    def size(content: bytes) -> int:
        if name == "bzip2":
            tool = bz2.BZ2Compressor(9)
        else:
            tool = lzma.LZMACompressor(lzma.FORMAT_XZ, preset=9 | lzma.PRESET_EXTREME)
        return len(tool.compress(content) + tool.flush())

    # Long enough that the strongest setting of each compressor gives a size of its own.
    words = random.Random(3).choices(
        VERSE.split() + [shuffled(VERSE, i) for i in range(99)], k=9000
    )
    train = " ".join(words)
    added = size((train + text).encode()) - size(train.encode())
    assert bits(train, text)[name] == pytest.approx(8 * added / len(text))


def test_compressors_are_left_out_of_what_is_too_short_for_them() -> None:
    long = "x" * baselines.MIN_CHARACTERS["xz"]
    without = ["uniform", "unigram", "ngram", "ppmd", "ppmd-restarted"]
    assert list(bits(TRAIN, long)) == [*without, "xz", "bzip2"]
    assert list(bits(TRAIN, long[1:])) == without
    assert list(bits(TRAIN, long[:100])) == without
    assert list(bits(TRAIN, long[:99])) == without[:3]


def test_the_order_is_the_best_on_the_validation_text() -> None:
    tokenizer = CharTokenizer.train(TRAIN)
    model = NGram(tokenizer.encode(TRAIN), tokenizer.size, baselines.MAX_ORDER)
    nats = model.nats(tokenizer.encode(HELD_OUT))
    order = Baselines(TRAIN, HELD_OUT).order
    assert order > 1
    assert nats[order - 1] == min(nats)


def test_the_ngram_scores_under_the_order_that_it_names() -> None:
    record = Baselines(TRAIN, VERSE).score(HELD_OUT)["ngram"]
    tokenizer = CharTokenizer.train(TRAIN)
    model = NGram(tokenizer.encode(TRAIN), tokenizer.size, record["order"])
    nats = model.nats(tokenizer.encode(HELD_OUT))
    assert record["order"] > 1
    assert record["smoothing"] == "modified Kneser-Ney"
    code = nats[-1] + math.log(tokenizer.size)
    assert record["bits_per_character"] == pytest.approx(code / math.log(2) / len(HELD_OUT))


def test_the_validation_text_decides_the_order_and_the_scored_text_does_not() -> None:
    noise = shuffled(VERSE * 4, 2)
    regular, irregular = Baselines(TRAIN, VERSE), Baselines(TRAIN, noise)
    assert regular.order >= 4
    assert irregular.order <= 2
    for scored in (VERSE * 2, noise):
        assert regular.score(scored)["ngram"]["order"] == regular.order
        assert irregular.score(scored)["ngram"]["order"] == irregular.order


def test_without_validation_the_end_of_the_training_text_decides() -> None:
    regular = Baselines(shuffled(VERSE * 3) + VERSE * 20)
    irregular = Baselines(VERSE * 20 + shuffled(VERSE * 3))
    assert regular.order > irregular.order


def test_codes_by_piece_are_what_the_figures_are_made_of() -> None:
    model, text = Baselines(TRAIN, HELD_OUT), HELD_OUT * 40 + "É"
    codes, records = model.codes(text), model.score(text)
    assert codes.keys() == records.keys()
    for name, code in codes.items():
        assert code.characters == len(text)
        assert records[name]["nats_per_character"] == pytest.approx(code.total / len(text))
    assert codes["ngram"].ends.tolist() == list(range(1, len(text) + 1))
    restarted = codes["ppmd-restarted"].ends
    piece = records["ppmd-restarted"]["piece_characters"]
    assert restarted[0] in (piece - 1, piece)


def test_nothing_is_learned_from_the_scored_text() -> None:
    model = Baselines(TRAIN, HELD_OUT)
    before = model.score(HELD_OUT)
    model.score("quite another text, " * 30)
    assert model.score(HELD_OUT) == before == Baselines(TRAIN, HELD_OUT).score(HELD_OUT)
    assert model.tokenizer.characters == CharTokenizer.train(TRAIN).characters


def test_a_text_is_scored_from_itself_alone() -> None:
    model = Baselines(TRAIN, HELD_OUT)
    one, other = model.score("the")["ngram"], model.score("the mat")["ngram"]
    assert one["bits_per_character"] * 2 < other["bits_per_character"] * 6


def test_characters_never_seen_are_finite_for_every_baseline() -> None:
    often = "abab" * 50  # no character and no pair is seen only once
    assert all(math.isfinite(value) for value in bits(often, "aÉb😀", validation="aab").values())
    assert all(math.isfinite(value) for value in bits(often, "aÉb😀", validation="").values())


@pytest.mark.parametrize("train", ["a", "ab", "aba"])
def test_the_smallest_training_texts_have_baselines(train: str) -> None:
    assert all(math.isfinite(value) for value in bits(train, "ab", validation="").values())


def test_of_a_long_training_text_the_end_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Baselines(TRAIN[-200:], HELD_OUT).score(HELD_OUT)
    monkeypatch.setattr(baselines, "MAX_TRAIN_CHARACTERS", 200)
    assert Baselines(TRAIN, HELD_OUT).score(HELD_OUT) == expected
