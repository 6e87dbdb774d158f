"""Simple methods to compare a model with on the same text."""

import bz2
import lzma
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from rnnlab.config import MAX_ORDER
from rnnlab.data.samples import start_of_samples
from rnnlab.data.tokenizer import CharTokenizer
from rnnlab.lm.code_length import CodeLength, code_of_tokens
from rnnlab.lm.evaluate import ShareCallback, bits_per_character, unwatched
from rnnlab.lm.ngram import SMOOTHING, NGram
from rnnlab.lm.ppmd import ORDER as PPMD_ORDER
from rnnlab.lm.ppmd import ppmd_codes

MAX_TRAIN_CHARACTERS = 4_000_000
"""Only the end of a longer training text is used, so that baselines take seconds. Every record has
the number of characters used."""

SECONDS_PER_CHARACTER = 5e-6
"""Time for a character of the training text: 20 s for 4 million on a core of 2023."""

MIN_CHARACTERS = {"ppmd": 100, "xz": 1_000, "bzip2": 1_000}
"""Compressors are left out for shorter texts. PPMd's code grows by whole bytes, a file of xz by
four, and boundaries of blocks may move, so for a few characters the difference is noise and may be
negative. Four bytes are 0.03 bits per character of 1,000.
"""


def _xz(data: bytes) -> bytes:
    """Compress as `xz -9e` does.

    That has a window of 64 MiB, and the time goes to clearing its tables. A window of all the data
    finds the same matches and takes an instant for a short text.
    """
    window = min(max(len(data), 2**20), 2**26)
    best = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": window}
    return lzma.compress(data, filters=[best])


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "xz": _xz,
    "bzip2": lambda data: bz2.compress(data, 9),
}


class Baselines:
    """Uniform, unigram and n-gram models over characters, and three compressors.

    All learn from the training text alone. The n-gram's order is the best on the validation text;
    without one, on the last twentieth of the training text. of_samples: whether the texts consist
    of samples, which the n-gram model then predicts one by one.
    """

    def __init__(self, train: str, validation: str = "", of_samples: bool = False) -> None:
        self.train = train[-MAX_TRAIN_CHARACTERS:]
        self.validation = validation
        self.tokenizer = CharTokenizer.train(self.train)
        self.start = start_of_samples(self.tokenizer) if of_samples else None

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

    def codes(self, text: str, progress: ShareCallback = unwatched) -> dict[str, CodeLength]:
        """Return the code of each baseline for `text`, which must have at least two characters.

        The uniform, unigram and n-gram models predict every character from those before it, and are
        charged as a language model over characters is, see `code_of_tokens`. A compressor is
        charged size(train + text) - size(train), and is left out if `text` is shorter than its
        MIN_CHARACTERS.
        """
        progress(0.0)
        ids = self.tokenizer.encode(text)
        by_order = list(self.ngram.probabilities(ids))
        probabilities = {
            "uniform": np.full(len(ids) - 1, 1 / self.tokenizer.size),
            "unigram": by_order[0],
            "ngram": by_order[self.order - 1],
        }
        codes = {
            name: code_of_tokens(self.tokenizer, text, -np.log(p))
            for name, p in probabilities.items()
        }
        progress(0.3)
        if len(text) >= MIN_CHARACTERS["ppmd"]:
            codes |= ppmd_codes(self.train, text, lambda share: progress(0.3 + 0.4 * share))
        for name in COMPRESSORS:
            if len(text) >= MIN_CHARACTERS[name]:
                progress(0.7)
                nats = 8 * self._added_bytes(name, text) * math.log(2)
                codes[name] = CodeLength(np.array([len(text)]), np.array([nats]))
        return codes

    def records(self, codes: Mapping[str, CodeLength]) -> dict[str, dict[str, Any]]:
        """Return the figures of codes for JSON.

        All are per character, whatever tokens the language model predicts.
        """
        about: dict[str, dict[str, Any]] = {
            "ngram": {"order": self.order, "smoothing": SMOOTHING},
            "ppmd": {"order": PPMD_ORDER},
        }
        if restarted := codes.get("ppmd-restarted"):
            pieces = len(restarted.ends)
            about["ppmd-restarted"] = {
                "order": PPMD_ORDER, "piece_characters": math.ceil(restarted.characters / pieces),
            }  # fmt: skip
        return {
            name: {
                "nats_per_character": code.total / code.characters,
                "bits_per_character": bits_per_character(code.total, code.characters),
                "perplexity": math.exp(code.total / code.characters),
                "train_characters": len(self.train),
                **about.get(name, {}),
            }
            for name, code in codes.items()
        }

    def score(self, text: str) -> dict[str, dict[str, Any]]:
        """Return the records of the codes for `text`."""
        return self.records(self.codes(text))

    def _fit(self, text: str) -> NGram:
        return NGram(self.tokenizer.encode(text), self.tokenizer.size, MAX_ORDER, self.start)

    def _added_bytes(self, name: str, text: str) -> int:
        return _compressed_size(name, self.train + text) - self._train_sizes[name]

    @cached_property
    def _train_sizes(self) -> dict[str, int]:
        return {name: _compressed_size(name, self.train) for name in COMPRESSORS}


def estimated_seconds(characters: int) -> float:
    """Estimate how long baselines take that learn from a training text of so many characters."""
    return SECONDS_PER_CHARACTER * min(characters, MAX_TRAIN_CHARACTERS)


def _compressed_size(name: str, text: str) -> int:
    return len(COMPRESSORS[name](text.encode("utf-8", "surrogatepass")))
