from hypothesis import given, settings
from hypothesis import strategies as st
from text_pieces import CUTS, TEXT, pieces

from rnnlab.data.pieces import BeginningAndEnd, PieceReader, recut


@given(text=TEXT, cuts=CUTS, sizes=st.lists(st.integers(0, 30), max_size=4))
@settings(max_examples=200, derandomize=True)
def test_a_reader_takes_what_slices_would(text: str, cuts: set[int], sizes: list[int]) -> None:
    reader, start = PieceReader(pieces(text, cuts)), 0
    for size in sizes:
        assert "".join(reader.take(size)) == text[start : start + size]
        start += size


@given(text=TEXT, cuts=CUTS)
@settings(max_examples=200, derandomize=True)
def test_pieces_are_cut_where_the_text_is_settled(text: str, cuts: set[int]) -> None:
    found = list(recut(pieces(text, cuts), lambda text: text.rfind("a") + 1))
    assert "".join(found) == text
    assert all(piece.endswith("a") for piece in found[:-1])
    assert "" not in found


@given(text=TEXT, cuts=CUTS, first=st.integers(0, 70), last=st.integers(0, 70))
@settings(max_examples=200, derandomize=True)
def test_the_beginning_and_the_end_are_what_slices_would_be(
    text: str, cuts: set[int], first: int, last: int
) -> None:
    kept = BeginningAndEnd(first, last)
    assert "".join(kept.passing(pieces(text, cuts))) == text
    assert kept.beginning() == text[:first]
    assert kept.end() == text[max(0, len(text) - last) :]
