"""What goes wrong, in the shape in which clients of OpenAI's API expect it.

{"error": {"message": ..., "type": ..., "param": ..., "code": ...}}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from rnnlab.errors import CorpusError, RnnlabError, UntrustedCodeError, UsageError, as_out_of_memory
from rnnlab.files import finite
from rnnlab.web.shelf import UnknownModelError
from rnnlab.web.turns import ClosingError, LeftError, TooLongError

PARAMETER = re.compile(
    r"unknown key '(?P<key>\w+)'|(?P<name>[a-z_]+)[^ :]*(?: \d+)?(?::| (?:must|is|needs|=)(?!\w))"
)
"""The beginning of a message that names a parameter."""


class Refused(RnnlabError):
    """A request that is refused before anything is done for it."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, dict(headers or {})


class UnknownTextError(RnnlabError):
    """No text has this id."""


class Answer(Response):
    """JSON in ASCII: any text can be sent, also half of a surrogate pair."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the content as JSON; NaN and infinity become null."""
        return json_line(content).encode("ascii")


def json_line(content: Any) -> str:
    """Return JSON on one line."""
    try:
        return json.dumps(content, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(finite(content), separators=(",", ":"))


def fault(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Return the status of an error, and what is said about it."""
    message, parameter = str(error), None
    if lack := as_out_of_memory(error):
        return 503, _said(str(lack), "server_error", "out_of_memory")
    match error:
        case Refused():
            status, code = error.status, error.code
        case UnknownModelError():
            status, code, parameter = 404, "model_not_found", "model"
        case UnknownTextError():
            status, code, parameter = 404, "text_not_found", "text"
        case UsageError():
            status, code = 400, "invalid_request"
            if found := PARAMETER.match(message):
                parameter = found["key"] or found["name"]
        case TooLongError():
            status, code = 408, "timeout"
        case ClosingError():
            status, code = 503, "closing"
        case LeftError():
            status, code = 499, "client_left"
        case UntrustedCodeError():
            status, code = 403, "untrusted_code"
        case CorpusError():
            status, code = 422, "text_unusable"
        case RnnlabError():
            status, code = 422, "model_unusable"
        case _:
            status, code = 500, "internal_error"
            message = "an error inside rnnlab; its terminal shows it"
    kind = "invalid_request_error" if status < 500 else "server_error"
    return status, _said(message, kind, code, parameter)


def answer_to(error: BaseException) -> Answer:
    """Return the response that says what went wrong."""
    status, content = fault(error)
    headers = error.headers if isinstance(error, Refused) else {}
    return Answer(content, status, headers)


def _said(message: str, kind: str, code: str, parameter: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": parameter, "code": code}}
