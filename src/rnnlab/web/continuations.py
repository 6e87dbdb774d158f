"""What a model writes after prompts, and how likely it finds every token of both.

The text of a prompt is read as `rnnlab generate` reads a prefix: under the model's text rule, from
a state of zeros, an empty one as the token that a text starts with. Ids are read as they are.

    l_t = ln p(x_t | x_1 .. x_(t-1))        before temperature and all other choices

Legend: B texts next to each other, N tokens of a prompt and its continuation, V vocabulary size.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rnnlab.config import GenerationSettings
from rnnlab.data.samples import SEPARATOR, shown, within
from rnnlab.data.tokenizer import Ids, Tokenizer
from rnnlab.errors import UsageError
from rnnlab.lm.evaluate import Floats
from rnnlab.lm.generate import generate_ids
from rnnlab.lm.reading import make_reader
from rnnlab.lm.sampling import log_softmax, not_finite
from rnnlab.lm.stopping import WrittenText
from rnnlab.lm.text_model import TextModel

TURN_SECONDS = 0.01
"""After so long the next piece of text is handed over."""

MAX_CELLS, MAX_STEPS = 500_000, 256
"""Probabilities that are computed at a time, and tokens of each text."""


class Entry(NamedTuple):
    """A token and how likely it was."""

    token: str
    log_p: float | None
    """None: nothing predicts the first token."""
    likeliest: dict[str, float] | None
    """The likeliest tokens, and this one; None as above."""
    offset: int
    """Where its text begins, in characters."""


class Piece(NamedTuple):
    """What is new of one text."""

    row: int
    text: str
    entries: list[Entry]
    finish: str | None = None
    """Why it has ended: "stop" before a stop text, "length" after all tokens asked for."""
    tokens: int = 0
    """How many tokens were written in all, if it has ended."""


@dataclass(frozen=True)
class Prompt:
    """A prompt as a model reads it."""

    text: str
    ids: Ids  # (N,)
    begins: list[int]  # (N,) the character of the text at which each token begins
    notices: list[str] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    """Parts that are not in the vocabulary, and how often they occur: read as <unk>."""
    before: int = 0
    """How many of the ids stand before the text: a start, a label."""

    @property
    def texts(self) -> list[str]:
        """The part of the text that each token stands for."""
        ends = [*self.begins[1:], len(self.text)]
        return [self.text[a:b] for a, b in zip(self.begins, ends, strict=True)]

    @classmethod
    def read(cls, model: TextModel, prompt: str | Sequence[int], label: str = "") -> Prompt:
        """Read a text or ids; raises UsageError for ids that the model does not have."""
        if not isinstance(prompt, str):
            return cls._of_ids(model, prompt)
        text, ids, notices = model.read_prefix(prompt, label)
        read, tokenizer = within(text) if model.of_documents else text, model.tokenizer
        ends = tokenizer.ends(read).tolist() if read else []
        before = len(ids) - len(ends)
        begins = [0] * before + [0, *ends[:-1]][: len(ends)]
        return cls(text, ids, begins, notices, dict(tokenizer.unknown_parts(read)), before)

    @classmethod
    def _of_ids(cls, model: TextModel, prompt: Sequence[int]) -> Prompt:
        if not prompt:
            raise UsageError("prompt: a list of ids must have at least one")
        check_ids("prompt", prompt, model.tokenizer)
        stream, texts, begins, length = model.tokenizer.stream(), list[str](), list[int](), 0
        for token in prompt:
            begins.append(length)
            texts.append(stream(token))
            length += len(texts[-1])
        text = "".join(texts)
        return cls(shown(text) if model.of_documents else text, np.array(prompt), begins)


def check_ids(name: str, ids: Iterable[int], tokenizer: Tokenizer) -> None:
    """Raise UsageError if an id is that of no token; name: of what has the ids."""
    last = tokenizer.size - 1
    for token in ids:
        if not 0 <= token <= last:
            raise UsageError(f"{name}: token ids are 0 to {last}, not {token}")


def token_texts(tokenizer: Tokenizer) -> list[str]:
    """Return a text for each token, all different: bytes that are not characters as `bytes:\\xe2`.

    What stands for no part of a text, such as <unk>, is spelled as it is decoded.
    """
    spelled: Sequence[str | bytes] = tokenizer.spelled()
    return [
        (_characters(own) if isinstance(own, bytes) else own) or tokenizer.decode([token])
        for token, own in enumerate(spelled)
    ]


def _characters(own: bytes) -> str:
    try:
        return own.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in own)


@dataclass(frozen=True)
class Wanted:
    """What is asked of a continuation."""

    settings: GenerationSettings | None
    """None: nothing is written."""
    echo: bool = False
    """Whether the prompts are handed over, too."""
    likeliest: int | None = None
    """Log probabilities of the tokens and of so many of the likeliest ones; None: of none."""
    bias: dict[int, float] = field(default_factory=dict)
    """What is added to the logits of some tokens."""


class Continuation:
    """B prompts that are continued as one batch."""

    def __init__(self, model: TextModel, prompts: Sequence[Prompt], wanted: Wanted) -> None:
        self.model, self.prompts, self.wanted = model, prompts, wanted
        self.length = wanted.settings.length if wanted.settings else 0
        self.stops = _stops(model, wanted.settings) if wanted.settings else ()
        longest = max(len(prompt.ids) for prompt in prompts)
        self.page = np.zeros((longest + self.length, len(prompts)), np.int64)  # (N, B)
        for row, prompt in enumerate(prompts):
            self.page[: len(prompt.ids), row] = prompt.ids
        self.rows = [_Row(model, prompt, self.stops, wanted.echo) for prompt in prompts]
        self.filled = min(len(prompt.ids) for prompt in prompts)
        """How many rows of the page are known."""
        self.scores = None if wanted.likeliest is None else _Scores(self, wanted.likeliest)

    def pieces(self) -> Generator[list[Piece], None, None]:
        """Yield what is new, in steps of some milliseconds.

        Raises DivergenceError if the model's output is NaN or infinite.
        """
        began, is_first = time.perf_counter(), True
        for _ in self._steps():
            if is_first or time.perf_counter() - began > TURN_SECONDS:
                yield from self._new()
                began, is_first = time.perf_counter(), False
        for row in self.rows:
            row.end()
        if not self.wanted.settings:
            self.filled = len(self.page)
        yield from self._new()

    def _steps(self) -> Iterator[None]:
        if self.wanted.settings is None:
            return
        model = self.model
        steps = generate_ids(
            model.network, model.compute, [prompt.ids for prompt in self.prompts],
            self.wanted.settings, model.tokenizer.unknown_id, model.mixture,
            bias=self.wanted.bias,
        )  # fmt: skip
        for step in steps:
            for row, token in enumerate(step):
                if token is not None:
                    self.page[self.filled, row] = token
                    self.rows[row].add(token)
            self.filled += 1
            yield
            if all(row.has_ended for row in self.rows):
                return

    def _new(self) -> Iterator[list[Piece]]:
        """Yield what is new, in several parts if there is much to score."""
        if self.scores:
            for _ in self.scores.up_to(self.filled):
                yield self._handed_over(is_all=False)
        if found := self._handed_over(is_all=True):
            yield found

    def _handed_over(self, *, is_all: bool) -> list[Piece]:
        found = (row.handed_over(number, is_all=is_all) for number, row in enumerate(self.rows))
        return [piece for piece in found if piece]


class _Row:
    """One of the texts."""

    def __init__(self, model: TextModel, prompt: Prompt, stops: Sequence[str], echo: bool) -> None:
        self.prompt, self.echo = prompt, echo
        self.written = WrittenText(model.tokenizer, stops)
        self.begins = list(prompt.begins)
        """The character at which each token begins, those of the prompt first."""
        self._decode, self._shows = model.tokenizer.stream(), model.of_documents
        self._new = prompt.text if echo else ""
        self._told = 0
        """Characters that were handed over."""
        self._length = len(self._new)
        self._entries = deque[Entry]()
        self._finish: str | None = None
        self._has_told_finish = False

    @property
    def has_ended(self) -> bool:
        return self.written.has_stopped

    @property
    def tokens(self) -> int:
        """How many tokens of the page are of this text."""
        return len(self.prompt.ids) + self.written.tokens

    def add(self, token: int) -> None:
        """Take in one more token."""
        if self.has_ended:
            return
        self.begins.append(self._length)
        self._length += len(self._decode(token))
        self._take(self.written.piece(token))
        if self.has_ended:
            self._finish = "stop"

    def end(self) -> None:
        """Nothing more comes."""
        if not self.has_ended:
            self._take(self.written.rest())
            self._finish = "length"

    def score(self, entry: Entry) -> None:
        """Take in how likely the next token was."""
        self._entries.append(entry)

    def handed_over(self, number: int, *, is_all: bool) -> Piece | None:
        """Return what is new; is_all: whether all tokens so far are scored, so that it may end.

        Entries come with the text of their tokens, those of a stop text never.
        """
        text, self._new = self._new, ""
        self._told += len(text)
        entries = []
        while self._entries and (self._finish == "length" or self._entries[0].offset < self._told):
            entries.append(self._entries.popleft())
        finish = self._finish if is_all and not self._has_told_finish else None
        if not (text or entries or finish):
            return None
        self._has_told_finish |= finish is not None
        return Piece(number, text, entries, finish, self.written.tokens)

    def _take(self, text: str) -> None:
        self._new += shown(text) if self._shows else text


class _Scores:
    """Reads the page of a continuation, and says how likely each token was."""

    def __init__(self, of: Continuation, likeliest: int) -> None:
        model, self.of = of.model, of
        self.likeliest = min(likeliest, model.tokenizer.size)
        self.texts = token_texts(model.tokenizer)
        with model.compute.using_threads():
            self.reader = make_reader(
                model.network, model.compute, len(of.rows), MAX_STEPS, model.mixture
            )
        self.read = 0
        """How many rows of the page were read."""
        if of.wanted.echo:
            for row in of.rows:
                row.score(Entry(self.texts[row.prompt.ids[0]], None, None, 0))

    def up_to(self, filled: int) -> Iterator[None]:
        """Score the tokens in the first rows of the page, some at a time."""
        B, V = len(self.of.rows), len(self.texts)
        size = max(1, min(MAX_STEPS, MAX_CELLS // (B * V)))
        while self.read < filled - 1:
            chunk = slice(self.read, min(self.read + size, filled - 1))
            with self.of.model.compute.using_threads():
                logits = self.reader.predict(self.of.page[chunk])  # (T, B, V)
            log_p = log_softmax(logits)
            if np.isnan(log_p).any():
                raise not_finite()
            for number, row in enumerate(self.of.rows):
                self._score(row, number, log_p[:, number])
            self.read = chunk.stop
            yield

    def _score(self, row: _Row, number: int, log_p: Floats) -> None:
        """Score the tokens of a row after those that were read; log_p: (T, V)."""
        first = 1 if row.echo else len(row.prompt.ids)
        places = range(max(self.read + 1, first), min(self.read + 1 + len(log_p), row.tokens))
        K = self.likeliest
        best = np.argsort(-log_p, axis=1, kind="stable")[:, :K]
        for place in places:
            own, token = log_p[place - self.read - 1], int(self.of.page[place, number])
            chosen = [*best[place - self.read - 1].tolist(), token]
            likeliest = {self.texts[v]: float(own[v]) for v in chosen}
            row.score(Entry(self.texts[token], float(own[token]), likeliest, row.begins[place]))


def _stops(model: TextModel, settings: GenerationSettings) -> tuple[str, ...]:
    """Return before which texts a continuation ends; a document ends where it ends."""
    return model.writer.stops(settings, *([SEPARATOR] if model.of_documents else []))
