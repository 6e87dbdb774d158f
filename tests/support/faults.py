"""A disk that fails, or a machine that stops, at one of the changes to files."""

import builtins
import errno
import io
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from power_failure import PowerFailure

Kind = Literal["ENOSPC", "EIO", "short write", "crash", "power failure"]
KINDS: tuple[Kind, ...] = ("ENOSPC", "EIO", "short write", "crash", "power failure")


class Crash(BaseException):
    """The machine has stopped; `except Exception` does not catch it."""


class FaultyDisk:
    """Count all changes to files below `folder`, and let number `at` fail.

    A short write leaves half of the bytes and then reports a full disk. After a crash nothing below
    `folder` changes, whatever a `finally` tries. A power failure is a crash after which `settle`
    removes what may not have reached the disk.
    """

    def __init__(self, folder: Path, kind: Kind, at: int, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.kind, self.at = folder, kind, at
        self.count = 0
        self.crashed = False
        self.power = PowerFailure(folder)
        self.renamed: list[str] = []
        """Files that were put in place whole, but whose folders are not flushed yet."""
        self.safe: list[str] = []
        """Files whose folders are flushed, in the order in which they were put in place."""
        self.real_open = io.open
        for module in (io, builtins):
            patch.setattr(module, "open", self.open)
        for name in ("fsync", "replace", "rename", "unlink", "truncate", "mkdir"):
            patch.setattr(os, name, self.wrapped(name, getattr(os, name)))

    def tick(self, half: Callable[[], None] = lambda: None) -> None:
        """Count a change, and fail if it is number `at`; `half` makes half of the change."""
        if self.crashed:
            raise Crash
        self.count += 1
        if self.count != self.at:
            return
        if self.kind in ("short write", "crash", "power failure"):
            half()
        if self.kind in ("crash", "power failure"):
            self.crashed = True
            raise Crash
        number = errno.EIO if self.kind == "EIO" else errno.ENOSPC
        raise OSError(number, os.strerror(number))

    def is_ours(self, path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and Path(path).is_relative_to(self.folder)

    def wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if isinstance(args[0], int):  # a descriptor
                path = Path(f"/proc/self/fd/{args[0]}").readlink()
            else:
                path = args[0]
            ours = self.is_ours(path)
            if ours and not (name == "mkdir" and Path(path).is_dir()):
                self.tick()
            result = real(*args, **options)
            if ours and name == "replace":
                self.renamed.append(str(args[1]))
            if ours and name == "fsync":
                self.power.flushed(args[0])
                self.safe += [file for file in self.renamed if Path(file).parent == path]
                self.renamed = [file for file in self.renamed if Path(file).parent != path]
            return result

        return call

    def settle(self) -> None:
        """Apply the fault to what is on the disk; call this after the patch is undone."""
        if self.kind == "power failure":
            self.power.strike(random.Random(self.at))
        self.power.close()

    def open(self, file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        if not (self.is_ours(file) and set(mode) & set("wax+")):
            return self.real_open(file, mode, *args, **options)
        self.tick()
        return FaultyFile(self, self.real_open(file, mode, *args, **options))


class FaultyFile:
    """A file whose writes may fail."""

    def __init__(self, disk: FaultyDisk, file: Any) -> None:
        self._disk, self._file = disk, file

    def write(self, content: Any) -> Any:
        def half() -> None:
            self._file.write(content[: len(content) // 2])
            self._file.flush()

        self._disk.tick(half)
        return self._file.write(content)

    def __enter__(self) -> "FaultyFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
