"""The hidden size of equally many parameters is the one that trying all sizes finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_cells import EXAMPLES

from rnnlab.cells import CELLS
from rnnlab.cells.registry import pin
from rnnlab.config import ModelSettings
from rnnlab.errors import UsageError
from rnnlab.lm.equal_parameters import num_parameters, with_equal_parameters
from rnnlab.lm.model import LanguageModel

E = 5
FORMULAS = {
    "rnn": lambda I, H: (I + H + 2) * H,  # noqa: E741
    "gru": lambda I, H: 3 * (I + H + 2) * H,  # noqa: E741
    "lstm": lambda I, H: 4 * (I + H + 2) * H,  # noqa: E741
    "peephole_lstm.py:PeepholeLSTM": lambda I, H: 4 * (I + H + 2) * H + 3 * H,  # noqa: E741
    "mgu.py:MGU": lambda I, H: 2 * (I + H + 1) * H,  # noqa: E741
    "min_gru.py:MinGRU": lambda I, H: 2 * (I + 1) * H,  # noqa: E741
}
"""Parameters of a layer."""


def count(cell: str, H: int, V: int, L: int, one_hot: bool) -> int:
    """The number of parameters, by hand."""
    inputs = [V if one_hot else E, *[H] * (L - 1)]
    embedding = 0 if one_hot else V * E
    return embedding + sum(FORMULAS[cell](width, H) for width in inputs) + V * H + V


@given(
    cell=st.sampled_from([*FORMULAS]), other=st.sampled_from(["rnn", "gru", "lstm"]),
    size=st.integers(8, 20), V=st.integers(2, 30), L=st.integers(1, 3), one_hot=st.booleans(),
)  # fmt: skip
def test_no_other_size_is_nearer(
    cell: str, other: str, size: int, V: int, L: int, one_hot: bool
) -> None:
    name = pin(f"{EXAMPLES}/{cell}") if ":" in cell else cell
    settings = ModelSettings.from_dict({
        "cell": name, "match_parameters": f"{other}:{size}", "num_layers": L,
        "input": "one-hot" if one_hot else "embedding", "embedding_size": E,
    })  # fmt: skip
    wanted = count(other, size, V, L, one_hot)
    away = {H: abs(count(cell, H, V, L, one_hot) - wanted) for H in range(1, 300)}
    found, words = with_equal_parameters(settings, V)
    assert found == min(away, key=lambda H: (away[H], H))
    has = f"{count(cell, found, V, L, one_hot):,}"
    shown = cell.rpartition(":")[2]
    assert words == f"{shown} {found} has {has} parameters, {other} {size} has {wanted:,}"


@pytest.mark.parametrize("tie_weights", [False, True])
def test_the_number_is_that_of_the_model(tie_weights: bool) -> None:
    settings = ModelSettings(hidden_size=6, embedding_size=6, num_layers=2, tie_weights=tie_weights)
    assert num_parameters(settings, 9) == LanguageModel(settings, 9, 0).num_parameters()


def test_a_cell_has_as_many_parameters_as_itself_at_its_own_size() -> None:
    for cell in CELLS:
        settings = ModelSettings.from_dict({"cell": cell, "match_parameters": f"{cell}:37"})
        assert with_equal_parameters(settings, 50)[0] == 37


@pytest.mark.parametrize(
    ("cell", "reference", "words"),
    [
        ("lstm", "rnn:1",
         "match_parameters = 'rnn:1' cannot be met: the reference has 88 parameters, lstm with "
         "hidden_size = 1 has 100"),
        ("rnn", "lstm:65536",
         "match_parameters = 'lstm:65536' cannot be met: the reference has 17,182,490,680 "
         "parameters, rnn with hidden_size = 65536 has 4,296,998,968"),
    ],
)  # fmt: skip
def test_what_cannot_be_met_is_refused(cell: str, reference: str, words: str) -> None:
    settings = ModelSettings.from_dict(
        {"cell": cell, "match_parameters": reference, "embedding_size": 1}
    )
    with pytest.raises(UsageError) as refused:
        with_equal_parameters(settings, 28)
    assert str(refused.value) == words
