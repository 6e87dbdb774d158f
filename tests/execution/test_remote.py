"""Runs without store and texts, in temporary folders of this machine."""

import errno
import json
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import pytest
from command_line import made_up_text

from rnnlab.config import Settings
from rnnlab.data.corpus import open_corpora
from rnnlab.data.named_corpora import NAMED, NamedCorpus
from rnnlab.errors import RunDirectoryError
from rnnlab.execution import remote
from rnnlab.execution.executor import Job, TrialLink
from rnnlab.execution.local import claim_and_run
from rnnlab.execution.remote import RemoteResult, Text, find_texts, run_remotely, store_run
from rnnlab.experiments.outcomes import OUTCOMES
from rnnlab.experiments.store import Store
from rnnlab.runs.files import LOCK

AWAY = Path('/nowhere/a "quoted" Straße')
"""A folder of the sending machine; this machine does not have it."""


@pytest.fixture
def job(make: Any) -> Job:
    return Job.of(make().runs[0], make(), threads=1)


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A named corpus."""
    content = made_up_text(600, seed=1).encode()
    digest = sha256(content).hexdigest()
    corpus = NamedCorpus("story", "a story", "none", len(content), digest, "http://127.0.0.1:9")
    monkeypatch.setitem(NAMED, "story", corpus)
    return content


def test_a_run_from_sent_texts_equals_a_run_from_files(
    job: Job, text_file: Path, story: bytes, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "story.txt").write_bytes(story)
    here = job.settings.with_changes(
        corpus=(str(text_file), "story"), data_dir=str(tmp_path / "data")
    )
    store = Store(tmp_path / "here")
    assert claim_and_run(replace(job, settings=here), store) == ("finished", "")

    pets = str(AWAY / "pets.txt")
    there = job.settings.with_changes(corpus=(pets, "story"), data_dir=str(AWAY / "data"))
    texts = {
        pets: Text(Path(pets), text_file.read_bytes()),
        "story": Text(AWAY / "data" / "story.txt", story),
    }
    answer = run_remotely(replace(job, settings=there), texts, AWAY / "experiment", "192.0.2.7")
    assert (answer.kind, answer.detail) == ("finished", "")
    away = Store(tmp_path / "away")
    with away.claim(job.id):
        store_run(away, job.id, answer.files)

    mine, other = store.directory(job.id), away.directory(job.id)
    names = sorted(str(file.relative_to(mine)) for file in mine.rglob("*"))
    names.remove(LOCK)  # it is meaningful on one machine only
    assert sorted(str(file.relative_to(other)) for file in other.rglob("*")) == names
    for name in names:
        if name.endswith(".safetensors"):
            assert (other / name).read_bytes() == (mine / name).read_bytes()
    figures = [{**(s.outcome(job.id) or {})["outcomes"]} for s in (store, away)]
    for name, outcome in OUTCOMES.items():
        if not outcome.timed:
            assert figures[0].get(name) == figures[1].get(name)

    for file in other.rglob("*.json"):
        assert "rnnlab-" not in file.read_text()
    config = json.loads((other / "checkpoint" / "last" / "config.json").read_text())
    assert config["data"]["corpus"] == [pets, "story"]
    assert config["data"]["data_dir"] == str(AWAY / "data")
    made = here.from_toml(other / "config.toml")
    assert (made.data.corpus, made.data.data_dir) == ((pets, "story"), str(AWAY / "data"))
    assert json.loads((other / "environment.json").read_text())["node"] == "192.0.2.7"


def test_errors_about_a_text_name_the_path_it_was_sent_from(job: Job, story: bytes) -> None:
    file = Path("/nowhere/empty.txt")
    broken = replace(job, settings=job.settings.with_changes(corpus=str(file)))
    answer = run_remotely(broken, {str(file): Text(file, b"")}, AWAY, "192.0.2.7")
    assert answer.kind == "failed"
    assert answer.detail == ("file /nowhere/empty.txt is empty; a corpus needs text (on 192.0.2.7)")
    assert not answer.files

    file = Path("/nowhere/story.txt")
    broken = replace(job, settings=job.settings.with_changes(corpus="story"))
    answer = run_remotely(broken, {"story": Text(file, story[1:])}, AWAY, "192.0.2.7")
    assert answer.detail.startswith(f"corpus 'story': wrong checksum of {file}: SHA-256 is ")


def test_a_diverged_run_is_sent_back_and_a_trial_needs_its_journal(
    job: Job, tmp_path: Path
) -> None:
    settings = job.settings.with_changes(optimizer="sgd", learning_rate=1e30, clip_norm=0)
    trial = TrialLink(tmp_path / "no.journal", "study", 0)
    answer = run_remotely(replace(job, settings=settings, trial=trial), {}, AWAY, "192.0.2.7")
    assert answer.kind == "diverged"
    assert answer.detail.startswith("training diverged at step ")
    assert {"outcome.json", "result.json", "config.toml"} <= set(answer.files)


def test_a_full_disk_fails_only_the_run(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not count as a failure of the node, after which no more runs start."""

    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/rnnlab-1")

    monkeypatch.setattr(remote, "unpack_texts", full)
    answer = run_remotely(job, {}, AWAY, "192.0.2.7")
    assert answer == RemoteResult(
        "failed", "/tmp/rnnlab-1: No space left on device (on 192.0.2.7)", {}
    )


