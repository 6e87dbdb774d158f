"""/api/v1/experiments: what the report says, and the runs behind it; no links elsewhere."""

import http.client
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from served import Served, serving
from served_app import asked

from rnnlab.experiments.archive import collect_records
from rnnlab.experiments.folder import open_existing
from rnnlab.experiments.verdicts import judge_claims


def raw(server: Served, path: str, **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
    connection = server.connect()
    connection.request("GET", path, headers=headers)
    with connection.getresponse() as answer:
        content = answer.read().decode()
    connection.close()
    return answer.status, content, answer.headers


def test_experiments_are_listed_with_their_questions(experiments: Served) -> None:
    _, content, _ = experiments.ask("/api/v1/experiments")
    cells, idle = content["experiments"]
    assert (cells["name"], cells["title"], cells["question"], cells["has_report"]) == (
        "cells", "Which cell", "Does a GRU learn more?", True
    )  # fmt: skip
    assert (idle["name"], idle["question"], idle["has_report"]) == ("idle", "Is <b> bold?", False)
    assert cells["updated"] > idle["updated"] > 1e9


def test_an_experiment_is_told_with_the_runs_behind_its_figures(
    experiments: Served, of_experiments: Path
) -> None:
    status, found, _ = experiments.ask("/api/v1/experiments/cells")
    assert status == 200
    folder = of_experiments / "cells"
    records = collect_records(open_existing(folder), folder)
    (claim,) = judge_claims(records)
    assert found["claims"] == [
        {
            "text": claim.text, "note": claim.note, "about": claim.about,
            "verdict": claim.verdict, "sentences": [claim.compared[0].sentence],
        }
    ]  # fmt: skip
    assert found["extent"] == "2 variants, 2 seeds each; 4 runs: 4 finished"
    assert [one["change"] for one in found["variants"]] == [{"cell": "lstm"}, {"cell": "gru"}]
    assert found["settings"]["hidden_size"] == "16"
    runs = {(run["variant"], run["seed"]): run for run in found["runs"]}
    assert len(runs) == 4
    for (_, seed), run in runs.items():
        result = json.loads((folder / "runs" / run["id"] / "result.json").read_text())
        carried = [e for e in result["evaluations"] if e["context"] == "carried"]
        assert run["outcomes"]["best_held_out_bits_per_character"] in [
            e["bits_per_character"] for e in carried
        ]
        # The run is served by the name that is given, with the seed that is said.
        assert run["run"] == f"cells/runs/{run['id']}"
        _, own, _ = experiments.ask(f"/api/v1/runs/{run['run']}")
        assert own["settings"]["seed"] == seed


def test_an_experiment_without_runs_is_told_too(experiments: Served) -> None:
    _, found, _ = experiments.ask("/api/v1/experiments/idle")
    assert [run["status"] for run in found["runs"]] == ["missing"] * 4
    assert found["report"] is None
    assert [run["run"] for run in found["runs"]] == [None] * 4
    assert experiments.refused("/api/v1/experiments/idle/report.html") == (
        404, "'idle' has no report.html yet", None, "no_report"
    )  # fmt: skip


def test_the_report_comes_as_it_was_written_and_may_do_nothing(
    experiments: Served, of_experiments: Path
) -> None:
    _, found, _ = experiments.ask("/api/v1/experiments/cells")
    assert found["report"] == "/api/v1/experiments/cells/report.html"
    status, content, headers = raw(experiments, found["report"])
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert content == (of_experiments / "cells/report.html").read_text(encoding="utf-8")
    policy = headers["content-security-policy"].split("; ")
    assert {"sandbox", "default-src 'none'", "frame-ancestors 'self'"} <= set(policy)
    assert not [rule for rule in policy if rule.startswith("script-src")]
    assert headers["x-frame-options"] == "SAMEORIGIN"


def test_with_a_token_a_report_has_an_address_for_itself_alone(of_experiments: Path) -> None:
    """A frame cannot send the header."""
    token = "a-token-of-the-tests"
    header = {"authorization": f"Bearer {token}"}
    with serving(str(of_experiments), "--token", token) as server:
        report = server.ask("/api/v1/experiments/cells", **header)[1]["report"]
        path, _, query = report.partition("?")
        assert raw(server, report)[0] == 200
        assert token not in report
        elsewhere = [
            f"{other}?{query}"
            for other in (
                "/api/v1/experiments/cells", "/api/v1/experiments/idle/report.html", "/v1/models"
            )
        ]  # fmt: skip
        for other in (path, f"{path}?key=", f"{report}0", *elsewhere):
            assert raw(server, other)[0] == 401
        assert server.refused(report, {}, method="POST")[0] == 401


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", "unknown experiment 'nope' (choices: cells, idle)"),
        ("cell", "unknown experiment 'cell'; did you mean 'cells'? (choices: cells, idle)"),
        ("..%2flab%2fcells", "unknown experiment '../lab/cells' (choices: cells, idle)"),
        ("cells/runs/x", "unknown experiment 'cells/runs/x' (choices: cells, idle)"),
        ("%00", r"unknown experiment '\x00' (choices: cells, idle)"),
    ],
)
def test_unknown_names_are_refused(experiments: Served, name: str, message: str) -> None:
    wanted = (404, message, None, "experiment_not_found")
    assert experiments.refused(f"/api/v1/experiments/{name}") == wanted
    assert experiments.refused(f"/api/v1/experiments/{name}/report.html") == wanted


