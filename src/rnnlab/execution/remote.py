"""A run made on a machine that has neither the store nor the texts.

The texts go there as bytes, and the run directory comes back as bytes, so that the machines need to
share no files.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rnnlab.config import DataSettings, Settings
from rnnlab.data.corpus import NAMED, NAMES
from rnnlab.errors import RunDirectoryError
from rnnlab.execution.executor import Kind
from rnnlab.execution.job import Job
from rnnlab.execution.local import attempt
from rnnlab.experiments.store import Store
from rnnlab.files import (
    CHECKSUM,
    flush_folder,
    json_bytes,
    make_folder,
    sealed,
    write_atomically,
    write_json,
)
from rnnlab.runs.files import ENVIRONMENT, LOCK, read_json

PATHS_IN = (".toml", ".json")
"""Kinds of files of a run directory in which paths stand."""


@dataclass(frozen=True)
class Text:
    """A text that is sent to where it is needed."""

    file: Path
    """Where it is on the machine that sends it."""
    content: bytes


@dataclass(frozen=True)
class Answer:
    """What came of a run."""

    kind: Kind
    detail: str
    files: Mapping[str, bytes]
    """The run directory, by path in it; empty where the run has not ended."""


def texts_at_hand(settings: DataSettings) -> dict[str, Path]:
    """The files of the texts that `settings` name, as far as they are on this machine."""
    corpus = settings.corpus
    found: dict[str, Path | None] = {name: Path(name) for name in corpus if name not in NAMES}
    found |= {name: NAMED[name].find(settings.data_dir) for name in corpus if name in NAMED}
    return {name: file.resolve() for name, file in found.items() if file and file.is_file()}


def make_run(job: Job, texts: Mapping[str, Text], folder: Path, node: str) -> Answer:
    """Make a run on this machine; runs where the store at `folder` is not.

    It is made in a temporary store, from texts in temporary files. Where the run wrote down their
    paths, those of the machine that sent them are put. A search's run is pruned only where its
    journal can be reached.
    """
    try:
        with TemporaryDirectory(prefix="rnnlab-") as temporary:
            here = Path(temporary).resolve()
            store = Store(here / "store")
            settings, paths = unpack(job.settings, texts, here)
            paths[str(store.folder)] = str(folder)
            trial = job.trial if job.trial and job.trial.journal.is_file() else None
            kind, detail = attempt(replace(job, settings=settings, trial=trial), store)
            for path, sent in paths.items():
                detail = detail.replace(path, sent)
            if store.ended(job.id) is None:
                return Answer(kind, f"{detail} (on {node})", {})
            directory = store.directory(job.id)
            environment = directory / ENVIRONMENT
            write_json(environment, {**read_json(environment), "node": node})
            return Answer(kind, detail, pack(directory, paths))
    except OSError as error:  # its disk may be full, which is no reason to give up the others
        what = error.filename or "input or output"
        return Answer("failed", f"{what}: {error.strerror or error} (on {node})", {})


def unpack(
    settings: Settings, texts: Mapping[str, Text], here: Path
) -> tuple[Settings, dict[str, str]]:
    """Write the texts below `here`; returns the settings that name them, and whose paths are whose.

    Of the paths, here to there, the longer ones come first.
    """
    corpus = []
    paths = {}
    named = here / "named"
    for number, name in enumerate(settings.data.corpus):
        if (text := texts.get(name)) is None:
            corpus.append(name)
            continue
        if name in NAMED:
            file = named / f"{name}.txt"
            corpus.append(name)
        else:
            file = here / str(number) / text.file.name
            corpus.append(str(file))
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text.content)
        paths[str(file)] = str(text.file)
    if not named.is_dir():
        return settings.changed(corpus=tuple(corpus)), paths
    paths[str(named)] = settings.data.data_dir
    return settings.changed(corpus=tuple(corpus), data_dir=str(named)), paths


def pack(directory: Path, paths: Mapping[str, str]) -> dict[str, bytes]:
    """Read a run directory, with other paths in its settings and figures.

    The lock file stays where it is.
    """
    files = {}
    for file in sorted(directory.rglob("*")):
        if not file.is_file() or file.name == LOCK:
            continue
        content = file.read_bytes()
        if file.suffix in PATHS_IN:
            for path, sent in paths.items():
                # JSON and TOML escape the same characters.
                escaped = json.dumps(sent, ensure_ascii=False)[1:-1]
                content = content.replace(path.encode(), escaped.encode())
            if file.suffix == ".json" and CHECKSUM in (values := json.loads(content)):
                content = json_bytes(sealed(values))
        files[str(file.relative_to(directory))] = content
    return files


def keep(store: Store, run_id: str, files: Mapping[str, bytes]) -> None:
    """Put a run that came back into its place, as a whole or not at all; the claim must be held.

    Raises RunDirectoryError for a file that would lie elsewhere.
    """
    directory = store.directory(run_id)
    temporary = directory.with_name(f".{run_id}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        for name, content in files.items():
            file = temporary / name
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise RunDirectoryError(f"run {run_id} came back with a file {name!r}, which lies "
                                        "outside its directory")  # fmt: skip
            make_folder(file.parent)
            write_atomically(file, content)
        temporary.rename(directory)
        flush_folder(directory.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
