"""The ONNX graph against onnxruntime, over carried state, for every kind of network."""

import sys
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from small_networks import KINDS, V, our_logits, small_network, some_ids

from rnnlab.errors import ForeignFileError, UnavailableError, UsageError
from rnnlab.interop.onnx_graph import onnx_model
from rnnlab.lm.joined_network import joined_network
from rnnlab.lm.model_folder import weights_of
from rnnlab.lm.stored_network import StoredNetwork


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def read_in_parts(network: StoredNetwork, ids: np.ndarray, *cuts: int) -> np.ndarray:
    """Logits of onnxruntime for ids that it reads in parts, with the state carried on."""
    run = session(onnx_model(network, {}))
    states = [value.name for value in run.get_inputs()[1:]]
    shape = network.settings.num_layers, ids.shape[1], network.settings.hidden_size
    state = [np.zeros(shape, np.float32) for _ in states]
    found = []
    for part in np.split(ids, cuts):
        logits, *state = run.run(None, {"ids": part, **dict(zip(states, state, strict=True))})
        found.append(logits)
    return np.concatenate(found)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
def test_onnxruntime_gives_the_logits_of_the_equations(kind: dict[str, Any]) -> None:
    network = small_network(**kind)
    ids = some_ids()
    assert np.abs(read_in_parts(network, ids, 1, 4) - our_logits(network, ids)).max() < 1e-5


def test_any_length_and_batch() -> None:
    network = small_network(cell="gru", num_layers=2, hidden_size=7)
    run = session(onnx_model(network, {}))
    for shape in ((1, 1), (40, 1), (3, 17)):
        ids = some_ids(*shape)
        zeros = np.zeros((2, shape[1], 7), np.float32)
        logits, state = run.run(None, {"ids": ids, "h_0": zeros})
        assert logits.shape == (*shape, V)
        assert state.shape == zeros.shape
        assert np.abs(logits - our_logits(network, ids)).max() < 1e-5


def test_an_ensemble_is_exported_like_any_network() -> None:
    members = [small_network(seed, cell="lstm", hidden_size=4 + seed).module() for seed in (1, 2)]
    joined = joined_network(members)
    network = StoredNetwork(joined.settings, V, None, weights_of(joined))
    ids = some_ids()
    assert np.abs(read_in_parts(network, ids, 5) - our_logits(network, ids)).max() < 1e-5


def test_the_graph_has_the_operators_of_onnx_and_dynamic_axes() -> None:
    model = onnx_model(small_network(cell="lstm", num_layers=2, hidden_size=6), {"a": "b"})
    assert [node.op_type for node in model.graph.node] == [
        "Gather", "Split", "Split", "LSTM", "Squeeze", "LSTM", "Squeeze", "Concat", "Concat",
        "Transpose", "MatMul", "Add",
    ]  # fmt: skip
    ids = model.graph.input[0].type.tensor_type.shape.dim
    assert [axis.dim_param for axis in ids] == ["T", "B"]
    assert [value.name for value in model.graph.output] == ["logits", "h_T", "c_T"]
    assert {entry.key: entry.value for entry in model.metadata_props} == {"a": "b"}


def test_tied_weights_are_stored_once() -> None:
    sizes = [
        len(onnx_model(small_network(**kind, hidden_size=64), {}).SerializeToString())
        for kind in ({"embedding_size": 64}, {"embedding_size": 64, "tie_weights": True})
    ]
    assert sizes[0] - sizes[1] == pytest.approx(V * 64 * 4, rel=0.05)


def test_a_cell_that_onnx_lacks() -> None:
    network = small_network(cell="lstm", hidden_size=6)
    network.settings = network.settings.model_copy(update={"cell": "peephole"})
    with pytest.raises(UsageError, match="ONNX has no operator for the cell 'peephole'; it has "
                       "some for lstm, gru, rnn, rnn-relu"):  # fmt: skip
        onnx_model(network, {})


def test_more_weights_than_an_onnx_file_holds() -> None:
    network = small_network(cell="lstm", hidden_size=6)
    network.arrays = {"output.bias": np.broadcast_to(np.float32(0), (2**29,))}
    with pytest.raises(ForeignFileError, match="holds at most 2 GiB"):
        onnx_model(network, {})


def test_without_the_package_the_way_to_get_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UnavailableError, match=r"pip install 'rnnlab\[onnx\]'"):
        onnx_model(small_network(cell="rnn", hidden_size=3), {})
