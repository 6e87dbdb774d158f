"""A corpus made ready for training: text rule, splits, tokenizer, ids.

Every text takes the same way: its pieces are counted, since splits are shares of the characters;
the vocabulary is learned from them; and they are tokenized. A short text is a single piece in
memory. A long one is read from its files each time: for its checksum, by which ids that were made
before are found, and otherwise three times more, to write the ids to a file that is mapped.
"""

import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import regex
import tokenizers

from rnnlab.config import DataSettings
from rnnlab.data import token_cache
from rnnlab.data.batches import (
    BATCH_KINDS,
    Batches,
    DocumentBatches,
    SampleBatches,
    without,
)
from rnnlab.data.canaries import Canaries, with_canaries
from rnnlab.data.copies import Copies, find_copies
from rnnlab.data.corpus import open_corpora
from rnnlab.data.labelled_tokenizer import inner_kind
from rnnlab.data.named_corpora import cache_folder
from rnnlab.data.prepared_samples import PreparedSamples
from rnnlab.data.prepared_text import About, PreparedText, too_short
from rnnlab.data.samples import SampleCounts, start_of_samples
from rnnlab.data.splits import SPLITS, Split
from rnnlab.data.streaming_limits import (
    STREAMING_LIMITS,
    ProgressCallback,
    StreamingLimits,
    no_progress,
)
from rnnlab.data.texts import Source
from rnnlab.data.token_cache import TokenWriter
from rnnlab.data.tokenizer import Tokenizer, tokenizer_from_json
from rnnlab.errors import UsageError

Prepared = PreparedText | PreparedSamples

SIDE_BY_SIDE = "windows:256"

FORMAT = 5
"""Must be raised by one whenever the same settings lead to other ids than before."""


@dataclass(frozen=True)
class Dataset:
    """The three parts of a text, and the tokenizer learned from the first."""

    corpus: Source
    splits: dict[str, Split]
    """By name; a part of fewer than two tokens predicts nothing and is left out."""
    tokenizer: Tokenizer
    resets_state: bool = False
    """Whether the state starts at zero in each document."""
    samples: SampleCounts | None = None
    """If the text consists of samples."""
    unit: str = "text"
    """See `DataSettings`."""
    own_names: dict[str, str] = field(default_factory=dict)
    """Names of the texts that are splits as they are, by split."""
    canaries: Canaries | None = None
    """What was put into the training split, if anything."""

    @property
    def start(self) -> int | None:
        """The id with which each sample begins, if the text consists of samples."""
        return None if self.samples is None else start_of_samples(self.tokenizer)

    @property
    def held_out(self) -> list[str]:
        """The splits that training never sees."""
        return [name for name in SPLITS[1:] if name in self.splits]

    def read_as(self, context: str) -> str:
        """Return the context rule whose cost an evaluation under a rule has.

        Samples are read side by side, as windows are.
        """
        return context if self.samples is None else SIDE_BY_SIDE

    def state_resets(self, split: str) -> tuple[int, ...]:
        """Return the tokens of a split before which the state is reset, after the first.

        It is reset where a fold was cut out, too: what is before and after that is far apart.
        """
        part = self.splits[split]
        return part.documents if self.resets_state else part.seams

    @cached_property
    def copies(self) -> dict[str, Copies]:
        """How much of each held-out split stands in the training text.

        Of long texts only parts are compared: what is evaluated, and `Split.end`. Samples are not
        compared: none is in two splits, and parts of them may well be alike.
        """
        if self.samples is not None:
            return {}
        train = self.splits["train"].end
        return {name: find_copies(self.splits[name].text, train) for name in self.held_out}

    def batches(self, settings: DataSettings, left_out: Sequence[slice] = ()) -> Batches:
        """The training split as batches; raises CorpusError if it is too short for one.

        left_out: its parts that are not trained on, in order.
        """
        ids = without(self.splits["train"].all_ids, left_out)
        if self.start is not None:
            return SampleBatches(ids, settings.batch_size, settings.num_steps, self.start)
        resets = self.state_resets("train")
        if self.resets_state or (resets and settings.batching == "sequential"):
            starts = [0, *resets]
            moved = {
                at - sum(max(0, min(part.stop, at) - part.start) for part in left_out)
                for at in starts
            }
            documents = tuple(sorted(moved))
            return DocumentBatches(ids, settings.batch_size, settings.num_steps, documents)
        return BATCH_KINDS[settings.batching](ids, settings.batch_size, settings.num_steps)


@dataclass(frozen=True)
class _Tokenized:
    """The ids of all splits, one split after the other, and what else is kept of the text."""

    ids: npt.NDArray[Any]  # (N,)
    tokenizer: Tokenizer
    about: About


