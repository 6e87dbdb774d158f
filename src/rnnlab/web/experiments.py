"""`/api/v1/experiments`: questions, what the runs say about them, and the runs themselves.

An experiment is looked up by name among the folders with an experiment.toml, as a run is among the
run directories; see `rnnlab.web.shelf`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from rnnlab.config import read_toml
from rnnlab.errors import ModelFolderError, RnnlabError, UsageError, suggest
from rnnlab.experiments.archive import ARCHIVE, TEXTS, TIMING
from rnnlab.experiments.folder import FILE
from rnnlab.runs.files import RUN_CONFIG
from rnnlab.web.faults import Answer, Refused
from rnnlab.web.guard import KEY_OF
from rnnlab.web.openapi import (
    ANY_OBJECT,
    NUMBER,
    TEXT,
    TRUTH,
    answers,
    list_of,
    or_null,
    record,
)
from rnnlab.web.shelf import DEEPEST, Found, Shelf, Stamp, stamp_of

REPORT = "report.html"
FILES = (FILE, ARCHIVE, TIMING, TEXTS, REPORT)
"""What an experiment's folder is read from, next to its runs."""

REPORT_HEADERS = {
    "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "x-frame-options": "SAMEORIGIN",
}
"""A report has styles and pictures within it, and nothing that runs; the lab's page shows it."""

SUMMARY = record(
    name=TEXT, title=TEXT, question=TEXT, updated=NUMBER, has_report=TRUTH, error=or_null(TEXT)
)
DETAILS = record(
    **SUMMARY["properties"], plan_error=or_null(TEXT),
    report=or_null(TEXT), extent=TEXT, tally=TEXT, warning=TEXT, command=TEXT, settings=ANY_OBJECT,
    claims=list_of(record(text=TEXT, note=TEXT, about=TEXT, verdict=TEXT, sentences=list_of(TEXT))),
    outcomes=list_of(record(name=TEXT, label=TEXT)),
    variants=list_of(record(name=TEXT, change=ANY_OBJECT)),
    texts=list_of(record(name=TEXT, change=ANY_OBJECT)),
    runs=list_of(record(id=TEXT, run=or_null(TEXT), variant=TEXT, text=TEXT, status=TEXT)),
)  # fmt: skip


def experiment_routes(shelf: Shelf) -> APIRouter:
    """Return the routes."""
    router, kept = APIRouter(prefix="/api/v1", tags=["experiments"]), _Kept(shelf)

    @router.get("/experiments", responses=answers(record(experiments=list_of(SUMMARY))))
    def experiments() -> Response:
        """List the experiments with their questions."""
        return Answer({"experiments": [_summary(one) for one in _found(shelf).values()]})

    @router.get("/experiments/{name:path}/report.html", responses=answers({}, html=TEXT))
    def report(name: str) -> Response:
        """Return the report of an experiment, as `rnnlab experiment` has written it."""
        one = _find(shelf, name)
        if not (one.path / REPORT).is_file():
            raise Refused(404, "no_report", f"{name!r} has no {REPORT} yet")
        content = (one.path / REPORT).read_bytes()
        return Response(content, media_type="text/html; charset=utf-8", headers=REPORT_HEADERS)

    @router.get("/experiments/{name:path}", responses=answers(DETAILS))
    def experiment(name: str, request: Request) -> Response:
        """Return an experiment: its claims with their verdicts, and all runs with their figures."""
        one = _find(shelf, name)
        found = kept.of(one)
        names = {run.path: run.name for run in shelf.found().values() if run.is_run}
        runs = [{**run, "run": names.get(one.path / "runs" / run["id"])} for run in found["runs"]]
        summary = _summary(one)
        path = f"/api/v1/experiments/{one.name}/{REPORT}"
        address = quote(path) + request.scope[KEY_OF](path) if summary["has_report"] else None
        return Answer({**summary, **found, "runs": runs, "report": address})

    return router


def _found(shelf: Shelf) -> dict[str, Found]:
    """Return all experiments by name; raises UsageError if two have the same."""
    found = dict[str, Found]()
    for root, prefix in shelf.roots():
        for folder in _folders(root, DEEPEST):
            inner = folder.relative_to(root).as_posix()
            name = prefix.removesuffix("/") or root.name if inner == "." else f"{prefix}{inner}"
            if name in found:
                raise UsageError(
                    f"two experiments are named {name!r}: {found[name].path} and {folder}; rename "
                    "one of them"
                )
            found[name] = Found(name, folder, root)
    return dict(sorted(found.items()))


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    """Yield a folder and those below it that hold experiments; links are not followed."""
    is_experiment = (folder / FILE).is_file()
    if is_experiment:
        yield folder
    if not depth or (folder / RUN_CONFIG).is_file():
        return
    try:
        with os.scandir(folder) as entries:
            inner = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for name in sorted(inner):
        if not name.startswith(".") and not (is_experiment and name == "runs"):
            yield from _folders(folder / name, depth - 1)


def _find(shelf: Shelf, name: str) -> Found:
    """Return an experiment. Raises Refused, and ModelFolderError for links to somewhere else."""
    found = _found(shelf)
    if name not in found:
        choices = ", ".join(found) or "none"
        raise Refused(
            404, "experiment_not_found",
            f"unknown experiment {name!r}{suggest(name, found)} (choices: {choices})",
        )  # fmt: skip
    _check_links(found[name])
    return found[name]


def _check_links(one: Found) -> None:
    for path in (one.path / name for name in (*FILES, "runs", "failures")):
        if not path.resolve().is_relative_to(one.root):
            raise ModelFolderError(f"{path.name} of {one.name} is a link to somewhere else")


def _summary(one: Found) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": one.name, "title": one.name, "question": "", "updated": 0.0, "error": None,
        "has_report": (one.path / REPORT).is_file(),
    }  # fmt: skip
    try:
        _check_links(one)
        stamps = [stamp_of(one.path / name) for name in FILES]
        found["updated"] = max(stamp[0] for stamp in stamps if stamp) / 1e9
        content = read_toml(one.path / FILE)
        found |= {key: str(content[key]) for key in ("title", "question") if key in content}
    except (RnnlabError, OSError) as error:
        found["error"] = str(error).replace(f"{one.path}{os.sep}", "")
    return found


class _Kept:
    """Makes records of experiments, and keeps those of which nothing has changed."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._kept: dict[Path, tuple[tuple[Stamp | None, ...], dict[str, Any]]] = {}

    def of(self, one: Found) -> dict[str, Any]:
        """Return the record of an experiment. Raises RnnlabError if it cannot be read."""
        from rnnlab.web.experiment_records import details  # draws on matplotlib, a second to load

        stamp = tuple(stamp_of(one.path / name) for name in FILES)
        stored = self._kept.get(one.path)
        if stored and stored[0] == stamp:
            return stored[1]
        for run in (one.path / "runs").glob("[!.]*"):
            one.check_within(run)
        try:
            found, is_complete = details(one.path)
        except RnnlabError as error:
            message = str(error).replace(f"{one.path}{os.sep}", "")
            raise type(error)(message) from None
        if is_complete:
            self._kept[one.path] = stamp, found
        return found
