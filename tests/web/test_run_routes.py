"""/api/v1/runs and findings say what the run directory, the library and rnnlab doctor say."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served, serving

import rnnlab
from rnnlab.files import try_lock
from rnnlab.lm.baseline_titles import baseline_title


def test_runs_are_listed_with_settings_and_figures(server: Served, shelf: Path) -> None:
    status, content, _ = server.ask("/api/v1/runs")
    assert status == 200
    (run,) = content["runs"]  # model folders are not runs
    own = rnnlab.Run.open(shelf / "pets")
    assert (run["name"], run["status"], run["error"]) == ("pets", "stopped by budget", None)
    assert run["settings"] == json.loads(json.dumps(own.settings.flat(), default=list))
    assert run["progress"] == [line for line in own.metrics if line["kind"] == "train"][-1]
    assert run["held_out_so_far"] == [x for x in own.metrics if x["kind"] == "held-out"][-1]
    assert run["parameters"] == own.result["model"]["parameters"]
    figures = {(f["split"], f["context"]): f["bits_per_character"] for f in run["figures"]}
    assert figures == {
        (record["split"], record["context"]): record["bits_per_character"]
        for record in own.result["evaluations"]
    }
    assert "ngram" in run["figures"][0]["baselines"]
    assert {"data_dir", "threads", "sample_prefix"} <= set(content["without_effect"])


def test_the_figure_of_a_run_is_of_unseen_text_and_stands_next_to_its_best_baseline(
    server: Served, shelf: Path
) -> None:
    (run,) = server.ask("/api/v1/runs")[1]["runs"]
    found = run["held_out"]
    (own,) = (
        record
        for record in rnnlab.Run.open(shelf / "pets").result["evaluations"]
        if (record["split"], record["context"]) == ("test", "carried")
    )
    for name in "split", "context", "bits_per_character", "characters", "corpus_sha256":
        assert found[name] == own[name]
    name, best = min(own["baselines"].items(), key=lambda item: item[1]["bits_per_character"])
    assert found["best_baseline"] == {
        "title": baseline_title(name, best),
        "bits_per_character": best["bits_per_character"],
        "lead": own["leads"].get(name),
    }


def test_one_run_has_all_its_metrics_and_what_else_is_known(server: Served, shelf: Path) -> None:
    own = rnnlab.Run.open(shelf / "pets")
    (run,) = server.ask("/api/v1/runs")[1]["runs"]
    status, one, _ = server.ask("/api/v1/runs/pets")
    assert status == 200
    assert {name: one[name] for name in run} == run
    assert (one["metrics"], one["metrics_lines"]) == (own.metrics, len(own.metrics))
    titles = [record.pop("titles") for record in one["evaluations"]]
    assert one["evaluations"] == own.result["evaluations"]
    assert titles[0]["ngram"].endswith("-gram, Kneser-Ney")
    assert one["environment"] == json.loads((shelf / "pets" / "environment.json").read_text())
    text = "".join(f"--- step {s['step']}\n{s['text']}\n" for s in reversed(one["samples"]))
    assert text
    assert (shelf / "pets" / "samples.txt").read_text().endswith(text)
    thin = server.ask("/api/v1/runs/pets?points=10")[1]
    assert len(thin["metrics"]) <= 10 < thin["metrics_lines"] == len(own.metrics)
    assert all(line in own.metrics for line in thin["metrics"])


def test_what_is_wrong_is_said(server: Served) -> None:
    assert server.refused("/api/v1/runs/more/bytes") == (
        404, "'more/bytes' is not a run directory", "model", "model_not_found"
    )  # fmt: skip
    assert server.refused("/api/v1/findings/more/bytes")[0] == 404
    for points in "3", "-1", "x", "1" * 400:
        assert server.refused(f"/api/v1/runs/pets?points={points}") == (
            400, f"points must be 0 (all) or 10 to 1,000,000, not {points!r}", "points",
            "invalid_request",
        )  # fmt: skip


def test_findings_are_those_of_the_doctor(server: Served, shelf: Path) -> None:
    own = rnnlab.diagnose(shelf / "pets").to_dict()
    del own["run"]
    for _ in range(2):  # the second is what was kept
        status, found, _ = server.ask("/api/v1/findings/pets")
        assert status == 200
        assert found == json.loads(json.dumps(own)) | {"name": "pets"}


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Served]:
    with serving(str(tmp_path)) as server:
        yield server


def made_up_run(folder: Path, seed: int, result: object = None, **more: object) -> Path:
    folder.mkdir()
    lines = {"corpus": ["a.txt"], "hidden_size": 8, "seed": seed, **more}
    (folder / "config.toml").write_text(
        "".join(f"{k} = {json.dumps(v)}\n" for k, v in lines.items())
    )
    if result is not None:
        (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_runs_that_differ_only_in_their_seed_are_of_one_group(
    own_server: Served, tmp_path: Path
) -> None:
    for seed in range(3):
        made_up_run(tmp_path / f"a{seed}", seed, threads=seed + 1)
    made_up_run(tmp_path / "b", 0, dropout=0.5)
    groups = {run["name"]: run["group"] for run in own_server.ask("/api/v1/runs")[1]["runs"]}
    assert groups["a0"] == groups["a1"] == groups["a2"] != groups["b"]


def test_a_run_that_a_process_trains_is_told_and_not_disturbed(
    own_server: Served, tmp_path: Path
) -> None:
    folder = made_up_run(tmp_path / "a", 0)

    def running() -> bool:
        return bool(own_server.ask("/api/v1/runs")[1]["runs"][0]["running"])

    assert not running()
    with try_lock(folder / ".lock") as owner:
        assert owner == ""
        assert running()
        (folder / "result.json").write_text('{"complete": false}')
        assert running()
    assert not running()
    with try_lock(folder / ".lock"):  # it goes on with a larger budget
        assert running()
        (folder / "result.json").write_text('{"complete": true}')
        assert not running()


def test_settings_that_do_not_stand_on_their_own_are_read_as_toml(
    own_server: Served, tmp_path: Path
) -> None:
    texts = {
        "table": ("a = 1\n[b]\nc = 2\n", {"a": 1, "b": {"c": 2}}),
        "string": ('a = """\nb = 1\n"""\nc = 2\n', {"a": "b = 1\n", "c": 2}),
        "dotted": ("a.b = 1\nc = 3\na.d = 2\n", {"a": {"b": 1, "d": 2}, "c": 3}),
        "mark": ("\ufeffa = 1\n# b = 2\nc = [\n    1,\n    2,\n]\n", {"a": 1, "c": [1, 2]}),
    }
    for name, (text, _) in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text(text, encoding="utf-8")
    (tmp_path / "twice").mkdir()
    (tmp_path / "twice" / "config.toml").write_text("a = 1\na = 1\n")
    runs = {run["name"]: run for run in own_server.ask("/api/v1/runs")[1]["runs"]}
    assert {name: runs[name]["settings"] for name in texts} == {
        name: settings for name, (_, settings) in texts.items()
    }
    assert runs["twice"]["error"].startswith("config.toml: not TOML: ")
