"""The settings of `rnnlab train` over HTTP: what is offered, how it is checked, and as which flags
it is given to the command.

Everything comes from `rnnlab.config`. What names files, folders or other services, or would run a
Python file, is not offered, and refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from pydantic_core import PydanticUndefined
from starlette.responses import Response

from rnnlab.cells.registry import names as cell_names
from rnnlab.config import CHANGEABLE, CHOSEN, DEFAULT_SECONDS, TEXTS, Settings, SettingsGroup
from rnnlab.errors import UsageError, suggest
from rnnlab.runs.effects import check_effects
from rnnlab.runs.precedence import budget_setting
from rnnlab.web.faults import Answer
from rnnlab.web.openapi import NUMBER, TEXT, TRUTH, answers, list_of, or_null, record

OUTSIDE = (*TEXTS, "data_dir", "start_from", "extend_vocabulary", "replace_vocabulary", "mirror")
"""Settings that reach beyond the folder of runs, and those that only go with them."""

BUDGET = "max_seconds"
"""The setting that a budget such as 30s stands for; a form asks for that."""

MAIN = ("cell", "hidden_size", "num_layers", "tokenizer", "seed")
"""Settings that are shown first, after the text and the budget."""

KINDS = {"boolean": "flag", "integer": "whole", "number": "number", "string": "text"}
"""Kinds of values by the names of JSON Schema; a list is of `several` choices or of `numbers`."""

LONGEST_VALUE = 1_000
"""Characters of a text among the settings, which becomes an argument of a command."""

BOUNDS = {
    "minimum": "minimum", "maximum": "maximum", "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
}  # fmt: skip

SETTING = record(
    name=TEXT, kind=TEXT, default={}, choices=list_of(TEXT), help=TEXT, main=TRUTH, chosen=TRUTH,
    changeable=TRUTH,
)  # fmt: skip


def settings_routes(why_not: str) -> APIRouter:
    """Return the route of the form; why_not: why no run can be started here, or ""."""
    router = APIRouter(prefix="/api/v1", tags=["start a run"])

    @router.get(
        "/settings",
        responses=answers(
            record(
                groups=list_of(record(name=TEXT, title=TEXT, settings=list_of(SETTING))),
                main=list_of(TEXT), seconds=NUMBER, refused=or_null(TEXT),
            )
        ),
    )  # fmt: skip
    def settings() -> Response:
        """List the settings with which a run can be started; `refused`: why none can.

        seconds: how long a run takes if no budget is given.
        """
        form = {"groups": settings_form(), "main": MAIN, "seconds": DEFAULT_SECONDS}
        return Answer({**form, "refused": why_not or None})

    return router


def settings_form() -> list[dict[str, Any]]:
    """Return the settings that are offered, by group: what a form needs to know of each.

    kind: flag, whole, number, text, choice, several (a list of choices) or numbers (a list).
    Not among them is BUDGET. minimum, maximum, above, below: bounds, where there are any. chosen:
    it is chosen from the text, the budget and the machine if it is left out. changeable: it may be
    another one on resuming.
    """
    return [
        {
            "name": name,
            "title": (group.__doc__ or "").splitlines()[0].removesuffix("."),
            "settings": _of_group(group),
        }
        for name, group in Settings.groups.items()
    ]


def _of_group(group: type[SettingsGroup]) -> list[dict[str, Any]]:
    schema = group.model_json_schema()["properties"]
    found = []
    for name, field in group.model_fields.items():
        if name in (*OUTSIDE, BUDGET):
            continue
        own = schema[name]
        items = own.get("items", {})
        choices = own.get("enum") or items.get("enum") or []
        kind = KINDS.get(own["type"], "several" if items else "numbers")
        about = field.description or ""
        if name == "cell":
            choices, about = cell_names(), about.partition(":")[0]  # the rest is about files
        if choices and kind == "text":
            kind = "choice"
        assert field.default is not PydanticUndefined
        found.append(
            {
                "name": name, "kind": kind, "default": field.default, "choices": choices,
                **{said: own[bound] for bound, said in BOUNDS.items() if bound in own},
                "help": about, "main": name in MAIN, "chosen": name in CHOSEN,
                "changeable": name in CHANGEABLE,
            }
        )  # fmt: skip
    return found


def new_settings(values: Mapping[str, Any], budget: str, corpus: str) -> dict[str, Any]:
    """Check the settings of a new run; return those that were given, with the corpus.

    budget: such as 30s, or "". corpus: as `rnnlab train` takes it. Raises UsageError as the command
    does, and for a setting that is not offered.
    """
    given = _offered(values, budget)
    asked = Settings().with_changes("", **given, corpus=corpus)
    defaults = Settings().flat()
    check_effects(asked, [n for n, value in asked.flat().items() if value != defaults[n]])
    return {name: value for name, value in asked.flat().items() if name in {*given, "corpus"}}


def changed_settings(values: Mapping[str, Any], budget: str, before: Settings) -> dict[str, Any]:
    """Check the settings with which a run goes on; `before`: those that it has. Raises as above."""
    given = _offered(values, budget)
    for name in given:
        if name not in CHANGEABLE:
            can = ", ".join(each for each in CHANGEABLE if each not in OUTSIDE)
            raise UsageError(f"{name} cannot be changed when resuming (can change: {can})")
    asked, was = before.with_changes("", **given), before.flat()
    changed = {name: value for name, value in asked.flat().items() if value != was[name]}
    check_effects(asked, changed)
    return changed


def _offered(values: Mapping[str, Any], budget: str) -> dict[str, Any]:
    given = {name: value for name, value in values.items() if value is not None}
    offered = [name for name in Settings.names() if name not in OUTSIDE]
    for name, value in given.items():
        if name in OUTSIDE:
            raise UsageError(
                f"{name} cannot be set here, where nothing names files or other services: give it "
                "to rnnlab train"
            )
        if name not in offered:
            raise UsageError(f"unknown setting {name!r}{suggest(name, offered)}")
        if isinstance(value, str) and ("\0" in value or len(value) > LONGEST_VALUE):
            raise UsageError(
                f"{name} must have at most {LONGEST_VALUE:,} characters, and no NUL among them"
            )
    cell = given.get("cell")
    if isinstance(cell, str) and cell not in cell_names():
        choices = ", ".join(map(repr, cell_names()))
        raise UsageError(f"cell must be one of {choices}, not {cell!r}; rnnlab train takes others")
    return given | (budget_setting(budget, given) if budget else {})


def flags(settings: Mapping[str, Any]) -> list[str]:
    """Return settings as flags of `rnnlab train`."""
    found = list[str]()
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            found.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, tuple):
            found += [f"--{flag}", *map(str, value)] if value else []
        else:
            found.append(f"--{flag}={value}")
    return found
