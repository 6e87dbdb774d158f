"""A file of token ids, mapped into memory: written once, checked, read wherever it is needed."""

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from rnnlab.data.char_tokenizers import Ids, smallest_type

FAULT_BYTES = 2**16
"""What the system maps at most around a byte that is read."""

MOST_MAPPED_BYTES = 2**26
"""What batches may leave mapped, since the system counts it as this process's memory."""


class TokenWriter:
    """Writes ids one after another in the smallest type that holds the vocabulary."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._sum = hashlib.sha256()
        self.tokens = 0
        self.type: np.dtype[Any] = np.dtype(np.int32)

    def begin(self, vocabulary_size: int) -> None:
        """Say how many different ids there are, before the first is written."""
        self.type = smallest_type(vocabulary_size)

    def write(self, ids: npt.NDArray[Any]) -> None:
        """Append ids (N,)."""
        content = ids.astype(self.type, copy=False).data
        self._stream.write(content)
        self._sum.update(content)
        self.tokens += len(ids)

    def about(self) -> dict[str, Any]:
        """What `mapped` and `is_complete` need to know of the file."""
        return {"tokens": self.tokens, "type": self.type.name, "sha256": self._sum.hexdigest()}


def is_complete(file: Path, about: dict[str, Any]) -> bool:
    """Whether a file is the one that was written, to the last bit."""
    try:
        with file.open("rb") as stream:
            return bool(hashlib.file_digest(stream, "sha256").hexdigest() == about["sha256"])
    except OSError:
        return False


def mapped(file: Path, about: dict[str, Any]) -> npt.NDArray[Any]:
    """Map all ids of a file, read only."""
    return np.memmap(file, np.dtype(about["type"]), "r", shape=(about["tokens"],))


def released(
    batches: Iterator[tuple[Ids, Ids]], ids: npt.NDArray[Any]
) -> Iterator[tuple[Ids, Ids]]:
    """Hand on batches (T, B) that are read from `ids`; if those are mapped, unmap what was read.

    What the system has mapped stays in its cache, and costs next to nothing to map again.
    """
    mapping = getattr(ids, "_mmap", None)
    mapped_bytes = 0
    for inputs, targets in batches:
        yield inputs, targets
        if mapping is not None:
            steps, rows = inputs.shape
            mapped_bytes += rows * (FAULT_BYTES + steps * ids.itemsize)
            if mapped_bytes > MOST_MAPPED_BYTES and hasattr(mmap, "MADV_DONTNEED"):
                mapping.madvise(mmap.MADV_DONTNEED)
                mapped_bytes = 0
