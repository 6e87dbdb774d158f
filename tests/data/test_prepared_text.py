"""Several texts: a line break between them, and no token across a border."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_outcome import dataset_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rnnlab.errors import CorpusError

pytestmark = pytest.mark.usefixtures("cache")


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
    found = dataset_of(tmp_path, texts, streamed=streamed, preprocessing=rule)
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
        found = dataset_of(folder, texts, streamed=streamed, **values)
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
