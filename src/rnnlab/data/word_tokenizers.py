"""The tokenizer whose tokens are words and punctuation marks."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rnnlab.data.base_tokenizer import (
    UNKNOWN,
    UNKNOWN_ID,
    Ids,
    Tokenizer,
    checked,
)
from rnnlab.data.pieces import as_pieces, recut
from rnnlab.data.spelling import WordSpelling
from rnnlab.errors import CorpusError

LONGEST_WORD = 65_536
"""Longer words are cut, in characters; this bounds memory for a text without spaces."""

MOST_WORDS, MOST_WORD_CHARACTERS = 2_000_000, 100_000_000
"""How many different words are counted; bounds memory to a few hundred MB."""

MOST_RARE, LONGEST_RARE = 2**14, 64
"""How many words the spelling of unknown ones is learned from, and how long they may be."""

UAX_29 = "UAX 29"
"""How the tokenizer of a model says that it cuts at Unicode word boundaries."""

_WHITE = r"\s\x1c-\x1f"
"""What `str.isspace` calls white space, in a class of `regex`."""

# For `regex`, which is imported where it is used: it takes a tenth of a second, as long as to
# compile this, and keeps what it has compiled.
UNICODE_WORDS = (
    rf"(?w) ?+[^{_WHITE}](?:[^{_WHITE}]{{0,{LONGEST_WORD - 1}}}?(?:\b|(?=[{_WHITE}]))"
    rf"|[^{_WHITE}]{{{LONGEST_WORD - 1}}}[^{_WHITE}\p{{L}}\p{{N}}]{{0,{LONGEST_WORD}}}+)"
    rf"|\r\n|[{_WHITE}]"
)
r"""Tokens: with (?w), \b is a default Unicode word boundary (UAX 29).

White space is always between words, also U+202F, which UAX 29 joins. A word that is too long is cut
before a letter or digit: boundaries that follow do not depend on what was before one.
"""

ASCII_WORDS = re.compile(
    r" ?(?:\w+(?:(?:(?<=[A-Za-z])[:.'](?=[A-Za-z])|(?<=[0-9])[,;.'](?=[0-9]))\w+)*|[^\w\s])|\r\n|\s"
)
"""The same tokens for ASCII text without words that are too long, three times as fast."""

LINES = re.compile(r"[^\n]*\n|[^\n]+")

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

    @classmethod
    def cut(cls, text: str) -> list[str]:
        """Cut a text into words and punctuation marks."""
        import regex

        words: list[str] = []
        # A line break ends a token, so lines can be cut alone.
        for part in [text] if text.isascii() else LINES.findall(text):
            if part.isascii():
                words += ASCII_WORDS.findall(part)
            else:
                words += regex.findall(UNICODE_WORDS, part)
        is_long = max(map(len, words), default=0) > LONGEST_WORD
        return regex.findall(UNICODE_WORDS, text) if is_long else words

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
        words = self.cut(text)
        return np.array([self._ids.get(word, UNKNOWN_ID) for word in words], np.int64)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """See `Tokenizer.decode`; <unk> is spelled out."""
        return "".join(self.words[i - 1] if i else UNKNOWN for i in checked(ids, self.size))

    def spelled(self) -> list[str]:
        """See `Tokenizer.spelled`."""
        return ["", *self.words]

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
        for start in cls._starts(text):
            before, last = last, start
        return before

    @staticmethod
    def _starts(text: str) -> Iterator[int]:
        import regex

        return (match.start() for match in regex.finditer(UNICODE_WORDS, text))

    @classmethod
    def _words(cls, pieces: Iterable[str]) -> Iterator[list[str]]:
        return (cls.cut(part) for part in recut(pieces, cls.settled))

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
        return np.cumsum([len(word) for word in self.cut(text)])

    def unknown_parts(self, text: str) -> Counter[str]:
        """Count the words and punctuation marks that are not in the vocabulary."""
        return Counter(word for word in self.cut(text) if word not in self._ids)

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

    @classmethod
    def cut(cls, text: str) -> list[str]:
        """Cut a text into runs of letters, and punctuation marks."""
        return RUNS_OF_LETTERS.findall(text)

    @staticmethod
    def _starts(text: str) -> Iterator[int]:
        return (match.start() for match in RUNS_OF_LETTERS.finditer(text))

    def to_json(self) -> dict[str, Any]:
        """Return what was written then."""
        return {name: part for name, part in super().to_json().items() if name != "boundaries"}


def _rare_words(counts: Counter[str]) -> list[str]:
    """Return up to MOST_RARE of the words that occur least often, evenly over the alphabet."""
    fewest = min(counts.values(), default=0)
    rare = sorted(w for w, n in counts.items() if n == fewest and len(w) <= LONGEST_RARE)
    return rare[:: max(1, math.ceil(len(rare) / MOST_RARE))]
