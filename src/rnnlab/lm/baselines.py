"""Simple methods to compare a model with on the same text."""

import bz2
import lzma
import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.lm.evaluate import ShareCallback, bits_per_character, unwatched
from rnnlab.lm.ngram import SMOOTHING, NGram

MAX_ORDER = 10
MAX_TRAIN_CHARACTERS = 4_000_000
"""Only the end of a longer training text is used, so that baselines take seconds. Every record has
the number of characters used."""

MIN_COMPRESSED_CHARACTERS = 100
"""Compressors are left out for shorter texts. Their files grow by whole bytes, xz's by four, and
boundaries of blocks may move, so for a few characters the difference is noise and may be negative.
"""

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "xz": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "bzip2": lambda data: bz2.compress(data, 9),
}


class Baselines:
    """Uniform, unigram and n-gram models over characters, and two compressors.

    All learn from the training text alone. The n-gram's order is the best on the validation text;
    without one, on the last twentieth of the training text.
    """

    def __init__(self, train: str, validation: str = "") -> None:
        self.train = train[-MAX_TRAIN_CHARACTERS:]
        self.validation = validation
        self.tokenizer = CharTokenizer.train(self.train)

    @cached_property
    def ngram(self) -> NGram:
        """The n-grams of the training text."""
        return self._fit(self.train)

    @cached_property
    def order(self) -> int:
        """The n-gram's best order on the validation text."""
        fitted, text = self.ngram, self.validation
        if len(text) < 2:
            cut = max(1, len(self.train) - max(2, len(self.train) // 20))
            fitted, text = self._fit(self.train[:cut]), self.train[cut:]
        return 1 + int(np.argmin(fitted.nats(self.tokenizer.encode(text))))

    def score(self, text: str, progress: ShareCallback = unwatched) -> dict[str, dict[str, Any]]:
        """Measure each baseline on `text`, which must have at least two characters.

        All figures are per character, whatever tokens the language model predicts, and all are
        lengths of a code for all of `text`. The uniform, unigram and n-gram models predict every
        character from those before it; the first one and unknown ones are charged as for a language
        model over characters, see `Tokenizer.charges`. A compressor is charged size(train + text) -
        size(train), and is left out if `text` is shorter than MIN_COMPRESSED_CHARACTERS.
        """
        progress(0.0)
        ids = self.tokenizer.encode(text)
        order = self.order
        progress(0.3)
        first, spelling, *_ = self.tokenizer.charges(text)
        by_order = self.ngram.nats(ids)
        predicted = {
            "uniform": (len(ids) - 1) * math.log(self.tokenizer.size),
            "unigram": by_order[0],
            "ngram": by_order[order - 1],
        }
        nats = {name: (value + first + spelling) / len(ids) for name, value in predicted.items()}
        for name in COMPRESSORS if len(text) >= MIN_COMPRESSED_CHARACTERS else ():
            progress(0.6)
            nats[name] = 8 * self._added_bytes(name, text) * math.log(2) / len(text)
        details = {"ngram": {"order": order, "smoothing": SMOOTHING}}
        return {
            name: {
                "nats_per_character": value,
                "bits_per_character": bits_per_character(value, 1),
                "perplexity": math.exp(value),
                "train_characters": len(self.train),
                **details.get(name, {}),
            }
            for name, value in nats.items()
        }

    def _fit(self, text: str) -> NGram:
        return NGram(self.tokenizer.encode(text), self.tokenizer.size, MAX_ORDER)

    def _added_bytes(self, name: str, text: str) -> int:
        return _compressed_size(name, self.train + text) - self._train_sizes[name]

    @cached_property
    def _train_sizes(self) -> dict[str, int]:
        return {name: _compressed_size(name, self.train) for name in COMPRESSORS}


def _compressed_size(name: str, text: str) -> int:
    return len(COMPRESSORS[name](text.encode("utf-8", "surrogatepass")))
