"""What is probed: a model of the shelf with a given text, or with a part of its held-out text."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from rnnlab.errors import UsageError, unknown
from rnnlab.lm.model_folder import WEIGHTS
from rnnlab.lm.text_model import TextModel
from rnnlab.probes.reading import Reading
from rnnlab.probes.subject import Subject, held_out_texts, seed_of
from rnnlab.web.faults import Refused
from rnnlab.web.probe_bodies import ReadBody
from rnnlab.web.shelf import Shelf, Stamp, stamp_of

MOST_TOKENS = 20_000
"""Tokens of a text."""

MOST_CHARACTERS = 1_000_000
"""Of each held-out split, from its beginning."""

MOST_MODELS = 8
"""Whose held-out texts are kept."""


@dataclass(frozen=True)
class Probed:
    """A model and a text, and where the text is from."""

    subject: Subject
    stamp: Stamp | None
    """Of its weights."""
    split: str = ""
    """Which the text is a part of; "": none."""
    offset: int = 0
    """The character of the split at which it begins."""

    @property
    def reading(self) -> Reading:
        """Return the text as the model reads it."""
        return self.subject.reading


class ProbedTexts:
    """Finds models and texts, and keeps the held-out texts of some models."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._kept: OrderedDict[tuple[str, Stamp | None], dict[str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def load(self, name: str) -> tuple[str, TextModel, Stamp | None]:
        """Return the whole name of a model, the model, and the stamp of its weights.

        Raises as `Shelf.load`.
        """
        found, model = self._shelf.load(name)
        folder = found.model_folder()
        return found.name, model, stamp_of(folder / WEIGHTS) if folder else None

    def held_out(self, name: str) -> dict[str, str]:
        """Return the beginnings of a model's held-out texts by split, as the model reads them.

        Raises as `load`, and as `held_out_texts`.
        """
        whole, model, stamp = self.load(name)
        with self._lock:
            if texts := self._kept.get((whole, stamp)):
                self._kept.move_to_end((whole, stamp))
                return texts
        found = held_out_texts(model)
        texts = {split: text[:MOST_CHARACTERS] for split, text in found.items()}
        with self._lock:
            self._kept[whole, stamp] = texts
            while len(self._kept) > MOST_MODELS:
                self._kept.popitem(last=False)
        return texts

    def find(self, body: ReadBody, most_tokens: int = MOST_TOKENS) -> Probed:
        """Let a model read the text that a request names.

        Raises UsageError for a split or an offset that does not exist, Refused for a text with more
        than `most_tokens`, and as `load` and `Reading.of`.
        """
        body.check()
        name, model, stamp = self.load(body.model)
        seed = seed_of(self._shelf.find(name).path)
        if body.text:
            reading = Reading.of(model, body.text)
            found = Probed(Subject(name, "the given text", reading, seed), stamp)
        else:
            split, text = self.part(body)
            reading = Reading.of(model, text, is_prepared=True)
            found = Probed(
                Subject(name, f"the {split} split", reading, seed), stamp, split, body.offset
            )
        if len(found.reading) > most_tokens:
            raise Refused(
                413, "too_large", f"a text of {len(found.reading):,} tokens is too long; it may "
                f"have {most_tokens:,}",
            )  # fmt: skip
        return found

    def part(self, body: ReadBody) -> tuple[str, str]:
        """Return the name of a split, and the part of its text that a request names."""
        split, text = self.whole(body.model, body.split)
        if body.offset >= len(text):
            raise UsageError(
                f"offset must be 0 to {len(text) - 1}, a character of the {split} split, not "
                f"{body.offset}"
            )
        return split, text[body.offset : body.offset + body.characters]

    def whole(self, name: str, split: str) -> tuple[str, str]:
        """Return the name of a split and its text; "": the last one that is held out."""
        texts = self.held_out(name)
        if not texts:
            raise UsageError("the model has no held-out text; give a text to read")
        split = split or list(texts)[-1]
        if split not in texts:
            raise unknown("split", split, texts)
        return split, texts[split]
