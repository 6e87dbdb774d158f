"""Samples in columns of a table: CSV and TSV with a head, or JSON objects line by line."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from rnnlab.console import counted
from rnnlab.errors import CorpusError, UsageError, suggest

Read = Callable[[Iterable[str], Sequence[str], str], Iterator[list[str]]]

PACKED_SUFFIXES = (".gz", ".xz", ".bz2", ".zst", ".zip")


def records_of(
    name: str,
    pieces: Iterable[str],
    columns: Sequence[str],
    origin: str,
    line_break: str = " ",
) -> Iterator[list[str]]:
    """Yield some columns of a table in pieces.

    name: of the file, whose ending says what kind of table it is. origin: names it in errors.
    line_break: what each line break within a value becomes.

    Raises UsageError for another ending, CorpusError for a table that is not sound or has no such
    column.
    """
    read = KINDS.get(_ending(name))
    if read is None:
        raise UsageError(f"column = {columns[0]!r} needs a table, {', '.join(KINDS)}, not {origin}")
    for values in read(_lines(pieces), columns, origin):
        yield [value.replace("\n", line_break) for value in values]


def is_table(name: str) -> bool:
    """Whether a file of this name is read as a table."""
    return _ending(name) in KINDS


def _ending(name: str) -> str:
    endings = [end.lower() for end in PurePath(name).suffixes]
    return next((end for end in reversed(endings) if end not in PACKED_SUFFIXES), "")


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Yield lines with their line breaks."""
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        yield from (line + "\n" for line in lines)
    if rest:
        yield rest


def _csv(
    lines: Iterable[str], columns: Sequence[str], origin: str, delimiter: str = ","
) -> Iterator[list[str]]:
    reader, begin = csv.reader(lines, delimiter=delimiter, strict=True), 1
    try:
        head = next(reader, [])
        places = [_place(head, column, origin) for column in columns]
        begin = reader.line_num + 1
        for row in reader:
            if row and len(row) != len(head):
                raise CorpusError(
                    f"{origin}, line {begin:,}: {counted(len(row), 'column')}, where the head has "
                    f"{len(head)}"
                )
            begin = reader.line_num + 1
            if not row:
                continue
            yield [row[place].replace("\r\n", "\n") for place in places]
    except csv.Error as error:
        why = str(error)
        if why == "unexpected end of data":
            why = "a quote is opened in this record and never closed"
        raise CorpusError(f"{origin}, line {begin:,}: {why}") from None


def _tsv(lines: Iterable[str], columns: Sequence[str], origin: str) -> Iterator[list[str]]:
    return _csv(lines, columns, origin, "\t")


def _place(head: list[str], column: str, origin: str) -> int:
    if column not in head:
        raise _no_column(column, head, origin)
    return head.index(column)


def _no_column(column: str, known: Iterable[str], where: str) -> CorpusError:
    names = list(known)
    listed = ", ".join(map(repr, names)) or "none"
    return CorpusError(
        f"{where} has no column {column!r}{suggest(column, names)} (it has {listed})"
    )


def _jsonl(lines: Iterable[str], columns: Sequence[str], origin: str) -> Iterator[list[str]]:
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
        yield [_value(record, column, where) for column in columns]


def _value(record: dict[str, Any], column: str, where: str) -> str:
    if column not in record:
        raise _no_column(column, record, where)
    value = record[column]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CorpusError(f"{where}: {column!r} must be a string, not {json.dumps(value)[:50]}")
    return str(value)


KINDS: dict[str, Read] = {".csv": _csv, ".tsv": _tsv, ".jsonl": _jsonl, ".ndjson": _jsonl}
"""How tables are read, by the ending of their names."""
