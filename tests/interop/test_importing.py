"""Imported models give what the programs that made them measure."""

import json
import math
from pathlib import Path

import numpy as np
import plain_char_lstm
import pytest
import torch
from command_line import Cli, made_up_text
from refusal import check
from safetensors.torch import save_file
from small_networks import CHARACTERS, KINDS, our_logits, small_network, some_ids, text_model
from torch import nn

import rnnlab
from rnnlab.bench.d2l_lstm import D2lLSTM
from rnnlab.interop.exporting import export_to
from rnnlab.lm import model_folder

HELD_OUT = made_up_text(30, seed=9)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """What a plain script writes, and the perplexity of a held-out text that it measures."""
    folder = tmp_path_factory.mktemp("plain")
    model = plain_char_lstm.train(made_up_text(300), folder)
    characters = json.loads((folder / "vocabulary.json").read_text())
    (folder / "held_out.txt").write_text(HELD_OUT)
    return folder, plain_char_lstm.perplexity(model, HELD_OUT, characters)


def measured(cli: Cli, model: Path, text: Path, engine: str = "textbook") -> dict[str, float]:
    done = cli(
        "evaluate", str(model), "--text", str(text), "--context", "carried", "--no-baselines",
        "--json", "--engine", engine,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)["evaluations"][0]
    return found


