"""Exercises of chapter 5: the lab report, reproduced."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rnnlab.course.checking import affirmed, exercise, number_fault

BUILTIN, WRITTEN_OUT = 298_764.3, 28_158.1
"""Characters per second in the report's tables."""

PERPLEXITY, CHARACTERS = 2.3, 10_000
NEEDED = frozenset("ABD")
CASES = (
    ("the time machine was here", "this is the time machine", 5),
    ("a time traveller and a time traveller", "the time traveller", 6),
    ("aaaabaaaa", "aaa", 3),
    ("nothing", "xyz", 2),
    ("all of it stands there", "all of it stands there", 22),
)


@exercise("5.1")
def times_as_fast(answer: Any) -> str:
    """The ratio of the tokens per second."""
    right = BUILTIN / WRITTEN_OUT
    return number_fault(
        answer, right,
        {
            1 / right: "This is turned round: it is above 1, since nn.LSTM is the faster one.",
            BUILTIN - WRITTEN_OUT: "This is the difference. Times as fast is a ratio.",
            165.26667 / 18.24286: "This is the ratio of the report's seconds. They do not quite "
            "agree with its characters per second, which are asked for.",
            right - 1: "So many times *faster*. How many times as fast?",
            100 * right: "This is in percent.",
            math.log10(right): "This is in powers of ten.",
        },
    )  # fmt: skip


@exercise("5.2")
def bytes_of_the_text(answer: Any) -> str:
    """Bits per character times the characters, over 8."""
    bits, nats = math.log2(PERPLEXITY), math.log(PERPLEXITY)
    return number_fault(
        answer, CHARACTERS * bits / 8,
        {
            CHARACTERS * bits: "These are bits. A byte has eight.",
            CHARACTERS * nats / 8: "These are nats, divided by eight. How many bits is a nat?",
            CHARACTERS * nats: "These are nats.",
            CHARACTERS * PERPLEXITY / 8: "A perplexity does not count bits: take its logarithm.",
            CHARACTERS * PERPLEXITY: "A perplexity does not count bits: take its logarithm.",
            CHARACTERS * math.log10(PERPLEXITY) / 8: "This is the logarithm to the base 10. A bit "
            "is a question with two answers.",
            CHARACTERS * math.log2(1.1) / 8: "This is for 1.1, as in the chapter.",
            bits: "These are the bits of one character.",
            bits / 8: "These are the bytes of one character.",
            CHARACTERS: "So many bytes it takes as it is.",
        },
    )  # fmt: skip


def _lengths(written: str, train: str) -> list[int]:
    """Return for each place the length of the longest passage from there on that is in `train`."""
    found = []
    for at in range(len(written)):
        size = 0
        while at + size < len(written) and written[at : at + size + 1] in train:
            size += 1
        found.append(size)
    return found


def _share(written: str, train: str, n: int) -> float:
    inside = set[int]()
    for at, size in enumerate(_lengths(written, train)):
        if size >= n:
            inside.update(range(at, at + size))
    return len(inside) / len(written)


def _mistaken(written: str, train: str, n: int) -> dict[str, float]:
    """Return what usual mistakes give, by what is said of them."""
    lengths = _lengths(written, train)
    begins = sum(size >= n for size in lengths)
    return {
        "It counts the places where a passage begins. All of its characters lie in it.": begins
        / len(written),
        "It divides the places where a passage begins by the number of passages of n characters. "
        "Count characters.": begins / max(1, len(written) - n + 1),
        "It counts a character once for each passage that it lies in.": sum(
            size for size in lengths if size >= n
        )
        / len(written),
        "A passage of exactly n characters counts, too.": _share(written, train, n + 1),
        "It looks for single characters or shorter passages: n is not used.": _share(
            written, train, 1
        ),
        "This is the number of characters, not their share.": _share(written, train, n)
        * len(written),
        "It looks for the training text in what was written: the two have changed places.": (
            _share(train, written, n)
        ),
    }


@exercise("5.3")
def copied(answer: Any) -> str:
    """Over the characters of what was written."""
    if not callable(answer):
        return "Give the function itself: copied, not copied(...)."
    faults = [_copied_fault(answer, *case) for case in CASES]
    return next(filter(None, faults), "")


def _copied_fault(copied: Callable[[str, str, int], Any], written: str, train: str, n: int) -> str:
    called = f"copied({written!r}, {train!r}, {n})"
    try:
        found = float(copied(written, train, n))
    except Exception as error:  # of the learner's function, whatever it is
        return f"{called} fails: {type(error).__name__}: {error}"
    right = _share(written, train, n)
    if math.isclose(found, right, abs_tol=1e-6):
        return ""
    for words, value in _mistaken(written, train, n).items():
        if math.isclose(found, value, abs_tol=1e-6):
            return words
    much = "much" if found > right else "little"
    return f"{called} is {found:.3f}. That is too {much}: mark each character that is copied."


@exercise("5.4")
def what_speaks_against(answer: Any) -> str:
    """One run, training text, one learning rate."""
    if not isinstance(answer, str):
        return 'Give letters, such as "AC".'
    given = frozenset(answer.upper().replace(" ", "").replace(",", ""))
    if not given or given - frozenset("ABCDE"):
        return "Choose among the letters A to E."
    if "C" in given:
        return "C: that costs memory. Does it make the comparison of perplexities unfair?"
    if "E" in given:
        return "E: equal size makes the comparison fairer."
    if missing := NEEDED - given:
        return f"What you named speaks against it; {len(missing)} more of them would, too."
    return ""


@exercise("5.5")
def held_out_is(answer: Any) -> str:
    """The held-out text stands in the training text."""
    said = affirmed(str(answer).strip().lower())
    words = {
        "cop": "", "duplicat": "", "same": "", "identical": "", "leak": "", "repe": "",
        "the training text": "", "in the training": "", "twice": "", "seen before": "",
        "already seen": "", "short": "Is a longer training what makes the figure true?",
        "overfit": "With overfitting, held-out text would be predicted badly.",
        "memor": "The network has learned by heart. How can that help it on held-out text?",
        "gate": "The gates are healthy here.",
        "learning rate": "The learning rate is the report's.",
        "small": "More text would help, but size is not what is wrong with this one.",
    }  # fmt: skip
    for part, reply in words.items():
        if part in said:
            return reply
    return "Look at the first finding of the doctor, and at how the recipe makes its text."
