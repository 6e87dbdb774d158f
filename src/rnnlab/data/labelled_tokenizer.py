"""A tokenizer with a token for each label, which stands at the beginning of a sample.

In a text a label is one character of a private plane of Unicode, so that a labelled sample is a
string like any other. What people read shows the label's name and a tab instead.

Legend: L labels, V tokens of the tokenizer inside.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.data.base_tokenizer import Ids, Tokenizer
from rnnlab.data.pieces import recut
from rnnlab.errors import UsageError, unknown

FIRST_LABEL, MOST_LABELS = 0xF0000, 4_096
LABELS = re.compile(f"[{chr(FIRST_LABEL)}-{chr(FIRST_LABEL + MOST_LABELS - 1)}]")


def label_character(number: int) -> str:
    """Return the character that stands for a label."""
    return chr(FIRST_LABEL + number)


def without_labels(text: str) -> str:
    """Return a text without the characters of labels."""
    return LABELS.sub("", text)


class LabelledTokenizer(Tokenizer):
    """Another tokenizer, whose ids are 0 .. V-1, and labels, whose ids are V .. V+L-1."""

    kind = "labelled"

    def __init__(self, inside: Tokenizer, counts: Mapping[str, int]) -> None:
        """Counts: of the training samples, how many have each label."""
        self.inside, self.counts = inside, dict(counts)
        self.labels = list(counts)
        self.unknown_id = inside.unknown_id

    @property
    def size(self) -> int:
        """V + L."""
        return self.inside.size + len(self.labels)

    def label_id(self, label: str) -> int:
        """Return the id of a label; raises UsageError if there is no such label."""
        if label not in self.counts:
            raise unknown("label", label, self.labels)
        return self.inside.size + self.labels.index(label)

    def narrow_ids(self, text: str) -> npt.NDArray[Any]:
        """See `Tokenizer.narrow_ids`."""
        if not LABELS.search(text):
            return self.inside.narrow_ids(text)
        return np.concatenate([ids for ids, _ in self._parts(text, self.inside.encode)])

    def ends(self, text: str) -> Ids:
        """See `Tokenizer.ends`; a label is one character."""
        found, before = [np.empty(0, np.int64)], 0
        for ends, length in self._parts(text, self.inside.ends):
            found.append((ends if length else np.ones(1, np.int64)) + before)
            before += length or 1
        return np.concatenate(found)

    def _parts(self, text: str, inside: Callable[[str], Ids]) -> Iterator[tuple[Ids, int]]:
        """Yield what `inside` gives for the text between labels, with its length in characters, and
        the id of each label, with 0."""
        begin = 0
        for found in LABELS.finditer(text):
            if begin < found.start():
                yield inside(text[begin : found.start()]), found.start() - begin
            number = min(ord(found[0]) - FIRST_LABEL, len(self.labels) - 1)
            yield np.array([self.inside.size + number]), 0
            begin = found.end()
        if begin < len(text):
            yield inside(text[begin:]), len(text) - begin

    def encode_pieces(self, pieces: Iterable[str]) -> Iterator[npt.NDArray[Any]]:
        """See `Tokenizer.encode_pieces`."""
        return (self.narrow_ids(part) for part in recut(pieces, self.inside.settled))

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """See `Tokenizer.decode`; a label is its name and a tab."""
        V, texts = self.inside.size, []
        for is_label, group in groupby(map(int, ids), lambda i: i >= V):
            own = list(group)
            if is_label:
                texts += [f"{self.labels[i - V]}\t" for i in own]
            else:
                texts.append(self.inside.decode(own))
        return "".join(texts)

    def stream(self) -> Callable[[int], str]:
        """See `Tokenizer.stream`."""
        inside, V = self.inside.stream(), self.inside.size
        return lambda token: inside(token) if token < V else f"{self.labels[token - V]}\t"

    def unknown_parts(self, text: str) -> Counter[str]:
        """See `Tokenizer.unknown_parts`; labels are known."""
        return self.inside.unknown_parts(without_labels(text))

    def spelling_nats(self, part: str) -> float:
        """See `Tokenizer.spelling_nats`."""
        return self.inside.spelling_nats(part)

    def spelled(self) -> list[str] | list[bytes]:
        """See `Tokenizer.spelled`; labels are not a part of the text."""
        found: Any = self.inside.spelled()
        return [*found, *[found[0][:0]] * len(self.labels)]

    def start_ids(self) -> Ids:
        """See `Tokenizer.start_ids`."""
        return self.inside.start_ids()

    def to_json(self) -> dict[str, Any]:
        """Return the labels with their counts, and the tokenizer inside."""
        return {"type": self.kind, "labels": self.counts, "tokenizer": self.inside.to_json()}

    def __repr__(self) -> str:
        return f"{self.inside!r} and {len(self.labels)} labels"


def inner_kind(tokenizer: Tokenizer) -> type[Tokenizer]:
    """Return the class that decides how text is read."""
    return type(tokenizer.inside if isinstance(tokenizer, LabelledTokenizer) else tokenizer)


def labels_of(tokenizer: Tokenizer) -> list[str]:
    """Return the labels that a tokenizer has."""
    return tokenizer.labels if isinstance(tokenizer, LabelledTokenizer) else []


def label_id(tokenizer: Tokenizer, label: str) -> int:
    """Return the id of a label; raises UsageError if the tokenizer has none, or not this one."""
    if not isinstance(tokenizer, LabelledTokenizer):
        raise UsageError(f"label = {label!r} needs a model of labelled samples (label_column)")
    return tokenizer.label_id(label)


def is_label(tokenizer: Tokenizer, token: int) -> bool:
    """Whether a token is a label."""
    return isinstance(tokenizer, LabelledTokenizer) and token >= tokenizer.inside.size
