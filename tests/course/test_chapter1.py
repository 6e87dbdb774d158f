"""The checks of chapter 1 accept the right answers, and say what is wrong with the usual others."""

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from rnnlab.course import judge


def p(character: str, previous: str, text: str) -> float:
    pairs = Counter(pairwise(text))
    return (pairs[previous, character] + 1) / (text[:-1].count(previous) + len(set(text)))


def not_smoothed(character: str, previous: str, text: str) -> float:
    pairs = Counter(pairwise(text))
    return pairs[previous, character] / max(1, text[:-1].count(previous))


def old_denominator(character: str, previous: str, text: str) -> float:
    pairs = Counter(pairwise(text))
    return (pairs[previous, character] + 1) / max(1, text[:-1].count(previous))


def last_counted(character: str, previous: str, text: str) -> float:
    pairs = Counter(pairwise(text))
    return (pairs[previous, character] + 1) / (text.count(previous) + len(set(text)))


def turned_round(character: str, previous: str, text: str) -> float:
    return p(previous, character, text)


def two_arguments(character: str, previous: str) -> float:
    return 0.5


def unigram(character: str, previous: str, text: str) -> float:
    return text.count(character) / len(text)


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("1.1", 9), ("1.2", 1.974), ("1.2", 1.368 / math.log(2)), ("1.3", 5.0), ("1.3", 5),
        ("1.4", p), ("1.5", "ACD"), ("1.5", "d, c, a"),
    ],
)  # fmt: skip
def test_right_answers(number: str, answer: Any) -> None:
    assert judge(number, answer) == (True, f"{number}: right.")


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("1.1", 10, "The first character has nothing before it from which it could be predicted."),
        ("1.1", 11, "There are not more predictions than characters."),
        ("1.1", 8, "Only one character has nothing before it."),
        ("1.1", "9", "Give a number, not a text in quotation marks."),
        ("1.1", [9], "Give a number, not list."),
        ("1.1", 2, "It is too small."),
        ("1.2", 1.368, "These are still nats. A nat is more than a bit."),
        ("1.2", 0.948, "You multiplied by ln 2. A nat is more than a bit, so there must be more "
         "bits than nats."),
        ("1.2", 3.927, "This is the perplexity."),
        ("1.2", 2.581, "This takes the nats for bits, and makes a perplexity of them."),
        ("1.2", 2.0, "Close, but rounded too much or slightly off: give at least three digits."),
        ("1.2", 7, "It is too large."),
        ("1.3", 9.288, "These are the bits of the whole text."),
        ("1.3", 2.322, "These are the bits per character. The perplexity is asked for."),
        ("1.3", 4.444, "You took the mean of the probabilities. Take the mean of their "
         "logarithms."),
        ("1.3", 4.353, "This is its perplexity on the text that it was counted on."),
        ("1.3", 1.904, "You divided by the length of the old text. Four characters are "
         "predicted."),
        ("1.4", p("a", "b", "ab"), "Give the function itself: p, not p(...)."),
        ("1.4", not_smoothed, "Some pair is still impossible."),
        ("1.4", old_denominator, "In 'hello hell', the probabilities of all characters after ' ' "
         "add up to 6.000, not to 1. By how much does the denominator grow if each pair is "
         "counted once more?"),
        ("1.4", last_counted, "After 'l' the probabilities do not add up to 1: the last character "
         "of the text has nothing after it, so it is not the first of a pair."),
        ("1.4", turned_round, "It seems that the two characters have changed places: the previous "
         "one comes first."),
        ("1.4", two_arguments, "Called as p(character, previous, text), it fails: TypeError: "
         "two_arguments() takes 2 positional arguments but 3 were given"),
        ("1.4", unigram, "It adds up to 1, but in 'hello hell' it is not the counts of pairs, "
         "each grown by one."),
        ("1.5", "A", "What you named is needed; 2 more would change your judgement."),
        ("1.5", "AC", "What you named is needed; 1 more would change your judgement."),
        ("1.5", "ABCD", "B: would the number mean something else if that changed?"),
        ("1.5", "ACDE", "E: would the number mean something else if that changed?"),
        ("1.5", "BE", "B and E: would the number mean something else if that changed?"),
        ("1.5", "F", "Choose among the letters A to E."),
        ("1.5", 3, 'Give letters, such as "AC".'),
    ],
)  # fmt: skip
def test_usual_mistakes(number: str, answer: Any, words: str) -> None:
    assert judge(number, answer) == (False, f"{number}: not yet. {words}")


def test_an_exercise_may_be_named_by_a_number() -> None:
    assert judge(1.1, 9) == judge("1.1", 9) == (True, "1.1: right.")
