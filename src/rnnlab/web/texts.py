"""The texts of the lab: those that were stored, those of a given folder, and the named corpora.

A text is asked for by its id, which is only ever looked up among those that were found. Links are
not followed.

    stored/NAME          RUNS/texts/NAME.txt
    folder/PATH          a file below the folder that `rnnlab serve --texts` names
    corpus/NAME          a named corpus, see `rnnlab corpora`
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BeforeValidator, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from rnnlab.config import SettingsGroup
from rnnlab.data.decoding import decoded
from rnnlab.data.named_corpora import NAMED, PYTHON_REFERENCE, python_reference
from rnnlab.errors import UsageError, is_unicode, suggest
from rnnlab.files import make_folder, write_atomically
from rnnlab.web.bodies import described, read_body
from rnnlab.web.faults import Answer, Refused, UnknownTextError
from rnnlab.web.openapi import COUNT, TEXT, TRUTH, answers, list_of, record

FOLDER, ENDING = "texts", ".txt"

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
"""Names of texts and runs."""

MOST_FILES = 1_000
"""Files of the given folder that are listed."""

DEEPEST = 5
"""Folders are looked into so many levels below the given one."""

ENTRY = record(id=TEXT, name=TEXT, kind=TEXT, title=TEXT, bytes=COUNT, here=TRUTH)


@dataclass(frozen=True)
class LabText:
    """A text to train on."""

    id: str
    name: str
    kind: str
    """stored, folder or corpus."""
    bytes: int
    corpus: str
    """As `rnnlab train --corpus` takes it."""
    title: str = ""
    here: bool = True
    """False: it is downloaded first."""

    def told(self) -> dict[str, Any]:
        """Return what is told of it."""
        return {name: getattr(self, name) for name in ENTRY["properties"]}


def check_name(name: str, what: str) -> str:
    """Return a name that is safe as that of a file; raises UsageError for any other one."""
    if not NAME.fullmatch(name):
        shown = name if len(name) <= 64 else f"{name[:61]}..."
        raise UsageError(
            f"name: that of a {what} has 1 to 64 of A-Z a-z 0-9 . _ - and begins and ends with a "
            f"letter or digit, not {shown!r}"
        )
    return name


class Texts:
    """Finds texts, and stores new ones."""

    def __init__(self, runs: Path | None, folder: Path | None = None) -> None:
        """Take the folder of runs, without links, and the one of `--texts`.

        Raises UsageError if the latter is not a folder.
        """
        if folder and not folder.is_dir():
            what = "is not a folder" if folder.exists() else "does not exist"
            raise UsageError(f"--texts {str(folder)!r} {what}; give a folder of text files")
        self._stored = runs / FOLDER if runs else None
        self._folder = folder.resolve() if folder else None
        self._lock = threading.Lock()

    def found(self) -> dict[str, LabText]:
        """Return all texts that there are now, by id."""
        every = (*self._of_store(), *self._of_folder(), *_corpora())
        return {text.id: text for text in every}

    def find(self, id: str) -> LabText:
        """Return the text of an id; raises UnknownTextError."""
        found = self.found()
        if id not in found:
            shown = id if len(id) <= 200 else f"{id[:197]}..."
            raise UnknownTextError(
                f"unknown text {shown!r}{suggest(shown, found)} (GET /api/v1/texts lists all; "
                "links are not followed)"
            )
        return found[id]

    def store(self, name: str, text: str) -> tuple[LabText, bool]:
        """Store a text; return it, and whether it is new.

        Raises UsageError for a name that is not safe, CorpusError for a text that `rnnlab train`
        would refuse, Refused if another text has the name.
        """
        folder = self._stored
        if folder is None:
            raise Refused(409, "no_folder", NO_FOLDER)
        content = text.encode()
        file = folder / f"{check_name(name, 'text')}{ENDING}"
        for _ in decoded([content], f"text {name}", "strict"):
            pass
        with self._lock:
            if folder.is_symlink() or file.is_symlink():
                raise Refused(
                    409, "is_link", f"{FOLDER} or {file.name} is a link to somewhere else"
                )
            is_new = not file.exists()
            if not is_new and (not file.is_file() or file.read_bytes() != content):
                raise Refused(
                    409, "name_taken", f"another text is stored as {name!r}; give this one another "
                    "name"
                )  # fmt: skip
            if is_new:
                try:
                    make_folder(folder)
                    write_atomically(file, content)
                except OSError as error:
                    raise Refused(
                        507, "not_stored", f"the text cannot be stored: {error.strerror}"
                    ) from None
        return _stored_text(name, file, len(content)), is_new

    def _of_store(self) -> Iterator[LabText]:
        if self._stored is None or self._stored.is_symlink():
            return
        with suppress(OSError), os.scandir(self._stored) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                name = entry.name.removesuffix(ENDING)
                is_text = name != entry.name and NAME.fullmatch(name)
                if is_text and entry.is_file(follow_symlinks=False):
                    yield _stored_text(name, Path(entry.path), entry.stat().st_size)

    def _of_folder(self) -> Iterator[LabText]:
        if self._folder is None:
            return
        for count, (path, size) in enumerate(_files(self._folder, "", DEEPEST)):
            if count == MOST_FILES:
                return
            yield LabText(f"folder/{path}", path, "folder", size, str(self._folder / path))


NO_FOLDER = (
    "rnnlab serve was given single runs or models only; give it a folder of runs to start runs"
)


def _stored_text(name: str, file: Path, size: int) -> LabText:
    return LabText(f"stored/{name}", name, "stored", size, str(file))


def _files(folder: Path, before: str, depth: int) -> Iterator[tuple[str, int]]:
    """Yield the path and the size of each file that is not hidden, empty or a link."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda one: one.name)
    except OSError:
        return
    for entry in found:
        if entry.name.startswith(".") or entry.is_symlink() or not is_unicode(entry.name):
            continue
        path = f"{before}{entry.name}"
        if entry.is_dir():
            if depth > 1:
                yield from _files(folder / entry.name, f"{path}/", depth - 1)
        elif entry.is_file() and (size := entry.stat().st_size):
            yield path, size


