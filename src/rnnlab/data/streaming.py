"""A text too long for memory made ready: read in pieces, its ids written to a file that is mapped.

The same ids, vocabulary and splits as in memory, for more reads. The file is read

1. for its checksum, by which the ids are found if they were made before: that is all then;
2. to check that all of it is text, and to count its characters, of which splits are shares;
3. for the vocabulary, as far as it is learned from (not for bytes, nor with a given tokenizer);
4. to write the ids.

A limit of tokens adds a read as far as it reaches.
"""

import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import tokenizers

from rnnlab.config import DataSettings
from rnnlab.data import corpus as corpora
from rnnlab.data import token_cache
from rnnlab.data.long_text import LongText, file_bytes, open_long_text
from rnnlab.data.preprocessing import preprocess, preprocess_pieces
from rnnlab.data.splits import Split, Whole, nothing_left, split_sizes, too_short
from rnnlab.data.text_pieces import Reel
from rnnlab.data.token_file import TokenWriter
from rnnlab.data.tokenizer import (
    Tokenizer,
    cut_pieces,
    tokenizer_from_json,
    train_usable_tokenizer,
)

FORMAT = 2
"""To be raised by one whenever the same settings come to give other ids."""


@dataclass(frozen=True)
class Streaming:
    """When and how a text is streamed."""

    from_bytes: int = 2**25
    """Files of at least so many bytes are. In memory `char` takes some 650 MB for a text of this
    size, most of it while it is tokenized."""
    chunk_bytes: int = 2**16
    """What is read at once. The numbers made of it stay in the processor's cache: with 1 MiB text
    that is not ASCII takes four times as long."""
    evaluated_characters: int = 100_000
    """Of a longer held-out split the beginning is evaluated, since a budget of seconds holds the
    evaluations too. As much as the last tenth of tinyshakespeare."""
    end_characters: int = 4_000_000
    """How much of the end of the training split is kept for simple methods to learn from."""


STREAMING = Streaming()

ProgressCallback = Callable[[str, float], None]
"""Told what a long text is being read for, and what share of it is read."""


