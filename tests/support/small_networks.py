"""Networks of all kinds with random weights, for what must hold for each."""

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rnnlab.config import ComputeSettings, ModelSettings
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.engines.textbook import Textbook
from rnnlab.lm.compute import Compute
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.stored_network import StoredNetwork, as_module, parameter_shapes
from rnnlab.lm.text_model import TextModel

CHARACTERS = "\n abcdefghij"
V = len(CHARACTERS) + 1
KINDS: list[dict[str, Any]] = [
    {"cell": cell, "num_layers": layers, "hidden_size": 6, **kind}
    for cell, layers, kind in itertools.product(
        ("rnn", "rnn-relu", "gru", "lstm"),
        (1, 2, 3),
        (
            {"input": "one-hot"},
            {"embedding_size": 5},
            {"embedding_size": 6, "tie_weights": True},
        ),
    )
]


def small_network(seed: int = 0, start: int | None = None, **settings: Any) -> StoredNetwork:
    rng = np.random.default_rng(seed)
    checked = ModelSettings.from_dict(settings)
    arrays = {
        name: rng.normal(0, 0.5, shape).astype(np.float32)
        for name, shape in parameter_shapes(checked, V)
    }
    return StoredNetwork(checked, V, start, arrays)


def text_model(network: StoredNetwork, preprocessing: str = "none", **about: Any) -> TextModel:
    compute = Compute.choose(ComputeSettings(engine="textbook", device="cpu"), "lstm")
    return TextModel(network, CharTokenizer(CHARACTERS), preprocessing, compute, about)


def some_ids(length: int = 9, batch: int = 3) -> npt.NDArray[np.int64]:
    return np.random.default_rng(5).integers(0, V, (length, batch))


def our_logits(
    network: LanguageModel | StoredNetwork, ids: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """What the equations as written give, from a zero state."""
    model = as_module(network, "cpu")
    with torch.no_grad():
        logits, _ = model(torch.from_numpy(ids), model.zero_state(ids.shape[1]), Textbook())
    found: npt.NDArray[np.float32] = logits.numpy()
    return found