def test_texts_that_are_not_files_are_not_sent(
    make: Any, story: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pets.txt").write_text("pets")
    (tmp_path / "python-reference").write_text("not that one")
    settings = make().base.with_changes(
        corpus=("pets.txt", "story", "python-reference", "nowhere.txt", "-")
    )
    assert find_texts(settings.data) == {"pets.txt": tmp_path / "pets.txt"}
    (tmp_path / "story.txt").write_bytes(story)
    settings = settings.with_changes(data_dir=".")
    assert find_texts(settings.data)["story"] == tmp_path / "story.txt"


def test_a_run_is_stored_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path)
    left = tmp_path / "runs" / ".abc.tmp" / "of a killed process"
    left.mkdir(parents=True)
    with pytest.raises(OSError, match="a file"):
        store_run(store, "abc", {"a file": b"", "a file/within": b""})
    assert list((tmp_path / "runs").iterdir()) == []
    store_run(store, "abc", {"a/file": b"1", "b": b"2"})
    assert (store.directory("abc") / "a" / "file").read_bytes() == b"1"
    assert [entry.name for entry in (tmp_path / "runs").iterdir()] == ["abc"]


@pytest.mark.parametrize("name", ["../escaped.txt", "/tmp/escaped.txt", "checkpoint/../../x"])
def test_a_returned_file_outside_the_run_directory_is_refused(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "experiment")
    with store.claim("abc"), pytest.raises(RunDirectoryError) as caught:
        store_run(store, "abc", {"config.toml": b"", name: b"malice"})
    assert str(caught.value) == (f"run abc came back with a file {name!r} outside its directory")
    left = {str(file.relative_to(store.folder)) for file in store.folder.rglob("*")}
    assert left == {"runs", "runs/.locks", "runs/.locks/abc"}


def test_folders_and_held_out_texts_are_sent_and_named_as_they_were(tmp_path: Path) -> None:
    folder, test = tmp_path / "notes", tmp_path / "test.txt"
    for name in ("a/one.txt", "two.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    test.write_text("test")
    settings = Settings().with_changes(corpus=str(folder), test_corpus=str(test))
    texts = {n: Text(f, f.read_bytes()) for n, f in find_texts(settings.data).items()}
    assert len(texts) == 3
    here = tmp_path / "here"
    there, paths = remote.unpack_texts(settings, texts, here)
    assert open_corpora(there.data).source.sha256 == open_corpora(settings.data).source.sha256
    for now, before in ((there.data.corpus, folder), (there.data.test_corpus, test)):
        assert Path(now[0]).is_relative_to(here)
        assert paths[now[0]] == str(before)
