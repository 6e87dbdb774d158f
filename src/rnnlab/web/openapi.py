"""What /openapi.json says of answers, in the words of JSON Schema.

Each route says what it answers; what is refused has one shape everywhere, see `rnnlab.web.faults`.
FastAPI would claim a shape of its own for wrong requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TRUTH: Schema = {"type": "boolean"}
ANY_OBJECT: Schema = {"type": "object"}

ABOUT = """\
Recurrent language models: completions, scores, probes, runs. A server with `--token` wants the \
header `Authorization: Bearer TOKEN` with every request but those for its page. A body is JSON, \
and a key that is null counts as left out."""

REFUSED = "refused, or not possible: what was wrong, in one sentence"
FAULT = "the server is ending, lacks memory, or has a fault that its terminal shows"
ERROR = "#/components/schemas/Error"


def record(**keys: Schema) -> Schema:
    """Return the schema of an object that has at least these keys."""
    return {"type": "object", "required": list(keys), "properties": keys}


def list_of(kind: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": kind}


def map_of(kind: Schema) -> Schema:
    """Return the schema of an object with any keys."""
    return {"type": "object", "additionalProperties": kind}


def or_null(kind: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    return {"anyOf": [kind, {"type": "null"}]}


EVENT = record(data=TEXT)
"""One of a stream of server-sent events; its data are JSON, or [DONE]."""


def answers(schema: Schema, **more: Schema) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route: a schema of JSON.

    more: other kinds of content, by the second half of their media type or `html`, such as
    `event_stream`.
    """
    kinds = {
        "event_stream": "text/event-stream", "octet_stream": "application/octet-stream",
        "html": "text/html",
    }  # fmt: skip
    content = {"application/json": {"schema": schema}} if schema else {}
    content |= {kinds[name]: {"schema": own} for name, own in more.items()}
    return {200: {"description": "what was asked for", "content": content}}


def error_schema() -> Schema:
    """Return the schema of everything that is refused."""
    about = {
        "message": {**TEXT, "description": "what was wrong, for people"},
        "type": {"enum": ["invalid_request_error", "server_error"]},
        "param": {**or_null(TEXT), "description": "the key that was wrong, if it was one"},
        "code": {**TEXT, "description": "what was wrong, for programs"},
    }
    return record(error=record(**about)) | {"title": "Error"}


class DescribedApp(FastAPI):
    """An application whose OpenAPI document says of all its routes how they refuse."""

    def openapi(self) -> dict[str, Any]:
        """Return the document; made once."""
        if self.openapi_schema:
            return self.openapi_schema
        document = super().openapi()
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"] = _with_errors(operation["responses"])
        document["components"] = {"schemas": {"Error": error_schema()}}
        return document


def _with_errors(responses: Mapping[str, Any]) -> dict[str, Any]:
    found = {status: own for status, own in responses.items() if status != "422"}
    for status, own in found.items():  # FastAPI claims JSON of any kind everywhere
        kinds = {kind: said for kind, said in own.get("content", {}).items() if said.get("schema")}
        found[status] = {**own, "content": kinds}
    content = {"application/json": {"schema": {"$ref": ERROR}}}
    for status, about in (("4XX", REFUSED), ("5XX", FAULT)):
        found[status] = {"description": about, "content": content}
    return found