@pytest.mark.parametrize("linked", ["report.html", "records.json", "runs", "failures"])
def test_links_to_somewhere_else_are_refused(
    of_experiments: Path, tmp_path: Path, linked: str
) -> None:
    inside, outside = tmp_path / "served" / "sly", tmp_path / "outside"
    shutil.copytree(of_experiments / "idle", inside)
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (inside / linked).symlink_to(outside if linked in ("runs", "failures") else outside / "secret")
    (tmp_path / "served" / "followed").symlink_to(of_experiments / "cells")
    content = asked([tmp_path / "served"], "/api/v1/experiments")
    (one,) = content["experiments"]  # a folder that is a link is not followed
    assert one["error"] == f"{linked} of sly is a link to somewhere else"
    for path in "/api/v1/experiments/sly", "/api/v1/experiments/sly/report.html":
        error = asked([tmp_path / "served"], path)["error"]
        assert error["message"] == f"{linked} of sly is a link to somewhere else"


def test_a_copied_folder_whose_plan_cannot_be_read_shows_its_runs_and_report(
    of_experiments: Path, tmp_path: Path
) -> None:
    """As one whose cells are files that have stayed where they were."""
    folder = tmp_path / "copied"
    shutil.copytree(of_experiments / "cells", folder, ignore=shutil.ignore_patterns("runs"))
    file = folder / "experiment.toml"
    file.write_text(file.read_text().replace('"gru"]', '"../away.py:Own"]'))
    found: dict[str, Any] = asked([tmp_path], "/api/v1/experiments/copied")
    assert found["plan_error"].startswith("experiment.toml: cell '../away.py:Own': ")
    assert found["plan_error"].endswith(" does not exist")
    assert str(tmp_path) not in found["plan_error"]
    assert (found["title"], found["question"], found["extent"], found["claims"]) == (
        "Which cell", "Does a GRU learn more?", "4 runs in records.json", []
    )  # fmt: skip
    kept = json.loads((folder / "records.json").read_text())["runs"]
    assert [(r["id"], r["seed"], r["outcomes"], r["run"]) for r in found["runs"]] == [
        (run["id"], run["seed"], run["outcomes"], None) for run in kept
    ]
    assert [one["name"] for one in found["variants"]] == ["cell=lstm", "cell=gru"]
    assert "held_out_bits_per_character" in [one["name"] for one in found["outcomes"]]
    assert found["report"] == "/api/v1/experiments/copied/report.html"


@pytest.mark.parametrize(
    ("content", "part"),
    [("question = 3", "experiment.toml: "), ("[", "experiment.toml"), ("", "experiment.toml: ")],
)
def test_a_file_that_is_wrong_is_said(tmp_path: Path, content: str, part: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "experiment.toml").write_text(content)
    found: dict[str, Any] = asked([tmp_path], "/api/v1/experiments/one")
    assert part in found["error"]["message"]
    assert str(tmp_path) not in found["error"]["message"]
