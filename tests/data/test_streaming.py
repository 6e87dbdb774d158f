"""A text that is streamed gives what it gives in memory, wherever it is cut on the way."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pooch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.config import DataSettings
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.data.streaming import STREAMING, Streaming
from rnnlab.errors import RnnlabError

ALL = replace(STREAMING, from_bytes=0)
BOM = b"\xef\xbb\xbf"
STRANGE = {
    "crlf": "one line\r\ntwo lines\r\n\r\nthree\r" * 20,
    "combining": "e\u0301a\u0300 n\u0303o\u0308 " * 40,
    "right to left": "שלום עולם، مرحبا بالعالم \u200f(1)\u200e\n" * 20,
    "emoji": "👩‍👩‍👧‍👦 and 🏳️‍🌈, 😀😀\n" * 20,
    "edges": "\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff " * 20,
    "sigma": "ΟΔΥΣΣΕΥΣ ΚΑΙ ΣΑΣ ΑΣ. Σ'Σ\n" * 20,
    "spaces": "a  b   c\t\td \n \n  e\u2028f\x85g " * 20,
    "long line": "the cat, and the hat; " * 60,
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user cache."""
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "rnnlab" / "tokens"


def outcome(data: DataSettings, streaming: Streaming | None) -> Any:
    """All that a dataset is, or the error that there is none."""
    try:
        found = load_dataset(data, streaming=streaming or STREAMING)
    except RnnlabError as error:
        return type(error), str(error)
    source = found.corpus
    return {
        "source": (source.name, source.sha256, source.origin),
        "tokenizer": found.tokenizer.to_json(),
        "splits": {
            name: (part.characters, part.all_ids.tolist()) for name, part in found.splits.items()
        },
    }


def read(tmp_path: Path, content: bytes, streaming: Streaming = ALL, **values: Any) -> Dataset:
    file = tmp_path / "text.txt"
    file.write_bytes(content)
    return load_dataset(DataSettings(corpus=(str(file),), **values), streaming=streaming)


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """Text that is dense in what a cut could spoil, and now and then bytes that are no text."""
    dense = st.text(st.sampled_from("abAΣσ.' \n\r\t,é€😀\u0301\u2028\ufeff"), max_size=80)
    text = draw(st.one_of(dense, dense, st.text(max_size=60), st.sampled_from([*STRANGE.values()])))
    content = draw(st.sampled_from([b"", b"", BOM])) + text.encode()
    if draw(st.integers(0, 4)) == 0:
        where = draw(st.integers(0, len(content)))
        broken = st.sampled_from([b"\0", b"\xff", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80"])
        content = content[:where] + draw(broken | st.binary(max_size=4)) + content[where:]
    return content


SPLITS = st.sampled_from(
    [(0.9, 0.05, 0.05), (1, 0, 0), (0.5, 0.2, 0.3), (0.34, 0.33, 0.33), (7, 2, 3), (2, 0, 9)]
)


@given(
    parts=st.lists(contents(), min_size=1, max_size=2),
    chunk=st.integers(1, 9) | st.just(1000),
    tokenizer=st.sampled_from(["char", "byte", "word", "bpe"]),
    rule=st.sampled_from(["none", "lower", "letters"]),
    errors=st.sampled_from(["strict", "replace"]),
    vocabulary=st.sampled_from(["train", "text"]),
    limit=st.sampled_from([0, 0, 1, 5, 40]),
    frequency=st.sampled_from([1, 1, 2]),
    cut=SPLITS,
)
@settings(max_examples=300, derandomize=True)
def test_streaming_changes_nothing(
    parts: list[bytes], chunk: int, tokenizer: str, rule: str, errors: str, vocabulary: str,
    limit: int, frequency: int, cut: tuple[float, float, float],
) -> None:  # fmt: skip
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooch, "os_cache", lambda name: Path(folder) / name)
        files = [Path(folder) / f"{number}.txt" for number in range(len(parts))]
        for file, content in zip(files, parts, strict=True):
            file.write_bytes(content)
        data = DataSettings(
            corpus=tuple(map(str, files)), tokenizer=tokenizer, preprocessing=rule, errors=errors,
            vocabulary=vocabulary, corpus_limit=limit, min_frequency=frequency, bpe_size=290,
            split=cut,
        )  # fmt: skip
        streaming = Streaming(0, chunk, evaluated_characters=7, end_characters=11)
        in_memory = outcome(data, None)
        assert outcome(data, streaming) == in_memory
        if isinstance(in_memory, dict):
            assert outcome(data, streaming) == in_memory  # from the file made before
            assert not list(Path(folder).rglob("*.tmp"))
