"""The checks of chapter 5 accept the right answers, and say what is wrong with the usual others."""

import math
from typing import Any

import pytest

from rnnlab.course import judge


def copied(written: str, train: str, n: int) -> float:
    inside = [False] * len(written)
    for at in range(len(written) - n + 1):
        if written[at : at + n] in train:
            inside[at : at + n] = [True] * n
    return sum(inside) / len(inside)


def with_sets(written: str, train: str, n: int) -> float:
    known = {train[at : at + n] for at in range(len(train) - n + 1)}
    places = [at for at in range(len(written)) if written[at : at + n] in known]
    return len({at + k for at in places for k in range(n)}) / len(written)


def begins(written: str, train: str, n: int) -> float:
    return sum(written[at : at + n] in train for at in range(len(written) - n + 1)) / len(written)


def of_passages(written: str, train: str, n: int) -> float:
    places = range(len(written) - n + 1)
    return sum(written[at : at + n] in train for at in places) / len(places)


def longer_than(written: str, train: str, n: int) -> float:
    return copied(written, train, n + 1)


def single(written: str, train: str, n: int) -> float:
    return sum(character in train for character in written) / len(written)


def number(written: str, train: str, n: int) -> float:
    return copied(written, train, n) * len(written)


def turned_round(written: str, train: str, n: int) -> float:
    return copied(train, written, n)


def two_arguments(written: str, train: str) -> float:
    return 0.0


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("5.1", 10.61), ("5.1", 298764.3 / 28158.1), ("5.1", 10.6),
        ("5.2", 1502), ("5.2", 10_000 * math.log2(2.3) / 8), ("5.2", 1501.7),
        ("5.3", copied), ("5.3", with_sets),
        ("5.4", "ABD"), ("5.4", "d, b, a"), ("5.4", "a B d"),
        ("5.5", "a copy"), ("5.5", "copied"), ("5.5", "the same as the training text"),
        ("5.5", "the training text"), ("5.5", "it is there twice"),
        ("5.5", "held-out text is a copy of training text"), ("5.5", "a duplicate"),
    ],
)  # fmt: skip
def test_right_answers(number: str, answer: Any) -> None:
    assert judge(number, answer) == (True, f"{number}: right.")


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("5.1", 0.0942, "This is turned round: it is above 1, since nn.LSTM is the faster one."),
        ("5.1", 270606.2, "This is the difference. Times as fast is a ratio."),
        ("5.1", 9.06, "This is the ratio of the report's seconds. They do not quite agree with "
         "its characters per second, which are asked for."),
        ("5.1", 9.61, "So many times *faster*. How many times as fast?"),
        ("5.1", 1061, "This is in percent."),
        ("5.1", 1.026, "This is in powers of ten."),
        ("5.1", "10.6", "Give a number, not a text in quotation marks."),
        ("5.1", 11, "Close, but rounded too much or slightly off: give at least three digits."),
        ("5.2", 12016, "These are bits. A byte has eight."),
        ("5.2", 1041, "These are nats, divided by eight. How many bits is a nat?"),
        ("5.2", 8329, "These are nats."),
        ("5.2", 2875, "A perplexity does not count bits: take its logarithm."),
        ("5.2", 23000, "A perplexity does not count bits: take its logarithm."),
        ("5.2", 452.2, "This is the logarithm to the base 10. A bit is a question with two "
         "answers."),
        ("5.2", 171.9, "This is for 1.1, as in the chapter."),
        ("5.2", 1.2016, "These are the bits of one character."),
        ("5.2", 0.1502, "These are the bytes of one character."),
        ("5.2", 10_000, "So many bytes it takes as it is."),
        ("5.3", 0.7, "Give the function itself: copied, not copied(...)."),
        ("5.3", begins, "It counts the places where a passage begins. All of its characters lie "
         "in it."),
        ("5.3", of_passages, "It divides the places where a passage begins by the number of "
         "passages of n characters. Count characters."),
        ("5.3", longer_than, "A passage of exactly n characters counts, too."),
        ("5.3", single, "It looks for single characters or shorter passages: n is not used."),
        ("5.3", number, "This is the number of characters, not their share."),
        ("5.3", turned_round, "It looks for the training text in what was written: the two have "
         "changed places."),
        ("5.3", two_arguments, "copied('the time machine was here', 'this is the time machine', "
         "5) fails: TypeError: two_arguments() takes 2 positional arguments but 3 were given"),
        ("5.3", lambda written, train, n: 0, "copied('the time machine was here', 'this is the "
         "time machine', 5) is 0.000. That is too little: mark each character that is copied."),
        ("5.3", lambda written, train, n: 1, "copied('the time machine was here', 'this is the "
         "time machine', 5) is 1.000. That is too much: mark each character that is copied."),
        ("5.4", "A", "What you named speaks against it; 2 more of them would, too."),
        ("5.4", "AB", "What you named speaks against it; 1 more of them would, too."),
        ("5.4", "ABCD", "C: that costs memory. Does it make the comparison of perplexities "
         "unfair?"),
        ("5.4", "ABDE", "E: equal size makes the comparison fairer."),
        ("5.4", "F", "Choose among the letters A to E."),
        ("5.4", 4, 'Give letters, such as "AC".'),
        ("5.5", "too short", "Is a longer training what makes the figure true?"),
        ("5.5", "overfitting", "With overfitting, held-out text would be predicted badly."),
        ("5.5", "it is memorised", "The network has learned by heart. How can that help it on "
         "held-out text?"),
        ("5.5", "saturated gates", "The gates are healthy here."),
        ("5.5", "the learning rate", "The learning rate is the report's."),
        ("5.5", "too small", "More text would help, but size is not what is wrong with this one."),
        ("5.5", 5, "Look at the first finding of the doctor, and at how the recipe makes its "
         "text."),
    ],
)  # fmt: skip
def test_usual_mistakes(number: str, answer: Any, words: str) -> None:
    assert judge(number, answer) == (False, f"{number}: not yet. {words}")
