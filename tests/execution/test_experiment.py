"""Experiments through the real command line: runs, records and messages."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from command_line import Cli
from forked import Forked
from quick_workers import run_without_kernels

import rnnlab
from rnnlab.execution import local
from rnnlab.experiments.folder import open_folder
from rnnlab.experiments.plan import read_plan
from rnnlab.experiments.store import Store

pytestmark = pytest.mark.usefixtures("quick_workers")


@pytest.fixture
def file(content: dict[str, Any], tmp_path: Path) -> Path:
    return write(tmp_path / "pets" / "experiment.toml", content)


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Every run of the native engine fails, until this is undone."""
    monkeypatch.setattr(local, "run_worker", run_without_kernels)
    return monkeypatch


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few runs."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def write(file: Path, content: dict[str, Any]) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text(tomli_w.dumps(content), encoding="utf-8")
    return file


def made(folder: Path) -> dict[str, float]:
    """When each run was made, by id."""
    return {path.parent.name: path.stat().st_mtime for path in folder.glob("runs/*/outcome.json")}


def test_an_experiment_makes_its_runs_and_report_and_later_only_what_is_missing(
    cli: Cli, file: Path, content: dict[str, Any]
) -> None:
    folder = file.parent
    content["timing"] = {"rounds": 2, "seconds": 0.01}
    content["phrases"] = ["The cat"]
    write(file, content)
    done = cli("experiment", str(file))
    assert done.returncode == 0, done.stderr
    assert "2 variants x 2 seeds = 4 runs; 2 at once" in done.stdout
    assert "[4/4] finished cell=" in done.stdout
    assert "NOT SHOWN: " in done.stdout
    first = made(folder)
    assert set(first) == {run.id for run in read_plan(file).runs}
    page = (folder / "report.html").read_text(encoding="utf-8")
    for text in ("Does a GRU learn more than an LSTM?", "cell=gru", f"rnnlab experiment {file}"):
        assert text in page
    timings = json.loads((folder / "timing.json").read_text())["timings"]
    assert [(t["variant"], t["round"]) for t in timings] == [
        (variant, number) for variant in ("cell=lstm", "cell=gru") for number in (0, 1)
    ]
    assert all(
        set(t["outcomes"]) == {"tokens_per_second", "training_seconds", "prediction_seconds"}
        for t in timings
    )

    again = cli("experiment", str(folder))
    assert again.returncode == 0, again.stderr
    assert "4 runs, 4 of them done before" in again.stdout
    assert made(folder) == first

    write(file, content | {"grid": {"cell": ["lstm", "gru", "rnn"]}})
    more = cli("experiment", str(file))
    assert more.returncode == 0, more.stderr
    assert "3 variants x 2 seeds = 6 runs, 4 of them done before" in more.stdout
    second = made(folder)
    assert {id_: second[id_] for id_ in first} == first
    assert len(second) == 6

    (folder / "report.html").unlink()
    report = cli("report", str(folder))
    assert report.returncode == 0, report.stderr
    assert report.stdout == f"{folder / 'report.html'}\n"
    assert "cell=rnn" in (folder / "report.html").read_text(encoding="utf-8")
    assert f"rnnlab experiment {file}" in (folder / "report.md").read_text(encoding="utf-8")


