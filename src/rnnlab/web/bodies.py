"""The bodies of requests: which keys they have, and how they are read."""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, WithJsonSchema
from starlette.requests import Request

from rnnlab.config import GenerationSettings, SettingsGroup
from rnnlab.config.validation import Context, OneOrMore
from rnnlab.errors import UsageError, is_unicode
from rnnlab.web.held_units import ABOUT_HELD, MOST_HELD, HeldUnits

Body = TypeVar("Body", bound=SettingsGroup)

MOST_TOKENS = 100_000
"""Tokens of one continuation."""

MOST_ROWS = 128
"""Continuations in one request."""

MOST_PROMPTS = 1_024
"""Prompts in one request."""

MOST_NESTED = 16
"""Lists and objects within each other in a body."""


def _is_ids(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int for item in value)


def _as_prompts(value: Any) -> list[str | list[int]]:
    """Return one prompt or several as a list of them; refuse what is neither text nor ids."""
    is_list = isinstance(value, list) and value and not _is_ids(value)
    found = value if is_list else [value]
    for prompt in found:
        if not (isinstance(prompt, str) or _is_ids(prompt)):
            raise ValueError(
                "must be a text, a list of texts, a list of ids, or a list of lists of ids"
            )
        if isinstance(prompt, str) and not is_unicode(prompt):
            raise ValueError("has half of a surrogate pair, which is not text")
    if len(found) > MOST_PROMPTS:
        raise ValueError(f"must have at most {MOST_PROMPTS:,} texts or lists, not {len(found):,}")
    return list(found)


_TEXT, _IDS = {"type": "string"}, {"type": "array", "items": {"type": "integer"}}
_LISTS = [{"type": "array", "items": kind} for kind in (_TEXT, _IDS)]
Prompts = Annotated[
    list[str | list[int]],
    BeforeValidator(_as_prompts),
    WithJsonSchema({"anyOf": [_TEXT, _IDS, *_LISTS]}),
]


class StreamOptions(SettingsGroup):
    """How a stream is sent."""

    include_usage: bool = Field(False, description="send the usage before the end")
    include_obfuscation: bool = Field(False, description="has no effect")


class CompletionBody(SettingsGroup):
    """`POST /v1/completions`, as OpenAI defines it, and four settings of rnnlab."""

    model: str = Field("", description="a name from /v1/models; may be left out if there is one")
    prompt: Prompts = Field([""], description="text, list of texts, ids, or list of lists of ids")
    max_tokens: int = Field(16, ge=0, le=MOST_TOKENS, description="tokens to write after a prompt")
    temperature: float = Field(1.0, description="see rnnlab generate")
    top_p: float = Field(1.0, description="see rnnlab generate")
    n: int = Field(1, ge=1, le=MOST_ROWS, description="continuations of each prompt")
    stop: Annotated[tuple[str, ...], OneOrMore] = Field(
        (), max_length=16, description="writing ends before any of these texts"
    )
    seed: int = Field(-1, ge=-(2**63), lt=2**63, description="the same seed gives the same text")
    echo: bool = Field(False, description="begin with the prompt, as the model reads it")
    logprobs: int = Field(
        -1, ge=0, le=1_000, description="ln p of each token and of so many of the likeliest ones, "
        "before temperature",
    )  # fmt: skip
    stream: bool = Field(False, description="send server-sent events")
    stream_options: StreamOptions = StreamOptions()
    user: str = Field("", description="has no effect")
    best_of: int = Field(1, description="only 1")
    suffix: str = Field("", description="not possible")
    frequency_penalty: float = Field(0.0, description="only 0; see repetition_penalty")
    presence_penalty: float = Field(0.0, description="only 0; see repetition_penalty")
    logit_bias: dict[int, float] = Field(
        {}, max_length=1_000, description="by id: what is added to a token's logit, -100 to 100"
    )
    top_k: int = Field(0, description="see rnnlab generate")
    min_p: float = Field(0.0, description="see rnnlab generate")
    repetition_penalty: float = Field(1.0, description="see rnnlab generate")
    label: str = Field("", description="of a model of labelled samples")

    def check(self) -> None:
        """Raise UsageError for what OpenAI's clients can ask, and rnnlab cannot do."""
        if self.suffix:
            raise UsageError("suffix is not possible: the model reads from left to right only")
        if self.best_of != 1:
            raise UsageError(f"best_of must be 1, not {self.best_of}; see n and logprobs")
        for name in ("frequency_penalty", "presence_penalty"):
            if getattr(self, name):
                raise UsageError(f"{name} must be 0; repetition_penalty does the same by a factor")
        for token, bias in self.logit_bias.items():
            if not -100 <= bias <= 100:
                raise UsageError(f"logit_bias must be -100 to 100, not {bias:g} of token {token}")

    def settings(self) -> GenerationSettings | None:
        """Return how a text is generated; None: nothing is written. Raises UsageError."""
        drawing = ("top_p", "top_k", "min_p") if self.temperature else ()
        values = {name: getattr(self, name) for name in (*drawing, "repetition_penalty")}
        if self.temperature:
            # Without a seed each answer is another one, as clients expect.
            values["seed"] = (
                self.seed % 2**63 if "seed" in self.model_fields_set else secrets.randbits(62)
            )
        found = GenerationSettings.from_dict(
            {
                "length": max(1, self.max_tokens), "temperature": self.temperature,
                "stop": self.stop, **values,
            }
        )  # fmt: skip
        return found if self.max_tokens else None


