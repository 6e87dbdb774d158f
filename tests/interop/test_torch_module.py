"""The exported program runs where there is no rnnlab, and gives the same logits."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import made_up_text
from small_networks import KINDS, our_logits, small_network, some_ids, text_model

from rnnlab.config import ModelSettings
from rnnlab.data.tokenizer import (
    BpeTokenizer,
    ByteTokenizer,
    CharTokenizer,
    LabelledTokenizer,
    RunsOfLettersTokenizer,
    Tokenizer,
    WordTokenizer,
)
from rnnlab.errors import UsageError
from rnnlab.interop.exporting import export_to
from rnnlab.interop.torch_module import program_of
from rnnlab.lm.stored_network import StoredNetwork, parameter_shapes

TEXT = made_up_text(60) + "Die Katze fällt, naïve e\u0301!\n\n  x = 3.14\n"
TOKENIZERS = {
    "char": CharTokenizer.train(TEXT),
    "byte": ByteTokenizer(),
    "word": WordTokenizer.train(TEXT, 1),
    "runs of letters": RunsOfLettersTokenizer(sorted(set(RunsOfLettersTokenizer.cut(TEXT)))),
    "bpe": BpeTokenizer.train(TEXT, 300),
    "labelled char": LabelledTokenizer(CharTokenizer.train(TEXT), {"cat": 3, "dog": 2}),
    "labelled byte": LabelledTokenizer(ByteTokenizer(), {"cat": 3, "dog": 2}),
}

PREPARE = "import sys; sys.modules['rnnlab'] = None\n"
"""Whatever imports rnnlab now fails."""

PROGRAM = """
import contextlib, io, json, runpy, numpy, torch
from pathlib import Path
root = Path(sys.argv[1])
ids = torch.from_numpy(numpy.load(root / "ids.npy"))
text = (root / "text.txt").read_text(encoding="utf-8")
for folder in (root / "networks").iterdir():
    model, state, parts = runpy.run_path(folder / "model.py")["load"](), None, []
    for part in ids.split([1, 3, 5]):
        with torch.no_grad():
            logits, state = model(part, state)
        parts.append(logits)
    numpy.save(folder / "logits.npy", torch.cat(parts))
for folder in (root / "tokenizers").iterdir():
    found = runpy.run_path(folder / "model.py")
    ids = found["encode"](text)
    labels = [i + found["V"] for i in (1, 0)] if "V" in found else []
    read = [ids, found["decode"](ids), found["decode"]([*labels, *ids[:5], *labels])]
    (folder / "read.json").write_text(json.dumps(read))
sys.argv = ["model.py", "ab", "--length", "12", "--seed", "3"]
with contextlib.redirect_stdout(io.StringIO()) as printed:
    runpy.run_path(next((root / "networks").iterdir()) / "model.py", run_name="__main__")
(root / "printed.txt").write_text(printed.getvalue())
"""


def small(tokenizer: Tokenizer, start: int | None = None) -> StoredNetwork:
    settings = ModelSettings(hidden_size=6, embedding_size=4)
    shapes = parameter_shapes(settings, tokenizer.size)
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes}
    return StoredNetwork(settings, tokenizer.size, start, arrays)


NETWORKS = {str(number): small_network(**kind) for number, kind in enumerate(KINDS)}
IDS = some_ids()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which one process without rnnlab has run all exported programs."""
    root = tmp_path_factory.mktemp("exported")
    np.save(root / "ids.npy", IDS)
    (root / "text.txt").write_text(TEXT, encoding="utf-8", newline="")
    for name, network in NETWORKS.items():
        export_to(text_model(network), root / "networks" / name, "torch")
    for name, tokenizer in TOKENIZERS.items():
        model = text_model(small(tokenizer))
        model.tokenizer = tokenizer
        export_to(model, root / "tokenizers" / name, "torch")
    done = subprocess.run(
        [sys.executable, "-c", PREPARE + PROGRAM, root], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return root


@pytest.mark.parametrize("name", NETWORKS)
def test_the_module_gives_our_logits_over_carried_state(ran: Path, name: str) -> None:
    logits = np.load(ran / "networks" / name / "logits.npy")
    assert np.abs(logits - our_logits(NETWORKS[name], IDS)).max() < 1e-5, KINDS[int(name)]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_the_program_reads_and_writes_text_as_our_tokenizers_do(ran: Path, name: str) -> None:
    tokenizer = TOKENIZERS[name]
    ids, text, labelled = json.loads((ran / "tokenizers" / name / "read.json").read_text())
    assert ids == tokenizer.encode(TEXT).tolist()
    assert text == tokenizer.decode(ids)
    inside = getattr(tokenizer, "inside", None)
    labels = [inside.size + 1, inside.size] if inside else []
    assert labelled == tokenizer.decode([*labels, *ids[:5], *labels])


def test_running_the_file_writes_characters(ran: Path) -> None:
    written = (ran / "printed.txt").read_text()
    assert written.startswith("ab")
    assert len(written) == 2 + 12 + 1
    assert set(written) <= set("\n abcdefghij")


def test_programs_are_clean(tmp_path: Path) -> None:
    for name, tokenizer in TOKENIZERS.items():
        for start in (None, 1):
            program = program_of(small(tokenizer, start), tokenizer, ["nothing"])
            (tmp_path / f"{name}_{start}.py").write_text(program, encoding="utf-8")
    for command in (["check", "--select", "E,F,I,UP,D1", "--ignore", "D107"], ["format", "--diff"]):
        ruff = [Path(sys.executable).with_name("ruff"), *command, "--isolated"]
        done = subprocess.run(
            [*ruff, "--line-length", "500", tmp_path], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_next_sample_begins_with_a_zero_state() -> None:
    program = program_of(small(TOKENIZERS["char"], 1), TOKENIZERS["char"], ["nothing"])
    reset = "        if token == 1:  # the next sample begins\n            state = None\n"
    assert reset in program
    assert "ids = [1] + encode(given.prefix)" in program


def test_a_cell_that_torch_lacks(tmp_path: Path) -> None:
    network: Any = small_network(cell="lstm", hidden_size=6)
    network.settings = network.settings.model_copy(update={"cell": "peephole"})
    with pytest.raises(UsageError, match=r"torch\.nn has no module for the cell 'peephole'"):
        export_to(text_model(network), tmp_path / "m", "torch")
    assert not list(tmp_path.iterdir())