def test_parts_and_copies_are_in_report_and_terminal(
    cli: Cli, file: Path, content: dict[str, Any]
) -> None:
    """The figures are those that `rnnlab.evaluate` gives for the run directory."""
    content |= {
        "seeds": 1, "quick": {"num_evaluations": 1}, "grid": {"ngram_order": [0, 3]},
        "outcomes": ["held_out_bits_per_character", "best_held_out_bits_per_character"],
    }  # fmt: skip
    write(file, content)
    done = cli("experiment", str(file), "--quick")
    assert done.returncode == 0, done.stderr
    assert "Draw no conclusions." in done.stdout
    plan, folder = open_folder(file, quick=True)
    page = (folder / "report.md").read_text(encoding="utf-8")
    (mixed,) = (run for run in plan.runs if run.settings.model.ngram_order)
    records = {
        which: rnnlab.evaluate(
            Store(folder).directory(mixed.id), splits="test", contexts="carried", checkpoint=which
        ).records[0]
        for which in ("last", "best")
    }
    for part, title in (("network", "its network alone"), ("ngram", "its n-gram alone")):
        row = next(line for line in page.splitlines() if title in line)
        figures = [cell.strip() for cell in row.split("|")[4:6]]
        expected = [records[which].parts[part]["bits_per_character"] for which in records]
        assert figures == [f"{bits:.3f}" for bits in expected]
        (shown,) = re.findall(rf"^ +{title} +(\S+) +(\S+)", done.stdout, re.MULTILINE)
        assert figures == list(shown)
    result = json.loads(next(folder.glob("runs/*/result.json")).read_text())
    share = result["data"]["copies"]["test"]["copied_share"]
    words = f"{share:.1%} of the characters of the held-out text are in copies"
    assert words in done.stdout
    assert words in page.replace("\n", " ")


def test_an_experiment_continues_from_records_without_run_directories(
    cli: Cli, file: Path, content: dict[str, Any], tmp_path: Path
) -> None:
    write(file, content | {"seeds": 1})
    assert cli("experiment", str(file)).returncode == 0
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere / "experiment.toml", content)
    (elsewhere / "records.json").write_bytes((file.parent / "records.json").read_bytes())
    done = cli("experiment", str(elsewhere / "experiment.toml"))
    assert done.returncode == 0, done.stderr
    assert "2 variants x 2 seeds = 4 runs, 2 of them done before" in done.stdout
    assert len(made(elsewhere)) == 2
    runs = json.loads((elsewhere / "records.json").read_text())["runs"]
    assert [run["seed"] for run in runs] == [0, 0, 1, 1]


def test_records_of_removed_variants_are_kept(
    cli: Cli, file: Path, content: dict[str, Any]
) -> None:
    content["seeds"] = 1
    write(file, content)
    assert cli("experiment", str(file)).returncode == 0
    shutil.rmtree(file.parent / "runs")
    write(file, content | {"grid": {"cell": ["rnn"]}})
    assert cli("report", str(file.parent)).returncode == 1  # none of these runs has ended
    write(file, content | {"grid": {"cell": ["gru"]}})
    assert cli("report", str(file.parent)).returncode == 0
    write(file, content)
    done = cli("experiment", str(file))
    assert "2 runs, 2 of them done before" in done.stdout


def test_a_changed_text_is_refused(
    cli: Cli, file: Path, content: dict[str, Any], text_file: Path
) -> None:
    """Its path is relative to the experiment's file, not to the working directory."""
    text = file.parent / "text.txt"
    text.write_bytes(text_file.read_bytes())
    content["base"]["corpus"] = "text.txt"
    write(file, content | {"seeds": 1})
    done = cli("experiment", str(file), cwd="/")
    assert done.returncode == 0, done.stderr
    text.write_bytes(text_file.read_bytes()[::-1])
    for seeds in (1, 2):  # all runs have ended, or one is to be made
        write(file, content | {"seeds": seeds})
        changed = cli("experiment", str(file))
        assert changed.returncode == 1
        assert changed.stderr.startswith(
            "rnnlab: error: corpus text.txt has changed since runs were made of it (SHA-256 was "
        )
    assert len(made(file.parent)) == 2
    text.write_bytes(text_file.read_bytes())
    assert cli("experiment", str(file)).returncode == 0


def test_an_unwritable_folder_is_refused_at_once(cli: Cli, file: Path) -> None:
    (file.parent / "runs").write_text("a file where the folder should be")
    done = cli("experiment", str(file))
    assert done.returncode == 1
    assert done.stderr == (
        f"rnnlab: error: experiment folder '{file.parent}' cannot be written: Not a directory; "
        "give another --output\n"
    )


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_stopped_experiment_keeps_the_runs_that_have_ended(
    cli: Cli, file: Path, content: dict[str, Any], sign: signal.Signals
) -> None:
    write(file, content | {"seeds": 50})
    process = Forked("experiment", str(file))
    while not made(file.parent):
        time.sleep(0.05)
    process.send_signal(sign)
    done = process.ended()
    assert (done.returncode, done.stderr) == (
        128 + sign,
        f"rnnlab: error: interrupted by {sign.name}\n",
    )
    assert "runs left; the same command continues with them" in done.stdout
    assert "finished" in (file.parent / "report.md").read_text(encoding="utf-8")


