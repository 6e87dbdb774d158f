"""The two tokenizers whose tokens are runs of characters: words and byte-pair encoding."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import regex
import tokenizers
from tokenizers.decoders import DecodeStream

from rnnlab.data.base_tokenizer import (
    REPLACEMENT,
    UNKNOWN,
    UNKNOWN_ID,
    Ids,
    Tokenizer,
    checked,
    code_points,
    complete_characters,
)
from rnnlab.data.pieces import PieceReader, as_pieces, recut
from rnnlab.data.spelling import WordSpelling
from rnnlab.errors import CorpusError

LONGEST_WORD = 65_536
"""Longer words are cut, in characters; this bounds memory for a text without spaces."""

LONGEST_RUN = 8_192
"""The same for bpe: characters without a space. The time to learn grows with the square."""

MOST_WORDS, MOST_WORD_CHARACTERS = 2_000_000, 100_000_000
"""How many different words are counted; bounds memory to a few hundred MB."""

MOST_RARE, LONGEST_RARE = 2**14, 64
"""How many words the spelling of unknown ones is learned from, and how long they may be."""

LEARNED_CHARACTERS = 2**25
"""How much of the beginning of a text bpe learns from; bounds time and memory."""

MOST_KNOWN_CHARACTERS = 2**20
"""How many characters of words have their tokens cached; bounds memory to tens of MB."""

BPE_STEPS = {
    "normalizer": None, "pre_tokenizer": "ByteLevel", "model": "BPE", "post_processor": None,
    "decoder": "ByteLevel",
}  # fmt: skip
"""The steps of the tokenizers library that are used here."""

UAX_29 = "UAX 29"
"""How the tokenizer of a model says that it cuts at Unicode word boundaries."""

SURROGATES = re.compile("[\ud800-\udfff]")


_RUN_STARTS = re.compile(r"(?<=\S)(?= )")


_WHITE = r"\s\x1c-\x1f"
"""What `str.isspace` calls white space, in a class of `regex`."""

UNICODE_WORDS = regex.compile(
    rf"(?w) ?+[^{_WHITE}](?:[^{_WHITE}]{{0,{LONGEST_WORD - 1}}}?(?:\b|(?=[{_WHITE}]))"
    rf"|[^{_WHITE}]{{{LONGEST_WORD - 1}}}[^{_WHITE}\p{{L}}\p{{N}}]{{0,{LONGEST_WORD}}}+)"
    rf"|\r\n|[{_WHITE}]"
)
r"""Tokens: with (?w), \b is a default Unicode word boundary (UAX 29).

