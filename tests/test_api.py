"""The library as the README shows it."""

from pathlib import Path
from typing import Any

import pytest
import tomli_w

import rnnlab
from rnnlab.engines import precision_needs
from rnnlab.errors import RunDirectoryError, UsageError

TINY = {
    "hidden_size": 16, "embedding_size": 4, "batch_size": 4, "num_steps": 10, "num_epochs": 1,
    "automatic": False,
}  # fmt: skip


def test_a_handful_of_lines_train_generate_load_and_evaluate(
    text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = rnnlab.train(corpus=str(text_file), **TINY, run_dir=tmp_path / "run", quiet=True)
    assert capsys.readouterr().out == ""
    assert run.settings.model.hidden_size == 16
    assert run.model.generate("The ", length=5, temperature=0).startswith("The ")
    several = run.model.generate(["The ", "A"], length=5, temperature=0)
    assert [len(text) for text in several] == [9, 6]
    model = rnnlab.load(run.directory, engine="textbook")
    assert model.generate("The ", length=5, temperature=0) == several[0]
    records, notices = rnnlab.evaluate(model, splits=["test"], contexts=["carried"])
    assert notices == []
    assert records[0].nats_per_token == pytest.approx(
        next(
            record["nats_per_token"]
            for record in run.result["evaluations"]
            if (record["split"], record["context"]) == ("test", "carried")
        ),
        rel=1e-4,
    )


def test_a_run_is_taken_where_a_path_is(trained: tuple[Path, str]) -> None:
    run = rnnlab.Run.open(trained[0])
    assert rnnlab.load(run).generate("a", length=5, seed=1) == rnnlab.generate(
        run, "a", length=5, seed=1
    )
    records, _ = rnnlab.evaluate(run, baselines=False)
    assert len(records) == len(run.result["evaluations"])
    assert rnnlab.Run.open(run).directory == run.directory


def test_a_run_shows_itself(trained: tuple[Path, str]) -> None:
    run = rnnlab.Run.open(trained[0])
    assert "test, carried: " in repr(run)
    assert "<svg" in run._repr_html_()
    assert "all parameters" in repr(run.model)


def test_a_recipe_with_changes(text_file: Path, tmp_path: Path) -> None:
    run = rnnlab.train(
        "lab-report", corpus=str(text_file), split=(0.8, 0.1, 0.1), **TINY, preprocessing="none",
        input="embedding", run_dir=tmp_path / "run", quiet=True,
    )  # fmt: skip
    assert run.settings.training.optimizer == "sgd"
    assert run.settings.model.hidden_size == 16


def test_the_model_folder_can_be_moved_and_saved_again(
    trained: tuple[Path, str], tmp_path: Path
) -> None:
    model = rnnlab.load(trained[0])
    model.save(tmp_path / "copy")
    again = rnnlab.load(tmp_path / "copy")
    assert again.generate("The", length=20) == model.generate("The", length=20)


def test_errors_name_the_setting(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^train: unknown setting 'hidden'; did you mean"):
        rnnlab.train(hidden=3)
    with pytest.raises(UsageError, match="batch_size must be greater than or equal to 1, not 0"):
        rnnlab.train(batch_size=0)
    with pytest.raises(UsageError, match=r"is not a run directory: it has no config\.toml"):
        rnnlab.Run.open(tmp_path)
    (tmp_path / "config.toml").touch()
    with pytest.raises(RunDirectoryError, match=r"result\.json: cannot be read: No such file"):
        _ = rnnlab.Run.open(tmp_path).result


def test_a_misspelled_keyword_is_told_among_all_of_them(text_file: Path) -> None:
    for wrong, right in {"buget": "budget", "hiden_size": "hidden_size"}.items():
        with pytest.raises(
            UsageError, match=f"^train: unknown setting '{wrong}'; did you mean '{right}'"
        ):
            rnnlab.train(corpus=str(text_file), **{wrong: "5"})


def test_training_outside_the_main_thread_works(text_file: Path, tmp_path: Path) -> None:
    from threading import Thread

    runs = []
    thread = Thread(
        target=lambda: runs.append(
            rnnlab.train(corpus=str(text_file), **TINY, run_dir=tmp_path / "run", quiet=True)
        )
    )
    thread.start()
    thread.join()
    assert runs[0].result["training"]["epochs"] == 1


def test_unnamed_runs_are_numbered(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [rnnlab.train(corpus=str(text_file), **TINY, quiet=True) for _ in range(2)]
    assert [str(run.directory) for run in runs] == [
        "runs/pets-lstm16-001", "runs/pets-lstm16-002",
    ]  # fmt: skip


def test_generate_takes_a_path_or_a_loaded_model(trained: tuple[Path, str]) -> None:
    settings = {"length": 5, "temperature": 0}
    text = rnnlab.generate(trained[0], "The ", engine="textbook", **settings)
    assert rnnlab.generate(rnnlab.load(trained[0]), ["The "], **settings) == [text]
    with pytest.raises(UsageError, match="the model is loaded already; give engine to load"):
        rnnlab.generate(rnnlab.load(trained[0]), engine="textbook")
    with pytest.raises(UsageError, match="unknown key 'lenght'; did you mean 'length'"):
        rnnlab.generate(trained[0], lenght=5)


def test_load_refuses_settings_of_training(trained: tuple[Path, str]) -> None:
    with pytest.raises(UsageError, match=r"^load: unknown key 'hidden_size' \(choices: engine, "):
        rnnlab.load(trained[0], hidden_size=3)


def test_an_experiment_returns_its_records_and_prints_nothing(
    content: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "experiment.toml"
    file.write_text(tomli_w.dumps(content | {"seeds": 1}))
    records = rnnlab.experiment(file, output=tmp_path / "out", workers=1)
    assert [run.has_ended for run in records.runs] == [True, True]
    page = rnnlab.rewrite_report(tmp_path / "out")
    assert page == tmp_path / "out" / "report.html"
    assert f"rnnlab experiment {file}" in page.read_text()
    assert capfd.readouterr() == ("", "")


def test_wrong_experiments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown experiment 'lab-reprot'; did you mean"):
        rnnlab.reproduce("lab-reprot", output=tmp_path)
    with pytest.raises(UsageError, match="experiment: unknown key 'worker'; did you mean"):
        rnnlab.experiment(tmp_path, worker=2)
    with pytest.raises(UsageError, match=r"cannot be read: No such file"):
        rnnlab.experiment(tmp_path)


def test_a_benchmark_returns_its_measurements_and_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    sizes = {"hidden_size": (8,), "batch_size": (2,), "num_steps": 3}
    result = rnnlab.benchmark(engine=("builtin",), rounds=1, seconds=0.01, **sizes)
    assert [row["engine"] for row in result["training"]] == ["builtin"]
    assert capfd.readouterr() == ("", "")


def test_corpora_and_engines_are_listed(tmp_path: Path) -> None:
    (tmp_path / "timemachine.txt").touch()
    corpora = {entry.name: entry for entry in rnnlab.list_corpora(tmp_path)}
    assert list(corpora) == ["timemachine", "tinyshakespeare", "python-reference"]
    assert corpora["timemachine"].file == tmp_path / "timemachine.txt"
    assert corpora["python-reference"].size_bytes > 100_000
    engines = {entry.name: entry for entry in rnnlab.list_engines()}
    assert list(engines) == ["textbook", "builtin", "native"]
    assert engines["builtin"].fault == ""
    precisions = [precision for entry in engines.values() for precision in entry.chosen_for]
    lacks = precision_needs("bfloat16", "cpu")
    assert sorted(precisions) == (["float32"] if lacks else ["bfloat16", "float32"])


def test_one_name_is_enough_where_a_list_is_taken(
    trained: tuple[Path, str], text_file: Path, tmp_path: Path
) -> None:
    """A text is never taken for a list of its letters, and a path is a name."""
    model = rnnlab.load(trained[0])
    listed, _ = rnnlab.evaluate(model, [str(text_file)], contexts=["carried"], baselines=False)
    for text in (str(text_file), text_file, [text_file]):
        assert rnnlab.evaluate(model, text, contexts="carried", baselines=False)[0] == listed
    records, _ = rnnlab.evaluate(model, splits="test", contexts="carried", baselines=False)
    assert [(record.split, record.context) for record in records] == [("test", "carried")]
    with pytest.raises(UsageError, match="errors = 'replace' has no effect without texts"):
        rnnlab.evaluate(model, errors="replace")
    run = rnnlab.train(corpus=text_file, **TINY, run_dir=tmp_path / "run", quiet=True)
    assert run.settings.data.corpus == (str(text_file),)
