"""The samples of a corpus, divided among splits.

The samples of a long corpus are read anew for each use. To give them in another order than that of
the file, they are first put into as many temporary files as let each one be sorted in memory.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import cached_property, partial
from itertools import chain, compress, islice
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from rnnlab.config import DataSettings
from rnnlab.config.folds import fold_numbers
from rnnlab.data.base_tokenizer import Ids
from rnnlab.data.corpus import Corpora, Corpus
from rnnlab.data.labelled_samples import Joined, count_labels, noting_labels, read_samples
from rnnlab.data.labelled_tokenizer import LabelledTokenizer, without_labels
from rnnlab.data.named_corpora import cache_folder
from rnnlab.data.prepared_text import About, SplitWriter
from rnnlab.data.samples import (
    SEPARATOR,
    Assignment,
    as_text,
    assign_with_own,
    sample_keys,
    start_of_samples,
)
from rnnlab.data.splits import SPLITS
from rnnlab.data.streaming_limits import ProgressCallback, StreamingLimits
from rnnlab.data.texts import Source
from rnnlab.data.token_cache import TokenWriter
from rnnlab.data.tokenizer import KINDS, Tokenizer, text_rule, train_usable_tokenizer

CHARACTERS_IN_MEMORY = 2**24
"""About how many characters are sorted at once."""
MOST_FILES = 200
PIECE_CHARACTERS = 2**16


class PreparedSamples:
    """A corpus of samples after its text rule."""

    def __init__(
        self,
        corpus: Corpora,
        settings: DataSettings,
        watch: ProgressCallback,
        kind: type[Tokenizer] | None = None,
    ) -> None:
        """Kind: see `PreparedText`."""
        self.corpus, self._settings, self._watch = corpus, settings, watch
        self._rule = text_rule(settings, kind or KINDS[settings.tokenizer])
        self._sources = [corpus.divided, *corpus.own.values()]
        self._kept = None
        if not corpus.is_long:
            self._kept = [list(samples) for samples in self._read("reading")]
        self._characters = 0
        self._labels: dict[str, int] = {}
        """How many training samples have each label; known after `assignment`."""

    @cached_property
    def assignment(self) -> Assignment:
        """Where each sample goes; reads all of the corpus.

        Raises CorpusError if there are none for training, UsageError if the splits ask for more
        than there are.
        """
        settings = self._settings
        labels: list[str] = []
        keys = []
        for samples in map(self._counted, self._groups("counting samples")):
            noted = noting_labels(samples, labels) if settings.label_column else samples
            keys.append(sample_keys(noted))
        own = dict(zip(self.corpus.own, keys[1:], strict=True))
        how = (settings.split, settings.split_order, settings.split_seed)
        found = assign_with_own(keys[0], own, *how, fold_numbers(settings.fold))
        if settings.label_column:
            in_training = found.splits == SPLITS.index("train")
            self._labels = count_labels(labels, in_training, self.corpus.source.name)
        return found

    def _read(self, purpose: str) -> Iterator[Iterator[str]]:
        """Read the samples of the corpus, and those of each held-out text."""
        limit: int | None = self._settings.corpus_limit or None
        for corpus in self._sources:
            yield islice(self._samples_in(corpus, purpose), limit)
            limit = None

    def _samples_in(self, corpus: Corpus, purpose: str) -> Iterator[str]:
        texts = corpus.documents(partial(self._watch, purpose))
        return chain.from_iterable(map(self._samples_of, corpus.parts, texts))

    def _samples_of(self, source: Source, pieces: Iterable[str]) -> Iterator[str]:
        return read_samples(source, pieces, self._settings, self._rule)

    def _counted(self, samples: Iterable[str]) -> Iterator[str]:
        for sample in samples:
            self._characters += len(sample) + 1
            yield sample

    def _groups(self, purpose: str) -> Iterator[Iterator[str]]:
        return self._read(purpose) if self._kept is None else map(iter, self._kept)

    def samples(self, purpose: str) -> Iterator[str]:
        """Read all samples; the callback is called with `purpose` meanwhile."""
        return chain.from_iterable(self._groups(purpose))

    def pieces(self, split: str, purpose: str) -> Iterator[str]:
        """Read the samples of a split in their order, as pieces of one text."""
        members = self.assignment.members(split)
        as_one_string = Joined(list(self._labels))
        if self._kept is not None:
            every = list(self.samples(purpose))
            yield as_text(as_one_string(every[i]) for i in members)
        elif len(members):
            yield SEPARATOR
            samples = map(as_one_string, self._sorted(split, members, purpose))
            for part in _parts(samples):
                yield SEPARATOR.join([*part, ""])

    def _sorted(self, split: str, members: Ids, purpose: str) -> Iterator[str]:
        """Read the samples with these numbers, in this order, from a corpus that is long."""
        is_member = self.assignment.splits == SPLITS.index(split)
        chosen = compress(self.samples(purpose), is_member)
        if self._settings.split_order == "file":
            yield from chosen
            return
        ranks = np.argsort(members)  # in the new order, of each one in the order of the corpus
        count = min(MOST_FILES, 1 + self._characters // CHARACTERS_IN_MEMORY)
        numbers = ranks * count // len(members)
        with ExitStack() as stack:
            files = [stack.enter_context(_temporary_file()) for _ in range(count)]
            for sample, number in zip(chosen, map(int, numbers), strict=True):
                files[number].write(sample + SEPARATOR)
            for number, file in enumerate(files):
                file.seek(0)
                samples = file.read().split(SEPARATOR)
                file.truncate(0)
                for i in np.argsort(ranks[numbers == number]).tolist():
                    yield samples[i]

    def _train_tokenizer(self) -> Tokenizer:
        """Learn the vocabulary from the training samples, or from all of them if so set."""
        purpose = "learning the vocabulary"
        known = SPLITS if self._settings.vocabulary == "text" else SPLITS[:1]
        pieces = chain.from_iterable(self.pieces(split, purpose) for split in known)
        if not self._labels:
            return train_usable_tokenizer(self._settings, pieces)
        inside = train_usable_tokenizer(self._settings, map(without_labels, pieces))
        return LabelledTokenizer(inside, self._labels)

    def tokenize(
        self,
        tokenizer: Tokenizer | None,
        writer: TokenWriter,
        limits: StreamingLimits | None = None,
    ) -> tuple[Tokenizer, About]:
        """See `PreparedText.tokenize`.

        Raises UsageError if a line break is not a token.
        """
        found = self.assignment
        tokenizer = tokenizer or self._train_tokenizer()
        start_of_samples(tokenizer)
        writer.begin(tokenizer.size)
        splits = {}
        for name in SPLITS:
            split = SplitWriter(name, tokenizer, writer, limits)
            split.write(self.pieces(name, "tokenizing"))
            splits[name] = split.about() | {"documents": [], "cuts_document": False}
        return tokenizer, {"splits": splits, "samples": asdict(found.told)}


def _parts(samples: Iterable[str]) -> Iterator[list[str]]:
    """Yield lists of samples of a bounded length, so that writing them takes few calls."""
    part, size = list[str](), 0
    for sample in samples:
        part.append(sample)
        size += len(sample)
        if size > PIECE_CHARACTERS:
            yield part
            part, size = [], 0
    if part:
        yield part


def _temporary_file() -> IO[str]:
    return TemporaryFile(
        "w+", encoding="utf-8", errors="surrogatepass", newline="", dir=cache_folder()
    )
