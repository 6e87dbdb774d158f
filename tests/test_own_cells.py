"""A cell of a file from training to evaluation, by the command line; copies are not run unasked."""

import json
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from command_line import Cli
from forked import Forked
from interrupted import fingerprint
from own_cells import EXAMPLES, MINIMAL, forget_cells, marked, write_cell
from refusal import check

import rnnlab
from rnnlab.errors import UntrustedCodeError, UsageError
from rnnlab.files import sealed
from rnnlab.runs.files import state_files

PEEPHOLE = f"{EXAMPLES}/peephole_lstm.py:PeepholeLSTM"


@pytest.fixture(autouse=True)
def as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_cells(monkeypatch)


@pytest.fixture(scope="module")
def flags(text_file: Path) -> list[str]:
    return (
        f"--corpus {text_file} --corpus-limit 4000 --embedding-size 4 --batch-size 4 "
        "--num-steps 10 --max-tokens 1600 --learning-rate 0.01 --num-evaluations 2 --threads 1 "
        "--sample-length 5 --no-automatic --checkpoint-seconds 0"
    ).split()


@pytest.fixture(scope="module")
def run(cli: Cli, flags: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run of the peephole LSTM as large as an LSTM of 12 units, and what was printed."""
    directory = tmp_path_factory.mktemp("runs") / "peephole"
    with pytest.MonkeyPatch.context() as patch:
        forget_cells(patch)
        done = cli("train", *flags, "--cell", PEEPHOLE, "--match-parameters", "lstm:12",
                   "--num-layers", "2", "--run-dir", str(directory))  # fmt: skip
    assert done.returncode == 0, done.stderr
    return directory, done.stdout


def test_training_says_what_it_computes_and_keeps_the_file(run: tuple[Path, str]) -> None:
    directory, printed = run
    words = " ".join(printed.split())
    assert "model 2 x PeepholeLSTM 12, " in words
    assert "matched PeepholeLSTM 12 has " in words
    assert "engine textbook (auto: only textbook computes PeepholeLSTM), float32, cpu" in words
    own = (EXAMPLES / "peephole_lstm.py").read_bytes()
    for folder in ("", "checkpoint/best", "checkpoint/last"):
        assert (directory / folder / "cell.py").read_bytes() == own
    settings = rnnlab.Run.open(directory).settings.model
    assert (settings.hidden_size, settings.match_parameters) == (12, "")


def test_a_trusted_model_writes_is_measured_and_looked_into(
    cli: Cli, run: tuple[Path, str], text_file: Path
) -> None:
    directory = str(run[0])
    written = cli("generate", directory, "--length", "20", "--seed", "1", "--trust-cell")
    assert written.returncode == 0, written.stderr
    assert len(written.stdout.strip("\n")) >= 15
    measured = cli("evaluate", directory, "--trust-cell", "--json", "--no-baselines")
    (first, *_) = json.loads(measured.stdout)["evaluations"]
    assert 0 < first["bits_per_character"] < 6
    diagnosis = cli("doctor", directory, "--trust-cell", "--json")
    assert "dead units" in json.loads(diagnosis.stdout)["looked_at"]
    found = cli("probe", directory, "--trust-cell", "--what", "saturation", "--json")
    assert found.returncode == 0, found.stderr
    check(
        cli("probe", directory, "--trust-cell", "--what", "ablation"), 2,
        "of the cell PeepholeLSTM it is not known how a unit is held; ablation needs one of rnn, "
        "rnn-relu, gru, lstm",
    )  # fmt: skip
    check(
        cli("probe", directory, "--trust-cell", "--what", "timescales"), 2,
        "cell 'PeepholeLSTM' has no gate that is known to keep; timescales need one (cells: lstm, "
        "gru)",
    )  # fmt: skip


def test_the_loaded_model_computes_what_was_trained(run: tuple[Path, str]) -> None:
    model = rnnlab.load(run[0], "last", trust_cell=True)
    names = {name for name, _ in model.model.recurrent.named_parameters()}
    assert {"peephole_i_l0", "peephole_f_l1", "peephole_o_l1", "bias_hh_l1"} < names
    score = model.score((run[0] / "samples.txt").read_text())
    model.save(run[0].with_name("saved"))
    again = rnnlab.load(run[0].with_name("saved"), trust_cell=True)
    assert again.score((run[0] / "samples.txt").read_text()).nats == score.nats


def test_other_engines_forms_and_ensembles_refuse_it(
    cli: Cli, run: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = str(run[0])
    for engine, why in (
        ("native", "its kernels do not know the cell PeepholeLSTM, textbook computes it"),
        ("builtin", "torch has no kernels for the cell PeepholeLSTM, textbook computes it"),
    ):
        check(
            cli("generate", directory, "--trust-cell", "--engine", engine), 1,
            f"engine '{engine}' cannot run here: {why}",
        )  # fmt: skip
    with pytest.raises(UsageError, match=r"^an ensemble needs one of the cells rnn, rnn-relu, gru"):
        rnnlab.ensemble([run[0], run[0] / "checkpoint" / "last"], trust_cell=True)
    model = rnnlab.load(run[0], trust_cell=True)
    forms = {"onnx": "ONNX has no operator for", "torch": "torch.nn has no module for"}
    for form, has_no in forms.items():
        output = str(tmp_path / form)
        with pytest.raises(UsageError, match=rf"^{has_no} the cell 'PeepholeLSTM'; it has some"):
            rnnlab.export_model(model, output, to=form)
    forget_cells(monkeypatch)
    for form in forms:
        output = str(tmp_path / form)
        check(
            cli("export", directory, "--to", form, "--output", output), 2,
            f"{directory} has a cell of its own, PeepholeLSTM, which {form} lacks",
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


@pytest.fixture
def strange(run: tuple[Path, str], tmp_path: Path) -> tuple[Path, Path]:
    """The run directory as if it came from somebody else, and a mark that its code would leave."""
    content, mark = marked(tmp_path)
    directory = tmp_path / "run"
    shutil.copytree(run[0], directory)
    pinned = rnnlab.cells.registry.pin(f"{write_cell(tmp_path, content)}:Plain")
    config = directory / "config.toml"
    was = rnnlab.Run.open(directory).settings.model.cell
    config.write_text(config.read_text().replace(was, pinned))
    shutil.copy(tmp_path / "plain.py", directory / "cell.py")
    for which in ("best", "last"):
        folder = directory / "checkpoint" / which
        about = json.loads((folder / "config.json").read_text().replace(was, pinned))
        about.pop("sha256")
        (folder / "config.json").write_text(json.dumps(sealed(about)))
        shutil.copy(tmp_path / "plain.py", folder / "cell.py")
    return directory, mark


COMMANDS = ["generate", "evaluate", "score", "write", "probe", "classify", "serve"]


def test_code_that_comes_with_a_model_is_not_run_unasked(
    cli: Cli, strange: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, mark = strange
    forget_cells(monkeypatch)
    refusal = (
        "{0}: its cell Plain is Python code, {0}/cell.py, which is only run if you ask for it: "
        "read it, then add --trust-cell (in Python: rnnlab.load(..., trust_cell=True))"
    )
    best = directory / "checkpoint" / "best"
    for command in COMMANDS:
        check(cli(command, str(directory)), 2, refusal.format(best))
    check(cli("train", "--resume", str(directory), "--max-tokens", "3000"), 2,
          refusal.format(directory))  # fmt: skip
    check(cli("train", "--start-from", str(directory), "--no-automatic"), 2, refusal.format(best))
    with pytest.raises(UntrustedCodeError):
        _ = rnnlab.Run.open(directory).model
    diagnosis = cli("doctor", str(directory))
    assert diagnosis.returncode == 0
    words = " ".join(diagnosis.stdout.split())
    assert "its cell is Python code, which is only run with --trust-cell" in words
    assert not mark.exists()
    done = cli("generate", str(directory), "--trust-cell")
    assert mark.exists()
    assert "the parameters are not those of config.json" in done.stderr  # it is another cell


def test_a_copy_that_was_changed_is_gone_or_lies_elsewhere_is_refused(
    cli: Cli, run: tuple[Path, str], tmp_path: Path
) -> None:
    directory = tmp_path / "run"
    shutil.copytree(run[0], directory)
    folder = directory / "checkpoint" / "best"
    content, mark = marked(tmp_path)
    (folder / "cell.py").write_text(content)
    trusting = ("generate", str(folder), "--trust-cell")
    done = cli(*trusting)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"rnnlab: error: {folder}/cell.py: changed, its SHA-256 is not that of the cell "
        f"PeepholeLSTM in {folder}"
    )
    (folder / "cell.py").unlink()
    done = cli(*trusting)
    assert done.returncode == 1
    assert done.stderr.startswith(f"rnnlab: error: {folder}/cell.py: cannot be read: No such file")
    about = json.loads((folder / "config.json").read_text())
    about["model"]["cell"] = f"{write_cell(tmp_path, content)}:Plain"
    about.pop("sha256")
    (folder / "config.json").write_text(json.dumps(sealed(about)))
    done = cli(*trusting)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"rnnlab: error: {folder}: its cell is '{tmp_path}/plain.py:Plain'; it must be "
        "CLASS@SHA256, with the file cell.py"
    )
    config = directory / "config.toml"
    was = rnnlab.Run.open(directory).settings.model.cell
    config.write_text(config.read_text().replace(was, f"{tmp_path}/plain.py:Plain"))
    done = cli("train", "--resume", str(directory), "--trust-cell")
    assert done.returncode == 1
    assert "it must be CLASS@SHA256, with the file cell.py" in done.stderr
    assert not mark.exists()


def test_a_killed_run_goes_on_with_the_same_bits(
    cli: Cli, run: tuple[Path, str], flags: list[str], tmp_path: Path
) -> None:
    directory = tmp_path / "killed"
    cell = write_cell(tmp_path, (EXAMPLES / "peephole_lstm.py").read_text(), "mine.py")
    started = Forked("train", *flags, "--cell", f"{cell}:PeepholeLSTM", "--match-parameters",
                     "lstm:12", "--num-layers", "2", "--run-dir", str(directory))  # fmt: skip
    while not ((states := state_files(directory)) and int(states[0].stem) >= 8):
        time.sleep(0.01)
        assert started.process.is_alive()
    started.send_signal(signal.SIGKILL)
    assert started.ended().returncode == -signal.SIGKILL
    cell.write_text(MINIMAL.replace("Plain", "PeepholeLSTM"))
    check(
        cli("train", "--resume", str(directory), "--cell", f"{cell}:PeepholeLSTM"), 2,
        f"cell PeepholeLSTM is not the one that {directory} was started with: the file of "
        f"PeepholeLSTM there is {directory}/cell.py",
    )  # fmt: skip
    check(
        cli("train", "--resume", str(directory), "--cell", "gru"), 2,
        f"cell gru is not the one that {directory} was started with: the file of PeepholeLSTM "
        f"there is {directory}/cell.py",
    )  # fmt: skip
    shutil.copytree(directory, tmp_path / "other")
    for folder, ask in ((directory, ["--trust-cell"]), (tmp_path / "other", ["--cell", PEEPHOLE])):
        done = cli("train", "--resume", str(folder), *ask)
        assert done.returncode == 0, done.stderr
        assert fingerprint(folder) == fingerprint(run[0])


def test_training_starts_from_a_model_of_the_same_cell(
    cli: Cli, run: tuple[Path, str], flags: list[str], tmp_path: Path
) -> None:
    start = ["train", *flags, "--start-from", str(run[0]), "--freeze", "recurrent"]
    for number, ask in enumerate((["--cell", PEEPHOLE], ["--trust-cell"])):
        directory = tmp_path / str(number)
        done = cli(*start, *ask, "--run-dir", str(directory))
        assert done.returncode == 0, done.stderr
        before = rnnlab.load(run[0], trust_cell=True).model.recurrent
        after = rnnlab.load(directory, "last", trust_cell=True).model.recurrent
        assert all(map(torch.equal, before.parameters(), after.parameters()))
    check(
        cli(*start, "--cell", f"{EXAMPLES}/mgu.py:MGU"), 2,
        f"cell = 'MGU' does not fit start_from = {str(run[0])!r}, which has 'PeepholeLSTM'",
    )  # fmt: skip


def test_an_experiment_compares_it_at_equal_parameters(
    cli: Cli, text_file: Path, tmp_path: Path
) -> None:
    file = tmp_path / "experiment.toml"
    shutil.copy(EXAMPLES / "mgu.py", tmp_path)
    file.write_text(
        f'question = "?"\nseeds = 1\noutcomes = ["training_perplexity"]\n[base]\n'
        f'corpus = "{text_file}"\nmax_tokens = 400\nbatch_size = 4\nnum_steps = 10\n'
        'corpus_limit = 3000\nnum_evaluations = 0\nmatch_parameters = "lstm:8"\n'
        'embedding_size = 4\n[grid]\ncell = ["lstm", "mgu.py:MGU"]\n'
    )
    done = cli("experiment", str(file), "--workers", "2")
    assert done.returncode == 0, done.stderr + done.stdout
    runs = [rnnlab.Run.open(path) for path in (tmp_path / "runs").glob("[0-9a-f]*")]
    sizes = {
        rnnlab.cells.short_name(run.settings.model.cell): run.settings.model.hidden_size
        for run in runs
    }
    assert sizes == {"lstm": 8, "MGU": 11}
    assert "cell=MGU" in (tmp_path / "report.md").read_text()
    (tmp_path / "mgu.py").write_text("class MGU: pass")
    check(
        cli("experiment", str(file)), 2,
        f"MGU in {tmp_path}/mgu.py is not a subclass of rnnlab.cells.Cell",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--cell", "mine.py"], "cell must be FILE.py:CLASS, not 'mine.py'"),
        (["--cell", "lstn"],
         "cell must be 'rnn', 'rnn-relu', 'gru', 'lstm' or FILE.py:CLASS, not 'lstn'"),
        (["--cell", "mine.py:Mine"], "cell 'mine.py:Mine': mine.py does not exist"),
        (["--cell", f"{EXAMPLES}/min_gru.py:MinGRU", "--weight-dropout", "0.1"],
         "weight_dropout needs a cell with weight_hh; MinGRU has weight_ih, bias_ih"),
        (["--cell", PEEPHOLE, "--forget-bias", "1"],
         "forget_bias needs cell = 'lstm'; 'PeepholeLSTM' has no forget gate that is known"),
        (["--cell", PEEPHOLE, "--engine", "native"],
         "engine 'native' cannot run here: its kernels do not know the cell PeepholeLSTM, textbook "
         "computes it"),
        (["--match-parameters", "lstm"],
         "match_parameters must be CELL:HIDDEN_SIZE, such as lstm:256, with one of rnn, rnn-relu, "
         "gru, lstm, not 'lstm'"),
        (["--match-parameters", "lstm:8", "--hidden-size", "9"],
         "train: hidden_size = 9 has no effect with match_parameters = 'lstm:8'; it needs no "
         "match_parameters"),
        (["--match-parameters", "lstm:8", "--tie-weights", "--embedding-size", "256"],
         "match_parameters excludes tie_weights, which fixes hidden_size"),
        (["--match-parameters", "rnn:1"],
         "match_parameters = 'rnn:1' cannot be met: the reference has 1,585 parameters, lstm with "
         "hidden_size = 1 has 1,786"),
    ],
    ids=lambda value: " ".join(value).replace(str(EXAMPLES), "") if isinstance(value, list) else "",
)  # fmt: skip
def test_wrong_settings_get_one_sentence(
    cli: Cli, text_file: Path, flags: list[str], message: str, tmp_path: Path
) -> None:
    done = cli("train", "--corpus", str(text_file), "--no-automatic", *flags, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert " ".join(done.stderr.split()) == f"rnnlab: error: {message}"
    assert not (tmp_path / "runs").exists()
