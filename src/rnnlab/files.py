"""Files that are written as a whole or not at all, and files that one process at a time may change.

A file is written under a temporary name, flushed and renamed, and its folder is flushed, so that a
reader meets the old content or the new one, never a part, and a machine that loses power as well.
"""

import errno
import fcntl
import hashlib
import json
import math
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from rnnlab.errors import UsageError, is_unicode

TEMPORARY = ".tmp"
"""How the names of files end that are not whole yet."""

CHECKSUM = "sha256"
"""Key under which a file keeps the checksum of its other content."""


def check_path(path: Path) -> None:
    """Raise UsageError for a path that is not UTF-8, which not all libraries can open."""
    if not is_unicode(str(path)):
        raise UsageError(f"{str(path)!r} holds bytes that are not UTF-8; give it another name")


def is_special(path: Path) -> bool:
    """Whether something is there that is neither file nor folder; a pipe may be waited for long."""
    return path.exists() and not path.is_file() and not path.is_dir()


def write_atomically(file: Path, content: bytes) -> None:
    """Replace `file` by `content` as a whole or not at all."""
    with replacing(file) as stream:
        stream.write(content)


@contextmanager
def appending(file: Path) -> Iterator[TextIO]:
    """Open a text file to append to; an OSError names it."""
    try:
        with file.open("a", encoding="utf-8") as stream:
            yield stream
    except OSError as error:
        error.filename = str(file)
        raise


@contextmanager
def replacing(file: Path) -> Iterator[BinaryIO]:
    """Open a stream whose content replaces `file` when the block ends, and not if it fails."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}{TEMPORARY}")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError as error:
        if error.filename in (None, str(temporary)):  # a full disk names no file
            error.filename = str(file)
        raise
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):
            temporary.unlink()
    flush_folder(file.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of processes that were killed; no other may be writing here."""
    for left in folder.glob(f".*{TEMPORARY}"):
        left.unlink(missing_ok=True)


def make_folder(folder: Path, *, exist_ok: bool = True) -> None:
    """Make a folder and those above it, as mkdir does; that they are there is on disk then."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=exist_ok)
    for made in reversed(missing):
        flush_folder(made.parent)


def flush_folder(folder: Path) -> None:
    """Put on disk which files a folder has, and under which names."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flushed_size(file: Path) -> int:
    """Length of a file that is appended to, all of it on disk; 0 where there is none."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        os.fsync(descriptor)
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    flush_folder(file.parent)
    return size


def cut_off(file: Path, size: int) -> bool:
    """Take away what was appended to a file beyond `size`; returns whether it had as much as that.

    Of a file that is shorter a torn last line is taken away, which the next would be joined to.
    """
    found = file.stat().st_size if file.exists() else 0
    if found > size:
        os.truncate(file, size)
    elif found < size and found:
        os.truncate(file, file.read_bytes().rfind(b"\n") + 1)
    return found >= size


@contextmanager
def claimed(file: Path) -> Iterator[str]:
    """Try to be the one process that has this lock file, until the context ends.

    Yields nothing ("") where it is, and otherwise who has it: "process 12 on host". The system
    frees the lock when its process ends, however it ends; the file stays.
    """
    try:
        descriptor = _locked(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = file.read_text(encoding="utf-8", errors="replace")
        yield owner or "another process"
        return
    try:
        file.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        yield ""
    finally:
        os.close(descriptor)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until this is the one process that has locked `path`, a file or a folder.

    The system frees the lock when its process ends, however it ends.
    """
    descriptor = _locked(path, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(path: Path, how: int) -> int:
    """Open and lock a file, made where it is missing, or a folder; raises as flock does."""
    make = 0 if path.is_dir() else os.O_CREAT
    for access in (os.O_RDONLY, os.O_RDWR):
        descriptor = os.open(path, access | make | os.O_NONBLOCK, 0o644)  # a pipe would be awaited
        try:
            fcntl.flock(descriptor, how)
        except OSError as error:
            os.close(descriptor)
            # NFS lets only those be alone who may write.
            if error.errno != errno.EBADF or access == os.O_RDWR:
                raise
        else:
            break
    return descriptor


def write_json(file: Path, content: object) -> None:
    """Replace `file` by `content` as JSON; NaN and infinity, which JSON lacks, become null."""
    write_atomically(file, json_bytes(content))


def json_bytes(content: object) -> bytes:
    """Return `content` as a file's JSON."""
    text = json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def finite(content: object) -> object:
    """Copy nested dicts and lists with None for every NaN or infinite number."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Add the checksum of the content, or replace it: SHA-256 of its JSON, sorted by name."""
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    text = json.dumps(finite(rest), sort_keys=True)
    return {**rest, CHECKSUM: hashlib.sha256(text.encode()).hexdigest()}


def has_valid_checksum(content: Mapping[str, Any]) -> bool:
    """Whether the content is what was sealed; what is older than seals has none."""
    return CHECKSUM not in content or content == sealed(content)