def no_progress(purpose: str, share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class _Text:
    """What ids are made of: a long text under the text rule, up to the limit."""

    text: LongText
    settings: DataSettings
    watch: ProgressCallback

    def whole(self, purpose: str) -> Iterator[str]:
        pieces = self.text.pieces(partial(self.watch, purpose))
        return preprocess_pieces(pieces, self.settings.preprocessing)

    def kept(self, purpose: str) -> Iterator[str]:
        limit = self.settings.corpus_limit
        whole = self.whole(purpose)
        return cut_pieces(whole, self.settings.tokenizer, limit) if limit else whole

    def sizes(self) -> dict[str, int]:
        """The characters of each split; reads all of it."""
        purpose = "counting characters"
        characters = sum(map(len, self.whole(purpose)))
        if not characters:
            raise nothing_left(self.text.source.name, self.settings.preprocessing)
        if self.settings.corpus_limit:
            characters = sum(map(len, self.kept(purpose)))
        return split_sizes(characters, self.settings.split)

    def train_tokenizer(self, sizes: dict[str, int]) -> Tokenizer:
        of_whole, purpose = self.settings.vocabulary == "text", "learning the vocabulary"
        source = self.whole(purpose) if of_whole else Reel(self.kept(purpose)).take(sizes["train"])
        return train_usable_tokenizer(self.settings, source)


class _Ends:
    """How a text begins and ends, noted while it passes by."""

    def __init__(self, begin: int, end: int = 0) -> None:
        self._begin: list[str] = []
        self._end: deque[str] = deque()
        self._end_characters = end
        self._missing = begin
        self._kept = 0

    def passing(self, pieces: Iterable[str]) -> Iterator[str]:
        for piece in pieces:
            if self._missing:
                self._begin.append(piece[: self._missing])
                self._missing -= len(self._begin[-1])
            self._end.append(piece)
            self._kept += len(piece)
            while self._end and self._kept - len(self._end[0]) >= self._end_characters:
                self._kept -= len(self._end.popleft())
            yield piece

    def begin(self) -> str:
        return "".join(self._begin)

    def end(self) -> str:
        end = "".join(self._end)
        return end[max(0, len(end) - self._end_characters) :]


def load_streamed(
    settings: DataSettings,
    tokenizer: Tokenizer | None,
    streaming: Streaming,
    watch: ProgressCallback,
) -> tuple[corpora.Source, dict[str, Split], Tokenizer]:
    """As `load_dataset`, of a text too long for memory; splits too small to predict are left in.

    Raises CorpusError where the file of its ids cannot be written.
    """
    text = open_long_text(
        settings.corpus, settings.data_dir, settings.errors, streaming.chunk_bytes
    )
    folder = corpora.cache_folder() / "tokens"
    key = _key(settings, text, streaming, None)
    if tokenizer:
        # Mostly the one that was trained on this text with these settings.
        known = token_cache.find(folder, key)
        if not known or known.content["tokenizer"] != tokenizer.to_json():
            key = _key(settings, text, streaming, tokenizer)
    kept = _Text(text, settings, watch)
    entry = token_cache.find_or_make(
        folder, key, lambda writer: _write(kept, tokenizer, streaming, writer)
    )
    found = tokenizer or tokenizer_from_json(entry.content["tokenizer"])
    splits, start, ids = {}, 0, entry.ids
    for name, about in entry.content["splits"].items():
        stop = start + about["tokens"]
        whole = Whole(ids[start:stop], about["characters"], about["end"])
        is_all = len(about["begin"]) == about["characters"]
        begin = about["begin"]
        splits[name] = Split(begin, found.encode(begin), None if is_all else whole)
        start = stop
    return text.source, splits, found


def checksum(
    names: Sequence[str], data_dir: str, errors: str, streaming: Streaming = STREAMING
) -> str:
    """SHA-256 of a corpus as in its `Source`; raises as `corpus.load`.

    Of a text too long for memory only the bytes are read, whether it is text or not.
    """
    if file_bytes(names) < streaming.from_bytes:
        return corpora.load(names, data_dir, errors).sha256
    return open_long_text(names, data_dir, errors, streaming.chunk_bytes).source.sha256


def read_beginning(
    name: str, errors: str, rule: str, streaming: Streaming = STREAMING
) -> tuple[corpora.Source, str, int]:
    """A text under a text rule: all of it, or of a long one what is evaluated; and its length.

    Raises as `corpus.load`.
    """
    if file_bytes([name]) < streaming.from_bytes:
        corpus = corpora.load([name], errors=errors)
        text = preprocess(corpus.text, rule)
        return corpus, text, len(text)
    long = open_long_text([name], "", errors, streaming.chunk_bytes)
    ends = _Ends(streaming.evaluated_characters)
    characters = sum(map(len, ends.passing(preprocess_pieces(long.pieces(), rule))))
    return long.source, ends.begin(), characters


def _key(
    settings: DataSettings, text: LongText, streaming: Streaming, tokenizer: Tokenizer | None
) -> str:
    """Of all that the ids, and what is noted beside them, depend on."""
    ignored = {"corpus", "data_dir", "batching", "batch_size", "num_steps"}
    if settings.tokenizer != "bpe":
        ignored |= {"bpe_size"}
    if settings.tokenizer != "word":
        ignored |= {"min_frequency"}
    return token_cache.key_of(
        {
            "format": FORMAT,
            "corpus": text.source.sha256,
            "data": settings.model_dump(mode="json", exclude=ignored),
            "tokenizer": tokenizer and tokenizer.to_json(),
            "characters": [streaming.evaluated_characters, streaming.end_characters],
            "versions": [unicodedata.unidata_version, tokenizers.__version__],
        }
    )


def _write(
    text: _Text, tokenizer: Tokenizer | None, streaming: Streaming, writer: TokenWriter
) -> dict[str, Any]:
    """Write the ids of all splits, one after another; returns what they are."""
    sizes = text.sizes()
    tokenizer = tokenizer or text.train_tokenizer(sizes)
    writer.begin(tokenizer.size)
    reel, splits = Reel(text.kept("tokenizing")), {}
    for name, size in sizes.items():
        kept = streaming.end_characters if name == "train" else 0
        ends, before = _Ends(streaming.evaluated_characters, kept), writer.tokens
        for ids in tokenizer.encode_pieces(ends.passing(reel.take(size))):
            writer.write(ids)
        splits[name] = {
            "characters": size,
            "tokens": writer.tokens - before,
            "begin": ends.begin(),
            "end": ends.end(),
        }
    text.text.check_unchanged()  # what is left unread at the end may be nothing, or a part left out
    if writer.tokens == 0:  # a file of no ids cannot be mapped
        raise too_short(sizes["train"])
    return {"tokenizer": tokenizer.to_json(), "splits": splits}
