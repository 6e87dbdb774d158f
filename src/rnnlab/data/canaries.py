"""Random strings that are put into a training text, to measure how well a model remembers them.

A canary is a line of a fixed format with a code of random symbols (Carlini et al. 2019,
arXiv:1802.08232, section 4.1), such as

    the code is 20815734

The format and the symbols, digits if the text has all ten of them, consist of characters that the
training text has and the tokenizer knows, so that the vocabulary does not tell that there are
canaries. The n-th of them is put in 1, 2, 4, .. 32 times, in turn. The same text and number give
the same canaries in the same places.

`rnnlab.probes.exposure` measures how well a model knows them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from rnnlab.data.base_tokenizer import Tokenizer
from rnnlab.data.splits import Split
from rnnlab.errors import CorpusError

FORMAT = "the code is "
CODE_LENGTH = 8
REPETITIONS = (1, 2, 4, 8, 16, 32)
BORDERS = ("\n", " ")
"""After which a canary may stand, and with which it ends; the first that the text has."""
DIGITS, LETTERS = "0123456789", "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Canaries:
    """The canaries of a training text."""

    border: str
    """Character before and after each; "": there is none, since the text has no border."""
    before: str
    """What stands between the border and the code."""
    symbols: str
    """Of which codes are made."""
    codes: tuple[str, ...]
    repetitions: tuple[int, ...]
    """How often each code stands in the training text."""

    @classmethod
    def draw(cls, text: str, tokenizer: Tokenizer, count: int) -> Self:
        """Draw canaries for a training text.

        Raises CorpusError if it has fewer than two different characters that can be symbols.
        """
        known = {each for each in set(text) if not tokenizer.unknown_parts(each)}
        border = next((each for each in BORDERS if each in known), "")
        printed = "".join(sorted(each for each in known if each.isprintable() and each != " "))
        letters = "".join(each for each in LETTERS if each in known)
        symbols = DIGITS if known.issuperset(DIGITS) else letters
        symbols = symbols if len(symbols) > 1 else printed
        if len(symbols) < 2 or len(symbols) ** CODE_LENGTH < count:
            raise CorpusError(
                f"{count:,} canaries need more different characters than the training text has"
            )
        rng, codes = _random(text, count), dict[str, None]()
        while len(codes) < count:
            codes["".join(rng.choice(list(symbols), CODE_LENGTH))] = None
        repetitions = tuple(REPETITIONS[n % len(REPETITIONS)] for n in range(count))
        before = "".join(each for each in FORMAT if each in known)
        return cls(border, before, symbols, tuple(codes), repetitions)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return what `to_dict` returned."""
        texts = {name: content[name] for name in ("border", "before", "symbols")}
        return cls(
            **texts, codes=tuple(content["codes"]), repetitions=tuple(content["repetitions"])
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, ready for JSON."""
        return asdict(self)

    @property
    def possible(self) -> int:
        """The number of codes of the format."""
        return int(len(self.symbols) ** len(self.codes[0]))

    def put_into(self, text: str) -> str:
        """Return the text with the canaries at random places, each after a border."""
        rng = _random(text, len(self.codes))
        lines = [
            f"{self.before}{code}{self.border}"
            for code, times in zip(self.codes, self.repetitions, strict=True)
            for _ in range(times)
        ]
        places = [at + 1 for at, each in enumerate(text) if each == self.border] or range(len(text))
        chosen = sorted(rng.choice(places, len(lines)).tolist())
        parts, last = list[str](), 0
        for at, line in zip(chosen, rng.permutation(lines).tolist(), strict=True):
            parts += text[last:at], line
            last = at
        return "".join([*parts, text[last:]])


def with_canaries(train: Split, tokenizer: Tokenizer, count: int) -> tuple[Split, Canaries]:
    """Return a training split with canaries, and these; see `Canaries.draw`."""
    canaries = Canaries.draw(train.text, tokenizer, count)
    text = canaries.put_into(train.text)
    ids = tokenizer.encode(text)
    return Split(text, ids, ids, len(text), text, (), train.cuts_document), canaries


def _random(text: str, count: int) -> np.random.Generator:
    seed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8]
    return np.random.default_rng([int.from_bytes(seed), count])
