"""Datasets as plain data, to compare what was read into memory with what was streamed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from rnnlab.config import DataSettings
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.data.streaming_limits import STREAMING_LIMITS, StreamingLimits
from rnnlab.errors import RnnlabError

ALL = replace(STREAMING_LIMITS, from_bytes=0)
"""Every text is streamed, however short."""


def outcome(data: DataSettings, limits: StreamingLimits | None) -> Any:
    """All that a dataset is, or its error."""
    try:
        return outcome_of(load_dataset(data, limits=limits or STREAMING_LIMITS))
    except RnnlabError as error:
        return type(error), str(error)


def outcome_of(found: Dataset) -> dict[str, Any]:
    source = found.corpus
    return {
        "source": (source.name, source.sha256, source.origin),
        "tokenizer": found.tokenizer.to_json(),
        "splits": {
            name: (part.characters, part.all_ids.tolist()) for name, part in found.splits.items()
        },
    }


def read(tmp_path: Path, content: bytes, limits: StreamingLimits = ALL, **values: Any) -> Dataset:
    file = tmp_path / "text.txt"
    file.write_bytes(content)
    return load_dataset(DataSettings(corpus=(str(file),), **values), limits=limits)


def dataset_of(folder: Path, texts: list[str], *, streamed: bool = False, **values: Any) -> Dataset:
    """The dataset of texts that are written into files of their own."""
    names = []
    for number, text in enumerate(texts):
        file = folder / f"{number}.txt"
        file.write_text(text, encoding="utf-8", newline="")
        names.append(str(file))
    limits = StreamingLimits(0, 7) if streamed else STREAMING_LIMITS
    data = DataSettings(**{"corpus": tuple(names), "split": (1, 0, 0), **values})
    return load_dataset(data, limits=limits)
