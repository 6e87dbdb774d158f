"""Records of runs follow their files, and damaged ones say what is wrong."""

import json
from pathlib import Path

import pytest

from rnnlab.config import LoadSettings
from rnnlab.web.run_records import RunRecords
from rnnlab.web.shelf import Shelf


def made_up_run(folder: Path, result: object = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("hidden_size = 8\nseed = 3\n")
    (folder / "metrics.jsonl").write_text('{"kind": "train", "step": 1}\n{"kind": "tr')
    if result is not None:
        (folder / "result.json").write_text(json.dumps(result))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_a_record_follows_its_files(folder: Path) -> None:
    run = made_up_run(folder / "a")
    shelf, records = Shelf([folder], LoadSettings()), RunRecords()
    record = records.of(shelf.find("a"))
    assert (record["status"], record["figures"]) == ("not ended", [])
    assert record["settings"] == {"hidden_size": 8, "seed": 3}
    assert record["progress"] == {"kind": "train", "step": 1}  # the last line is torn
    assert records.of(shelf.find("a")) is record
    with (run / "metrics.jsonl").open("a") as stream:
        stream.write('ain", "step": 2}\n')
    assert records.of(shelf.find("a"))["progress"] == {"kind": "train", "step": 2}
    (run / "result.json").write_text('{"training": {"stopped_by": "SIGINT"}, "evaluations": []}')
    assert records.of(shelf.find("a"))["status"] == "stopped by SIGINT"


def test_damaged_files_and_links_to_elsewhere_are_said_and_not_read(
    folder: Path, tmp_path: Path
) -> None:
    made_up_run(folder / "a", [1])
    made_up_run(folder / "b", {"evaluations": [{"baselines": 3}]})
    (made_up_run(folder / "c") / "config.toml").write_text("seed = ")
    secret = tmp_path / "secret.json"
    secret.write_text('{"training": {"stopped_by": "a secret"}}')
    (made_up_run(folder / "d") / "result.json").symlink_to(secret)
    shelf, records = Shelf([folder], LoadSettings()), RunRecords()
    errors = {name: records.of(one)["error"] for name, one in shelf.found().items()}
    assert errors["a"] == "result.json: damaged, must hold a JSON object"
    assert "'int' object has no attribute" in errors["b"]
    assert errors["c"].startswith("config.toml: not TOML: ")
    assert errors["d"] == "result.json of d is a link to somewhere else"
    assert "secret" not in json.dumps([records.of(one) for one in shelf.found().values()])
