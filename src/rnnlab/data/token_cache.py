"""Files of token ids in the user's cache, each made once for a text and its settings.

An entry is two files: KEY.ids holds the ids and is mapped into memory, KEY.json describes them.
Both are written under another name and renamed, KEY.json last; it has a checksum of itself and of
the ids. An entry that is damaged or incomplete is made again.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from rnnlab.data.base_tokenizer import smallest_type
from rnnlab.errors import CorpusError
from rnnlab.files import CHECKSUM, TEMPORARY, locked, read_json, replacing, sealed, write_atomically

IDS = "ids"
"""Key in KEY.json of what is known about KEY.ids."""


class TokenWriter:
    """Writes ids one after another in the smallest type that holds the vocabulary."""

    def __init__(self, stream: BinaryIO, checksum: bool = True) -> None:
        self._stream = stream
        self._sum = hashlib.sha256() if checksum else None
        self.tokens = 0
        self.type: np.dtype[Any] = np.dtype(np.int32)

    def begin(self, vocabulary_size: int) -> None:
        """Set the number of different ids, before the first is written."""
        self.type = smallest_type(vocabulary_size)

    def write(self, ids: npt.NDArray[Any]) -> None:
        """Append ids (N,)."""
        content = ids.astype(self.type, copy=False).data
        self._stream.write(content)
        if self._sum:
            self._sum.update(content)
        self.tokens += len(ids)

    def about(self) -> dict[str, Any]:
        """Return what is needed to map the file and to check that it is complete."""
        assert self._sum
        return {"tokens": self.tokens, "type": self.type.name, "sha256": self._sum.hexdigest()}


@dataclass(frozen=True)
class CachedTokens:
    """An entry of the cache: a file of ids, and the content of KEY.json."""

    file: Path
    content: dict[str, Any]

    @property
    def ids(self) -> npt.NDArray[Any]:
        """All ids (N,), mapped read-only."""
        about = self.content[IDS]
        return np.memmap(self.file, np.dtype(about["type"]), "r", shape=(about["tokens"],))


def key_of(content: object) -> str:
    """Return the KEY for the settings and text that the ids depend on."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def find(folder: Path, key: str) -> CachedTokens | None:
    """Return an entry, or None if it is missing, damaged or incomplete."""
    file, about = folder / f"{key}.ids", folder / f"{key}.json"
    if not (file.is_file() and about.is_file()):  # opening a pipe would wait for its other end
        return None
    try:
        content = read_json(about, CorpusError)
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except (CorpusError, OSError):
        return None
    is_ours = CHECKSUM in content and found == content[IDS]["sha256"]
    return CachedTokens(file, content) if is_ours else None


def find_or_make(
    folder: Path, key: str, make: Callable[[TokenWriter], dict[str, Any]]
) -> CachedTokens:
    """Return an entry; if there is none, `make` writes its ids and returns what to store of them.

    Raises CorpusError if the entry cannot be written.
    """
    if found := find(folder, key):
        return found
    file = folder / f"{key}.ids"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            # Without locks, several processes may make the entry; each renames a complete one.
            with suppress(OSError):
                stack.enter_context(locked(folder / f"{key}.lock"))
                for left in folder.glob(f".{key}.*{TEMPORARY}"):  # by a process that was killed
                    left.unlink(missing_ok=True)
            if found := find(folder, key):  # another process has made it meanwhile
                return found
            with replacing(file) as stream:
                writer = TokenWriter(stream)
                content = make(writer) | {IDS: writer.about()}
            write_atomically(folder / f"{key}.json", json.dumps(sealed(content)).encode())
    except OSError as error:
        raise CorpusError(
            f"a text too large for memory is read through a file of its tokens, which cannot be "
            f"written to {error.filename or folder}: {error.strerror}; solve that, or set "
            "XDG_CACHE_HOME to another folder for caches"
        ) from None
    return CachedTokens(file, content)
