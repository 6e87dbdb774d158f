"""Several texts: a line break between them, and no token across a border."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rnnlab.config import DataSettings
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.data.streaming_limits import STREAMING_LIMITS, StreamingLimits
from rnnlab.errors import CorpusError


def dataset(folder: Path, texts: list[str], *, streamed: bool = False, **values: Any) -> Dataset:
    names = []
    for number, text in enumerate(texts):
        file = folder / f"{number}.txt"
        file.write_text(text, encoding="utf-8", newline="")
        names.append(str(file))
    limits = StreamingLimits(0, 7) if streamed else STREAMING_LIMITS
    data = DataSettings(**{"corpus": tuple(names), "split": (1, 0, 0), **values})
    return load_dataset(data, limits=limits)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("texts", "rule", "joined"),
    [
        (["The end.", "Once upon"], "none", "The end.\nOnce upon"),
        (["The end.\n", "Once upon\n", "a"], "none", "The end.\nOnce upon\na"),
        (["The end.\r\n", "Once"], "none", "The end.\r\nOnce"),
        (["The end.\r", "Once"], "none", "The end.\r\nOnce"),
        (["The End", "Once"], "lower", "the end\nonce"),
        (["The end.", "Once upon\na time.", "12", "So"], "letters", "the end once upona time so"),
    ],
)
def test_a_line_break_is_put_between_texts_where_it_is_missing(
    texts: list[str], rule: str, joined: str, streamed: bool, tmp_path: Path
) -> None:
    """The rule `letters` keeps no line breaks, so there it is a space."""
    found = dataset(tmp_path, texts, streamed=streamed, preprocessing=rule)
    assert found.splits["train"].text == joined


@pytest.mark.parametrize("kind", ["char", "byte", "word", "bpe"])
@pytest.mark.parametrize("rule", ["none", "letters"])
@given(
    texts=st.lists(
        st.text(st.sampled_from("ab \n\r.é'\u0301"), min_size=1), min_size=1, max_size=4
    ),
    streamed=st.booleans(),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_token_reaches_across_a_border(
    kind: str, rule: str, texts: list[str], streamed: bool, tmp_path_factory: Any
) -> None:
    """So tokens of the whole are those of the documents, and each begins where it should."""
    folder = tmp_path_factory.mktemp("texts")
    values = {"tokenizer": kind, "preprocessing": rule, "bpe_size": 270}
    try:
        found = dataset(folder, texts, streamed=streamed, **values)
    except CorpusError:
        assume(False)
    part = found.splits["train"]
    assert np.array_equal(part.all_ids, found.tokenizer.encode(part.text))
    starts = [0, *part.documents, len(part.all_ids)]
    documents = [
        found.tokenizer.decode(part.all_ids[a:b].astype(np.int64))
        for a, b in itertools.pairwise(starts)
    ]
    assert "".join(documents) == part.text
    assert all(document[-1:] == "\n" or rule == "letters" for document in documents[:-1])
    assert all(document[0] == " " or rule == "none" for document in documents[1:])
