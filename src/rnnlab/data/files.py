"""Files that are written as a whole or not at all.

Each is written under a temporary name, flushed and renamed, so that a reader meets the old content
or the new one, never a part.
"""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_atomically(file: Path, content: bytes) -> None:
    """Replace `file` by `content` as a whole or not at all."""
    with replacing(file) as stream:
        stream.write(content)


@contextmanager
def replacing(file: Path) -> Iterator[BinaryIO]:
    """Open a stream whose content replaces `file` when the block ends, and not if it fails."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(file: Path, content: object) -> None:
    """Replace `file` by `content` as JSON; NaN and infinity, which JSON lacks, become null."""
    text = json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(file, f"{text}\n".encode())


def finite(content: object) -> object:
    """Copy nested dicts and lists with None for every NaN or infinite number."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
