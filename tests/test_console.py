"""Text for people."""

import pytest

from rnnlab.console import counted


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1200, "1,200 runs")]
)
def test_counts_agree_with_their_noun(count: int, words: str) -> None:
    assert counted(count, "run") == words
