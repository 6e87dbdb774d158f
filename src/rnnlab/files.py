"""Files that are replaced as a whole, logs that are appended to, and locks.

A file is written under a temporary name, flushed and renamed, and then its folder is flushed. So a
reader sees the old content or the new content, never a part of it, even after a power failure.
Windows cannot flush folders; there a rename may be lost in a power failure.
"""

import errno
import hashlib
import json
import math
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from rnnlab.errors import RnnlabError, RunDirectoryError, UsageError, is_unicode

TEMPORARY = ".tmp"
"""The ending of file names that are still being written."""

CHECKSUM = "sha256"
"""The key under which a JSON object stores the checksum of its other content."""

SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")

LOCKED_BYTES = 1
"""How much of a lock file Windows locks, so that no other process can read or write it."""

LOCK_POLL_SECONDS = 0.01
"""How often a process that waits for a lock tries again."""


def check_path(path: Path) -> None:
    """Raise UsageError for a path that is not UTF-8, which some libraries cannot open."""
    if not is_unicode(str(path)):
        raise UsageError(f"{str(path)!r} holds bytes that are not UTF-8; give it another name")


def check_not_special(file: Path, error: type[RnnlabError], advice: str = "") -> None:
    """Raise `error` for a pipe or a device: reading one may wait or go on for ever."""
    if file.exists() and not file.is_file() and not file.is_dir():
        raise error(f"{file} is not a regular file{advice}")


def write_atomically(file: Path, content: bytes) -> None:
    """Replace the content of `file` completely or not at all."""
    with replacing(file) as stream:
        stream.write(content)


@contextmanager
def replacing(file: Path) -> Iterator[BinaryIO]:
    """Open a stream whose content replaces `file` at the end of the block, unless that fails."""
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
    """Remove temporary files of killed processes; no other process may be writing here."""
    for left in folder.glob(f".*{TEMPORARY}"):
        left.unlink(missing_ok=True)


def make_folder(folder: Path, *, exist_ok: bool = True) -> None:
    """Make a folder and its missing parents, and flush them to disk."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=exist_ok)
    for made in reversed(missing):
        flush_folder(made.parent)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder to write into, which has its name after the block; if that fails, it is gone.

    Raises OSError if there is something else of this name.
    """
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}{TEMPORARY}")
    try:
        make_folder(unfinished)
        yield unfinished
        unfinished.replace(folder)
    except OSError as error:
        if error.filename == str(unfinished):
            error.filename = str(folder)
        raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    flush_folder(folder.absolute().parent)


def flush_folder(folder: Path) -> None:
    """Flush the names of the files in a folder to disk, on systems that can open folders."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def appending(file: Path) -> Iterator[TextIO]:
    """Open a text file for appending; an OSError in the block names the file."""
    try:
        with file.open("a", encoding="utf-8") as stream:
            yield stream
    except OSError as error:
        error.filename = str(file)
        raise


def flushed_size(file: Path) -> int:
    """Flush a log to disk and return its size in bytes; 0 if there is no such file."""
    try:
        descriptor = os.open(file, os.O_RDWR)  # Windows flushes only what is open for writing
    except FileNotFoundError:
        return 0
    try:
        os.fsync(descriptor)
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    flush_folder(file.parent)
    return size


def truncate_log(file: Path, size: int) -> bool:
    """Drop everything that was appended to a log after it had `size` bytes.

    Return whether the log has that many bytes. If it is shorter, only a torn last line is dropped.
    """
    found = file.stat().st_size if file.exists() else 0
    if found > size:
        os.truncate(file, size)
    elif found < size:
        drop_torn_line(file)
    return found >= size


def drop_torn_line(file: Path) -> None:
    """Drop a last line that has no line end: the process that wrote it was killed meanwhile."""
    if not file.exists() or not (size := file.stat().st_size):
        return
    with file.open("rb") as stream:
        stream.seek(size - 1)
        if stream.read(1) == b"\n":
            return
        stream.seek(0)
        end = stream.read().rfind(b"\n") + 1
    os.truncate(file, end)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Wait for the lock of a lock file, which is created if missing, and hold it in the block.

    The system releases the lock when the process ends, even if it is killed. The file stays.
    Systems without file locks run the block unlocked.
    """
    descriptor, _ = _lock(file, wait=True)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def try_lock(file: Path) -> Iterator[str]:
    """Take the lock of a lock file if it is free, as `locked` does, and hold it in the block.

    Yield "" if this process has the lock, otherwise who has it: "process 12 on host".
    """
    descriptor, is_ours = _lock(file, wait=False)
    try:
        if is_ours:
            if file.is_file():  # not a pipe
                with file.open("r+b") as stream:
                    stream.seek(LOCKED_BYTES)
                    stream.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
                    stream.truncate()
            yield ""
        else:
            yield _lock_holder(descriptor)
    finally:
        os.close(descriptor)


