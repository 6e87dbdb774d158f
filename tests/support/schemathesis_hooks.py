"""Makes schemathesis ask for what there is, most of the time, and for short texts.

Names made up by chance would never get past the first check, and each case should take an instant.
Loaded by schemathesis itself, see tests/web/test_openapi_schemathesis.py; RNNLAB_NAMES: the names.
"""

import os
from typing import Any

import schemathesis

from rnnlab.web.bodies import MOST_TOKENS

NAMES = os.environ["RNNLAB_NAMES"].split(",")
COUNTS = ("max_tokens", "n", "length")
MOST = 50
"""Of these counts, if they are not too large to be taken."""


def _place(given: Any) -> int:
    """Return a number that is always the same for the same value."""
    return sum(map(ord, repr(given)))


def _name(given: Any) -> Any:
    """Return one of the names in place of 4 of 5 values."""
    place = _place(given)
    return NAMES[place % len(NAMES)] if place % 5 else given


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Ask for what there is."""
    if path_parameters and "name" in path_parameters:
        path_parameters["name"] = _name(path_parameters["name"])
    return path_parameters


@schemathesis.hook
def map_query(context: Any, query: Any) -> Any:
    """Ask for what there is."""
    if query and "model" in query:
        query["model"] = _name(query["model"])
    return query


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Ask for what there is, and for not too much of it."""
    if isinstance(body, dict) and context.operation.path != "/api/v1/runs":
        place = _place(body)
        if place % 10:
            body["model"] = _name(body.get("model"))
        for name in COUNTS:
            if type(body.get(name)) is int and 0 < body[name] <= MOST_TOKENS:
                body[name] = 1 + body[name] % MOST
    return body
