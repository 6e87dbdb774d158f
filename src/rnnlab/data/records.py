"""Samples in a column of a table: CSV and TSV with a head, or JSON objects line by line."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import Any

from rnnlab.errors import CorpusError, UsageError, suggest

Read = Callable[[Iterable[str], str, str], Iterator[str]]

PACKED_SUFFIXES = (".gz", ".xz", ".bz2", ".zst", ".zip")


def records_of(name: str, pieces: Iterable[str], column: str, origin: str) -> Iterator[str]:
    """Yield a column of a table in pieces, with a space for each line break within a value.

    name: of the file, whose ending says what kind of table it is. origin: names it in errors.

    Raises UsageError for another ending, CorpusError for a table that is not sound or has no such
    column.
    """
    endings = [end for end in PurePath(name).suffixes if end.lower() not in PACKED_SUFFIXES]
    read = KINDS.get(endings[-1].lower()) if endings else None
    if read is None:
        raise UsageError(
            f"column = {column!r} needs a table, {', '.join(KINDS)}, not {origin}"
        )
    for value in read(_lines(pieces), column, origin):
        yield " ".join(value.split("\n")) if "\n" in value else value


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Yield lines with their line breaks."""
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        yield from (line + "\n" for line in lines)
    if rest:
        yield rest


def _csv(lines: Iterable[str], column: str, origin: str, delimiter: str = ",") -> Iterator[str]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        head = next(reader, [])
        place = _place(head, column, origin)
        for row in reader:
            if not row:
                continue
            if len(row) != len(head):
                raise CorpusError(
                    f"{origin}, line {reader.line_num:,}: {len(row)} columns, where the head has "
                    f"{len(head)}"
                )
            yield row[place].replace("\r\n", "\n")
    except csv.Error as error:
        raise CorpusError(f"{origin}, line {reader.line_num:,}: {error}") from None


def _tsv(lines: Iterable[str], column: str, origin: str) -> Iterator[str]:
    return _csv(lines, column, origin, "\t")


def _place(head: list[str], column: str, origin: str) -> int:
    if column not in head:
        raise _no_column(column, head, origin)
    return head.index(column)


def _no_column(column: str, known: Iterable[str], where: str) -> CorpusError:
    names = list(known)
    listed = ", ".join(map(repr, names)) or "none"
    return CorpusError(f"{where} has no column {column!r}{suggest(column, names)} (it has {listed})")


def _jsonl(lines: Iterable[str], column: str, origin: str) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{origin}, line {number:,}"
        try:
            record: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{where}: not JSON: {error}") from None
        if not isinstance(record, dict):
            raise CorpusError(f"{where}: must be a JSON object")
        if column not in record:
            raise _no_column(column, record, where)
        value = record[column]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise CorpusError(f"{where}: {column!r} must be a string, not {json.dumps(value)[:50]}")
        yield str(value)


KINDS: dict[str, Read] = {".csv": _csv, ".tsv": _tsv, ".jsonl": _jsonl, ".ndjson": _jsonl}
"""How tables are read, by the ending of their names."""
