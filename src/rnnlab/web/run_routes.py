"""`/api/v1/runs`, events and findings: what runs there are, how they go, and what ails them."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from rnnlab.config import TEXTS
from rnnlab.data.dataset import Dataset
from rnnlab.data.named_corpora import NAMED
from rnnlab.doctor.diagnosis import MissingEvidence
from rnnlab.errors import UsageError
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.evaluation import training_data
from rnnlab.runs.files import METRICS, read_metrics
from rnnlab.runs.other_texts import data_settings
from rnnlab.runs.run import Run
from rnnlab.web.events import Events
from rnnlab.web.faults import Answer, json_line
from rnnlab.web.jobs import Job
from rnnlab.web.metric_lines import place_after, thinned
from rnnlab.web.openapi import (
    ANY_OBJECT,
    COUNT,
    EVENT,
    NUMBER,
    TEXT,
    TRUTH,
    answers,
    list_of,
    map_of,
    or_null,
    record,
)
from rnnlab.web.run_records import WITHOUT_EFFECT, RunRecords, run_details, stamps_of
from rnnlab.web.run_watch import RunWatch
from rnnlab.web.shelf import Found, Shelf, UnknownModelError
from rnnlab.web.turns import Turns

FEWEST_POINTS = 10
"""Of a curve that is made thinner."""

MOST_TEXT_BYTES = 32 * 2**20
"""A longer training text is not read to diagnose a run; that would hold up all others."""

MOST_FINDINGS = 2_000
"""Diagnoses that are kept."""

RUN = record(
    name=TEXT, status=TEXT, running=TRUTH, updated=NUMBER, settings=ANY_OBJECT, group=TEXT,
    cell=or_null(TEXT), parameters=or_null(COUNT), figures=list_of(ANY_OBJECT),
    held_out=or_null(ANY_OBJECT),
    training=ANY_OBJECT, progress=or_null(ANY_OBJECT), held_out_so_far=or_null(ANY_OBJECT),
    error=or_null(TEXT),
)  # fmt: skip
RUNS = record(runs=list_of(RUN), without_effect=list_of(TEXT), at=TEXT)
ONE_RUN = record(
    **RUN["properties"], evaluations=list_of(ANY_OBJECT), environment=ANY_OBJECT,
    samples=list_of(ANY_OBJECT), metrics=list_of(ANY_OBJECT), metrics_lines=COUNT, metrics_at=TEXT,
)  # fmt: skip
FINDINGS = record(
    name=TEXT, healthy=TRUTH, state=TEXT, findings=list_of(ANY_OBJECT), looked_at=list_of(TEXT),
    not_asked=map_of(TEXT), notices=list_of(TEXT),
)  # fmt: skip


def run_routes(shelf: Shelf, turns: Turns) -> APIRouter:
    """Return the routes; turns: who may compute."""
    router, watch = APIRouter(prefix="/api/v1", tags=["runs"]), RunWatch(shelf)
    records, events, doctor = RunRecords(), Events(watch, turns), _Doctor()
    watch.look_ahead()

    def found_run(name: str) -> Found:
        one = shelf.find(name)
        if not name or not one.is_run:
            raise UnknownModelError(f"{name!r} is not a run directory")
        return one

    @router.get("/runs", responses=answers(RUNS))
    def runs() -> Response:
        """List all runs: settings, figures, and how far each is.

        `at` is what a stream of events that goes on from here gets as `Last-Event-ID`.
        """
        watch.look()
        number, found = watch.all()
        rest = json_line({"without_effect": WITHOUT_EFFECT, "at": f"{watch.server}.{number}"})
        text = f'{{"runs":[{",".join(one.text for one in found)}],{rest[1:]}'
        return Response(text, media_type="application/json")

    @router.get("/runs/{name:path}", responses=answers(ONE_RUN))
    def run(name: str, points: str = "0") -> Response:
        """Return one run with all lines of its metrics, and what else is known of it.

        points: about so many lines with the same outline; 0: all.
        """
        one, most = found_run(name), _points(points)
        lines = read_metrics(one.path)
        about = {
            "metrics": thinned(lines, most) if most else lines,
            "metrics_lines": len(lines),
            "metrics_at": place_after(one.path / METRICS, len(lines)),
        }
        return Answer({**records.of(one), **run_details(one), **about})

    @router.get("/events", responses=answers({}, event_stream=EVENT))
    async def listen(request: Request, after: str = "") -> Response:
        """Send what changes, for as long as the client listens.

        follow (may be repeated): a run whose new lines of metrics are sent, too; after: how many
        of its lines are known. With `Last-Event-ID` a stream goes on where another one ended.
        """
        last_id = request.headers.get("last-event-id", "")
        return events.response(request.query_params.getlist("follow"), after, last_id)

    @router.get("/findings/{name:path}", responses=answers(FINDINGS))
    async def findings(request: Request, name: str) -> Response:
        """Say what is wrong with a run, as `rnnlab doctor` does."""
        one = found_run(name)
        if kept := doctor.kept(one):
            return Answer(kept)
        return Answer(await Job(turns, request, lambda pass_on: doctor.diagnosed(one)).last())

    return router


def _points(text: str) -> int:
    if not (text.isdecimal() and (text == "0" or FEWEST_POINTS <= int(text) <= 10**6)):
        raise UsageError(f"points must be 0 (all) or {FEWEST_POINTS} to 1,000,000, not {text!r}")
    return int(text)


class _Doctor:
    """Diagnoses runs, and keeps what it has found until their files change."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[object, dict[str, Any]]] = {}

    def kept(self, run: Found) -> dict[str, Any] | None:
        """Return what is known of a run as it is now."""
        stamps, found = self._kept.get(run.path, (None, None))
        return found if stamps == stamps_of(run) else None

    def diagnosed(self, run: Found) -> Generator[dict[str, Any] | None, None, None]:
        """Diagnose a run in pieces of some milliseconds; raises as `rnnlab.diagnose`."""
        from rnnlab.doctor.diagnose import diagnose_in_parts  # imports torch

        stamps = stamps_of(run)
        run.check_within(run.path)
        last = run.path / "checkpoint" / "last"
        if last.is_dir():
            run.check_within(last)
        found = yield from diagnose_in_parts(Run(run.path), _text_at_hand)
        about = found.to_dict() | {"name": run.name}
        del about["run"]
        while len(self._kept) >= MOST_FINDINGS:
            del self._kept[next(iter(self._kept))]
        self._kept[run.path] = stamps, about
        yield about


def _text_at_hand(model: TextModel) -> Dataset:
    """Return the training text of a model if that needs no network and little time.

    Raises MissingEvidence, and as `training_data`.
    """
    settings, size = data_settings(model), 0
    for name in (name for texts in TEXTS for name in getattr(settings, texts)):
        known = NAMED.get(name)
        file = known.find(settings.data_dir) if known else Path(name)
        if file is None:
            raise MissingEvidence(f"the corpus {name!r} is not on this machine")
        size += sum(each.stat().st_size for each in (file, *file.rglob("*")) if each.is_file())
    if size > MOST_TEXT_BYTES:
        raise MissingEvidence(
            f"its text has {size / 2**20:,.0f} MB, and up to {MOST_TEXT_BYTES / 2**20:,.0f} MB are "
            "read here; rnnlab doctor reads it"
        )
    return training_data(model)