def test_a_diverging_variant_is_reported_and_the_others_are_run(
    cli: Cli, file: Path, content: dict[str, Any]
) -> None:
    del content["grid"]
    content["base"] |= {"optimizer": "sgd", "clip_norm": 0.0}
    content["variant"] = [{"name": "calm"}, {"name": "wild", "change": {"learning_rate": 1e30}}]
    done = cli("experiment", str(write(file, content)))
    assert done.returncode == 0, done.stderr
    assert "diverged wild, seed 0: training diverged at step " in done.stdout
    assert "runs      2 finished, 2 diverged" in done.stdout
    assert "diverged" in (file.parent / "report.md").read_text(encoding="utf-8")


def test_failed_runs_are_reported_and_tried_again(
    cli: Cli, file: Path, content: dict[str, Any], without_kernels: pytest.MonkeyPatch
) -> None:
    content["grid"] = {"engine": ["builtin", "native"]}
    done = cli("experiment", str(write(file, content)))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    error = done.stderr.replace("\n", " ")
    assert "2 runs failed and will be tried again by the same command; all others are kept" in error
    reason = "unknown RNNLAB_ISA level 'avx3'"
    assert f"engine=native, seed 0; engine=native, seed 1: {reason}" in error
    kept = made(file.parent)
    assert len(kept) == 2
    assert reason in (file.parent / "report.md").read_text(encoding="utf-8")

    without_kernels.undo()
    again = cli("experiment", str(file))
    assert again.returncode == 0, again.stderr
    assert {id_: made(file.parent)[id_] for id_ in kept} == kept
    assert len(made(file.parent)) == 4
    assert not list(file.parent.glob("failures/*"))


@pytest.mark.usefixtures("without_kernels")
def test_no_more_runs_start_after_three_equal_failures_in_a_row(
    cli: Cli, file: Path, content: dict[str, Any]
) -> None:
    content["base"]["engine"] = "native"
    write(file, content | {"seeds": 9})
    done = cli("experiment", str(file), "--workers", "1")
    assert done.returncode == 1
    error = done.stderr.replace("\n", " ")
    assert "3 runs failed and will be tried again by the same command; all others are kept" in error
    assert "kept; all failed for the same reason, so no more were started:" in error


@pytest.mark.usefixtures("without_kernels")
def test_variants_that_fail_alike_do_not_stop_other_variants(
    cli: Cli, file: Path, content: dict[str, Any]
) -> None:
    content["base"]["engine"] = "native"
    del content["grid"]
    sizes = [{"name": f"{n}", "change": {"hidden_size": n}} for n in (4, 5, 6)]
    content["variant"] = [*sizes, {"name": "other", "change": {"engine": "builtin"}}]
    write(file, content | {"seeds": 1, "reference": "other"})
    done = cli("experiment", str(file), "--workers", "1")
    assert done.returncode == 1
    assert "3 runs failed" in done.stderr
    assert "no more were begun" not in done.stderr
    assert len(made(file.parent)) == 1


def test_a_missing_text_is_refused_before_any_run(
    cli: Cli, file: Path, content: dict[str, Any]
) -> None:
    content["base"]["corpus"] = "nowhere.txt"
    done = cli("experiment", str(write(file, content)))
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"rnnlab: error: {file}, variant 'cell=gru': corpus 'nowhere.txt' is neither a named "
        "corpus nor a file"
    )
    assert "finished" not in done.stdout


