"""A corpus after its text rule, with the splits and the vocabulary that are made of it."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import accumulate, chain
from typing import Any

from rnnlab.config import DataSettings
from rnnlab.config.folds import fold_numbers
from rnnlab.data.corpus import Corpora, Corpus, open_corpus
from rnnlab.data.pieces import BeginningAndEnd, PieceReader
from rnnlab.data.preprocessing import preprocess_pieces
from rnnlab.data.splits import (
    SPLITS,
    fold_ends,
    outside_fold,
    parts_of_divided,
    split_sizes,
)
from rnnlab.data.streaming_limits import STREAMING_LIMITS, ProgressCallback, StreamingLimits
from rnnlab.data.texts import Source
from rnnlab.data.token_cache import TokenWriter
from rnnlab.data.tokenizer import (
    KINDS,
    Tokenizer,
    first_tokens,
    text_rule,
    train_usable_tokenizer,
)
from rnnlab.errors import CorpusError

About = dict[str, Any]
"""What is kept of a text along with its ids."""


class PreparedText:
    """Texts after their text rule: one that is divided, and those that are splits as they are."""

    def __init__(
        self,
        corpus: Corpora,
        settings: DataSettings,
        watch: ProgressCallback,
        kind: type[Tokenizer] | None = None,
    ) -> None:
        """Kind: class of the tokenizer, if it is not the one that the settings name."""
        self.corpus, self._settings = corpus, settings
        how = (kind or KINDS[settings.tokenizer], watch)
        self.divided = PreparedCorpus(corpus.divided, settings, *how)
        whole = settings.model_copy(update={"corpus_limit": 0})
        self.own = {name: PreparedCorpus(own, whole, *how) for name, own in corpus.own.items()}

    def split_sizes(self) -> dict[str, int]:
        """Return the number of characters of each split; reads all of the texts.

        Raises CorpusError if a text is empty, UsageError if the splits are larger than the corpus,
        or cannot end where `split_at` says.
        """
        for each in (self.divided, *self.own.values()):
            each.count()
        asked, divided = self._settings, self.divided
        parts = parts_of_divided(asked.split, self.own)
        size, held_out = divided.characters, 0
        if asked.fold:
            begin, end = fold_ends(size, fold_numbers(asked.fold), divided.borders, asked.split_at)
            held_out = end - begin
            size -= held_out
            parts = outside_fold(asked.split, self.own)
            divided.turn(end)
        several = len(divided.borders) > (divided.seam > 0)
        inside = [border for border in divided.borders if several and border < size]
        sizes = split_sizes(size, parts, inside, asked.split_at)
        if asked.fold:
            sizes["test"] = held_out
        return sizes | {name: own.characters for name, own in self.own.items()}

    def train_tokenizer(self, train_characters: int) -> Tokenizer:
        """Learn the vocabulary from the training split, or from all of the text if so set."""
        purpose = "learning the vocabulary"
        if self._settings.vocabulary == "text":
            texts = (self.divided, *self.own.values())
            source: Iterator[str] = chain.from_iterable(each.pieces(purpose) for each in texts)
        else:
            source = PieceReader(self.divided.turned(purpose)).take(train_characters)
        return train_usable_tokenizer(self._settings, source)

    def tokenize(
        self,
        tokenizer: Tokenizer | None,
        writer: TokenWriter,
        limits: StreamingLimits | None = None,
    ) -> tuple[Tokenizer, About]:
        """Write the ids of all splits; return the tokenizer and what else is kept of the text.

        limits: how much of the characters is kept; without it, all of them.
        Raises CorpusError if there are no tokens.
        """
        sizes = self.split_sizes()
        tokenizer = tokenizer or self.train_tokenizer(sizes["train"])
        writer.begin(tokenizer.size)
        starts = dict.fromkeys(("", *self.own), 0)
        readers = {"": PieceReader(self.divided.turned("tokenizing"))}
        readers |= {name: PieceReader(own.pieces("tokenizing")) for name, own in self.own.items()}
        splits = {}
        for name in SPLITS:
            text, key = (self.own[name], name) if name in self.own else (self.divided, "")
            split = SplitWriter(name, tokenizer, writer, limits)
            start, size = starts[key], sizes[name]
            documents, seams = [], []
            begins = [0, *(at - start for at in text.borders if 0 < at - start < size)]
            for begin, end in zip(begins, [*begins[1:], size], strict=True):
                # No token reaches across a border: before it is white space, or behind it a space.
                documents.append(split.tokens)
                seams += [split.tokens] if begin and start + begin == text.seam else []
                split.write(readers[key].take(end - begin))
            starts[key] = end = start + size
            splits[name] = split.about() | {
                "documents": documents[1:],
                "seams": seams,
                "cuts_document": size > 0 and end not in (*text.borders, text.characters),
            }
        for corpus in (self.corpus.divided, *self.corpus.own.values()):
            corpus.check_unchanged()  # the end of a file may not have been read
        if writer.tokens == 0:  # an empty file cannot be mapped
            raise too_short(sizes["train"])
        return tokenizer, {"splits": splits}


class PreparedCorpus:
    """A corpus after its text rule, as an iterator of pieces that can be had again and again.

    A long corpus is read and preprocessed anew each time. Of a short one the pieces are joined, and
    that is the only piece from then on.
    """

    def __init__(
        self,
        corpus: Corpus,
        settings: DataSettings,
        kind: type[Tokenizer],
        watch: ProgressCallback,
    ) -> None:
        """Kind: class of the tokenizer."""
        self.corpus = corpus
        self._kind = kind
        self._settings = settings
        self._rule = text_rule(settings, self._kind)
        self._watch = watch
        self._kept = None if corpus.is_long else list(map("".join, self._documents("")))
        self.borders: tuple[int, ...] = ()
        """Where documents begin, after the first [characters]; known after `count`."""
        self.seam = 0
        """Where the beginning of the text follows its end, if it is turned; else 0."""
        self.characters = 0
        """Of the text up to its limit; known after `count`."""

    def _documents(self, purpose: str) -> Iterator[Iterator[str]]:
        """Apply the text rule to one document after another.

        Where the rule keeps no line breaks, the words of two documents are separated by a space.
        """
        last = "\n"

        def separated(pieces: Iterator[str]) -> Iterator[str]:
            nonlocal last
            for number, piece in enumerate(pieces):
                if not number and not last.isspace():
                    yield " "
                yield piece
                last = piece[-1]

        for pieces in self.corpus.documents(partial(self._watch, purpose)):
            yield separated(preprocess_pieces(pieces, self._rule))

    def documents(self, purpose: str) -> Iterator[Iterator[str]]:
        """Read the documents; the callback is called with `purpose` meanwhile."""
        return (
            (iter([text]) for text in self._kept)
            if self._kept is not None
            else self._documents(purpose)
        )

    def pieces(self, purpose: str) -> Iterator[str]:
        """Read all of the text; the callback is called with `purpose` meanwhile."""
        return chain.from_iterable(self.documents(purpose))

    def limited(self, purpose: str) -> Iterator[str]:
        """Read the text up to the limit of tokens, if there is one."""
        limit, pieces = self._settings.corpus_limit, self.pieces(purpose)
        return first_tokens(pieces, self._kind, limit) if limit else pieces

    def turn(self, first: int) -> None:
        """Let the text begin at a character: what is before it comes last, see `turned`."""
        if first < self.characters:
            self.seam = self.characters - first
            before = (at + self.seam for at in self.borders if at < first)
            after = (at - first for at in self.borders if at > first)
            self.borders = (*after, self.seam, *before)

    def turned(self, purpose: str) -> Iterator[str]:
        """Read the text up to its limit, from where it begins if it is turned."""
        if not self.seam:
            yield from self.limited(purpose)
            return
        first = self.characters - self.seam
        reader = PieceReader(self.limited(purpose))
        for _ in reader.take(first):
            pass
        yield from reader.take(self.seam)
        yield from PieceReader(self.limited(purpose)).take(first)

    def count(self) -> None:
        """Note the number of characters and where documents begin; reads all of the text.

        Raises CorpusError if the text is empty.
        """
        purpose = "counting characters"
        lengths = [sum(map(len, pieces)) for pieces in self.documents(purpose)]
        characters = sum(lengths)
        if not characters:
            raise CorpusError(
                f"corpus {self.corpus.source.name!r}: nothing is left of the text after "
                f"preprocessing {self._settings.preprocessing!r}"
            )
        if self._settings.corpus_limit:
            characters = sum(map(len, self.limited(purpose)))
        self.characters, self.seam = characters, 0
        begins = {begin for begin in accumulate(lengths) if begin < characters}
        self.borders = tuple(sorted(begins - {0}))


class SplitWriter:
    """Writes the ids of a split, and keeps what is needed of its characters."""

    def __init__(
        self, name: str, tokenizer: Tokenizer, writer: TokenWriter, limits: StreamingLimits | None
    ) -> None:
        """Limits: see `PreparedText.tokenize`."""
        self._tokenizer, self._writer, self._before = tokenizer, writer, writer.tokens
        self._characters = 0
        self._kept = BeginningAndEnd()
        if limits:
            last = limits.end_characters if name == "train" else 0
            self._kept = BeginningAndEnd(limits.evaluated_characters, last)

    @property
    def tokens(self) -> int:
        """How many have been written."""
        return self._writer.tokens - self._before

    def write(self, pieces: Iterable[str]) -> None:
        """Write the ids of some text; no token reaches into what is written next."""
        for ids in self._tokenizer.encode_pieces(self._kept.passing(self._counted(pieces))):
            self._writer.write(ids)

    def _counted(self, pieces: Iterable[str]) -> Iterator[str]:
        for piece in pieces:
            self._characters += len(piece)
            yield piece

    def about(self) -> About:
        """Return what is kept of the split."""
        return {
            "characters": self._characters,
            "tokens": self.tokens,
            "begin": self._kept.beginning(),
            "end": self._kept.end(),
        }


def too_short(characters: int) -> CorpusError:
    """Return the error for a training split without two tokens."""
    return CorpusError(
        f"text too short: a training split of {characters} characters holds fewer than two tokens"
    )


def read_beginning(
    name: str,
    errors: str,
    rule: str,
    limits: StreamingLimits = STREAMING_LIMITS,
    encoding: str = "utf-8",
) -> tuple[Source, str, int]:
    """Read a text and apply a text rule.

    Returns its source, the text (of a long one only the beginning, which is what is evaluated), and
    the number of characters of all of it. Raises as `open_corpus` does.
    """
    corpus = open_corpus([name], errors=errors, limits=limits, encoding=encoding)
    kept = BeginningAndEnd(limits.evaluated_characters) if corpus.is_long else BeginningAndEnd()
    characters = sum(map(len, kept.passing(preprocess_pieces(corpus.pieces(), rule))))
    return corpus.source, kept.beginning(), characters
