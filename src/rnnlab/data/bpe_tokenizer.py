"""The tokenizer whose tokens are learned by byte-pair encoding."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnlab.data.base_tokenizer import (
    REPLACEMENT,
    Ids,
    Tokenizer,
    checked,
    code_points,
    complete_characters,
)
from rnnlab.data.pieces import PieceReader, as_pieces, recut

if TYPE_CHECKING:
    import tokenizers

LONGEST_RUN = 8_192
"""Longer runs of characters without a space are cut. The time to learn grows with the square."""

LEARNED_CHARACTERS = 2**25
"""How much of the beginning of a text bpe learns from; bounds time and memory."""

MOST_KNOWN_CHARACTERS = 2**20
"""How many characters of words have their tokens cached; bounds memory to tens of MB."""

BPE_STEPS = {
    "normalizer": None, "pre_tokenizer": "ByteLevel", "model": "BPE", "post_processor": None,
    "decoder": "ByteLevel",
}  # fmt: skip
"""The steps of the tokenizers library that are used here."""

SURROGATES = re.compile("[\ud800-\udfff]")


_RUN_STARTS = re.compile(r"(?<=\S)(?= )")


class BpeTokenizer(Tokenizer):
    """Byte-level byte-pair encoding by the tokenizers library; nothing is unknown.

    Lines are encoded one by one. A run of more than LONGEST_RUN characters without a space is cut.

    Source: Sennrich et al. 2016, section 3.2; bytes as base alphabet: Radford et al. 2019,
    section 2.2.
    """

    kind = "bpe"

    def __init__(self, model: "tokenizers.Tokenizer") -> None:
        self._model = model
        self._known: dict[str, list[int]] = {}
        self._known_characters = 0

    @classmethod
    def train(cls, text: Iterable[str], size: int) -> "BpeTokenizer":
        """Learn merges until there are `size` tokens or no pair is left to merge.

        text: a string, or its pieces. Only the first LEARNED_CHARACTERS are learned from.
        """
        import tokenizers

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
        import tokenizers

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

    def spelled(self) -> list[bytes]:
        """See `Tokenizer.spelled`."""
        value = {character: byte for byte, character in enumerate(byte_characters())}
        found = [b""] * self.size
        for token, i in self._model.get_vocab().items():
            found[i] = bytes(value[character] for character in token)
        return found

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """See `Tokenizer.decode`; bytes that are not UTF-8 become U+FFFD."""
        return str(self._model.decode(checked(ids, self.size)))

    def stream(self) -> Callable[[int], str]:
        """Hold tokens back until their characters are complete."""
        from tokenizers.decoders import DecodeStream

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


def byte_characters() -> str:
    """Return the character by which the library writes each byte: its own if it can be seen, else
    the next from U+0100 up.

    Source: Radford et al. 2019, `bytes_to_unicode` in the published code.
    """
    seen = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = count(0x100)
    return "".join(chr(byte if byte in seen else next(others)) for byte in range(256))


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
