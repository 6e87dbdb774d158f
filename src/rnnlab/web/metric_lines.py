"""Lines of metrics.jsonl: fewer of them for a plot, and those that are new."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

Line = dict[str, Any]

BLOCK_BYTES = 2**18
"""Read at a time; longer than any line."""


def thinned(lines: Sequence[Line], points: int) -> list[Line]:
    """Return at most about so many lines, in their order; all of them if there are no more.

    Of neighbouring lines of a kind, those with the lowest and the highest loss stay, so that a
    curve has the same outline; the first and the last stay, too.
    """
    if len(lines) <= points:
        return list(lines)
    kinds: dict[str, list[int]] = {}
    for place, line in enumerate(lines):
        kinds.setdefault(line["kind"], []).append(place)
    chosen, left = set[int](), points
    for number, own in enumerate(sorted(kinds.values(), key=len)):  # the rarer ones first
        share = min(len(own), left // (len(kinds) - number))
        chosen |= set(own) if share == len(own) else _outline(lines, own, share)
        left -= share
    return [lines[place] for place in sorted(chosen)]


def _outline(lines: Sequence[Line], places: Sequence[int], points: int) -> set[int]:
    def loss(place: int) -> float:
        found = lines[place].get("nats_per_token")
        return math.inf if found is None else found

    buckets = max(1, (points - 2) // 2)
    chosen = {places[0], places[-1]}
    for bucket in range(buckets):
        own = places[bucket * len(places) // buckets : (bucket + 1) * len(places) // buckets]
        chosen |= {min(own, key=loss), max(own, key=loss)}
    return chosen


class NewLines:
    """Reads what is appended to a metrics.jsonl, whole lines only.

    When a run is resumed, its last lines may be cut off and others written. Then the file is read
    from its beginning again.
    """

    def __init__(self, file: Path, place: str = "") -> None:
        """place: what was read already, as `place` says it, or only the number of lines."""
        self._file = file
        self.count, self._check = _parsed(place)
        self._last = b""
        """The last line that was read; b"": what was read has not been looked for yet."""
        self._offset = 0

    @property
    def place(self) -> str:
        """How many lines were read, and a checksum of the last one."""
        return f"{self.count}~{zlib.crc32(self._last):08x}" if self._last else str(self.count)

    def read(self) -> Iterator[tuple[int, list[Line | None]]]:
        """Yield new lines, and how many were before them; 0: all that was read before is void.

        A damaged line is None.
        """
        while block := self._block():
            yield block

    def _block(self) -> tuple[int, list[Line | None]] | None:
        try:
            with self._file.open("rb") as stream:
                if not (self._is_where_it_was(stream) if self._last else self.skip(stream)):
                    self.count, self._offset, self._last = 0, 0, b""
                stream.seek(self._offset)
                whole, end, _ = stream.read(BLOCK_BYTES).rpartition(b"\n")
        except OSError:
            return None
        if not end:
            return None
        lines = whole.split(b"\n")
        before, self.count = self.count, self.count + len(lines)
        self._offset += len(whole) + 1
        self._last = lines[-1]
        return before, [_line(text) for text in lines]

    def _is_where_it_was(self, stream: BinaryIO) -> bool:
        stream.seek(self._offset - len(self._last) - 1)
        return stream.read(len(self._last) + 1) == self._last + b"\n"

    def skip(self, stream: BinaryIO) -> bool:
        """Pass the lines that a client has already; return whether they are still those."""
        if not self.count:
            return True
        for number, text in enumerate(stream, 1):
            self._offset += len(text)
            if number == self.count and text.endswith(b"\n"):
                self._last = text[:-1]
                return self._check in (None, zlib.crc32(self._last))
        return False


def place_after(file: Path, count: int) -> str:
    """Return the place after so many lines of a file; see `NewLines`."""
    found = NewLines(file, str(count))
    with suppress(OSError), file.open("rb") as stream:
        found.skip(stream)
    return found.place


def _parsed(place: str) -> tuple[int, int | None]:
    count, _, check = place.partition("~")
    try:
        return max(0, int(count)), int(check, 16) if check else None
    except ValueError:
        return 0, None


def _line(text: bytes) -> Line | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