White space is always between words, also U+202F, which UAX 29 joins. A word that is too long is cut
before a letter or digit: boundaries that follow do not depend on what was before one.
"""

RUNS_OF_LETTERS = re.compile(rf" ?\w{{1,{LONGEST_WORD}}}| ?[^\w\s]|\s")


class WordTokenizer(Tokenizer):
    """Words and punctuation marks, each with the space before it; joined, they are the text.

    Words end at the default word boundaries of Unicode (UAX 29), so that combining marks stay with
    their letters. Scripts without spaces, such as Thai and Chinese, have no dictionary there: each
    of their letters with its marks is a token. The text is brought to NFC before, so that composed
    and decomposed letters give the same words.

    Id 0 is <unk>, which stands for every word rarer than `min_frequency` in the training text. A
    word longer than LONGEST_WORD is cut.
    """

    kind = "word"
    unknown_id = UNKNOWN_ID
    normal_form = "nfc"
    pattern: ClassVar[regex.Pattern[str] | re.Pattern[str]] = UNICODE_WORDS

    def __init__(self, words: Sequence[str], rare: Sequence[str] = ()) -> None:
        """Rare: words that the spelling of others is learned from; without any, `words`."""
        self.words = list(words)
        self.rare = list(rare)
        self._ids = {word: i for i, word in enumerate(self.words, start=1)}

    @classmethod
    def train(cls, text: Iterable[str], min_frequency: int, most: int = 0) -> "WordTokenizer":
        """Give ids to words seen at least `min_frequency` times, the most frequent first.

        text: a string, or its pieces. most: size of the vocabulary, 0: no limit. Raises CorpusError
        if there are too many words to count.
        """
        counts: Counter[str] = Counter()
        size = 0  # characters in the different words
        for words in cls._words(as_pieces(text)):
            size += sum(len(word) for word in set(words) if word not in counts)
            counts.update(words)
            if len(counts) > MOST_WORDS or size > MOST_WORD_CHARACTERS:
                raise CorpusError(
                    f"word tokenizer: the training text has more than {MOST_WORDS:,} different "
                    f"words or {MOST_WORD_CHARACTERS:,} characters in them; use --tokenizer bpe, "
                    "byte or char"
                )
        kept = [word for word, count in counts.items() if count >= min_frequency]
        kept.sort(key=lambda word: (-counts[word], word))
        return cls(kept[: most - 1] if most else kept, _rare_words(counts))

    @property
    def size(self) -> int:
        """The words and <unk>."""
        return len(self.words) + 1

    def narrow_ids(self, text: str) -> Ids:
        """Return one id per word or punctuation mark."""
        words = self.pattern.findall(text)
        return np.array([self._ids.get(word, UNKNOWN_ID) for word in words], np.int64)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """See `Tokenizer.decode`; <unk> is spelled out."""
        return "".join(self.words[i - 1] if i else UNKNOWN for i in checked(ids, self.size))

    def to_json(self) -> dict[str, Any]:
        """Return the words in the order of their ids, and those that spelling is learned from."""
        about = {"type": self.kind, "boundaries": UAX_29, "words": self.words}
        return about | ({"rare": self.rare} if self.rare else {})

    @classmethod
    def settled(cls, text: str) -> int:
        """Return where one of the last two tokens begins, or an earlier one.

        Only these can change: a mark between letters joins the tokens on both sides.
        """
        # White space always begins a token, so usually not all tokens have to be found.
        end = len(text) - 1
        if end > 0 and text[end].strip():
            end -= len(text.rsplit(None, 1)[-1])
        if end > 0 and text[end - 1 : end + 1] == "\r\n":
            end -= 1
        if end > 0 and len(text) - end <= LONGEST_WORD:
            return end
        before = last = 0
        for match in cls.pattern.finditer(text):
            before, last = last, match.start()
        return before

    @classmethod
    def _words(cls, pieces: Iterable[str]) -> Iterator[list[str]]:
        return (cls.pattern.findall(part) for part in recut(pieces, cls.settled))

    @classmethod
    def first(cls, pieces: Iterable[str], limit: int) -> Iterator[str]:
        """Yield the text of the first `limit` words and punctuation marks."""
        for words in cls._words(pieces):
            yield "".join(words[:limit])
            limit -= len(words)
            if limit <= 0:
                return

    def ends(self, text: str) -> Ids:
        """See `Tokenizer.ends`."""
        return np.cumsum([len(word) for word in self.pattern.findall(text)])

    def unknown_parts(self, text: str) -> Counter[str]:
        """Count the words and punctuation marks that are not in the vocabulary."""
        return Counter(word for word in self.pattern.findall(text) if word not in self._ids)

    def spelling_nats(self, part: str) -> float:
        """Return the length of the code for an unknown word."""
        return self._spelling.nats(part)

    @cached_property
    def _spelling(self) -> WordSpelling:
        return WordSpelling(self.rare or self.words)


class RunsOfLettersTokenizer(WordTokenizer):
    r"""Words as rnnlab cut them before: runs of \w, with the marks of letters apart.

    Models from then have a vocabulary of such words.
    """

    normal_form = ""
    pattern = RUNS_OF_LETTERS

    def to_json(self) -> dict[str, Any]:
        """Return what was written then."""
        return {name: part for name, part in super().to_json().items() if name != "boundaries"}


class BpeTokenizer(Tokenizer):
    """Byte-level byte-pair encoding by the tokenizers library; nothing is unknown.

    Lines are encoded one by one. A run of more than LONGEST_RUN characters without a space is cut.

    Source: Sennrich et al. 2016, section 3.2; bytes as base alphabet: Radford et al. 2019,
    section 2.2.
    """

    kind = "bpe"

    def __init__(self, model: tokenizers.Tokenizer) -> None:
        self._model = model
        self._known: dict[str, list[int]] = {}
        self._known_characters = 0

    @classmethod
    def train(cls, text: Iterable[str], size: int) -> "BpeTokenizer":
        """Learn merges until there are `size` tokens or no pair is left to merge.

        text: a string, or its pieces. Only the first LEARNED_CHARACTERS are learned from.
        """
        model = tokenizers.Tokenizer(tokenizers.models.BPE())
        model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        model.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size,
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        parts = recut(PieceReader(as_pieces(text)).take(LEARNED_CHARACTERS), cls.settled)
        model.train_from_iterator((_lines(part) for part in parts), trainer)
        return cls(model)

    @classmethod
    def from_str(cls, text: str) -> "BpeTokenizer":
        """Read the tokenizers library's own format.

        Raises ValueError for steps other than ours, since some of them may never end.
        """
        steps = json.loads(text)
        found = [(steps[name] or {}).get("type") for name in BPE_STEPS]
        if found != list(BPE_STEPS.values()) or steps["added_tokens"]:
            raise ValueError("only byte-level BPE is supported")
        return cls(tokenizers.Tokenizer.from_str(text))

    @property
    def size(self) -> int:
        """The 256 bytes and the merges."""
        return int(self._model.get_vocab_size())

    def narrow_ids(self, text: str) -> Ids:
        """Apply the merges in the order learned; a lone surrogate becomes U+FFFD."""
        # Words repeat in a text; a lookup is five times faster than encoding a word again.
        runs = [run for line in _lines(text) for run in _runs(line)]
        if self._known_characters > MOST_KNOWN_CHARACTERS:
            self._known, self._known_characters = {}, 0
        known = self._known
        new = list({run for run in runs if run not in known})
        for run, encoding in zip(new, self._model.encode_batch_fast(new), strict=True):
            known[run] = encoding.ids
        self._known_characters += sum(map(len, new))
        return np.fromiter(chain.from_iterable([known[run] for run in runs]), np.int64)

    def ends(self, text: str) -> Ids:
        """See `Tokenizer.ends`."""
        read = np.cumsum(self._bytes[self.narrow_ids(text)])
        return complete_characters(read, code_points(text))

    @cached_property
    def _bytes(self) -> Ids:
        """The number of bytes of every token: the library writes each byte as one character."""
        vocabulary = self._model.get_vocab()
        lengths = np.empty(len(vocabulary), np.int64)
        lengths[list(vocabulary.values())] = [len(token) for token in vocabulary]
        return lengths

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """See `Tokenizer.decode`; bytes that are not UTF-8 become U+FFFD."""
        return str(self._model.decode(checked(ids, self.size)))

    def stream(self) -> Callable[[int], str]:
        """Hold tokens back until their characters are complete."""
        decoder = DecodeStream()
        return lambda token: decoder.step(self._model, token) or ""

    def to_json(self) -> dict[str, Any]:
        """Return the tokenizers library's own format, as text."""
        return {"type": self.kind, "tokenizers": self._model.to_str()}

    @classmethod
    def settled(cls, text: str) -> int:
        """Return where the last run begins, or an earlier run, or the last part of it."""
        start = text.rfind(" ")
        while start > 0 and text[start - 1].isspace():
            start = text.rfind(" ", 0, start)
        if start > 0 and len(text) - start <= LONGEST_RUN:
            return start
        run = len(_runs(text.splitlines(keepends=True)[-1])[-1])
        return len(text) - run + (run - 1) // LONGEST_RUN * LONGEST_RUN


def _rare_words(counts: Counter[str]) -> list[str]:
    """Return up to MOST_RARE of the words that occur least often, evenly over the alphabet."""
    fewest = min(counts.values(), default=0)
    rare = sorted(w for w, n in counts.items() if n == fewest and len(w) <= LONGEST_RARE)
    return rare[:: max(1, math.ceil(len(rare) / MOST_RARE))]


def _lines(text: str) -> list[str]:
    lines = SURROGATES.sub(REPLACEMENT, text).splitlines(keepends=True)
    if all(len(line) <= LONGEST_RUN for line in lines):
        return lines
    return [
        run[start : start + LONGEST_RUN]
        for line in lines
        for run in (_runs(line) if len(line) > LONGEST_RUN else [line])
        for start in range(0, len(run), LONGEST_RUN)
    ]


def _runs(line: str) -> list[str]:
    """Cut before each space that follows another character; bpe never joins tokens there."""
    return _RUN_STARTS.split(line)
