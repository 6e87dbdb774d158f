"""Whatever a body holds, the answer is JSON and the fault is not the server's."""

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served import Served

from rnnlab.config import SettingsGroup
from rnnlab.web.bodies import (
    CompletionBody,
    DetokenizeBody,
    GenerationBody,
    ScoreBody,
    TokenizeBody,
)

ROUTES: dict[str, type[SettingsGroup]] = {
    "/v1/completions": CompletionBody,
    "/tokenize": TokenizeBody,
    "/detokenize": DetokenizeBody,
    "/api/v1/generate": GenerationBody,
    "/api/v1/score": ScoreBody,
}
MODELS = ["pets", "more/letters", "more/bytes", "more/bpe", "more/names", "more/documents"]
SOME = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 40), st.integers(), st.floats(), st.text(max_size=9),
    st.text(st.characters(categories=["Cs", "Cc", "Zs"]), max_size=4), st.just(""),
)  # fmt: skip
ANY = st.recursive(
    SOME, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner)
)
FITTING: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(MODELS),
    "prompt": st.text(max_size=20) | st.lists(st.integers(0, 30), min_size=1, max_size=8),
    "prefix": st.text(max_size=20),
    "tokens": st.lists(st.integers(0, 30), max_size=8),
    "text": st.text(max_size=20),
    "samples": st.lists(st.text(max_size=9), max_size=4),
    "max_tokens": st.integers(0, 20),
    "temperature": st.sampled_from([0, 0.5, 1, 1e-30, 1e30]),
    "n": st.integers(1, 3),
    "logprobs": st.integers(0, 5),
    "settings": st.dictionaries(st.sampled_from(["length", "top_k", "min_p", "beam_width"]), SOME),
    "context": st.sampled_from(["carried", "windows:3"]),
}


@st.composite
def bodies(draw: st.DrawFn, kind: type[SettingsGroup]) -> dict[str, Any]:
    """Some keys of a body, most with a value that fits; limits the work of those that do."""
    names = draw(st.sets(st.sampled_from(sorted(kind.model_fields))))
    body: dict[str, Any] = {"model": "pets"}
    if kind is CompletionBody:
        body["max_tokens"] = 3
    if kind is GenerationBody:
        body["settings"] = {"length": 3}
    for name in names:
        fits = name in FITTING and draw(st.integers(0, 3)) > 0
        body[name] = draw(FITTING[name] if fits else ANY)
    return body


@pytest.mark.parametrize("route", ROUTES)
@settings(
    max_examples=int(os.environ.get("RNNLAB_TRIES", "25")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_body_is_the_server_s_fault(server: Served, route: str, data: st.DataObject) -> None:
    body = data.draw(bodies(ROUTES[route]))
    if body.get("stream") is True:
        return
    status, content, _ = server.ask(route, json.dumps(body).encode())
    assert status in (200, 400, 404, 413, 422), content
    assert (status == 200) is ("error" not in content)
