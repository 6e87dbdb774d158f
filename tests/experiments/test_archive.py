"""Records from run directories and from the archive."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rnnlab.errors import RunDirectoryError
from rnnlab.execution.executor import Job
from rnnlab.execution.local import LocalExecutor
from rnnlab.experiments.archive import (
    ARCHIVE,
    Archive,
    collect_records,
    read_archive,
    update_archive,
    write_archive,
)
from rnnlab.experiments.store import Store
from rnnlab.runs.run import Run


def test_records_have_the_figures_of_the_run_directory(make: Any, tmp_path: Path) -> None:
    plan, store = make(seeds=1, gradient_flow=True, phrases=["The cat"]), Store(tmp_path)
    list(LocalExecutor(store, 1).run(iter([Job.of(plan.runs[0], plan, 1)])))
    store.write_failure(plan.runs[1].id, "no luck")
    records = collect_records(plan, tmp_path, "the command")
    first, second = records.runs
    assert (second.status, second.reason) == ("failed", "no luck")
    run, outcome = Run.open(store.directory(first.id)), store.outcome(first.id)
    assert outcome is not None
    assert first.outcomes == outcome["outcomes"]
    assert first.texts == outcome["texts"]
    assert first.gradient_flow["trained"] == pytest.approx(
        outcome["gradient_flow"]["trained"], rel=1e-5
    )
    lines = [line for line in run.metrics if line["kind"] == "held-out"]
    assert [y for _, y in first.curves["held_out"]] == pytest.approx(
        [line["bits_per_character"] for line in lines], rel=1e-5
    )
    epochs = [line["step"] / lines[-1]["step"] for line in lines]  # of one
    assert [x for x, _ in first.curves["held_out"]] == pytest.approx(epochs, abs=0.01)
    assert len(first.curves["training"]) == len(run.metrics) - len(lines)
    assert first.data["tokens"] == run.result["data"]["tokens"]
    assert any("-gram, " in name for name in first.baselines)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_archive(Archive({first.id: first}, records.command), elsewhere)
    assert json.loads((elsewhere / ARCHIVE).read_text())["runs"][0]["texts"] == []
    again = collect_records(plan, elsewhere)
    assert again.runs[0] == first
    assert again.runs[1].status == "missing"
    assert again.command == "the command"


def test_a_renamed_variant_keeps_its_archived_run(make: Any, tmp_path: Path) -> None:
    plan = make(grid=None, variant=[{"name": "old"}], seeds=1)
    (missing,) = collect_records(plan, tmp_path).runs
    done = replace(missing, status="finished", outcomes={"training_perplexity": 2.0})
    write_archive(Archive({done.id: done}), tmp_path)
    renamed = make(grid=None, variant=[{"name": "new"}], seeds=1)
    (found,) = collect_records(renamed, tmp_path).runs
    assert (found.variant, found.outcomes) == ("new", {"training_perplexity": 2.0})


def test_numbers_of_seeds_with_complete_verdicts_are_recorded(make: Any, tmp_path: Path) -> None:
    for seeds, looks in ((2, [2]), (2, [2]), (3, [2, 3]), (4, [2, 3])):
        plan = make(grid=None, variant=[{"name": "a"}], seeds=seeds)
        if seeds < 4:  # none of the last runs has ended
            records = collect_records(plan, tmp_path)
            done = {run.id: replace(run, status="finished") for run in records.runs}
            write_archive(Archive(done, looks=read_archive(tmp_path).looks), tmp_path)
        records = collect_records(plan, tmp_path)
        assert records.looks == looks
        update_archive(records, tmp_path)


def with_curves(curves: dict[str, Any]) -> dict[str, Any]:
    run = {"id": "a", "variant": "v", "seed": 0, "status": "finished", "curves": curves}
    return {"format": 1, "command": "", "looks": [], "runs": [run]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"format": 2}, "format 2 is not known; this version of rnnlab reads format 1"),
        ({"format": 1, "runs": [{}]}, "damaged, not as an experiment writes it; move it"),
        (
            {"format": 1, "command": "", "runs": [{"id": "a", "new": 1}]},
            "damaged, not as an experiment writes it; move it away to have it made again from ",
        ),
        (with_curves({"held_out": [1]}), "damaged, not as an experiment writes it; move it"),
        (with_curves({"training": [[1]]}), "damaged, not as an experiment writes it; move it"),
    ],
)
def test_an_unreadable_archive_is_refused(
    tmp_path: Path, content: dict[str, Any], message: str
) -> None:
    (tmp_path / ARCHIVE).write_text(json.dumps(content))
    with pytest.raises(RunDirectoryError) as caught:
        read_archive(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / ARCHIVE}: ")
    assert message in str(caught.value)
