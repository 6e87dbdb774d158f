"""Exercises of chapter 1: a text as a sequence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from rnnlab.course.checking import exercise, number_fault

TEXT = "hello hell"
NATS = 1.368
NEEDED = frozenset("ACD")
TRIED = ("hello hell", "abracadabra", "the time traveller")


@exercise("1.1")
def predictions(answer: Any) -> str:
    """Characters that have one before them."""
    return number_fault(
        answer, 9,
        {
            10: "The first character has nothing before it from which it could be predicted.",
            11: "There are not more predictions than characters.",
            8: "Only one character has nothing before it.",
        },
        tolerance=1e-9,
    )  # fmt: skip


@exercise("1.2")
def bits_of_nats(answer: Any) -> str:
    """Nats divided by ln 2."""
    return number_fault(
        answer, NATS / math.log(2),
        {
            NATS: "These are still nats. A nat is more than a bit.",
            NATS * math.log(2): "You multiplied by ln 2. A nat is more than a bit, so there must "
            "be more bits than nats.",
            math.exp(NATS): "This is the perplexity.",
            2**NATS: "This takes the nats for bits, and makes a perplexity of them.",
            math.log2(NATS): "This is the logarithm of the loss. The loss is a logarithm already.",
        },
    )  # fmt: skip


@exercise("1.3")
def perplexity_of_a_new_text(answer: Any) -> str:
    """h 0.2, o 0.1, l 0.4, e 0.2."""
    counts, new = Counter(TEXT), "hole"
    p = [counts[character] / len(TEXT) for character in new]
    bits = sum(-math.log2(value) for value in p)
    own = sum(-math.log2(counts[c] / len(TEXT)) for c in TEXT) / len(TEXT)
    return number_fault(
        answer, 2 ** (bits / len(new)),
        {
            bits: "These are the bits of the whole text.",
            bits / len(new): "These are the bits per character. The perplexity is asked for.",
            len(new) / sum(p): "You took the mean of the probabilities. Take the mean of their "
            "logarithms.",
            2**own: "This is its perplexity on the text that it was counted on.",
            2 ** (bits / len(TEXT)): "You divided by the length of the old text. Four characters "
            "are predicted.",
        },
    )  # fmt: skip


@exercise("1.4")
def smoothed_bigram(answer: Any) -> str:
    """(c(ab) + 1) / (c(a) + V), c(a) counted where something follows."""
    if not callable(answer):
        return "Give the function itself: p, not p(...)."
    for text in TRIED:
        if fault := _bigram_fault(answer, text):
            return fault
    return ""


def _bigram_fault(p: Callable[[str, str, str], float], text: str) -> str:
    characters = sorted(set(text))
    try:
        found = {a: {b: float(p(b, a, text)) for b in characters} for a in characters}
    except ZeroDivisionError:
        return "It divides by zero for a character that nothing follows in the text."
    except (TypeError, ValueError, KeyError) as error:
        return f"Called as p(character, previous, text), it fails: {type(error).__name__}: {error}"
    pairs, before = Counter(pairwise(text)), Counter(text[:-1])
    V = len(characters)
    right = {a: {b: (pairs[a, b] + 1) / (before[a] + V) for b in characters} for a in characters}
    if all(math.isclose(found[a][b], right[a][b]) for a in characters for b in characters):
        return ""
    if all(math.isclose(found[a][b], right[b][a]) for a in characters for b in characters):
        return "It seems that the two characters have changed places: the previous one comes first."
    if any(value == 0 for row in found.values() for value in row.values()):
        return "Some pair is still impossible."
    for a, row in found.items():
        if math.isclose(sum(row.values()), 1, rel_tol=1e-6):
            continue
        if all(math.isclose(row[b], (pairs[a, b] + 1) / (text.count(a) + V)) for b in row):
            return (
                f"After {a!r} the probabilities do not add up to 1: the last character of the "
                "text has nothing after it, so it is not the first of a pair."
            )
        return (
            f"In {text!r}, the probabilities of all characters after {a!r} add up to "
            f"{sum(row.values()):.3f}, not to 1. By how much does the denominator grow if "
            "each pair is counted once more?"
        )
    return f"It adds up to 1, but in {text!r} it is not the counts of pairs, each grown by one."


@exercise("1.5")
def what_must_be_known(answer: Any) -> str:
    """The text, the unit, and what counting reaches."""
    if not isinstance(answer, str):
        return 'Give letters, such as "AC".'
    given = frozenset(answer.upper().replace(" ", "").replace(",", ""))
    if not given or given - frozenset("ABCDE"):
        return "Choose among the letters A to E."
    if extra := sorted(given - NEEDED):
        return f"{' and '.join(extra)}: would the number mean something else if that changed?"
    if missing := NEEDED - given:
        return f"What you named is needed; {len(missing)} more would change your judgement."
    return ""
