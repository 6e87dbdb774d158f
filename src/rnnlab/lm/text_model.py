"""A language model with all that stands between it and text: rule, tokenizer, engine."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
from torch import Tensor

from rnnlab.config import ComputeSettings, DataSettings, GenerationSettings
from rnnlab.data.preprocessing import preprocess
from rnnlab.data.tokenizer import Ids, Tokenizer
from rnnlab.errors import CorpusError
from rnnlab.lm import checkpoint
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import ShareCallback, total_nats, unwatched
from rnnlab.lm.generate import beam_search, generate_ids
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.sampling import not_finite
from rnnlab.lm.tensor_file import MODEL_CONFIG


@dataclass
class Score:
    """How likely a text is under a model."""

    nats: float
    tokens: int
    characters: int
    unknown_tokens: int

    @property
    def bits_per_character(self) -> float:
        """Nats as bits, over the characters that the tokens stand for."""
        return self.nats / math.log(2) / self.characters


@dataclass
class TextModel:
    """What `rnnlab.load` returns."""

    model: LanguageModel
    tokenizer: Tokenizer
    preprocessing: str
    compute: Compute
    about: dict[str, Any] = field(default_factory=dict)
    """All of config.json: the model's settings, and the data it was trained on."""
    checkpoint: str = ""
    """Which weights of a run these are, best or last; "" of a model folder."""

    @classmethod
    def load(
        cls, path: str | Path, which: str = "best", machine: ComputeSettings | None = None
    ) -> "TextModel":
        """Read a model folder or a run directory; `which` is best or last, see `find_model`.

        Raises UsageError where there is none, ModelFolderError where it is damaged,
        UnavailableError where this machine lacks the engine, device or precision asked for.
        """
        machine = machine or ComputeSettings()
        folder, found = checkpoint.find_model(Path(path), which)
        model, tokenizer, about = checkpoint.load_model(folder)
        compute = Compute.choose(machine, model.settings.cell)
        rule = checkpoint.settings_in(
            about, "data", DataSettings, folder / MODEL_CONFIG
        ).preprocessing
        return cls(model.to(compute.device), tokenizer, rule, compute, about, found)

    def save(self, folder: str | Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write a model folder, which `load` reads; with other `weights`, if they are given."""
        checkpoint.save_model(Path(folder), self.model, self.tokenizer, self.about, weights)

    def checkpoint_notices(self, asked: str) -> list[str]:
        """Return a notice if the weights are not from the checkpoint asked for."""
        if self.checkpoint in ("", asked):
            return []
        return [f"the run has no checkpoint/{asked}; its {self.checkpoint} weights are used"]

    @overload
    def generate(self, prefix: str = "", **settings: Any) -> str: ...

    @overload
    def generate(self, prefix: list[str] | tuple[str, ...], **settings: Any) -> list[str]: ...

    def generate(
        self, prefix: str | list[str] | tuple[str, ...] = "", **settings: Any
    ) -> str | list[str]:
        """Continue one prefix, or several as one batch; returns a text or a list of texts.

        settings: see `GenerationSettings`. The text returned begins with the prefix as read.
        """
        checked = GenerationSettings.from_dict(settings)
        prefixes = [prefix] if isinstance(prefix, str) else list(prefix)
        texts = [self.read_prefix(each)[0] for each in prefixes]
        for pieces in self.stream(prefixes, checked):
            texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
        return texts[0] if isinstance(prefix, str) else texts

    def stream(self, prefixes: Sequence[str], settings: GenerationSettings) -> Iterator[list[str]]:
        """Yield what each prefix goes on with, piece by piece as it is written."""
        ids = [self.read_prefix(prefix)[1] for prefix in prefixes]
        unknown = self.tokenizer.unknown_id
        how = (settings, unknown)
        if settings.beam_width:
            yield [
                self.tokenizer.decode(beam_search(self.model, self.compute, each, *how))
                for each in ids
            ]
            return
        decoders = [self.tokenizer.stream() for _ in ids]
        for written in generate_ids(self.model, self.compute, ids, *how):
            yield [
                "" if token is None else decode(token)
                for token, decode in zip(written, decoders, strict=True)
            ]

    def read_prefix(self, prefix: str) -> tuple[str, Ids, list[str]]:
        """Return the prefix under the text rule, its ids, and notices for people.

        An empty prefix is read as a line break (or what the tokenizer has nearest to it); what the
        vocabulary lacks is read as <unk>.
        """
        text, notices = preprocess(prefix, self.preprocessing), []
        if not text:
            start = self.tokenizer.start_ids()
            shown = self.tokenizer.decode(start)
            if prefix:
                notices.append(f"prefix {prefix!r}: {self.preprocessing!r} leaves nothing of it")
            notices.append(f"empty prefix: the model starts after {shown!r}")
            return "", start, notices
        if missing := self.tokenizer.unknown_parts(text):
            names = ", ".join(repr(part) for part in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            notices.append(f"prefix {text!r}: {names}{more} not in the vocabulary, read as <unk>")
        return text, self.tokenizer.encode(text), notices

    def score(
        self, text: str, context: str = "carried", progress: ShareCallback = unwatched
    ) -> Score:
        """Measure -ln p of a text that is already under the text rule; see `lm.evaluate`.

        Raises CorpusError where it holds less than two tokens, DivergenceError where the model
        gives NaN for it.
        """
        ids = self.tokenizer.encode(text)
        if len(ids) < 2:
            raise CorpusError(f"a text of {len(ids)} tokens has nothing to predict; it needs 2")
        nats = total_nats(self.model, self.compute, ids, context, progress)
        if math.isnan(nats):
            raise not_finite()
        unknown = int(np.count_nonzero(ids[1:] == self.tokenizer.unknown_id))
        return Score(nats, len(ids) - 1, scored_characters(self.tokenizer, text), unknown)

    def __repr__(self) -> str:
        """Tokenizer, engine, layers."""
        return f"{self.tokenizer!r}, engine {self.compute.engine.name}\n{self.model!r}"


def scored_characters(tokenizer: Tokenizer, text: str) -> int:
    """Number of characters after the first token, which is given and not predicted."""
    return max(1, len(text) - tokenizer.first_length(text))
