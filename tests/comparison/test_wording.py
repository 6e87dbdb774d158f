"""Sentences of a comparison, whole."""

import pytest
from made_up_contenders import made_up_contender

from rnnlab.comparison.comparison import compared
from rnnlab.comparison.wording import p_words


def findings(*contenders) -> list[str]:
    return list(compared(contenders).findings)


def test_what_is_shown_and_what_is_not_shown_over_seeds() -> None:
    made = [made_up_contender(f"{cell}-{seed}", bits + seed * (bits - 1.95), cell=cell, seed=seed,
                              draw=10 * len(cell) + seed)
            for cell, bits in (("lstm", 2.0), ("gru", 1.9)) for seed in range(2)]  # fmt: skip
    text, seeds = findings(*made)
    assert text.startswith("gru predicts the text better than lstm: 0.1")
    assert text.endswith(", p < 0.0001).")
    assert seeds.startswith("No difference is shown over seeds: gru has 0.1")
    assert seeds.endswith(
        "2 pairs of seeds, p = 0.19). With two seeds the test relies entirely on the assumption "
        "that figures are normally distributed."
    )


def test_a_group_and_a_single_model() -> None:
    one = [made_up_contender(f"lstm-{s}", seed=s, draw=s) for s in range(3)]
    found = findings(*one, made_up_contender("alone", 1.8, draw=9, cell="gru"))
    assert found[1:] == [
        "Not tested over seeds: alone has one seed.",
        "alone is a single model: what is said of one holds for it, and not for its settings.",
    ]


def test_a_short_text() -> None:
    found = findings(
        made_up_contender("a", characters=900),
        made_up_contender("b", 2.5, characters=900, cell="gru"),
    )
    assert found[0] == (
        "It may be chance: b is 0.500 bits/character above a, and 900 characters are too few for "
        "an interval over the text; it needs 1,000."
    )


def test_several_seeds_and_nothing_to_say_about_settings() -> None:
    made = [made_up_contender(f"{c}-{s}", cell=c, seed=s, draw=s + 5 * len(c))
            for c in ("lstm", "gru") for s in range(3)]  # fmt: skip
    assert not any("single model" in words for words in findings(*made))


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.5, "p = 0.5"), (0.0495, "p = 0.0495"), (0.0009, "p = 0.0009"), (1e-9, "p < 0.0001"),
     (0.004, "p = 0.004"), (0.1234, "p = 0.12")],
)  # fmt: skip
def test_p_values(p: float, words: str) -> None:
    assert p_words(p) == words