def lock_owner(file: Path) -> str:
    """Return who has the lock of a lock file, as `try_lock` does; "" if nobody has it.

    The lock is tried only if the process that the file names still lives, so that one which takes
    it in the same instant finds it free.
    """
    if not file.is_file():
        return ""
    try:
        with file.open("rb") as stream:
            stream.seek(LOCKED_BYTES)
            owner = stream.read(200).decode("utf-8", "replace")
        found = re.fullmatch(r"process (\d+) on (.+)", owner)
        if found and found[2] == socket.gethostname() and not _lives(int(found[1])):
            return ""
        descriptor, is_ours = _lock(file, wait=False)
    except OSError:  # of Windows, if another process is about to write the file
        return ""
    try:
        return "" if is_ours else _lock_holder(descriptor)
    finally:
        os.close(descriptor)


def _lives(process: int) -> bool:
    if os.name == "nt":  # where a signal 0 is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _lock(file: Path, *, wait: bool) -> tuple[int, bool]:
    """Open and lock a file; return its descriptor and whether this process has the lock.

    Raises OSError if the file cannot be opened or its file system has no locks.
    """
    from filelock import lock_descriptor  # takes longer than the rest of this file

    flags = os.O_CREAT | getattr(os, "O_NONBLOCK", 0)  # opening a pipe would wait for its other end
    for access in (os.O_RDONLY, os.O_RDWR):
        descriptor = os.open(file, access | flags, 0o644)
        try:
            if os.name != "nt" and not find_spec("fcntl"):
                return descriptor, True
            return descriptor, lock_descriptor(
                descriptor, blocking=wait, poll_interval=LOCK_POLL_SECONDS
            )
        except BaseException as error:
            os.close(descriptor)
            # NFS locks a file only for those who opened it for writing.
            if getattr(error, "errno", 0) != errno.EBADF or access == os.O_RDWR:
                raise
    raise AssertionError("unreachable")


def _lock_holder(descriptor: int) -> str:
    for start in (0, LOCKED_BYTES):  # older versions wrote from the start
        with suppress(OSError):
            os.lseek(descriptor, start, os.SEEK_SET)
            if holder := os.read(descriptor, 200).decode("utf-8", "replace").strip("\0"):
                return holder
    return "another process"


def write_json(file: Path, content: object) -> None:
    """Replace `file` by `content` as JSON; NaN and infinity become null."""
    write_atomically(file, json_bytes(content))


def json_bytes(content: object) -> bytes:
    """Return `content` as the bytes of a JSON file."""
    text = json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def finite(content: object) -> object:
    """Copy nested dicts and lists with None for every number that is NaN or infinite."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def read_json(file: Path, error: type[RnnlabError] = RunDirectoryError) -> dict[str, Any]:
    """Read a JSON object; raise `error` if the file does not hold one or its checksum is wrong."""
    check_not_special(file, error)
    try:
        text = file.read_bytes().decode("utf-8-sig")
        content = json.loads(text)
    except OSError as failure:
        raise error(f"{file}: cannot be read: {failure.strerror}") from None
    except (ValueError, RecursionError) as failure:  # a number of 10,000 digits is a ValueError
        raise error(f"{file}: damaged, not JSON: {failure}") from None
    if not isinstance(content, dict):
        raise error(f"{file}: damaged, must hold a JSON object")
    if SURROGATE_ESCAPE.search(text) and not is_unicode(json.dumps(content, ensure_ascii=False)):
        raise error(f"{file}: damaged, contains lone surrogates, which are not text")
    if not has_valid_checksum(content):
        raise error(f"{file}: damaged, its checksum does not match")
    return content


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Add or replace the checksum of the content: SHA-256 of its JSON, sorted by key."""
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    text = json.dumps(finite(rest), sort_keys=True)
    return {**rest, CHECKSUM: hashlib.sha256(text.encode()).hexdigest()}


def has_valid_checksum(content: Mapping[str, Any]) -> bool:
    """Whether the checksum is right or missing; files of older versions have none."""
    return CHECKSUM not in content or content == sealed(content)
