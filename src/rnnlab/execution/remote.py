"""Makes a run on a machine that has neither the store nor the texts.

Texts are sent there as bytes, and the run directory is sent back as bytes, so the machines need no
shared files.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rnnlab.config import TEXTS, DataSettings, Settings
from rnnlab.data.folders import files_in, is_folder
from rnnlab.data.named_corpora import NAMED, NAMES
from rnnlab.errors import RunDirectoryError
from rnnlab.execution.executor import EventKind, Job
from rnnlab.execution.local import claim_and_run
from rnnlab.experiments.store import Store
from rnnlab.files import (
    CHECKSUM,
    flush_folder,
    json_bytes,
    make_folder,
    read_json,
    sealed,
    write_atomically,
    write_json,
)
from rnnlab.runs.files import ENVIRONMENT, LOCK

PATHS_IN = (".toml", ".json")
"""Suffixes of the files of a run directory that contain paths."""


@dataclass(frozen=True)
class Text:
    """A text that is sent to another machine."""

    file: Path
    """Its path on the machine that sends it."""
    content: bytes


@dataclass(frozen=True)
class RemoteResult:
    """The content of a run's last event, and its files."""

    kind: EventKind
    detail: str
    files: Mapping[str, bytes]
    """The run directory, by relative path; empty if the run has not ended."""


def find_texts(settings: DataSettings) -> dict[str, Path]:
    """Return the files of those texts in `settings` that are on this machine, by name or path."""
    corpus = list[str]()
    for name in settings.text_names:
        if is_folder(name):
            corpus += map(str, files_in(Path(name), settings.errors, settings.encoding))
        else:
            corpus.append(name)
    found: dict[str, Path | None] = {name: Path(name) for name in corpus if name not in NAMES}
    found |= {name: NAMED[name].find(settings.data_dir) for name in corpus if name in NAMED}
    return {name: file.resolve() for name, file in found.items() if file and file.is_file()}


def run_remotely(job: Job, texts: Mapping[str, Text], folder: Path, node: str) -> RemoteResult:
    """Make a run on this machine, which does not have the store at `folder`.

    The run is made in a temporary store, from texts in temporary files. Their paths are replaced by
    those of the machine that sent the texts. A run of a search is pruned only if this machine can
    open the search's journal.
    """
    try:
        with TemporaryDirectory(prefix="rnnlab-") as temporary:
            here = Path(temporary).resolve()
            store = Store(here / "store")
            settings, paths = unpack_texts(job.settings, texts, here)
            paths[str(store.folder)] = str(folder)
            trial = job.trial if job.trial and job.trial.journal.is_file() else None
            kind, detail = claim_and_run(replace(job, settings=settings, trial=trial), store)
            for path, sent in paths.items():
                detail = detail.replace(path, sent)
            if store.ended(job.id) is None:
                return RemoteResult(kind, f"{detail} (on {node})", {})
            directory = store.directory(job.id)
            environment = directory / ENVIRONMENT
            write_json(environment, {**read_json(environment), "node": node})
            return RemoteResult(kind, detail, pack_run(directory, paths))
    except OSError as error:  # a full disk of one node must not stop the experiment
        what = error.filename or "input or output"
        return RemoteResult("failed", f"{what}: {error.strerror or error} (on {node})", {})


def unpack_texts(
    settings: Settings, texts: Mapping[str, Text], here: Path
) -> tuple[Settings, dict[str, str]]:
    """Write the texts below `here`.

    Returns settings that name the written files, and a table of paths: from those here to those of
    the machine that sent the texts, longer ones first.
    """
    paths, named, changes = dict[str, str](), here / "named", dict[str, Any]()
    for setting in TEXTS:
        names = list(getattr(settings.data, setting))
        for number, name in enumerate(names):
            folder = here / setting / str(number)
            within = {
                Path(path).relative_to(name): text
                for path, text in texts.items()
                if path not in (name, *NAMED) and Path(path).is_relative_to(name)
            }
            for place, text in within.items():
                _write(folder / place, text)
            if within:
                names[number], paths[str(folder)] = str(folder), name
            if own := texts.get(name):
                is_named = name in NAMED
                file = named / f"{name}.txt" if is_named else folder / own.file.name
                names[number] = name if is_named else str(file)
                _write(file, own)
                paths[str(file)] = str(own.file)
        changes[setting] = tuple(names)
    if named.is_dir():
        paths[str(named)], changes["data_dir"] = settings.data.data_dir, str(named)
    return settings.with_changes(**changes), paths


def _write(file: Path, text: Text) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.content)


def pack_run(directory: Path, paths: Mapping[str, str]) -> dict[str, bytes]:
    """Read all files of a run directory but its lock, with `paths` replaced in them."""
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


def store_run(store: Store, run_id: str, files: Mapping[str, bytes]) -> None:
    """Write a run that was sent back into the store, as a whole or not at all.

    The claim of the run must be held. Raises RunDirectoryError for a file outside its directory.
    """
    directory = store.directory(run_id)
    temporary = directory.with_name(f".{run_id}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        for name, content in files.items():
            file = temporary / name
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise RunDirectoryError(f"run {run_id} came back with a file {name!r} outside its "
                                        "directory")  # fmt: skip
            make_folder(file.parent)
            write_atomically(file, content)
        temporary.rename(directory)
        flush_folder(directory.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
