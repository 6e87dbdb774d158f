"""Token files that are kept: each made once for a text and settings, by one process at a time.

An entry is two files, KEY.ids and KEY.json. Each is written under another name and renamed, the
second last; it is sealed, and holds the checksum of the first. An entry that is damaged or half
there is made again.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from rnnlab import files
from rnnlab.data.token_file import TokenWriter, is_complete, mapped
from rnnlab.errors import CorpusError
from rnnlab.files import CHECKSUM, TEMPORARY, alone, replacing, sealed, write_atomically

ABOUT_IDS = "ids"


@dataclass(frozen=True)
class Entry:
    """Ids, and what was said of them when they were written."""

    file: Path
    content: dict[str, Any]

    @property
    def ids(self) -> npt.NDArray[Any]:
        """All of them (N,), mapped."""
        return mapped(self.file, self.content[ABOUT_IDS])


def key_of(content: object) -> str:
    """A name for what is made by such settings of such a text."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def find(folder: Path, key: str) -> Entry | None:
    """Return a whole entry, or None."""
    file, about = folder / f"{key}.ids", folder / f"{key}.json"
    if not (file.is_file() and about.is_file()):  # a pipe would be waited for
        return None
    try:
        content = json.loads(about.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not (
        isinstance(content, dict) and CHECKSUM in content and files.has_valid_checksum(content)
    ):
        return None
    return Entry(file, content) if is_complete(file, content[ABOUT_IDS]) else None


def find_or_make(folder: Path, key: str, make: Callable[[TokenWriter], dict[str, Any]]) -> Entry:
    """Return the entry of this key; where there is none, `make` writes its ids and describes it.

    Raises CorpusError where it cannot be written.
    """
    if found := find(folder, key):
        return found
    file = folder / f"{key}.ids"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            with suppress(OSError):  # no locks here: several may make it, each renames a whole one
                stack.enter_context(alone(folder / f"{key}.lock"))
                for left in folder.glob(f".{key}.*{TEMPORARY}"):  # by a process that was killed
                    left.unlink(missing_ok=True)
            if found := find(folder, key):  # another process has made it meanwhile
                return found
            with replacing(file) as stream:
                writer = TokenWriter(stream)
                content = make(writer) | {ABOUT_IDS: writer.about()}
            write_atomically(folder / f"{key}.json", json.dumps(sealed(content)).encode())
    except OSError as error:
        raise CorpusError(
            f"a text too large for memory is read through a file of its tokens, which cannot be "
            f"written to {error.filename or folder}: {error.strerror}; mend that, or name another "
            "folder for caches with XDG_CACHE_HOME"
        ) from None
    return Entry(file, content)
