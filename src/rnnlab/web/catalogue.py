"""Which models there are, and what tokens they have.

`/v1/models` is OpenAI's; `/tokenize`, `/detokenize` and `/tokenizer_info` are vLLM's, by which
lm-evaluation-harness uses a model's own tokenizer.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from rnnlab.data.labelled_tokenizer import labels_of
from rnnlab.data.preprocessing import preprocess
from rnnlab.data.samples import shown, within
from rnnlab.errors import ModelFolderError
from rnnlab.lm.model_folder import JOINED, WEIGHTS
from rnnlab.lm.text_model import TextModel
from rnnlab.web.bodies import DetokenizeBody, TokenizeBody, described, read_body
from rnnlab.web.completions import rules_of
from rnnlab.web.continuations import check_ids, token_texts
from rnnlab.web.faults import Answer
from rnnlab.web.openapi import ANY_OBJECT, COUNT, TEXT, answers, list_of, map_of, record
from rnnlab.web.shelf import Found, Shelf

MAX_LENGTH = 2_000_000
"""Tokens of a prompt: there is no limit but the size of a request, as the state is carried."""

ENTRY = record(id=TEXT, object=TEXT, created=COUNT, owned_by=TEXT)
ONE_MODEL = record(**ENTRY["properties"], rnnlab=ANY_OBJECT)


def catalogue_routes(shelf: Shelf) -> APIRouter:
    """Return the routes."""
    router = APIRouter()

    @router.get("/health", tags=["server"], responses=answers(record(status=TEXT)))
    def health() -> Response:
        """Say that the server works."""
        return Answer({"status": "ok"})

    @router.get(
        "/v1/models", tags=["OpenAI"],
        responses=answers(record(object=TEXT, data=list_of(ENTRY))),
    )  # fmt: skip
    def models() -> Response:
        """List the models; runs that have no weights yet are left out."""
        entries = [_entry(found) for found in shelf.models().values()]
        return Answer({"object": "list", "data": entries})

    @router.get("/v1/models/{name:path}", tags=["OpenAI"], responses=answers(ONE_MODEL))
    def model(name: str) -> Response:
        """Describe a model: its rules, tokens and settings."""
        found, loaded = shelf.load(name)
        return Answer({**_entry(found), "rnnlab": _about(loaded)})

    @router.post(
        "/tokenize", openapi_extra=described(TokenizeBody), tags=["tokens"],
        responses=answers(
            record(tokens=list_of(COUNT), count=COUNT, max_model_len=COUNT, unknown=map_of(COUNT))
        ),
    )  # fmt: skip
    async def tokenize(request: Request) -> Response:
        """Return the ids of a text, as the model reads it."""
        body = await read_body(request, TokenizeBody)
        return Answer(await run_in_threadpool(_tokenized, shelf, body))

    @router.post(
        "/detokenize", openapi_extra=described(DetokenizeBody), tags=["tokens"],
        responses=answers(record(prompt=TEXT, content=TEXT)),
    )  # fmt: skip
    async def detokenize(request: Request) -> Response:
        """Return the text of ids."""
        body = await read_body(request, DetokenizeBody)
        return Answer(await run_in_threadpool(_detokenized, shelf, body))

    @router.get(
        "/tokenizer_info", tags=["tokens"],
        responses=answers(
            record(
                tokenizer_class=TEXT, bos_token=TEXT, eos_token=TEXT, vocab_size=COUNT,
                model_max_length=COUNT,
            )
        ),
    )  # fmt: skip
    def tokenizer_info(model: str = "") -> Response:
        """Describe the tokens of a model; the start of a text stands for all special tokens."""
        loaded = shelf.load(model)[1]
        start = start_text(loaded)
        return Answer(
            {
                "tokenizer_class": type(loaded.tokenizer).__name__,
                "bos_token": start, "eos_token": start, "pad_token": None, "unk_token": None,
                "vocab_size": loaded.tokenizer.size, "model_max_length": MAX_LENGTH,
                "chat_template": None,
            }
        )  # fmt: skip

    return router


def _entry(found: Found) -> dict[str, Any]:
    created = 0
    with suppress(ModelFolderError, OSError):
        if folder := found.model_folder():
            created = int((folder / WEIGHTS).stat().st_mtime)
    return {"id": found.name, "object": "model", "created": created, "owned_by": "rnnlab"}


def _about(model: TextModel) -> dict[str, Any]:
    return {
        **rules_of(model),
        "log_probabilities": "of the model itself, before temperature",
        "unknown": None if model.tokenizer.unknown_id is None else "read as <unk>, and reported",
        "tokenizer": model.tokenizer.kind,
        "vocabulary": model.tokenizer.size,
        "of_samples": model.network.start is not None,
        "labels": labels_of(model.tokenizer),
        "engine": model.compute.engine.name,
        "checkpoint": model.checkpoint,
        "has_ended": model.has_ended,
        "max_length": MAX_LENGTH,
        "ngram_order": model.about.get(JOINED, {}).get("order", 0),  # it joins when training ends
        "settings": model.about.get("model", {}),
    }


def start_text(model: TextModel) -> str:
    """Return the text of the token that a text starts with."""
    return model.tokenizer.decode(model.tokenizer.start_ids()[-1:])


def _tokenized(shelf: Shelf, body: TokenizeBody) -> dict[str, Any]:
    model, text = shelf.load(body.model)[1], body.prompt or body.content
    tokenizer, start = model.tokenizer, model.network.start
    if text != start_text(model):  # of which a text rule may leave nothing
        text = preprocess(text, model.preprocessing)
    read = within(text) if model.of_documents else text
    ids = tokenizer.encode(read).tolist()
    if start is not None and body.add_special_tokens and body.add_special:
        ids = [start, *ids]
    found = {
        "tokens": ids, "count": len(ids), "max_model_len": MAX_LENGTH,
        "unknown": tokenizer.unknown_parts(read),
    }  # fmt: skip
    if body.return_token_strs:
        texts = token_texts(tokenizer)
        found["token_strs"] = [texts[i] for i in ids]
    return found


def _detokenized(shelf: Shelf, body: DetokenizeBody) -> dict[str, Any]:
    model = shelf.load(body.model)[1]
    check_ids("tokens", body.tokens, model.tokenizer)
    text = model.tokenizer.decode(body.tokens)
    text = shown(text) if model.of_documents else text
    return {"prompt": text, "content": text}
