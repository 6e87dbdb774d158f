"""Text <-> token ids.

A tokenizer is built from a training text and never changes after. Ids are numpy int64, shape (N,).
What the vocabulary lacks becomes `unknown_id` (char, word); byte and bpe lack nothing.
"""

import codecs
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers.decoders import DecodeStream

from rnnlab.config import DataSettings

Ids = npt.NDArray[np.int64]

UNKNOWN = "<unk>"
UNKNOWN_ID = 0

REPLACEMENT = "\ufffd"
SURROGATES = re.compile("[\ud800-\udfff]")
NO_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Surrogates that stand for no undecodable byte (PEP 383)."""


class Tokenizer(ABC):
    """What all tokenizers offer."""

    kind: ClassVar[str]
    unknown_id: int | None = None

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of different tokens, V; ids are 0 .. V-1."""

    @abstractmethod
    def encode(self, text: str) -> Ids:
        """Return the ids of `text`."""

    @abstractmethod
    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Return the text of `ids`; raises IndexError for an id outside 0 .. V-1."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All that `tokenizer_from_json` needs."""

    @abstractmethod
    def first_length(self, text: str) -> int:
        """Number of characters that the first token of a non-empty `text` stands for."""

    @abstractmethod
    def unknown_parts(self, text: str) -> list[str]:
        """The different pieces of `text` that the vocabulary lacks, in order of appearance."""

    def stream(self) -> Callable[[int], str]:
        """Return a function from the next id to the text that is certain by then."""
        return lambda token: self.decode([token])

    def start_ids(self) -> Ids:
        """What a model reads where there is no prefix: a line break, else a space, else token 1."""
        for text in ("\n", " "):
            ids = self.encode(text)
            if self.unknown_id is None or self.unknown_id not in ids:
                return ids
        return np.array([min(1, self.size - 1)])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size} tokens)"


class CharTokenizer(Tokenizer):
    """One token a Unicode code point; id 0 is <unk>."""

    kind = "char"
    unknown_id = UNKNOWN_ID

    def __init__(self, characters: str) -> None:
        self.characters = characters
        points = _code_points(characters)
        self._table = np.zeros(int(points.max(initial=0)) + 2, np.int64)
        self._table[points] = np.arange(1, len(points) + 1)

    @classmethod
    def train(cls, text: str) -> "CharTokenizer":
        """Take every character of `text`, the most frequent first, ties by code point."""
        points, counts = np.unique(_code_points(text), return_counts=True)
        order = np.lexsort((points, -counts))
        return cls("".join(map(chr, points[order])))

    @property
    def size(self) -> int:
        """Characters, and <unk>."""
        return len(self.characters) + 1

    def encode(self, text: str) -> Ids:
        """One id a code point."""
        points = _code_points(text)
        return self._table[np.minimum(points, len(self._table) - 1)]

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """<unk> is written out."""
        return "".join(self.characters[i - 1] if i else UNKNOWN for i in _checked(ids, self.size))

    def to_json(self) -> dict[str, Any]:
        """The characters, in the order of their ids."""
        return {"type": self.kind, "characters": self.characters}

    def first_length(self, text: str) -> int:
        """One."""
        return 1

    def unknown_parts(self, text: str) -> list[str]:
        """Characters outside the vocabulary."""
        return list(dict.fromkeys(c for c in text if c not in self.characters))


class ByteTokenizer(Tokenizer):
    """One token a byte of UTF-8; V = 256, nothing is unknown."""

    kind = "byte"

    @property
    def size(self) -> int:
        """Always 256."""
        return 256

    def encode(self, text: str) -> Ids:
        """One id a byte; a lone surrogate is the byte it stands for, or read as U+FFFD."""
        content = NO_BYTES.sub(REPLACEMENT, text).encode("utf-8", "surrogateescape")
        return np.frombuffer(content, np.uint8).astype(np.int64)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Bytes that are no UTF-8 become U+FFFD."""
        return bytes(_checked(ids, 256)).decode("utf-8", "replace")

    def stream(self) -> Callable[[int], str]:
        """Hold bytes back until their character is complete."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return lambda token: decoder.decode(bytes([token]))

    def to_json(self) -> dict[str, Any]:
        """Nothing but the type."""
        return {"type": self.kind}

    def first_length(self, text: str) -> int:
        """One: the first byte gives its character away or opens it."""
        return 1

    def unknown_parts(self, text: str) -> list[str]:
        """None, ever."""
        return []


