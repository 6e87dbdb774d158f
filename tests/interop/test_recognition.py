"""Which network the names and shapes in a checkpoint are, whatever its modules are called."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from rnnlab.bench.d2l_lstm import D2lLSTM
from rnnlab.errors import ForeignFileError, RnnlabError, UsageError
from rnnlab.interop.checkpoints import D2L_GRU, D2L_RNN
from rnnlab.interop.recognition import Recognised, recognise

FILE = Path("model.pt")
V, E, H = 7, 3, 5

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
LETTERS = "abcdefghijklmnopqrstuvwxyz_0123456789"
PREFIXES = st.lists(st.text(LETTERS, min_size=1, max_size=8), min_size=1, max_size=3).map(".".join)


def tensors(
    recurrent: nn.Module, output: nn.Module | None = None, embedding: nn.Module | None = None,
    names: tuple[str, str, str] = ("rnn", "fc", "embed"),
) -> dict[str, Tensor]:  # fmt: skip
    """The state of three modules under three names."""
    modules = zip(names, (recurrent, output or nn.Linear(H, V), embedding), strict=True)
    return {
        f"{name}.{part}".removeprefix("."): tensor
        for name, module in modules
        if module is not None
        for part, tensor in module.state_dict().items()
    }


def says(found: Recognised) -> tuple[Any, ...]:
    settings = found.settings
    width = settings.embedding_size if settings.input == "embedding" else None
    return settings.cell, settings.num_layers, settings.hidden_size, width, found.vocabulary_size


@settings(max_examples=50)
@given(
    cell=st.sampled_from(sorted(CELLS)), layers=st.integers(1, 3), embedded=st.booleans(),
    biases=st.booleans(), names=st.tuples(PREFIXES, PREFIXES, PREFIXES), order=st.randoms(),
)  # fmt: skip
def test_names_of_modules_do_not_matter(
    cell: str, layers: int, embedded: bool, biases: bool, names: tuple[str, str, str], order: Any
) -> None:
    assume(len(set(names)) == 3)
    width = E if embedded else V
    recurrent = CELLS[cell](width, H, layers, bias=biases)
    output, embedding = nn.Linear(H, V, bias=biases), nn.Embedding(V, E) if embedded else None
    given_names = list(tensors(recurrent, output, embedding, names).items())
    order.shuffle(given_names)
    found = recognise(FILE, dict(given_names))
    assert says(found) == (cell, layers, H, E if embedded else None, V)
    for name, tensor in recurrent.state_dict().items():
        assert np.array_equal(found.arrays[f"recurrent.{name}"], tensor.numpy())
    assert np.array_equal(found.arrays["output.weight"], output.weight.detach().numpy())
    assert found.arrays["output.bias"].any() == biases
    if embedding is not None:
        assert np.array_equal(found.arrays["embedding.weight"], embedding.weight.detach().numpy())


def test_missing_biases_are_zero_and_named() -> None:
    found = recognise(FILE, tensors(nn.LSTM(V, H, bias=False), nn.Linear(H, V, bias=False)))
    assert found.notes == ["missing biases are zero: bias_ih_l0, bias_hh_l0, output.bias"]
    assert not found.arrays["recurrent.bias_hh_l0"].any()
    assert found.arrays["recurrent.bias_hh_l0"].shape == (4 * H,)


def test_relu_is_said_since_no_weight_tells() -> None:
    named = tensors(nn.RNN(V, H, nonlinearity="relu"))
    assert recognise(FILE, named).settings.cell == "rnn"
    assert recognise(FILE, named, "relu").settings.cell == "rnn-relu"
    with pytest.raises(UsageError, match=r"nonlinearity 'relu' is for a simple RNN; model\.pt "
                       "holds a GRU"):  # fmt: skip
        recognise(FILE, tensors(nn.GRU(V, H)), "relu")
    with pytest.raises(UsageError, match="unknown nonlinearity 'sin'"):
        recognise(FILE, named, "sin")


def test_weights_that_both_ends_share() -> None:
    """As torch.save writes them, and as safetensors does, which keeps one of the two names."""
    recurrent, output, embedding = nn.GRU(H, H), nn.Linear(H, V), nn.Embedding(V, H)
    output.weight = embedding.weight
    both = tensors(recurrent, output, embedding)
    for left_out in ("", "fc.weight", "embed.weight"):
        found = recognise(FILE, {name: t for name, t in both.items() if name != left_out})
        assert says(found) == ("gru", 1, H, H, V)
        assert found.settings.tie_weights
        assert "output.weight" not in found.arrays
        assert np.array_equal(found.arrays["embedding.weight"], both["embed.weight"].numpy())
        assert np.array_equal(found.arrays["output.bias"], both["fc.bias"].numpy())
        assert found.notes == ["embedding and output share their weights"]


def test_two_matrices_without_biases_are_told_apart_by_shape_or_name() -> None:
    output = nn.Linear(H, V, bias=False)
    by_shape = tensors(nn.GRU(E, H), output, nn.Embedding(V, E), ("a", "b", "c"))
    assert says(recognise(FILE, by_shape)) == ("gru", 1, H, E, V)
    same = nn.GRU(H, H), output, nn.Embedding(V, H)
    for names in (("a", "b", "token_Embedding"), ("a", "decoder", "encoder")):
        found = recognise(FILE, tensors(*same, names))
        assert np.array_equal(found.arrays["output.weight"], output.weight.detach().numpy())
    with pytest.raises(ForeignFileError) as raised:
        recognise(FILE, tensors(*same, ("a", "b", "c")))
    assert str(raised.value) == (
        "model.pt: which of 'b' and 'c' is the embedding, and which the output layer, cannot be "
        "told"
    )


def test_other_float_types_become_float32() -> None:
    for kind in (torch.float64, torch.float16, torch.bfloat16):
        named = {name: t.to(kind) for name, t in tensors(nn.LSTM(V, H)).items()}
        found = recognise(FILE, named)
        assert found.notes == [f"{str(kind)[6:]} became float32"]
        assert {array.dtype for array in found.arrays.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("prefix", ["", "rnn.", "_orig_mod.module.rnn."])
def test_the_written_out_lstm_of_d2l(prefix: str) -> None:
    model = D2lLSTM(V, H, std=0.5)
    for bias in (model.b_i, model.b_f, model.b_o, model.b_c, model.b_q):
        nn.init.normal_(bias)
    found = recognise(FILE, {f"{prefix}{name}": t for name, t in model.state_dict().items()})
    assert says(found) == ("lstm", 1, H, None, V)
    ids = torch.randint(V, (6, 2), generator=torch.Generator().manual_seed(2))
    lstm, output = nn.LSTM(V, H), nn.Linear(H, V)
    own = {name: torch.from_numpy(array) for name, array in found.arrays.items()}
    for module, start in ((lstm, "recurrent."), (output, "output.")):
        module.load_state_dict(
            {n.removeprefix(start): t for n, t in own.items() if n.startswith(start)}
        )
    logits, _ = model(ids, model.zero_state(2))
    ours = output(lstm(nn.functional.one_hot(ids, V).float())[0])
    assert (ours.flatten(0, 1) - logits).abs().max() < 1e-5


def test_the_written_out_rnn_and_gru_of_d2l() -> None:
    shapes = {"W_xh": (V, H), "W_hh": (H, H), "b_h": (H,), "W_hq": (H, V), "b_q": (V,)}
    named = {name: torch.randn(*shapes[name]) for name in D2L_RNN}
    found = recognise(FILE, named)
    assert says(found) == ("rnn", 1, H, None, V)
    assert np.array_equal(found.arrays["recurrent.weight_hh_l0"], named["W_hh"].T.numpy())
    with pytest.raises(ForeignFileError) as raised:
        recognise(FILE, {name: torch.zeros(1) for name in D2L_GRU})
    assert str(raised.value) == (
        "model.pt: the written-out GRU of d2l resets the state before the matrix product; "
        "rnnlab's, and nn.GRU, after it"
    )


def changed(**parts: Tensor | None) -> dict[str, Tensor]:
    """An LSTM of two layers with an embedding, with some tensors replaced or left out."""
    torch.manual_seed(0)
    named: dict[str, Any] = tensors(nn.LSTM(E, H, 2), None, nn.Embedding(V, E))
    named |= {name.replace("__", "."): tensor for name, tensor in parts.items()}
    return {name: tensor for name, tensor in named.items() if tensor is not None}


HAS = "a model of rnnlab has one output layer after it and at most one embedding before it"


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({}, "must hold one nn.RNN, nn.GRU or nn.LSTM (weight_ih_l0 and so on), not none"),
        (
            tensors(nn.LSTM(E, H), nn.LSTM(H, H), names=("one", "two", "")),
            "must hold one nn.RNN, nn.GRU or nn.LSTM (weight_ih_l0 and so on), not 2: 'one', 'two'",
        ),
        (
            tensors(nn.LSTM(E, H, bidirectional=True)),
            "rnn.weight_ih_l0_reverse shows that the network is bidirectional; a language model "
            "reads in one direction",
        ),
        (
            tensors(nn.LSTM(E, H, proj_size=2)),
            "rnn.weight_hr_l0 shows that the network projects its state (proj_size), which no cell "
            "of rnnlab does",
        ),
        (
            changed(norm__weight=torch.ones(H), norm__bias=torch.ones(H)),
            f"holds norm.weight next to the recurrent layer; {HAS}",
        ),
        (
            changed(fc2__weight=torch.ones(V, H)),
            "holds embed.weight, fc.bias, fc.weight, fc2.weight next to the recurrent layer; "
            f"{HAS}",
        ),
        (
            changed(rnn__weight_hh_l0_raw=torch.ones(4 * H, H)),
            f"holds rnn.weight_hh_l0_raw next to the recurrent layer; {HAS}",
        ),
        (changed(fc__weight=None, fc__bias=None, embed__weight=None),
         f"holds nothing next to the recurrent layer; {HAS}"),
        (
            changed(embed__weight=None),
            "the recurrent layer reads vectors of 3 numbers; that is neither an embedding, which "
            "is missing, nor a row for each of 7 tokens",
        ),
        (changed(rnn__weight_hh_l0=None), "weight_hh_l0 is missing"),
        (changed(rnn__weight_ih_l1=None), "weight_ih_l1 is missing"),
        (
            changed(rnn__weight_hh_l1=torch.ones(4 * H, H + 1)),
            "rnn.weight_hh_l1 has the shape (20, 6), with the others it must have (20, 5)",
        ),
        (
            changed(rnn__weight_hh_l0=torch.ones(2 * H, H)),
            "rnn.weight_hh_l0 has the shape (10, 5); it must have 1, 3 or 4 rows (RNN, GRU, LSTM) "
            "for each column",
        ),
        (
            changed(fc__weight=torch.ones(V, H + 1)),
            "fc.weight has the shape (7, 6), with the others it must have (7, 5)",
        ),
        (
            changed(embed__weight=torch.ones(V + 1, E)),
            "embed.weight has the shape (8, 3), with the others it must have (7, 3)",
        ),
        (
            changed(fc__bias=torch.ones(V, dtype=torch.int64)),
            "fc.bias is of type int64, not floating point",
        ),
        (changed(fc__bias=torch.ones(())), "fc.bias is neither a vector nor a matrix"),
        (changed(fc__bias=torch.full((V,), torch.nan)), "fc.bias holds NaN or infinite numbers"),
        (
            D2lLSTM(V, H).state_dict() | {"W_hf": torch.ones(H, H + 1)},
            "W_hf has the shape (5, 6), with the others it must have (5, 5)",
        ),
    ],
)  # fmt: skip
def test_what_is_not_a_language_model(named: dict[str, Tensor], message: str) -> None:
    with pytest.raises(RnnlabError) as raised:
        recognise(FILE, named)
    assert str(raised.value) == f"model.pt: {message}"


NAMES = st.sampled_from([*changed(), "rnn.weight_ih_l2", "rnn.bias_ih_l70", "weight_ih_l0", "x"])
SHAPES = st.lists(st.integers(0, 21), max_size=3)


@given(swapped=st.dictionaries(NAMES, st.none() | SHAPES, max_size=4))
def test_any_names_and_shapes_give_a_network_or_one_sentence(
    swapped: dict[str, list[int] | None],
) -> None:
    named: dict[str, Any] = changed()
    for name, shape in swapped.items():
        named[name] = None if shape is None else torch.ones(shape)
    try:
        there = {name: tensor for name, tensor in named.items() if tensor is not None}
        said = recognise(FILE, there).settings.cell
    except RnnlabError as error:
        said = str(error)
    assert said
    assert "\n" not in said
