"""What an export says, and that it writes all of it or nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from command_line import Cli
from refusal import check
from small_networks import small_network, text_model

import rnnlab
from rnnlab.data.tokenizer import tokenizer_from_json
from rnnlab.engines.native_kernels import why_missing
from rnnlab.errors import UsageError
from rnnlab.interop.exporting import export_to


def metadata(file: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(file).metadata_props}


def test_onnx_of_a_run_at_the_command_line(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path
) -> None:
    file = tmp_path / "new" / "pets.onnx"
    done = cli("export", str(trained[0]), "--to", "onnx", "--output", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"exported  {file}\n"
        "left out  the tokenizer: ids go in, logits come out; the vocabulary is in the metadata\n"
    )
    model = rnnlab.load(trained[0])
    about = metadata(file)
    tokenizer = tokenizer_from_json(json.loads(about["tokenizer"]))
    text = "The cat sees the bird.\nThe dog loses the house.\n"
    ids = tokenizer.encode(text)
    assert ids.tolist() == model.tokenizer.encode(text).tolist()
    run = onnxruntime.InferenceSession(file)
    zeros = np.zeros((1, 1, 32), np.float32)
    logits = run.run(["logits"], {"ids": ids[:, None], "h_0": zeros, "c_0": zeros})[0][:, 0]
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nats = -logp[np.arange(len(ids) - 1), ids[1:]]
    assert nats.sum() == pytest.approx(model.score(text).nats, rel=1e-5)


def test_what_a_graph_leaves_out_is_said_and_stored(
    cli: Cli, of_names: Path, tmp_path: Path
) -> None:
    file = tmp_path / "names.onnx"
    done = cli("export", str(of_names), "--output", str(file))
    line = done.stdout.splitlines()[1].removeprefix("left out  ")
    assert line.split("; ") == [
        "the tokenizer: ids go in, logits come out", "the vocabulary is in the metadata",
        "the text rule 'lower': apply it before the tokenizer",
        "the n-gram model of order 3: these are the logits of the network alone",
        f"the reset of samples: set the state to zeros before each token {start(of_names)} "
        "('\\n'), with which a sample begins",
    ]  # fmt: skip
    about = metadata(file)
    assert about["left_out"].replace("\n", "; ") == line
    assert about["preprocessing"] == "lower"
    assert about["start_of_samples"] == str(start(of_names))
    assert json.loads(about["model"])["hidden_size"] == 16
    done = cli("export", str(of_names), "--to", "torch", "--output", str(tmp_path / "t"))
    assert done.returncode == 0
    assert f"exported  {tmp_path}/t; write with python {tmp_path}/t/model.py\n" in done.stdout
    program = (tmp_path / "t" / "model.py").read_text()
    done = cli("export", str(of_names), "--to", "huggingface", "--output", str(tmp_path / "h"))
    ngram = "the n-gram model of order 3: these are the logits of the network alone"
    assert done.stdout == f"exported  {tmp_path}/h\nleft out  {ngram}\n"
    assert json.loads((tmp_path / "h" / "config.json").read_text())["left_out"] == [ngram]
    assert "- the n-gram model of order 3: these are the logits of the network alone\n" in program


def start(run: Path) -> int | None:
    return rnnlab.load(run).network.start


@pytest.mark.skipif(bool(why_missing()), reason="the native engine is not compiled")
def test_torch_is_not_imported_to_export(trained: tuple[Path, str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom rnnlab.cli import main\nfor to in ('huggingface', 'onnx', 'torch'):\n"
        "    main(['export', sys.argv[1], '--to', to, '--output', to])\n"
        "assert not {'torch', 'scipy', 'matplotlib', 'transformers'} & {*sys.modules}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, trained[0]], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == ["huggingface", "onnx", "torch"]


@pytest.mark.parametrize("to", ["huggingface", "onnx", "torch"])
def test_an_output_that_exists_is_left_alone(
    cli: Cli, trained: tuple[Path, str], tmp_path: Path, to: str
) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    check(
        cli("export", str(trained[0]), "--to", to, "--output", str(there)),
        2,
        f"output {there} exists; choose another name, or delete it first",
    )
    assert there.read_text() == "mine"


def test_unknown_forms(cli: Cli, trained: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown form 'onx'; did you mean 'onnx'\? \(choices: "):
        rnnlab.export_model(trained[0], tmp_path / "m", "onx")
    assert cli("export", str(trained[0]), "--to", "keras", "--output", "m").returncode == 2


@pytest.mark.parametrize(("to", "last"), [("huggingface", "config.json"), ("torch", "model.py")])
def test_a_failed_export_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, last: str
) -> None:
    from rnnlab import files

    replace = files.os.replace

    def full(source: object, target: Path) -> None:
        if Path(target).name == last:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        export_to(text_model(small_network(hidden_size=6)), tmp_path / "m", to)
    assert not list(tmp_path.iterdir())


def test_a_cell_that_transformers_does_not_get(tmp_path: Path) -> None:
    network: Any = small_network(cell="lstm", hidden_size=6)
    network.settings = network.settings.model_copy(update={"cell": "peephole"})
    wanted = r"rnnlab\.huggingface has no cell 'peephole'; it has rnn, rnn-relu, gru, lstm"
    with pytest.raises(UsageError, match=wanted):
        export_to(text_model(network), tmp_path / "m", "huggingface")
    assert not list(tmp_path.iterdir())
