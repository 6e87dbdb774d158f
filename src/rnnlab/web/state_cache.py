"""What models had in their memory after the beginnings of texts, so that none is read twice.

A state is found by the tokens before it: the key of a beginning is a hash of the key of the
beginning without its last token, and of that token. So a text that goes on from any place of one
that was read or written before costs one step, however long it is. Servers of transformers share
the prefixes of requests in the same way (Kwon et al. 2023, arXiv:2309.06180, section 4.4), at the
price of memory that grows with the text; here each state has the same size.

Legend: V vocabulary size.
"""

from __future__ import annotations

import hashlib
import secrets
import weakref
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from rnnlab.lm.generate import PIECE_TOKENS
from rnnlab.lm.reading import make_reader
from rnnlab.lm.sampling import not_finite
from rnnlab.lm.text_model import TextModel
from rnnlab.web.packing import Kept

MOST_BYTES = 64 * 2**20
"""Of all states that are kept; 32,000 of an LSTM with 256 units."""

HASHED_AT_A_TIME = 8_192
"""Keys of so many tokens take some milliseconds."""

HASH_BYTES = 16
"""Two texts with the same hash are not to be feared, and not to be made."""


class StateCache:
    """The states that were used last, of all models."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._kept = Kept(most_bytes)
        self._beginnings: dict[int, bytes] = {}

    def beginning(self, model: object, variant: bytes = b"") -> bytes:
        """Return the key of no tokens; variant: what has changed the model.

        A model that was read anew is another object, and so has other keys.
        """
        number = id(model)
        if number not in self._beginnings:
            self._beginnings[number] = secrets.token_bytes(HASH_BYTES)
            weakref.finalize(model, self._beginnings.pop, number, None)
        return _hashed(self._beginnings[number] + variant)

    def get(self, key: bytes) -> bytes | None:
        """Return the state after a beginning, if it is kept."""
        return self._kept.get(key)

    def put(self, key: bytes, state: bytes) -> None:
        """Keep the state after a beginning."""
        self._kept.put(key, state)


class RememberingReader:
    """Reads a text token by token, and remembers all states."""

    def __init__(self, model: TextModel, cache: StateCache, beginning: bytes) -> None:
        """beginning: the key of no tokens."""
        with model.compute.using_threads():
            self._reader = make_reader(model.network, model.compute, 1, PIECE_TOKENS, model.mixture)
        self._cache, self._key = cache, beginning

    def skip(self, ids: Sequence[int], pass_on: Callable[[], None]) -> int:
        """Begin after as many of some ids as are remembered; return how many.

        pass_on: called after some milliseconds, again and again.
        """
        keys = [self._key]
        for place, token in enumerate(ids, 1):
            keys.append(_following(keys[-1], token))
            if place % HASHED_AT_A_TIME == 0:
                pass_on()
        for count in range(len(ids), 0, -1):
            if state := self._cache.get(keys[count]):
                self._reader.restore(state)
                self._key = keys[count]
                return count
        return 0

    def state(self) -> bytes:
        """Return the state after all that was read."""
        return self._reader.state()

    def read(self, token: int) -> npt.NDArray[np.float32]:
        """Read one more token; return the logits (V,) of what follows.

        Raises DivergenceError if one is NaN or infinite.
        """
        logits: npt.NDArray[np.float32] = self._reader.predict(np.array([[token]]))[0, 0]
        if not np.isfinite(logits).all():
            raise not_finite()
        self._key = _following(self._key, token)
        self._cache.put(self._key, self.state())
        return logits


def _following(key: bytes, token: int) -> bytes:
    """Return the key of a beginning and one more token."""
    return _hashed(key + token.to_bytes(8, "little"))


def _hashed(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=HASH_BYTES).digest()
