"""Which runs have ended, and which process makes a run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rnnlab.errors import RunDirectoryError
from rnnlab.experiments.store import OUTCOME, RunEnd, Store

HOLD = """
import sys
from pathlib import Path
from rnnlab.experiments.store import Store
with Store(Path(sys.argv[1])).claim("abc") as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


def write_outcome(store: Store, **content: object) -> Path:
    directory = store.directory("abc")
    directory.mkdir(parents=True)
    file = directory / OUTCOME
    file.write_text(json.dumps({"format": 1, "status": "finished", "reason": "", **content}))
    return file


def test_a_run_has_ended_once_it_has_an_outcome(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.ended("abc") is None
    write_outcome(store, status="diverged", reason="NaN")
    assert store.ended("abc") == RunEnd("diverged", "NaN")


def test_one_process_at_a_time_claims_a_run_and_a_killed_one_frees_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with store.claim("abc") as mine, store.claim("another") as another:
            assert (mine, another) == (False, True)
        other.kill()
        other.wait()
    with store.claim("abc") as mine:
        assert mine


def test_a_newer_versions_outcome_is_refused_and_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    file = write_outcome(store, format=2)
    with pytest.raises(RunDirectoryError) as caught:
        store.ended("abc")
    assert str(caught.value) == (
        f"{file}: format 2 is not known; this version of rnnlab reads format 1. The run is kept as "
        "it is; use the version that made it, or move the directory away to have it run again"
    )
    assert file.is_file()


def test_a_damaged_outcome_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_outcome(store).write_text('{"format": 1, ')
    with pytest.raises(RunDirectoryError, match=r"outcome\.json: damaged, not JSON"):
        store.outcome("abc")


def test_the_last_failure_is_kept_until_the_run_ends(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.failure("abc") == ""
    store.write_failure("abc", "Traceback\n  lines\nRuntimeError: no")
    assert store.failure("abc") == "RuntimeError: no"
    store.clear_failure("abc")
    assert store.failure("abc") == ""
    store.clear_failure("abc")
