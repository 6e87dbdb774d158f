"""The runs and models that are served, by name.

A name in a request is only ever looked up among those that were found; it is never part of a path.
Links inside a folder are not followed, so nothing outside the given folders is read.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnlab.api.models import load
from rnnlab.config import LoadSettings
from rnnlab.errors import ModelFolderError, RnnlabError, UsageError, suggest
from rnnlab.lm.model_folder import WEIGHTS, find_model
from rnnlab.lm.tensor_file import MODEL_CONFIG
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.files import RUN_CONFIG

MOST_LOADED = 4
"""Models in memory at a time."""

DEEPEST = 5
"""Folders are looked for so many levels below a given one."""

MOST_SHOWN = 10
"""Names in an error."""


class UnknownModelError(RnnlabError):
    """No model has this name."""


@dataclass(frozen=True)
class Found:
    """A run directory or a model folder."""

    name: str
    path: Path
    root: Path
    """The given folder, without links; everything that is read lies within it."""

    @property
    def is_run(self) -> bool:
        """Whether it is a run directory."""
        return (self.path / RUN_CONFIG).is_file()

    def model_folder(self) -> Path | None:
        """Return the folder of its best or last weights; None if it has none yet.

        Raises ModelFolderError if a file in it is a link to somewhere else.
        """
        try:
            folder, _ = find_model(self.path)
        except (UsageError, ModelFolderError):
            return None
        self.check_within(folder)
        return folder

    def check_within(self, folder: Path) -> None:
        """Raise ModelFolderError if a folder, or a file in it, lies elsewhere through a link."""
        for path in (folder, *folder.iterdir()):
            if not path.resolve().is_relative_to(self.root):
                raise ModelFolderError(f"{path.name} of {self.name} is a link to somewhere else")


Stamp = tuple[int, int]
"""Time of the last change [ns] and size of a file."""


class Shelf:
    """Finds runs and models, and keeps the models that were used last in memory."""

    def __init__(
        self, paths: Sequence[Path], machine: LoadSettings, *, may_be_missing: bool = False
    ) -> None:
        """Take run directories, model folders, and folders in which there are some.

        may_be_missing: whether folders may come later. Raises UsageError for a path that is none of
        them, or for two of the same name.
        """
        for path in paths:
            if not path.is_dir() and (path.exists() or not may_be_missing):
                what = "is not a folder" if path.exists() else "does not exist"
                raise UsageError(
                    f"{str(path)!r} {what}; give run directories, model folders, or a folder of "
                    "runs"
                )
        self._paths, self.machine = [path.absolute() for path in paths], machine
        self._loaded: OrderedDict[str, tuple[Stamp | None, TextModel]] = OrderedDict()
        self._lock = threading.Lock()
        self._last_found = self.found()

    def found(self) -> dict[str, Found]:
        """Return all runs and models that there are now, by name; raises as the constructor."""
        found = dict[str, Found]()
        for path in self._paths:
            for one in self._below(path):
                if one.name in found:
                    raise UsageError(
                        f"two models are named {one.name!r}: {found[one.name].path} and {one.path};"
                        " rename one of them"
                    )
                found[one.name] = one
        self._last_found = dict(sorted(found.items()))
        return self._last_found

    def models(self) -> dict[str, Found]:
        """Return those that have weights."""
        return {name: one for name, one in self.found().items() if _has_weights(one)}

    def find(self, name: str) -> Found:
        """Return the run or model of a name; "": the only model.

        Raises UnknownModelError, or UsageError if there is not exactly one.
        """
        if not name:
            models = self.models()
            if len(models) == 1:
                return next(iter(models.values()))
            raise UsageError(f"model is missing{_choices(models)}")
        found = self._last_found
        if name not in found or not _is_model(found[name].path):
            found = self.found()
        if name not in found:
            raise UnknownModelError(
                f"unknown model {name!r}{suggest(name, found)}{_choices(found)}"
            )
        return found[name]

    def load(self, name: str) -> tuple[Found, TextModel]:
        """Return a model; it is read anew when its weights have changed.

        Raises as `find`, and as `rnnlab.load`.
        """
        one = self.find(name)
        folder = one.model_folder()
        stamp = stamp_of(folder / WEIGHTS) if folder else None
        with self._lock:
            kept = self._loaded.pop(one.name, None)
            if kept is None or kept[0] != stamp:
                kept = stamp, load(one.path, **dict(self.machine))
            self._loaded[one.name] = kept  # the last to be forgotten
            while len(self._loaded) > MOST_LOADED:
                self._loaded.popitem(last=False)
            return one, kept[1]

    def runs_folder(self) -> tuple[Path, str] | None:
        """Return the first of `roots` that is a folder of runs, in which new ones are made."""
        return next((root for root in self.roots() if not _is_model(root[0])), None)

    def roots(self) -> Iterator[tuple[Path, str]]:
        """Yield each given folder without links, and what the names of what is in it begin with."""
        for path in self._paths:
            yield path.resolve(), self._prefix(path)

    def _prefix(self, path: Path) -> str:
        return f"{path.name}/" if len(self._paths) > 1 else ""

    def _below(self, path: Path) -> Iterator[Found]:
        root = path.resolve()
        if _is_model(root):
            yield Found(path.name, root, root)
            return
        prefix = self._prefix(path)
        for folder in _folders(root, DEEPEST):
            yield Found(f"{prefix}{folder.relative_to(root).as_posix()}", folder, root)


def _is_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (RUN_CONFIG, MODEL_CONFIG))


def stamp_of(file: Path) -> Stamp | None:
    """Return what changes with a file; None if there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _has_weights(found: Found) -> bool:
    try:
        return found.model_folder() is not None
    except (ModelFolderError, OSError):  # or it has just been removed
        return False


def _folders(root: Path, depth: int) -> Iterator[Path]:
    """Yield the runs and model folders below a folder; links are not followed."""
    try:
        with os.scandir(root) as entries:
            inner = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for name in sorted(inner):
        folder = root / name
        if name.startswith("."):
            continue
        if _is_model(folder):
            yield folder
        elif depth > 1:
            yield from _folders(folder, depth - 1)


def _choices(names: dict[str, Found]) -> str:
    shown = ", ".join(list(names)[:MOST_SHOWN]) or "none"
    return f" (choices: {shown}{' ...' if len(names) > MOST_SHOWN else ''})"