def load_dataset(
    settings: DataSettings,
    tokenizer: Tokenizer | None = None,
    limits: StreamingLimits = STREAMING_LIMITS,
    watch: ProgressCallback = no_progress,
) -> Dataset:
    """Read, preprocess, split and tokenize the text that `settings` name.

    tokenizer: used instead of training one. watch: called while a long text is read, which may take
    minutes. Raises as `open_corpora` does, and CorpusError if the training split is too short or
    the ids of a long text cannot be written to the cache; UsageError for canaries in other than a
    running text in memory.
    """
    corpus = open_corpora(settings, limits)
    kind = inner_kind(tokenizer) if tokenizer else None
    prepared = PreparedSamples if settings.of_samples else PreparedText
    text = prepared(corpus, settings, watch, kind)
    if settings.canaries and (corpus.is_long or settings.of_samples):
        why = "is too large for that" if corpus.is_long else "consists of samples"
        raise UsageError(f"canaries need a running text that is read into memory; this one {why}")
    if corpus.is_long:
        tokenized = _tokenized_in_cache(text, settings, tokenizer, limits)
    else:
        tokenized = _tokenized_in_memory(text, tokenizer)
    splits, start = {}, 0
    for name, about in tokenized.about["splits"].items():
        ids = tokenized.ids[start : start + about["tokens"]]
        splits[name] = _split(ids, about, tokenized.tokenizer)
        start += about["tokens"]
    kept = {name: part for name, part in splits.items() if len(part.all_ids) > 1}
    if "train" not in kept:
        raise too_short(splits["train"].characters)
    canaries = None
    if settings.canaries:
        put_into = kept["train"], tokenized.tokenizer, settings.canaries
        kept["train"], canaries = with_canaries(*put_into)
    resets, samples = settings.document_state == "reset", tokenized.about.get("samples")
    counts = SampleCounts(**samples) if samples else None
    own = {name: each.source.name for name, each in corpus.own.items()}
    return Dataset(
        corpus.source, kept, tokenized.tokenizer, resets, counts, settings.unit, own, canaries
    )


def _split(ids: npt.NDArray[Any], about: dict[str, Any], tokenizer: Tokenizer) -> Split:
    text, characters = about["begin"], about["characters"]
    documents = tuple(about["documents"]), about["cuts_document"], tuple(about.get("seams", ()))
    if len(text) == characters:
        ids = ids.astype(np.int64)
        return Split(text, ids, ids, characters, text, *documents)
    return Split(text, tokenizer.encode(text), ids, characters, about["end"], *documents)


def _tokenized_in_memory(text: Prepared, tokenizer: Tokenizer | None) -> _Tokenized:
    content = io.BytesIO()
    writer = TokenWriter(content, checksum=False)
    tokenizer, about = text.tokenize(tokenizer, writer)
    return _Tokenized(np.frombuffer(content.getbuffer(), writer.type), tokenizer, about)


def _tokenized_in_cache(
    text: Prepared, settings: DataSettings, tokenizer: Tokenizer | None, limits: StreamingLimits
) -> _Tokenized:
    def make(writer: TokenWriter) -> dict[str, Any]:
        used, about = text.tokenize(tokenizer, writer, limits)
        return {"tokenizer": used.to_json(), **about}

    folder = cache_folder() / "tokens"
    key = _key(text, settings, limits, None)
    if tokenizer:
        # Usually the one that was trained on this text with these settings.
        known = token_cache.find(folder, key)
        if not known or known.content["tokenizer"] != tokenizer.to_json():
            key = _key(text, settings, limits, tokenizer)
    entry = token_cache.find_or_make(folder, key, make)
    used = tokenizer or tokenizer_from_json(entry.content["tokenizer"])
    return _Tokenized(entry.ids, used, entry.content)


def _key(
    text: Prepared, settings: DataSettings, limits: StreamingLimits, tokenizer: Tokenizer | None
) -> str:
    """A hash of everything that the ids, and what is stored along with them, depend on."""
    ignored = {
        "corpus", "validation_corpus", "test_corpus", "data_dir", "batching", "batch_size",
        "num_steps", "document_state", "canaries",
    }  # fmt: skip
    if not settings.fold:  # an earlier version, which had none, named its files without it
        ignored |= {"fold"}
    if settings.tokenizer != "bpe":
        ignored |= {"bpe_size"}
    if settings.tokenizer != "word":
        ignored |= {"min_frequency"}
    if settings.tokenizer not in ("char", "word"):
        ignored |= {"max_vocabulary"}
    return token_cache.key_of(
        {
            "format": FORMAT,
            "corpus": text.corpus.source.sha256,
            "data": settings.model_dump(mode="json", exclude=ignored),
            "tokenizer": tokenizer and tokenizer.to_json(),
            "characters": [limits.evaluated_characters, limits.end_characters],
            "versions": [unicodedata.unidata_version, tokenizers.__version__, regex.__version__],
        }
    )