class WordTokenizer(Tokenizer):
    """Words and signs, each with the space before it, so that joining tokens gives the text back.

    Id 0 is <unk>, which stands for every word rarer than `min_frequency` in the training text.
    """

    kind = "word"
    unknown_id = UNKNOWN_ID
    pattern = re.compile(r" ?\w+| ?[^\w\s]|\s")

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self._ids = {word: i for i, word in enumerate(self.words, start=1)}

    @classmethod
    def train(cls, text: str, min_frequency: int) -> "WordTokenizer":
        """Take words seen at least `min_frequency` times, the most frequent first."""
        counts = Counter(cls.pattern.findall(text))
        kept = [word for word, count in counts.items() if count >= min_frequency]
        return cls(sorted(kept, key=lambda word: (-counts[word], word)))

    @property
    def size(self) -> int:
        """Words, and <unk>."""
        return len(self.words) + 1

    def encode(self, text: str) -> Ids:
        """One id a word or sign."""
        words = self.pattern.findall(text)
        return np.array([self._ids.get(word, UNKNOWN_ID) for word in words], np.int64)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """<unk> is written out."""
        return "".join(self.words[i - 1] if i else UNKNOWN for i in _checked(ids, self.size))

    def to_json(self) -> dict[str, Any]:
        """The words, in the order of their ids."""
        return {"type": self.kind, "words": self.words}

    def first_length(self, text: str) -> int:
        """Length of the first word."""
        match = self.pattern.match(text)
        return len(match.group()) if match else 0

    def unknown_parts(self, text: str) -> list[str]:
        """Words outside the vocabulary."""
        return list(dict.fromkeys(w for w in self.pattern.findall(text) if w not in self._ids))


class BpeTokenizer(Tokenizer):
    """Byte-level byte-pair encoding by the tokenizers library; nothing is unknown.

    Source: Sennrich et al. 2016, section 3.2; bytes as base alphabet: Radford et al. 2019,
    section 2.2.
    """

    kind = "bpe"

    def __init__(self, model: tokenizers.Tokenizer) -> None:
        self._model = model

    @classmethod
    def train(cls, text: str, size: int) -> "BpeTokenizer":
        """Learn merges from `text` until there are `size` tokens, or no pair is left to merge."""
        model = tokenizers.Tokenizer(tokenizers.models.BPE())
        model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        model.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size,
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        model.train_from_iterator(text.splitlines(keepends=True), trainer)
        return cls(model)

    @property
    def size(self) -> int:
        """256 bytes, and the merges."""
        return int(self._model.get_vocab_size())

    def encode(self, text: str) -> Ids:
        """Apply the merges in the order learned; a lone surrogate is read as U+FFFD."""
        lines = self._model.encode_batch_fast(_lines(text))
        return np.array([token for line in lines for token in line.ids], np.int64)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Bytes that are no UTF-8 become U+FFFD."""
        return str(self._model.decode(_checked(ids, self.size)))

    def stream(self) -> Callable[[int], str]:
        """Hold tokens back until their characters are complete."""
        decoder = DecodeStream()
        return lambda token: decoder.step(self._model, token) or ""

    def to_json(self) -> dict[str, Any]:
        """The tokenizers library's own serialisation, as text."""
        return {"type": self.kind, "tokenizers": self._model.to_str()}

    def first_length(self, text: str) -> int:
        """End of the first token in the text; the whole of a character that it only opens."""
        start, end = self._model.encode(_lines(text)[0]).offsets[0]
        return max(1, end - start)

    def unknown_parts(self, text: str) -> list[str]:
        """None, ever."""
        return []


def train_tokenizer(settings: DataSettings, text: str) -> Tokenizer:
    """Build the tokenizer that `settings` name from `text`, the only text it may learn from."""
    match settings.tokenizer:
        case "char":
            return CharTokenizer.train(text)
        case "byte":
            return ByteTokenizer()
        case "word":
            return WordTokenizer.train(text, settings.min_frequency)
        case "bpe":
            return BpeTokenizer.train(text, settings.bpe_size)


def tokenizer_from_json(content: dict[str, Any]) -> Tokenizer:
    """Build the tokenizer that `to_json` described; raises KeyError or ValueError if it is none."""
    match content["type"]:
        case "char":
            return CharTokenizer(content["characters"])
        case "byte":
            return ByteTokenizer()
        case "word":
            return WordTokenizer(content["words"])
        case "bpe":
            return BpeTokenizer(tokenizers.Tokenizer.from_str(content["tokenizers"]))
        case other:
            raise ValueError(f"unknown tokenizer type {other!r}")


def cut(text: str, kind: str, limit: int) -> str:
    """Keep the first `limit` tokens of `text` (characters for bpe, whose tokens come later)."""
    if kind == "byte":
        return text.encode()[:limit].decode("utf-8", "ignore")
    if kind == "word":
        words = WordTokenizer.pattern.finditer(text)
        end = next((m.start() for i, m in enumerate(words) if i == limit), len(text))
        return text[:end]
    return text[:limit]


def _lines(text: str) -> list[str]:
    return SURROGATES.sub(REPLACEMENT, text).splitlines(keepends=True)


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _checked(ids: Sequence[int] | Ids, size: int) -> list[int]:
    numbers = np.asarray(ids, np.int64)
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < size):
        raise IndexError(f"token id outside 0 .. {size - 1}")
    return list(numbers.tolist())
