"""Text until a stop text, in pieces of any size: against a search in the whole text."""

from hypothesis import given
from hypothesis import strategies as st

from rnnlab.data.tokenizer import ByteTokenizer, CharTokenizer, LabelledTokenizer
from rnnlab.lm.stopping import WrittenText

LETTERS = CharTokenizer("ab")


def cut(text, stops):
    """The text before the stop text that is complete first, and whether there is one."""
    for end in range(1, len(text) + 1):
        if found := [stop for stop in stops if text[:end].endswith(stop)]:
            return text[: end - max(map(len, found))], True
    return text, False


@given(
    pieces=st.lists(st.text("ab", max_size=4), max_size=6),
    stops=st.lists(st.text("ab", min_size=1, max_size=4), max_size=3),
)
def test_pieces_are_certain_and_as_long_as_they_can_be(pieces, stops):
    text, printed, read = WrittenText(LETTERS, stops), "", ""
    for piece in pieces:
        if text.has_stopped:
            break
        printed, read = printed + text.searched(piece), read + piece
        assert (printed, True) == cut(read, stops) if text.has_stopped else True
        if not text.has_stopped:
            held = read[len(printed) :]
            assert read.startswith(printed)
            assert not held or any(s.startswith(held) and s != held for s in stops)
            certain = printed + held
            assert not any(
                certain.endswith(s[:n]) for s in stops for n in range(len(held) + 1, len(s))
            )
    assert (printed + text.rest(), text.has_stopped) == cut(read, stops)


def test_a_stop_text_over_several_bytes():
    text = WrittenText(ByteTokenizer(), ["é€"])
    found = [text.piece(byte) for byte in "aéb\u00e9€c".encode()]
    assert found == ["a", "", "", "éb", "", "", "", "", "", ""]
    assert (text.has_stopped, text.rest(), text.tokens) == (True, "", 9)


def test_labels_are_not_searched():
    tokenizer = LabelledTokenizer(LETTERS, {"b": 1})
    text = WrittenText(tokenizer, ["b"])
    found = [text.piece(token) for token in (3, 1, 2, 1)]
    assert found == ["b\t", "a", "", ""]
    assert text.has_label
