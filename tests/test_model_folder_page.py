"""docs/reference/model-folder.md: its table against folders that rnnlab writes, and its program."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import Cli
from safetensors import safe_open

import rnnlab
from rnnlab.cells import CELLS
from rnnlab.config import ModelSettings
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.errors import CorpusError
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.model_folder import save_model
from rnnlab.lm.ngram_mixture import NETWORK_ALONE, NGramMixture
from rnnlab.lm.ngram_table import NGramTable

PAGE = (Path(__file__).parents[1] / "docs/reference/model-folder.md").read_text(encoding="utf-8")
WEIGHTS, _, NGRAMS = PAGE.partition("## ngram.safetensors")
ROW = re.compile(r"^\| `([a-z_.{}]+)` \| \(([^)]+)\)(?:, `F64`)? \| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall(WEIGHTS)
TOKENIZER = CharTokenizer("abcdefghij")
PRESENT = {
    '`input = "embedding"`': lambda settings: settings.input == "embedding",
    "unless `tie_weights`": lambda settings: not settings.tie_weights,
    "each layer": lambda settings: True,
    "always": lambda settings: True,
}
MODELS = [
    {"cell": cell, "num_layers": layers, **kind}
    for cell, layers, kind in itertools.product(
        CELLS,
        (1, 3),
        (
            {"input": "one-hot"},
            {"embedding_size": 5},
            {"embedding_size": 6, "tie_weights": True},
        ),
    )
]


def expected(settings: ModelSettings) -> dict[str, tuple[list[int], str]]:
    """What the page says about a model: shape and type of each tensor by name."""
    sizes = {"V": TOKENIZER.size, "E": settings.embedding_size, "H": settings.hidden_size}
    sizes["G·H"] = {"lstm": 4, "gru": 3}.get(settings.cell, 1) * settings.hidden_size
    tensors = {}
    for name, shape, present in ROWS:
        if not PRESENT[present](settings):
            continue
        for layer in range(settings.num_layers):
            first = sizes["V" if settings.input == "one-hot" else "E"]
            sizes["I"] = settings.hidden_size if layer else first
            tensors[name.format(l=layer)] = [sizes[letter] for letter in shape.split(", ")], "F32"
    return tensors


@pytest.mark.parametrize(
    "options", MODELS, ids=lambda options: " ".join(map(str, options.values()))
)
def test_the_table_lists_every_tensor_with_shape_and_type(
    options: dict[str, Any], tmp_path: Path
) -> None:
    settings = ModelSettings(**{"hidden_size": 6} | options)
    save_model(tmp_path, LanguageModel(settings, TOKENIZER.size), TOKENIZER, {})
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        found = {name: (part.get_shape(), part.get_dtype()) for name, part in parts.items()}
    assert found == expected(settings)


def test_the_keys_of_both_json_files_are_those_of_a_real_folder(trained: tuple[Path, str]) -> None:
    section = PAGE.partition("## config.json")[2].partition("## tokenizer.json")
    keys = re.findall(r"^\| `(\w+)` \|", section[0], re.MULTILINE)
    folder = trained[0] / "checkpoint" / "last"
    for key in ("ngram", "members", "imported", "canaries"):  # this model has none of them
        keys.remove(key)
    assert sorted(keys) == sorted(json.loads((folder / "config.json").read_text()))
    kinds = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`)?", section[2], re.MULTILINE)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    assert ("char", "characters") in kinds
    assert set(tokenizer) == {"type", "characters", "sha256"}


def test_the_program_makes_a_folder_that_is_read_and_not_said_to_have_another_text(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(program, "docs/reference/model-folder.md", "exec"), names)
    model = rnnlab.load("by-hand", engine="builtin")
    ids = torch.from_numpy(model.tokenizer.encode("a lot of text"))[:, None]
    one_hot = torch.nn.functional.one_hot(ids, names["V"]).float()
    with torch.no_grad():
        wanted = names["output"](names["lstm"](one_hot)[0])
        found, _ = model.model(ids, model.model.zero_state(1), model.compute.engine)
    torch.testing.assert_close(found, wanted)
    assert len(model.generate("THE ", length=5)) == 9
    (tmp_path / "text.txt").write_text("some text", encoding="utf-8")
    lacks = (
        "the model does not say which text it was trained on: its config.json has no corpus in "
        "data, or no corpus_sha256"
    )
    done = cli("evaluate", "by-hand", "--text", "text.txt")
    assert done.returncode == 0
    assert f"baselines left out, the training text is not available: {lacks}" in done.stderr
    done = cli("evaluate", "by-hand")
    assert done.returncode == 1
    assert done.stderr == (
        f"rnnlab: error: the model's own text is not available: {lacks}; evaluate "
        "another text with --text\n"
    )


@pytest.mark.parametrize("data", [{}, {"preprocessing": "none"}])
def test_a_folder_without_a_corpus_is_not_said_to_have_another_text(
    trained: tuple[Path, str], tmp_path: Path, data: dict[str, str]
) -> None:
    model = rnnlab.load(trained[0])
    model.about = {"data": data}
    model.save(tmp_path / "copy")
    with pytest.raises(CorpusError, match="does not say which text it was trained on"):
        rnnlab.evaluate(tmp_path / "copy")


def test_the_n_gram_part_has_the_tensors_of_the_page(tmp_path: Path) -> None:
    order, ids = 3, TOKENIZER.encode("abcabdabcd")
    table = NGramTable.count(ids, TOKENIZER.size, order)
    model = LanguageModel(ModelSettings(hidden_size=2), TOKENIZER.size)
    mixture = NGramMixture(table, NETWORK_ALONE)
    save_model(tmp_path, model, TOKENIZER, {}, mixture=mixture)
    expected, sizes = {}, {"2": 2, "R_k + 1": 2}
    for k in range(1, order + 1):
        sizes["E_k"] = len({tuple(ids[i : i + k]) for i in range(len(ids) - k + 1)})
        for name, shape, _ in ROW.findall(NGRAMS):
            expected[name.format(k=k)] = [sizes[each] for each in shape.split(", ")]
        sizes["R_k + 1"] = sizes["E_k"] + 1
    with safe_open(tmp_path / "ngram.safetensors", framework="pt") as content:
        names = content.keys()
        assert {name: content.get_slice(name).get_shape() for name in names} == expected