def test_quick_uses_a_subfolder(cli: Cli, file: Path, content: dict[str, Any]) -> None:
    content["quick"] = {"seeds": 1, "max_tokens": 400}
    done = cli("experiment", str(write(file, content)), "--quick")
    assert done.returncode == 0, done.stderr
    quick = file.parent / "quick"
    assert "2 variants x 1 seed = 2 runs" in done.stdout
    assert read_plan(quick / "experiment.toml").base.training.max_tokens == 400
    assert len(made(quick)) == 2
    assert not made(file.parent)


def test_a_newer_versions_run_is_refused_and_kept(cli: Cli, file: Path) -> None:
    run = read_plan(file).runs[0]
    outcome = Store(file.parent).directory(run.id) / "outcome.json"
    outcome.parent.mkdir(parents=True)
    outcome.write_text('{"format": 99}')
    done = cli("experiment", str(file))
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"rnnlab: error: {outcome}: format 99 is not known; this version of rnnlab reads format 1."
    )
    assert outcome.read_text() == '{"format": 99}'


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["experiment", "nowhere.toml"], "nowhere.toml: cannot be read: No such file or directory"),
        (
            ["reproduce", "lab-reprt"],
            "unknown experiment 'lab-reprt'; did you mean 'lab-report'? (choices: lab-report)",
        ),
        (["report", "nowhere"], "nowhere does not exist"),
        (["experiment", "x.toml", "--address", "h:1"], "address needs executor = 'ray'"),
    ],
)
def test_wrong_calls(cli: Cli, args: list[str], message: str) -> None:
    done = cli(*args)
    assert done.returncode == 2
    assert done.stderr == f"rnnlab: error: {message}\n"


def test_a_folder_of_another_experiment_is_not_overwritten(
    cli: Cli, file: Path, content: dict[str, Any], tmp_path: Path
) -> None:
    other = write(tmp_path / "other" / "experiment.toml", content | {"question": "Another?"})
    done = cli("experiment", str(file), "--output", str(other.parent))
    assert done.returncode == 2
    assert done.stderr == (
        f"rnnlab: error: {other.parent} holds another experiment; give another --output\n"
    )


def test_report_and_its_help_need_no_torch(cli: Cli, file: Path) -> None:
    code = (
        "import sys; from rnnlab.execution.experiment import write_results; "
        "from rnnlab.experiments.folder import open_existing; from pathlib import Path; "
        f"folder = Path({str(file.parent)!r}); write_results(open_existing(folder), folder); "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"missing|not run", (file.parent / "report.md").read_text(encoding="utf-8"))


def test_a_search_makes_its_runs_and_report_and_continues(
    cli: Cli, file: Path, content: dict[str, Any]
) -> None:
    del content["grid"]
    space = {"hidden_size": {"low": 4, "high": 24}, "cell": {"choices": ["lstm", "gru"]}}
    content |= {"search": {"settings": space, "count": 3}, "seeds": 1}
    write(file, content)
    done = cli("experiment", str(file))
    assert done.returncode == 0, done.stderr
    assert "search of 3 runs; 2 at once" in done.stdout
    first = made(file.parent)
    assert len(first) == 3
    content["search"]["count"] = 4
    more = cli("experiment", str(write(file, content)))
    assert more.returncode == 0, more.stderr
    assert "search of 4 runs, 3 of them done before" in more.stdout
    second = made(file.parent)
    assert {id_: second[id_] for id_ in first} == first
    assert len(second) == 4
    assert "hidden_size" in (file.parent / "report.md").read_text(encoding="utf-8")


def test_a_full_disk_ends_the_experiment_and_keeps_finished_runs(
    cli: Cli, file: Path, content: dict[str, Any], small_disk: Path
) -> None:
    """Two runs fit on the disk; once there is more room, the same command makes the others."""
    full = write(small_disk / "pets" / "experiment.toml", content | {"seeds": 20})
    done = cli("experiment", str(full), "--workers", "1")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr
    kept = made(full.parent)
    assert kept
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    write(full, content | {"seeds": 2})
    again = cli("experiment", str(full))
    assert again.returncode == 0, again.stderr
    after = made(full.parent)
    assert len(after) >= 4
    assert len(after) > len(kept)
    assert {id_: after[id_] for id_ in kept} == kept
