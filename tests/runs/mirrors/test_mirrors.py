"""Runs in TensorBoard and MLflow, read with their own readers."""

import ast
import fcntl
import json
import os
import signal
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from command_line import Cli

import rnnlab
from rnnlab.config import Settings
from rnnlab.errors import DivergenceError, RunDirectoryError, UnavailableError, UsageError
from rnnlab.runs.files import read_metrics, state_files
from rnnlab.runs.mirrors import mirrors
from rnnlab.runs.mirrors.mirror import Mirror
from rnnlab.runs.training import train
from rnnlab.runs.watcher import Watcher

TINY: dict[str, Any] = {
    "hidden_size": 8, "embedding_size": 4, "batch_size": 8, "num_steps": 20, "num_epochs": 1,
    "num_evaluations": 2, "sample_length": 10, "threads": 1, "num_log_lines": 10,
}  # fmt: skip

BOTH = ("tensorboard", "mlflow")


# MLflow's reader, like its writer, uses what SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")


@pytest.fixture(scope="module")
def run_dir(
    cli_process: Cli, train_flags: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of the command line with both mirrors, which makes MLflow's store."""
    folder = tmp_path_factory.mktemp("mirrored")
    done = cli_process(
        "train", *train_flags, "--quiet", "--num-log-lines", "20", "--run-dir", "runs/first",
        "--mirror", *BOTH,
        cwd=folder,
        env={"MLFLOW_TRACKING_URI": "", "PYTHONWARNINGS": "error"},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder / "runs" / "first"


@pytest.fixture
def store(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same store, for runs in this process."""
    uri = f"sqlite:///{run_dir.parents[1] / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


def read_mlflow(uri: str, name: str) -> tuple[Any, Any]:
    """MLflow's client, and the run of that name."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("rnnlab")
    (run,) = client.search_runs([experiment.experiment_id], f"run_name = '{name}'")
    return client, run


def read_tensorboard(directory: Path) -> Any:
    """As TensorBoard's page does."""
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    everything = {"tensors": 0}
    events = EventAccumulator(str(directory / "tensorboard"), size_guidance=everything)
    return events.Reload()


def values(events: Any, tag: str) -> list[tuple[int, Any]]:
    from tensorboard.util.tensor_util import make_ndarray

    return [(event.step, make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]


def session(events: Any, part: str) -> Any:
    """What TensorBoard keeps of a run's settings (start) and of its end."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    content = events.SummaryMetadata(f"_hparams_/session_{part}_info").plugin_data.content
    return getattr(HParamsPluginData.FromString(content), f"session_{part}_info")


def logged(directory: Path) -> dict[str, list[tuple[int, float]]]:
    """Every number of metrics.jsonl by kind and field: (step, value), in order."""
    series: dict[str, list[tuple[int, float]]] = {}
    for text in (directory / "metrics.jsonl").read_text().splitlines():
        line = json.loads(text)
        for field, value in line.items():
            if field not in ("kind", "step", "split", "context") and value is not None:
                points = series.setdefault(f"{line['kind']}/{field}", [])
                points.append((line["step"], float(value)))
    return series


def test_metrics_have_all_fields_that_a_page_shows(run_dir: Path) -> None:
    evaluations = len([line for line in read_metrics(run_dir) if line["kind"] == "held-out"])
    assert evaluations >= 4, "these, evenly over the budget, and early ones"
    assert {tag: len(points) for tag, points in logged(run_dir).items()} == {
        **{
            f"train/{field}": 20
            for field in (
                "epoch", "tokens", "seconds", "progress", "nats_per_token",
                    "bits_per_character", "perplexity",
                "tokens_per_second", "gradient_norm", "clipped_share", "learning_rate",
            )
        },
        **{
            f"held-out/{field}": evaluations
            for field in ("nats_per_token", "bits_per_character", "perplexity", "is_best")
        },
    }  # fmt: skip


def test_tensorboard_reads_what_metrics_jsonl_says(run_dir: Path) -> None:
    events = read_tensorboard(run_dir)
    expected = logged(run_dir)
    own = {"_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info"}
    assert set(events.Tags()["tensors"]) == {*expected, "sample"} | own
    for tag, points in expected.items():
        found = values(events, tag)
        assert [step for step, _ in found] == [step for step, _ in points]
        float32 = pytest.approx([value for _, value in points], rel=1e-7)
        assert [float(value) for _, value in found] == float32, tag


def test_tensorboard_shows_samples_literally(run_dir: Path) -> None:
    written = ""
    for step, text in values(read_tensorboard(run_dir), "sample"):
        lines = text.item().decode().split("\n")
        assert all(line.startswith("    ") for line in lines), "else it is read as Markdown"
        sample = "\n".join(line[4:] for line in lines)
        written += f"--- step {step}\n{sample}\n"
    assert written == (run_dir / "samples.txt").read_text()


def as_words(settings: dict[str, Any]) -> dict[str, str]:
    """Settings of several values, as people give them."""
    return {n: " ".join(map(str, v)) for n, v in settings.items() if isinstance(v, tuple)}


def test_tensorboard_has_the_settings_and_the_end(run_dir: Path) -> None:
    from tensorboard.plugins.hparams import api_pb2

    events = read_tensorboard(run_dir)
    found = {
        name: getattr(value, value.WhichOneof("kind"))
        for name, value in session(events, "start").hparams.items()
    }
    settings = Settings.from_toml(run_dir / "config.toml").flat()
    assert found == settings | as_words(settings)
    assert session(events, "end").status == api_pb2.STATUS_SUCCESS


def test_mlflow_reads_what_metrics_jsonl_says(run_dir: Path, store: str) -> None:
    client, run = read_mlflow(store, "first")
    expected = logged(run_dir)
    assert run.data.metrics.keys() == expected.keys()
    for name, points in expected.items():
        history = client.get_metric_history(run.info.run_id, name)
        assert sorted((metric.step, metric.value) for metric in history) == sorted(points), name


def test_mlflow_has_the_settings_the_files_and_the_end(run_dir: Path, store: str) -> None:
    client, run = read_mlflow(store, "first")
    assert run.info.status == "FINISHED"
    assert run.data.tags["run_directory"] == str(run_dir)
    settings = Settings.from_toml(run_dir / "config.toml").flat()
    expected = {name: str(value) for name, value in settings.items()} | as_words(settings)
    assert run.data.params == expected
    assert expected["mirror"] == "tensorboard mlflow"
    files = [Path(artifact.path) for artifact in client.list_artifacts(run.info.run_id)]
    assert {str(file) for file in files} == {
        "config.toml", "environment.json", "metrics.jsonl", "samples.txt", "result.json",
        "curves.svg",
    }  # fmt: skip
    for file in files:
        copy = Path(run.info.artifact_uri) / file
        assert copy.read_bytes() == (run_dir / file).read_bytes()
    seconds = json.loads((run_dir / "result.json").read_text())["training"]["seconds"]
    assert run.info.end_time - run.info.start_time > 1000 * seconds


def test_a_store_is_opened_by_one_run_at_a_time(
    run_dir: Path, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes that make MLflow's tables at once destroy the store."""
    from rnnlab.runs.mirrors import mlflow

    client = mlflow.MlflowClient
    lock = os.open(run_dir.parents[1] / "mlflow.db.lock", os.O_RDONLY | os.O_CREAT)

    def open_store(uri: str) -> Any:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return client(uri)

    monkeypatch.setattr(mlflow, "MlflowClient", open_store)
    mlflow.MLflow(tmp_path / "alone", Settings.from_toml(run_dir / "config.toml"), 0.0)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # free again
    os.close(lock)
    assert read_mlflow(store, "alone")[1].info.status == "RUNNING"


def test_a_run_that_diverges_is_shown_as_failed(
    text_file: Path, tmp_path: Path, store: str
) -> None:
    from tensorboard.plugins.hparams import api_pb2

    run_dir = tmp_path / "diverges"
    change = TINY | {"optimizer": "sgd", "learning_rate": 1e9, "clip_norm": 0.0}
    with pytest.raises(DivergenceError):
        rnnlab.train(
            automatic=False,
            corpus=str(text_file),
            **change,
            mirror=BOTH,
            run_dir=run_dir,
            quiet=True,
        )
    client, run = read_mlflow(store, "diverges")
    assert run.info.status == "FAILED"
    assert "result.json" in {file.path for file in client.list_artifacts(run.info.run_id)}
    assert session(read_tensorboard(run_dir), "end").status == api_pb2.STATUS_FAILURE


def test_a_resumed_run_is_shown_as_one_run(
    cli: Cli, text_file: Path, tmp_path: Path, store: str
) -> None:
    """Steps that are done again after a resume are shown once."""
    run_dir = tmp_path / 'it\'s "mine"' / "goes-on"
    flags = {**TINY, "corpus": str(text_file), "num_log_lines": 40}
    rnnlab.train(automatic=False, **flags, mirror=BOTH, run_dir=run_dir, quiet=True)
    newest, before = state_files(run_dir)
    newest.unlink()
    assert int(before.stem) == 0  # so that training starts again
    rnnlab.train(resume=run_dir, quiet=True, num_epochs=2)
    expected = logged(run_dir)["train/perplexity"]
    found = values(read_tensorboard(run_dir), "train/perplexity")
    assert [step for step, _ in found] == [step for step, _ in expected]
    rnnlab.train(resume=run_dir, quiet=True, num_epochs=3)
    expected = logged(run_dir)["train/perplexity"]
    found = values(read_tensorboard(run_dir), "train/perplexity")
    assert [step for step, _ in found] == [step for step, _ in expected]
    from mlflow import MlflowClient

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("rnnlab")
    runs = client.search_runs([experiment.experiment_id], "run_name = 'goes-on'")
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]  # one began again
    steps = {m.step for m in client.get_metric_history(runs[0].info.run_id, "train/perplexity")}
    assert steps == {step for step, _ in expected}


class Recorder(Mirror):
    """Records its calls."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def line(self, line: Any, when: float) -> None:
        self.told.append(line["kind"])

    def sample(self, step: int, text: str, when: float) -> None:
        self.told.append("sample")

    def end(self, status: str, when: float) -> None:
        self.told.append(status)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    mirror = Recorder()
    monkeypatch.setattr(mirrors, "open_mirror", lambda *_: mirror)
    return mirror


class Interrupting(Watcher):
    """Does something at the first step."""

    def __init__(self, what: Any) -> None:
        self.what = what

    def step(self, event: Any) -> None:
        if event.step == 1:
            self.what()


def tiny(text_file: Path, **change: Any) -> Settings:
    return Settings.from_flat(TINY | {"corpus": str(text_file), "mirror": "tensorboard"} | change)


def test_a_mirror_is_told_the_lines_the_samples_and_the_end(
    text_file: Path, tmp_path: Path, recorder: Recorder
) -> None:
    run = train(tiny(text_file), tmp_path / "run")
    assert recorder.told[-1] == "FINISHED"
    assert [w for w in recorder.told[:-1] if w != "sample"] == [x["kind"] for x in run.metrics]
    assert recorder.told.count("sample") == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_a_signal_ends_is_shown_as_killed(
    number: int, text_file: Path, tmp_path: Path, recorder: Recorder
) -> None:
    train(tiny(text_file), tmp_path / "run", [Interrupting(lambda: signal.raise_signal(number))])
    assert recorder.told == ["train", "KILLED"]


@pytest.mark.parametrize(
    ("error", "raised", "status"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, "KILLED"),
        (OSError(28, "No space left on device"), RunDirectoryError, "FAILED"),
    ],
)
def test_a_run_that_an_error_ends_is_shown_as_killed_or_failed(
    error: BaseException, raised: type[BaseException], status: str,
    text_file: Path, tmp_path: Path, recorder: Recorder,
) -> None:  # fmt: skip
    def throw() -> None:
        raise error

    with pytest.raises(raised):
        train(tiny(text_file), tmp_path / "run", [Interrupting(throw)])
    assert recorder.told[-1] == status


def test_a_full_disk_ends_the_mirror_and_not_the_run(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from rnnlab.runs.mirrors.tensorboard import TensorBoard

    write = TensorBoard._write

    def write_until_full(mirror: Any, *events: Any) -> None:
        write(mirror, *events)
        if events[0].step > 20:
            mirror._file = Path("/dev/full")

    monkeypatch.setattr(TensorBoard, "_write", write_until_full)
    run = train(tiny(text_file), tmp_path / "run")
    assert run.result["training"]["stopped_by"] == "budget"
    assert [line["kind"] for line in run.metrics].count("train") == 10
    assert capsys.readouterr().err == (
        "rnnlab: note: mirror 'tensorboard' failed, the run goes on without it: "
        "[Errno 28] No space left on device\n"
    )
    found = values(read_tensorboard(run.directory), "train/perplexity")
    assert 0 < len(found) < 10


def test_a_server_that_is_gone_ends_the_mirror_and_not_the_run(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = train(tiny(text_file, mirror="mlflow"), tmp_path / "run")
    assert run.result["training"]["stopped_by"] == "budget"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("rnnlab: note: mirror 'mlflow' failed, the run goes on without it: API")
    assert "Connection refused" in line


def test_a_mirror_that_hangs_is_left_behind(
    text_file: Path, tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    answer = Event()
    monkeypatch.setattr(recorder, "line", lambda *_: answer.wait())
    monkeypatch.setattr(mirrors, "PATIENCE", 0.1)
    run = train(tiny(text_file), tmp_path / "run")
    answer.set()
    assert run.result["training"]["stopped_by"] == "budget"
    assert capsys.readouterr().err == (
        "rnnlab: note: mirror 'tensorboard' timed out 0.1 s after the end and may be "
        f"incomplete; {run.directory} is complete\n"
    )


@pytest.mark.parametrize(
    ("name", "package"),
    [("tensorboard", "tensorboard"), ("mlflow", "mlflow"), ("mlflow", "sqlalchemy")],
)
def test_a_missing_package_is_named_before_anything_is_made(
    name: str, package: str, text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UnavailableError) as caught:
        train(tiny(text_file, mirror=name), tmp_path / "run")
    assert str(caught.value) == (
        f"mirror {name!r} needs the package {package}; install it with pip install 'rnnlab[{name}]'"
    )
    assert not (tmp_path / "run").exists()


def test_the_setting_takes_known_mirrors_only() -> None:
    assert Settings().machine.mirror == ()
    assert Settings.from_flat({"mirror": "mlflow"}).machine.mirror == ("mlflow",)
    with pytest.raises(UsageError) as caught:
        Settings.from_flat({"mirror": ["wandb"]})
    assert str(caught.value) == (
        "settings: mirror 1 must be 'tensorboard' or 'mlflow', not 'wandb'"
    )


def test_no_package_is_imported_before_a_run_asks_for_it() -> None:
    """Only the two modules that are imported late import one at their top."""
    for file in Path(mirrors.__file__).parent.glob("*.py"):
        imports = [n for n in ast.parse(file.read_text()).body if isinstance(n, ast.ImportFrom)]
        names = {part for node in imports for part in str(node.module).split(".")}
        assert bool(names & set(BOTH)) == (file.stem in BOTH), file
