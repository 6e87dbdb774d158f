"""The code for what is unknown, against plain sums and counts."""

import itertools
import math
from collections import Counter

import pytest

from rnnlab.data.spelling import CONTEXT, CharacterSpelling, WordSpelling
from rnnlab.data.word_tokenizers import LONGEST_RARE, MOST_RARE, WordTokenizer

ALL = [chr(point) for point in range(0x110000)]


@pytest.mark.parametrize(
    ("known", "excluded"),
    [("", False), ("abc é–中", True), ("abc é–中", False), ("".join(ALL[:256]) + "é中", True)],
)
def test_probabilities_of_characters_sum_to_one(known: str, excluded: bool) -> None:
    spelling = CharacterSpelling(known, excluded=excluded)
    p = {character: spelling.probability(character) for character in ALL}
    assert math.fsum(p.values()) == pytest.approx(1)
    assert all((p[c] == 0) == (excluded and c in known) for c in {*known, *"xyz東"})


def test_an_unknown_character_of_a_known_script_is_cheaper() -> None:
    spelling = CharacterSpelling("的一是不了人在有我他", excluded=True)
    assert spelling.nats("中") < spelling.nats("é") - 1


def textbook_probability(words: list[str], context: str, character: str) -> float:
    """Witten-Bell, straight from the equation; the fall-back has 1/2 for the end sign."""
    counts: Counter[tuple[str, str]] = Counter()
    for word in words:
        padded = "\0" * CONTEXT + word
        signs = [*word, ""]
        for at, sign in enumerate(signs):
            for size in range(CONTEXT + 1):
                counts[padded[at + CONTEXT - size : at + CONTEXT], sign] += 1

    def p(u: str | None) -> float:
        if u is None:
            pages = CharacterSpelling("".join(words), excluded=False)
            return 0.5 if character == "" else pages.probability(character) / 2
        followers = {sign: n for (v, sign), n in counts.items() if v == u}
        lower = p(u[1:] if u else None)
        if not followers:
            return lower
        c, kinds = sum(followers.values()), len(followers)
        return (followers.get(character, 0) + kinds * lower) / (c + kinds)

    return p(context)


WORDS = [" cat", " can", "cat", ".", " the", "n", " the", "人民"]


@pytest.mark.parametrize("word", [" cab", "the", "zebra", "", ".", "人", " canned"])
def test_the_code_for_a_word_is_witten_bell_over_its_characters(word: str) -> None:
    padded, signs = "\0" * CONTEXT + word, [*word, ""]
    expected = 0.0
    for at, sign in enumerate(signs):
        expected -= math.log(textbook_probability(WORDS, padded[at : at + CONTEXT], sign))
    assert WordSpelling(WORDS).nats(word) == pytest.approx(expected)


@pytest.mark.parametrize("words", [[], ["ab", "b", "aba", ""]])
def test_words_and_beginnings_of_words_have_a_probability_of_one(words: list[str]) -> None:
    """All words of up to two letters, and all that go on, share the probability 1."""
    spelling = WordSpelling(words)
    longest = 2
    total = sum(
        math.exp(-spelling.nats("".join(letters)))
        for size in range(longest + 1)
        for letters in itertools.product("ab", repeat=size)
    )
    assert total < 1
    # What is missing belongs to longer words, and to words with other letters.
    empty = math.exp(-spelling.nats(""))
    heads = {letter: spelling.probability("\0" * CONTEXT, letter) for letter in ALL}
    assert empty + math.fsum(heads.values()) == pytest.approx(1)


def test_spelling_is_learned_from_the_rarest_words() -> None:
    text = "the the cat sat the cat"
    tokenizer = WordTokenizer.train(text, 2)
    assert tokenizer.words == [" cat", " the"]
    assert tokenizer.rare == [" sat", "the"]
    assert tokenizer.spelling_nats(" sap") < WordSpelling(tokenizer.words).nats(" sap")


def test_examples_are_few_and_short_and_from_the_whole_alphabet() -> None:
    words = [f"w{n:05}" for n in range(3 * MOST_RARE)] + ["x" * (LONGEST_RARE + 1)]
    rare = WordTokenizer.train(" ".join(words), 2).rare
    assert len(rare) <= MOST_RARE
    assert max(map(len, rare)) <= LONGEST_RARE
    assert rare[0] < " w00010"
    assert rare[-1] > " w49000"