def test_a_plain_script_and_rnnlab_measure_the_same(
    cli: Cli, plain: tuple[Path, float], tmp_path: Path
) -> None:
    folder, perplexity = plain
    done = cli(
        "import", str(folder / "model.pt"), "--vocabulary", str(folder / "vocabulary.json"),
        "--output", str(tmp_path / "model"),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    V = len(json.loads((folder / "vocabulary.json").read_text()))
    assert done.stdout == (
        f"found     2 x lstm 24, embedding of 8, {V + 1} tokens\n"
        "note      no token for unknown characters: <unk> was added, with a probability of zero\n"
        f"saved     {tmp_path}/model; measure it with rnnlab evaluate {tmp_path}/model --text "
        "FILE\n"
    )
    for engine in ("textbook", "builtin", "native"):
        found = measured(cli, tmp_path / "model", folder / "held_out.txt", engine)
        assert found["perplexity"] == pytest.approx(perplexity, rel=1e-5)
        assert found["unknown_tokens"] == 0
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["imported"]["file"] == "model.pt"
    written = cli("generate", str(tmp_path / "model"), "--prefix", "The ", "--length", "40")
    assert written.returncode == 0
    assert "<unk>" not in written.stdout


@pytest.mark.parametrize("form", ["state dict", "list of fourteen"])
def test_the_written_out_lstm_of_d2l_under_its_text_rule(
    cli: Cli, tmp_path: Path, form: str
) -> None:
    """Its vocabulary has <unk> first, and its text is letters and spaces."""
    tokens = ["<unk>", " ", *"etaoinshrdlcumwfgypbvkjxqz"]
    torch.manual_seed(4)
    model = D2lLSTM(len(tokens), 9, std=0.4)
    content = model.state_dict() if form == "state dict" else [*model.parameters()]
    torch.save(content, tmp_path / "net.params")
    (tmp_path / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (tmp_path / "text.txt").write_text("The Time Traveller, 1895;\nby H. G. Wells!\n")
    done = cli(
        "import", str(tmp_path / "net.params"), "--vocabulary", str(tmp_path / "vocab.json"),
        "--preprocessing", "letters", "--output", str(tmp_path / "d2l"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ids = torch.tensor([tokens.index(c) for c in "the time travellerby h g wells"])[:, None]
    with torch.no_grad():
        logits, _ = model(ids[:-1], model.zero_state(1))
        nats = nn.functional.cross_entropy(logits, ids[1:, 0]).item()
    found = measured(cli, tmp_path / "d2l", tmp_path / "text.txt")
    assert found["nats_per_token"] == pytest.approx(nats, rel=1e-5)


@pytest.mark.parametrize("module", [nn.LSTM, nn.GRU])
def test_the_concise_lstm_and_gru_of_d2l(
    cli: Cli, tmp_path: Path, module: type[nn.LSTM] | type[nn.GRU]
) -> None:
    """One-hot rows into torch's module, names as in its RNNModel; a line break is token 0."""

    class RNNModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.linear = module(4, 6), nn.Linear(6, 4)

    torch.manual_seed(2)
    net = RNNModel()
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    (tmp_path / "vocab.txt").write_text("\\n\na\n?\nb\n")
    rows = torch.tensor([1, 3, 2, 0, 0, 1, 2])
    with torch.no_grad():
        features, _ = net.rnn(nn.functional.one_hot(rows[:-1], 4).float())
        nats = nn.functional.cross_entropy(net.linear(features), rows[1:], reduction="none")
    (tmp_path / "text.txt").write_bytes(b"abX\n\naY")
    done = cli(
        "import", str(tmp_path / "net.safetensors"), "--vocabulary", str(tmp_path / "vocab.txt"),
        "--unknown", "?", "--output", str(tmp_path / "model"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = measured(cli, tmp_path / "model", tmp_path / "text.txt")
    assert found["perplexity"] == pytest.approx(nats.mean().exp().item(), rel=1e-5)
    model = rnnlab.load(tmp_path / "model", engine="textbook")
    assert model.score("abX\n\naY").target_nats == pytest.approx(nats.numpy(), rel=1e-5)


@pytest.mark.parametrize("form", ["state dict", "list of eleven"])
def test_the_written_out_gru_of_d2l_is_another_cell(cli: Cli, tmp_path: Path, form: str) -> None:
    """Its candidate is tanh(x W_xh + (r * h) W_hh + b_h), that of nn.GRU r * (h W_hh + b_hh)."""
    H, V = 3, 4
    shapes = {"x": (V, H), "h": (H, H), "b": (H,)}
    arrays = {
        f"{kind}_{gate}" if kind == "b" else f"W_{kind}{gate}": torch.ones(shapes[kind])
        for gate in "zrh"
        for kind in "xhb"
    } | {"W_hq": torch.ones(H, V), "b_q": torch.ones(V)}
    torch.save(arrays if form == "state dict" else [*arrays.values()], tmp_path / "gru.pt")
    (tmp_path / "vocab.json").write_text('["<unk>", "a", "b", "c"]')
    done = cli(
        "import", str(tmp_path / "gru.pt"), "--vocabulary", str(tmp_path / "vocab.json"),
        "--output", str(tmp_path / "model"),
    )  # fmt: skip
    check(done, 1, f"{tmp_path}/gru.pt: the written-out GRU of d2l resets the state before the "
          "matrix product; rnnlab's, and nn.GRU, after it")  # fmt: skip
    assert not (tmp_path / "model").exists()


def test_an_unknown_token_that_was_added_changes_nothing(tmp_path: Path) -> None:
    torch.manual_seed(3)
    parts = {"rnn": nn.GRU(3, 4), "out": nn.Linear(4, 5), "emb": nn.Embedding(5, 3)}
    state = {f"{m}.{n}": t for m, module in parts.items() for n, t in module.state_dict().items()}
    torch.save(state, tmp_path / "m.pt")
    (tmp_path / "v.json").write_text(json.dumps(list("edcba")))
    model = rnnlab.import_model(tmp_path / "m.pt", tmp_path / "v.json", engine="textbook")
    ids = model.tokenizer.encode("abcdeadX")[:, None]
    logits = our_logits(model.network, ids)[:, 0]
    with torch.no_grad():
        rows = torch.tensor([4, 3, 2, 1, 0, 4, 1])
        theirs = parts["out"](parts["rnn"](parts["emb"](rows)[:, None])[0])[:, 0]
    order = [model.tokenizer.encode(c)[0] for c in "edcba"]
    assert np.abs(logits[:-1, order] - theirs.numpy()).max() < 1e-5
    probabilities = torch.softmax(torch.from_numpy(logits), -1)
    assert (probabilities[:, 0] == 0).all()
    assert math.isfinite(model.score("abXa").nats)


@pytest.mark.parametrize("kind", KINDS[::5], ids=lambda kind: "-".join(map(str, kind.values())))
def test_what_was_exported_comes_back(kind: dict[str, object], tmp_path: Path) -> None:
    network = small_network(**kind)
    export_to(text_model(network), tmp_path / "t", "torch")
    back = rnnlab.import_model(
        tmp_path / "t" / "model.safetensors", tmp_path / "t" / "tokenizer.json",
        nonlinearity="relu" if kind["cell"] == "rnn-relu" else "tanh", engine="textbook",
    )  # fmt: skip
    assert back.network.settings == network.settings
    assert back.tokenizer.to_json() == {"type": "char", "characters": CHARACTERS}
    ids = some_ids()
    assert np.array_equal(our_logits(back.network, ids), our_logits(network, ids))
    back.save(tmp_path / "saved")
    assert rnnlab.load(tmp_path / "saved", engine="textbook").network.vocabulary_size == 13


def test_bad_input_at_the_command_line(cli: Cli, plain: tuple[Path, float], tmp_path: Path) -> None:
    folder, _ = plain
    V = len(json.loads((folder / "vocabulary.json").read_text()))
    small, output = tmp_path / "small.json", tmp_path / "model"
    small.write_text('["a", "b"]')

    def run(file: Path, vocabulary: Path, *flags: str) -> object:
        return cli(
            "import", str(file), "--vocabulary", str(vocabulary), "--output", str(output), *flags
        )

    file, words = folder / "model.pt", folder / "vocabulary.json"
    check(run(file, small), 1, f"{file} has {V} tokens, {small} has 2")
    check(run(words, words), 1, f"{words}: not a checkpoint, neither of safetensors nor of "
          "torch.save")  # fmt: skip
    check(run(file, file), 1, f"{file}: not a vocabulary in UTF-8: 'utf-8' codec can't decode byte "
          f"{reason(file)}")  # fmt: skip
    check(run(file, words, "--unknown", "€"), 2, f"--unknown '€' is not in {words}")
    check(run(file, words, "--nonlinearity", "relu"), 2, f"nonlinearity 'relu' is for a simple "
          f"RNN; {file} holds a LSTM")  # fmt: skip
    assert not output.exists()
    output.mkdir()
    check(run(file, words), 2, f"--output {output} exists; choose another folder, or delete it "
          "first")  # fmt: skip
    assert not list(output.iterdir())


def reason(file: Path) -> str:
    with pytest.raises(UnicodeDecodeError) as raised:
        file.read_bytes().decode("utf-8-sig")
    return str(raised.value).partition("decode byte ")[2]


def test_a_checkpoint_that_would_run_code(
    cli: Cli, plain: tuple[Path, float], tmp_path: Path
) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return eval, ("1",)

    torch.save({"state_dict": {"x": Attack()}}, tmp_path / "bad.pt")
    done = cli(
        "import", str(tmp_path / "bad.pt"), "--vocabulary", str(plain[0] / "vocabulary.json"),
        "--output", str(tmp_path / "model"),
    )  # fmt: skip
    check(done, 1, f"{tmp_path}/bad.pt: holds eval, more than tensors, and reading it could run "
          "code; save the weights alone, model.state_dict()")  # fmt: skip


def test_a_failed_import_leaves_nothing(
    cli: Cli, plain: tuple[Path, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "tokenizer.json")

    monkeypatch.setattr(model_folder, "write_json", full)
    done = cli(
        "import", str(plain[0] / "model.pt"), "--vocabulary", str(plain[0] / "vocabulary.json"),
        "--output", str(tmp_path / "model"),
    )  # fmt: skip
    check(done, 1, "tokenizer.json: No space left on device")
    assert not list(tmp_path.iterdir())


def test_a_folder_of_something_else_is_refused(cli: Cli, tmp_path: Path) -> None:
    done = cli("import", str(tmp_path), "--vocabulary", "v.json", "--output", "model")
    check(done, 1, f"{tmp_path} is a folder without config.json; give a file, or a folder for "
          "transformers")  # fmt: skip