class GenerationBody(SettingsGroup):
    """`POST /api/v1/generate`: texts as `rnnlab generate` writes them."""

    model: str = Field("", description="a name from /v1/models; may be left out if there is one")
    prefix: Annotated[tuple[str, ...], OneOrMore] = Field(
        ("",), min_length=1, max_length=MOST_ROWS, description="beginning of the text, or several"
    )
    label: str = Field("", description="of a model of labelled samples")
    settings: dict[str, Any] = Field(
        {}, description="by the names of the flags of rnnlab generate: length, temperature, ..."
    )
    held: HeldUnits = Field((), max_length=MOST_HELD, description=ABOUT_HELD)


class WriteBody(SettingsGroup):
    """`POST /api/v1/write`: a text, and what the model writes after it, token by token."""

    model: str = Field("", description="a name from /v1/models; may be left out if there is one")
    text: str = Field("", description="a text, read under the model's rule; or ids")
    label: str = Field("", description="of the text, if the model's samples have labels")
    ids: list[int] = Field(
        [], max_length=MOST_TOKENS, description="tokens that were read and written so far; with a "
        "text: those of the text before, whose beginning is not told again",
    )  # fmt: skip
    length: int = Field(0, ge=0, le=MOST_TOKENS, description="tokens to write")
    settings: dict[str, Any] = Field(
        {}, description="temperature, top_k, top_p, min_p, repetition_penalty, seed, as the flags "
        "of rnnlab generate",
    )  # fmt: skip
    position: int = Field(
        0, ge=0, le=MOST_TOKENS, description="how many of the ids, at their end, were written: the "
        "next token is then the one that rnnlab generate writes there",
    )  # fmt: skip
    alternatives: int = Field(
        10, ge=0, le=1_000, description="so many of the likeliest tokens are told at each place"
    )
    held: HeldUnits = Field((), max_length=MOST_HELD, description=ABOUT_HELD)


class ScoreBody(SettingsGroup):
    """`POST /api/v1/score`: how likely a text is, or each of several samples."""

    model: str = Field("", description="a name from /v1/models; may be left out if there is one")
    text: str = Field("", description="a text; or samples")
    samples: tuple[str, ...] = Field((), description="lines or documents, each by itself")
    context: Context = Field("carried", description="carried, or windows:N from a zero state")
    per_token: bool = Field(False, description="also -ln p of each token")


class TokenizeBody(SettingsGroup):
    """`POST /tokenize`."""

    model: str = Field("", description="a name from /v1/models; may be left out if there is one")
    prompt: str = Field("", description="a text")
    content: str = Field("", description="the same, as clients of llama.cpp name it")
    add_special_tokens: bool = Field(True, description="with the start of a sample")
    add_special: bool = Field(True, description="the same, as clients of llama.cpp name it")
    return_token_strs: bool = Field(False, description="also the text of each token")


class DetokenizeBody(SettingsGroup):
    """`POST /detokenize`."""

    model: str = Field("", description="a name from /v1/models; may be left out if there is one")
    tokens: list[int] = Field(description="ids")


async def read_body(request: Request, kind: type[Body]) -> Body:
    """Read the JSON object of a request; a key that is null counts as left out.

    Raises UsageError, one line for each fault.
    """
    try:
        content = json.loads(await request.body())
    except (ValueError, RecursionError) as error:  # a number of 10,000 digits is a ValueError
        rule = str(error).partition("; use sys.")[0]
        raise UsageError(f"the body is not JSON: {rule}") from None
    if not isinstance(content, dict):
        raise UsageError("the body must be a JSON object")
    if not _is_flat(content):
        raise UsageError(f"the body is nested more than {MOST_NESTED} deep")
    return kind.from_dict({name: value for name, value in content.items() if value is not None})


def _is_flat(content: Any) -> bool:
    """Whether values are nested no deeper than MOST_NESTED; Python's own limit is for all calls."""
    level = [content]
    for _ in range(MOST_NESTED):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [item for items in inner for item in items if isinstance(item, list | dict)]
        if not level:
            return True
    return False


def described(kind: type[SettingsGroup]) -> dict[str, Any]:
    """Return what OpenAPI says of a body."""
    kind.model_rebuild()
    schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    whole = _inlined(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": whole}}}}


def _inlined(schema: Any, inner: dict[str, Any]) -> Any:
    """Return a schema with those that it refers to in their places."""
    if isinstance(schema, list):
        return [_inlined(item, inner) for item in schema]
    if not isinstance(schema, dict):
        return schema
    own = {key: _inlined(value, inner) for key, value in schema.items() if key != "$ref"}
    if reference := schema.get("$ref", ""):
        return _inlined(inner[reference.rpartition("/")[2]], inner) | own
    return own
