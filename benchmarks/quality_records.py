"""What quality.py has measured, a line of JSON for each measurement."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Records:
    """Lines of JSON in a file, each written as soon as it is measured."""

    def __init__(self, file: Path, key: Sequence[str]) -> None:
        self.file, self.key = file, key
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        self.all: list[Record] = [json.loads(line) for line in lines]
        self.known = {self._key(record) for record in self.all}

    def __contains__(self, record: Mapping[str, Any]) -> bool:
        """Whether a record with the same key is there."""
        return self._key(record) in self.known

    def add(self, record: Record) -> None:
        """Append a record."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self.all.append(record)
        self.known.add(self._key(record))

    def _key(self, record: Mapping[str, Any]) -> str:
        return json.dumps([record[name] for name in self.key], sort_keys=True)


def tell(text: str) -> None:
    """Print progress to standard error."""
    print(text, file=sys.stderr, flush=True)