def _corpora() -> Iterator[LabText]:
    for own in NAMED.values():
        file = own.find()
        size = file.stat().st_size if file else own.size_bytes
        yield LabText(
            f"corpus/{own.name}", own.name, "corpus", size, own.name, own.title, here=bool(file)
        )
    title, size = _reference()
    yield LabText(
        f"corpus/{PYTHON_REFERENCE}", PYTHON_REFERENCE, "corpus", size, PYTHON_REFERENCE, title
    )


@cache
def _reference() -> tuple[str, int]:
    text = python_reference()
    return text.origin, len(text.text.encode())


def _is_whole(value: Any) -> Any:
    if isinstance(value, str) and not is_unicode(value):
        raise ValueError("has half of a surrogate pair, which is not text")
    return value


class TextBody(SettingsGroup):
    """`POST /api/v1/texts`."""

    name: str = Field(description="letters, digits and . _ -, 64 at most")
    text: Annotated[str, BeforeValidator(_is_whole)] = Field(description="what to train on")


def text_routes(texts: Texts, read_only: str) -> APIRouter:
    """Return the routes; read_only: why nothing is stored, or ""."""
    router = APIRouter(prefix="/api/v1", tags=["start a run"])

    @router.get("/texts", responses=answers(record(texts=list_of(ENTRY))))
    def list_texts() -> Response:
        """List all texts that a run can be started with; `here`: it needs no download."""
        return Answer({"texts": [text.told() for text in texts.found().values()]})

    @router.post(
        "/texts", openapi_extra=described(TextBody),
        responses={**answers(ENTRY), 201: answers(ENTRY)[200]},
    )  # fmt: skip
    async def store_text(request: Request) -> Response:
        """Store a text under a name; 200: it was stored before."""
        if read_only:
            raise Refused(403, "read_only", read_only)
        body = await read_body(request, TextBody)
        text, is_new = await run_in_threadpool(texts.store, body.name, body.text)
        return Answer(text.told(), 201 if is_new else 200)

    return router
