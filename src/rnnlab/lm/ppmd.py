"""PPMd as a baseline: a compressor that predicts each byte from the few before it.

Variant H (Shkarin 2002, PPM: One Step to Practicality) at order 6, the default of 7-Zip, by the
library pyppmd. It learns from every byte that it codes, so there are two figures: `learning on`
through the text; and `restarted`, which is back where the training text ended at the start of each
piece of the text, as a language model is whose weights stay as they are.

A code grows by whole bytes, so the length of a piece is exact to one of them.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pyppmd

from rnnlab.lm.code_length import CodeLength

ORDER = 6

PIECE_CHARACTERS = 100
"""The code that learns on is measured after so many characters each."""

RESTART_CHARACTERS = 2_000
"""A restarted code learns from so many characters of the text, before it is restarted."""

RESTART_BYTES = 2**24
"""As many bytes are coded for all restarts together; to keep to that, pieces are longer."""


def ppmd_codes(train: str, text: str, progress: Callable[[float], None]) -> dict[str, CodeLength]:
    """Return what a non-empty `text` adds to the code for `train`, learning on and restarted."""
    before = _utf8(train)
    (alone,) = _sizes([before])
    marks = _marks(text, math.ceil(len(text) / PIECE_CHARACTERS))
    first, *sizes = _sizes([before, *_parts(text, marks)])
    sizes[-1] += first - alone  # what ends a code, which both have
    codes = {"ppmd": _code(marks, sizes)}

    affordable = max(1, RESTART_BYTES // max(1, len(before)))
    marks = _marks(text, min(math.ceil(len(text) / RESTART_CHARACTERS), affordable))
    sizes = []
    for part in _parts(text, marks):
        sizes.append(sum(_sizes([before + part])) - alone)
        progress(len(sizes) / (len(marks) - 1))
    return codes | {"ppmd-restarted": _code(marks, sizes)}


def _sizes(parts: Sequence[bytes]) -> list[int]:
    """Return by how many bytes each part makes the code longer; the last one also ends it."""
    # Too little memory would make the coder forget; 32 bytes for each of the text are enough.
    encoder = pyppmd.Ppmd7Encoder(ORDER, 2**20 + 64 * sum(map(len, parts)))
    sizes = [len(encoder.encode(part)) for part in parts]
    sizes[-1] += len(encoder.flush())
    return sizes


def _marks(text: str, pieces: int) -> list[int]:
    """Return where equal pieces of a text begin, and where the last one ends."""
    return [len(text) * i // pieces for i in range(pieces + 1)]


def _parts(text: str, marks: Sequence[int]) -> list[bytes]:
    return [_utf8(text[start:end]) for start, end in pairwise(marks)]


def _code(marks: Sequence[int], sizes: Sequence[int]) -> CodeLength:
    return CodeLength(np.array(marks[1:]), 8 * math.log(2) * np.array(sizes, float))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
