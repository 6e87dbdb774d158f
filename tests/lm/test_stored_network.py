"""Models as arrays, without torch, against the same models as modules of torch."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from native_oracle import needs_kernels
from torch import nn

from rnnlab.cells import CELLS
from rnnlab.config import ModelSettings
from rnnlab.engines import ENGINES
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import target_nats
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.model_folder import weights_of
from rnnlab.lm.stored_network import StoredNetwork, parameter_shapes

V = 9
KINDS = [
    {"embedding_size": 5},
    {"input": "one-hot", "num_layers": 3},
    {"embedding_size": 7, "tie_weights": True, "num_layers": 2},
    {"input": "one-hot", "embedding_size": 7},
]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", KINDS, ids=str)
@pytest.mark.parametrize("start", [None, 2])
def test_it_is_the_module_that_it_was_made_of(cell, options, start):
    model = LanguageModel(ModelSettings(cell=cell, hidden_size=7, **options), V, 3, start)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert list(parameter_shapes(model.settings, V)) == list(shapes.items())
    stored = StoredNetwork(model.settings, V, start, weights_of(model))
    torch.manual_seed(5)
    again = stored.module()
    assert torch.initial_seed() == 5
    assert again.start == start
    for name, parameter in model.named_parameters():
        assert torch.equal(again.get_parameter(name), parameter)
    tensors, arrays = model.network().parameters(), stored.network().parameters()
    for tensor, array in zip(tensors, arrays, strict=True):
        assert (tensor is None) == (array is None)
        if isinstance(tensor, nn.Parameter):
            np.testing.assert_array_equal(array, tensor.detach().numpy())


@needs_kernels
@pytest.mark.parametrize("cell", CELLS)
def test_it_is_read_to_the_same_bits(cell):
    model = LanguageModel(ModelSettings(cell=cell, hidden_size=20, num_layers=2), V, 3)
    stored = StoredNetwork(model.settings, V, None, weights_of(model))
    ids = np.random.default_rng(0).integers(0, V, 200)
    native = Compute(ENGINES["native"])
    for context in ("carried", "windows:16"):
        found = target_nats(stored, native, ids, context)
        np.testing.assert_array_equal(found, target_nats(model, native, ids, context))
    builtin = target_nats(stored, Compute(ENGINES["builtin"]), ids, "carried")
    np.testing.assert_allclose(target_nats(stored, native, ids, "carried"), builtin, rtol=1e-4)


WITHOUT_TORCH = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "matplotlib"}:
            raise AssertionError(f"{name} was imported")
sys.meta_path.insert(0, Refuse())
from rnnlab.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    import rnnlab

    folder = tmp_path_factory.mktemp("without-torch")
    text = "".join(f"{'even' if n % 2 == 0 else 'odd'}\t{n:b}\n" for n in range(300))
    (folder / "numbers.tsv").write_text(f"label\ttext\n{text}")
    (folder / "lines.txt").write_text("1010\n111\n")
    rnnlab.train(
        corpus=str(folder / "numbers.tsv"), unit="lines", label_column="label", column="text",
        run_dir=folder / "run", hidden_size=8, num_epochs=1, quiet=True, ngram_order=3,
        automatic=False, batch_size=4, num_steps=16,
    )  # fmt: skip
    rnnlab.train(
        corpus=str(folder / "numbers.tsv"), run_dir=folder / "text", hidden_size=8, num_epochs=1,
        quiet=True, ngram_order=3, automatic=False, tokenizer="word", batch_size=4,
        num_steps=16,
    )  # fmt: skip
    return folder


@needs_kernels
@pytest.mark.parametrize(
    "words",
    [
        ["generate", "text", "--prefix", "even", "--length", "5", "--top-k", "3"],
        ["generate", "run", "--count", "3", "--length", "8", "--json"],
        ["score", "text", "lines.txt"],
        ["classify", "run", "lines.txt"],
        ["evaluate", "text", "lines.txt", "--no-baselines"],
    ],
    ids=" ".join,
)
def test_commands_that_read_and_write_import_no_torch(trained, words):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *words], cwd=trained, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
