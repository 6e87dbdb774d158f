"""What is left of a folder after a power failure: what was flushed, and a part of the rest."""

import os
import random
import shutil
import stat
from pathlib import Path


class PowerFailure:
    """Record what is flushed below `root`; what is there at the start is on the disk.

    After a power failure, an inode may have the content of its last fsync: a file its bytes (none
    before the first fsync), a folder its names and their inodes. Or it has its newest content. The
    two are drawn for each file and each folder separately.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, int]] = {}
        self._held: dict[int, int] = {}
        """An open descriptor for each inode, so that its number is not used again."""
        self._note(self._hold(root), deep=True)

    def flushed(self, descriptor: int) -> None:
        """Record that fsync was called."""
        self._note(self._hold(Path(f"/proc/self/fd/{descriptor}")))

    def strike(self, chance: random.Random) -> None:
        """Replace the folder by what is on the disk."""
        after = self.root.with_name(f"{self.root.name}-after")
        self._write(self._hold(self.root), after, chance)
        shutil.rmtree(self.root)
        after.rename(self.root)

    def close(self) -> None:
        """Close all descriptors."""
        for descriptor in self._held.values():
            os.close(descriptor)

    def _write(self, number: int, path: Path, chance: random.Random) -> None:
        certain = chance.random() < 0.5
        if self._is_folder(number):
            path.mkdir()
            names = self._names(number)
            for name, other in (self._folders.get(number, {}) if certain else names).items():
                self._write(other, path / name, chance)
        else:
            content = self._files.get(number, b"") if certain else self._bytes(number)
            path.write_bytes(content)

    def _hold(self, path: Path) -> int:
        """Keep the file or folder open; return its inode."""
        descriptor = os.open(path, os.O_RDONLY)
        number = os.fstat(descriptor).st_ino
        if self._held.setdefault(number, descriptor) != descriptor:
            os.close(descriptor)
        return number

    def _note(self, number: int, *, deep: bool = False) -> None:
        if not self._is_folder(number):
            self._files[number] = self._bytes(number)
            return
        self._folders[number] = self._names(number)
        for other in self._folders[number].values() if deep else ():
            self._note(other, deep=True)

    def _is_folder(self, number: int) -> bool:
        return stat.S_ISDIR(os.fstat(self._held[number]).st_mode)

    def _names(self, number: int) -> dict[str, int]:
        folder = Path(f"/proc/self/fd/{self._held[number]}")
        return {path.name: self._hold(path) for path in sorted(folder.iterdir())}

    def _bytes(self, number: int) -> bytes:
        return Path(f"/proc/self/fd/{self._held[number]}").read_bytes()
