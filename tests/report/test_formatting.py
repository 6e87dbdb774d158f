"""Numbers, lists and settings as text."""

import pytest

from rnnlab.report.formatting import (
    assigned,
    factor_words,
    listed,
    number,
    sentence,
    setting,
    span,
)


def test_figures_have_their_decimals_and_separators() -> None:
    assert number(142_600.4, 0) == "142,600"
    assert number(2.0487, 3) == "2.049"
    assert number(-0.0004, 2) == "0.00"
    assert number(3.2e9, 0) == "3,200,000,000"


def test_figures_too_large_to_mean_anything_are_only_bounded() -> None:
    assert number(9e100, 3) == "> 10⁷"
    assert number(-9e100, 3) == "< -10⁷"
    assert number(1e200, 0) == "> 10¹⁴"


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1.0, "± 0%"),
        (1.00023, "± 0.02%"),
        (1.0234, "± 2.3%"),
        (1.1, "± 10.0%"),
        (1.31, "×/÷ 1.31"),
        (321.4, "×/÷ 321"),
        (1.42e287, "×/÷ > 1,000"),
    ],
)
def test_half_an_interval_of_a_ratio(factor: float, words: str) -> None:
    assert factor_words(factor) == words


def test_lists_and_sentences() -> None:
    assert [listed(list(words)) for words in ("", "a", "ab", "abc")] == [
        "", "a", "a and b", "a, b and c",
    ]  # fmt: skip
    assert sentence("the rows of RNNs") == "The rows of RNNs"
    assert sentence("") == ""


def test_spans_are_only_of_consecutive_numbers() -> None:
    assert span([0, 1, 2, 3]) == "0 to 3"
    assert span([4, 2, 3]) == "2 to 4"
    assert span([0, 2, 3]) == "0, 2, 3"
    assert span([7]) == "7"
    assert span([0, 1]) == "0, 1"


def test_settings_have_no_quotes_unless_they_are_empty() -> None:
    values = {"cell": "gru", "split": (0.9, 0.05, 0.05), "tie_weights": True, "data_dir": ""}
    assert assigned(values) == (
        'cell = gru, split = 0.9 0.05 0.05, tie_weights = true, data_dir = ""'
    )
    assert setting(()) == "none"
    assert setting(1e-5) == "1e-05"


def test_the_checksum_of_a_cells_file_is_cut() -> None:
    assert assigned({"cell": f"MGU@{'0123456789abcdef' * 4}"}) == "cell = MGU@01234567…"
