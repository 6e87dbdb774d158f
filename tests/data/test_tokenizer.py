import functools
import json
import unicodedata
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import regex
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from text_pieces import CUTS, DENSE, pieces
from unicode_words import unicode_words

from rnnlab.config import DataSettings
from rnnlab.data import bpe_tokenizer, word_tokenizers
from rnnlab.data.bpe_tokenizer import LONGEST_RUN
from rnnlab.data.preprocessing import preprocess
from rnnlab.data.tokenizer import KINDS as TOKENIZERS
from rnnlab.data.tokenizer import (
    BpeTokenizer,
    ByteTokenizer,
    CharTokenizer,
    RunsOfLettersTokenizer,
    Tokenizer,
    WordTokenizer,
    first_tokens,
    tokenizer_from_json,
    train_tokenizer,
)
from rnnlab.data.word_tokenizers import LONGEST_WORD, UNICODE_WORDS
from rnnlab.errors import CorpusError

KINDS = ("char", "byte", "word", "bpe")
UNBOUNDED = ("byte", "bpe")
# Any Unicode text, and texts dense in words, spaces, line ends, and characters of 1 to 4 bytes.
# Letters, digits and what joins them in several scripts, marks, joiners, flags, spaces.
WORD_PARTS = "aé1カא漢ทक्\u0301\u064e\u200d\u2060😀❤🇫🇷 \t\r\n\u202f\xa0\x1c'\".:,;_\u2019-"
TEXT = (
    st.text(max_size=60)
    | st.text(st.sampled_from("ab  \n\r\t.,'_é€😀\u2028\x85"), max_size=60)
    | st.text(st.sampled_from(WORD_PARTS), max_size=40)
)
SETTINGS = {kind: DataSettings(tokenizer=kind, bpe_size=300) for kind in KINDS}
moderate = settings(max_examples=70, deadline=None, derandomize=True)
of_every_kind = pytest.mark.parametrize("kind", KINDS)

UNK = "<unk>"
PARTS: dict[str, Callable[[str], list[str]]] = {"char": list, "word": unicode_words}
BPE = BpeTokenizer.train("ab  ba !!\x1c ' é語 aa 1\t1\n  \n a  \n\t \n" * 9, 300)
FABLE = "the cat, the hat; the mat\nand the café of 😀 and 😀\n" * 4


def trained(kind: str, text: str) -> Tokenizer:
    return train_tokenizer(SETTINGS[kind], text)


@of_every_kind
@given(text=TEXT)
@moderate
def test_the_training_text_comes_back_and_ids_are_in_range(kind: str, text: str) -> None:
    tokenizer = trained(kind, text)
    ids = tokenizer.encode(text)
    assert ids.dtype == np.int64
    assert ids.ndim == 1
    assert tokenizer.decode(ids) == text
    assert not len(ids) or 0 <= ids.min() <= ids.max() < tokenizer.size
    assert not tokenizer.unknown_parts(text)
    if tokenizer.unknown_id is not None:
        assert tokenizer.unknown_id not in ids


@of_every_kind
@given(text=TEXT)
@moderate
def test_any_text_has_ids_in_range_and_what_is_unknown_is_told(kind: str, text: str) -> None:
    tokenizer = trained(kind, FABLE)
    ids = tokenizer.encode(text)
    assert not len(ids) or 0 <= ids.min() <= ids.max() < tokenizer.size
    if kind in UNBOUNDED:
        assert not tokenizer.unknown_parts(text)
        assert tokenizer.decode(ids) == text
    else:
        pieces, known = PARTS[kind](text), set(PARTS[kind](FABLE))
        assert (ids == tokenizer.unknown_id).tolist() == [piece not in known for piece in pieces]
        unknown = Counter(piece for piece in pieces if piece not in known)
        assert list(tokenizer.unknown_parts(text).items()) == list(unknown.items())
        shown = "".join(piece if piece in known else UNK for piece in pieces)
        assert tokenizer.decode(ids) == shown


@of_every_kind
@given(text=TEXT.filter(lambda text: "\ufffd" not in text))
@moderate
def test_the_pieces_of_a_stream_join_to_the_text(kind: str, text: str) -> None:
    tokenizer = trained(kind, FABLE + text)
    show = tokenizer.stream()
    pieces = [show(int(token)) for token in tokenizer.encode(text)]
    assert "".join(pieces) == text
    assert "\ufffd" not in "".join(pieces)


@given(st.lists(st.integers(0, 255)))
@moderate
def test_a_stream_of_any_bytes_holds_back_only_an_unfinished_end(values: list[int]) -> None:
    tokenizer = ByteTokenizer()
    streamed = "".join(map(tokenizer.stream(), values))
    whole = tokenizer.decode(values)
    assert whole.startswith(streamed)
    rest = whole[len(streamed) :]
    assert rest == "\ufffd" * len(rest)
    assert len(rest) < 4


@of_every_kind
@given(text=TEXT)
@moderate
def test_json_text_gives_back_the_same_tokenizer(kind: str, text: str) -> None:
    before = trained(kind, text)
    after = tokenizer_from_json(json.loads(json.dumps(before.to_json())))
    assert type(after) is type(before)
    assert after.size == before.size
    for sample in (text, FABLE):
        assert np.array_equal(after.encode(sample), before.encode(sample))
    every = np.arange(before.size)
    assert after.decode(every) == before.decode(every)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^unknown tokenizer type 'syllable'$"):
        tokenizer_from_json({"type": "syllable"})


@of_every_kind
def test_ids_outside_the_vocabulary_are_refused(kind: str) -> None:
    tokenizer = trained(kind, FABLE)
    for bad in (-1, tokenizer.size):
        with pytest.raises(IndexError, match=rf"^token id outside 0 \.\. {tokenizer.size - 1}$"):
            tokenizer.decode([0, bad])


@of_every_kind
def test_no_text_has_no_tokens(kind: str) -> None:
    for tokenizer in (trained(kind, FABLE), trained(kind, "")):
        assert tokenizer.encode("").shape == (0,)
        assert tokenizer.decode([]) == ""


@pytest.mark.parametrize("surrogate", [chr(0xDCFF), chr(0xD83D)])
@of_every_kind
def test_lone_surrogates_are_read_without_a_crash(kind: str, surrogate: str) -> None:
    """A shell hands undecodable bytes over as surrogates (PEP 383)."""
    tokenizer = trained(kind, FABLE)
    text = "the" + surrogate
    shown = tokenizer.decode(tokenizer.encode(text))
    assert shown == ("the" + UNK if kind in ("char", "word") else "the\ufffd")
    unknown = [surrogate] if kind in ("char", "word") else []
    assert list(tokenizer.unknown_parts(text)) == unknown


@pytest.mark.parametrize(
    ("text", "expected"), [("a\nb ", "\n"), ("a b", " "), ("ba a", " "), ("aab", "a"), ("", UNK)]
)
def test_a_model_without_prefix_starts_after_a_break_a_space_or_token_1(
    text: str, expected: str
) -> None:
    tokenizer = CharTokenizer.train(text)
    assert tokenizer.decode(tokenizer.start_ids()) == expected


@pytest.mark.parametrize("kind", UNBOUNDED)
def test_a_model_without_prefix_starts_after_a_line_break(kind: str) -> None:
    tokenizer = trained(kind, "no break here")
    assert tokenizer.decode(tokenizer.start_ids()) == "\n"


@given(TEXT)
@moderate
def test_char_has_one_id_a_code_point_the_most_frequent_first(text: str) -> None:
    tokenizer = CharTokenizer.train(text)
    counts = Counter(text)
    assert list(tokenizer.characters) == sorted(counts, key=lambda c: (-counts[c], c))
    assert tokenizer.size == len(counts) + 1
    assert [tokenizer.decode([i + 1]) for i in range(len(counts))] == list(tokenizer.characters)
    assert len(tokenizer.encode(text)) == len(text)


@given(TEXT)
@moderate
def test_byte_ids_are_the_bytes_of_utf8(text: str) -> None:
    assert bytes(ByteTokenizer().encode(text).tolist()) == text.encode()


def test_a_word_takes_the_space_before_it() -> None:
    tokenizer = WordTokenizer.train("the cat, the hat;  the\n", 1)
    pieces = [tokenizer.decode([i]) for i in tokenizer.encode("the cat, the hat;  the\n")]
    assert pieces == ["the", " cat", ",", " the", " hat", ";", " ", " the", "\n"]
    assert tokenizer.words[0] == " the"  # the only one seen twice
    assert tokenizer.words[1:] == sorted(tokenizer.words[1:])


@given(text=TEXT, least=st.integers(1, 4))
@moderate
def test_words_rarer_than_the_minimum_are_unknown(text: str, least: int) -> None:
    counts = Counter(unicode_words(text))
    tokenizer = train_tokenizer(DataSettings(tokenizer="word", min_frequency=least), text)
    kept = {word for word, count in counts.items() if count >= least}
    assert set(tokenizer.unknown_parts(text)) == set(counts) - kept
    assert tokenizer.size == len(kept) + 1
    assert (tokenizer.encode(text) == 0).sum() == sum(n for n in counts.values() if n < least)


def test_bpe_merges_the_most_frequent_pairs_of_its_training_text() -> None:
    # "lo" 5, "lower" 2, "newest" 6, "widest" 3 times: the example of Sennrich et al. 2016, fig. 1.
    text = "".join(
        f"{w}\n" * n for w, n in {"low": 5, "lower": 2, "newest": 6, "widest": 3}.items()
    )
    tokenizer = BpeTokenizer.train(text, 256 + 4)
    merged = [tokenizer.decode([i]) for i in range(256, tokenizer.size)]
    assert merged[:2] == ["es", "est"]
    assert set(merged[2:]) == {"lo", "low"}
    assert [tokenizer.decode([i]) for i in tokenizer.encode("lowest")] == ["low", "est"]


@pytest.mark.parametrize("size", [257, 270, 300])
def test_bpe_has_the_size_asked_for_or_what_the_text_gives(size: int) -> None:
    assert BpeTokenizer.train(FABLE, size).size == min(size, BpeTokenizer.train(FABLE, 999).size)
    assert BpeTokenizer.train("", size).size == 256


@of_every_kind
@given(text=TEXT, limit=st.integers(1, 70))
@moderate
def test_cut_keeps_exactly_the_first_tokens(kind: str, text: str, limit: int) -> None:
    kept = "".join(first_tokens([text], TOKENIZERS[kind], limit))
    assert text.startswith(kept)
    if kind == "bpe":  # cut before the tokens are learned: characters
        assert len(kept) == min(limit, len(text))
        return
    tokenizer = trained(kind, text)
    ids, expected = tokenizer.encode(kept), tokenizer.encode(text)[:limit]
    if kind == "byte":  # a character is not cut in two
        missing = len(expected) - len(ids)
        assert 0 <= missing < 4
        expected = expected[: len(ids)]
        assert missing == 0 or len(text[len(kept)].encode()) > missing
    assert np.array_equal(ids, expected)


@of_every_kind
def test_a_tokenizer_shows_its_size(kind: str) -> None:
    tokenizer = trained(kind, FABLE)
    assert repr(tokenizer) == f"{kind.capitalize()}Tokenizer({tokenizer.size} tokens)"


@of_every_kind
@given(text=TEXT | DENSE, cuts=CUTS, seen=st.integers(0, 60))
@moderate
def test_pieces_have_the_ids_of_the_whole(kind: str, text: str, cuts: set[int], seen: int) -> None:
    whole = train_tokenizer(SETTINGS[kind], FABLE + text[:seen])
    parts = train_tokenizer(SETTINGS[kind], [*pieces(FABLE, cuts), *pieces(text[:seen], cuts)])
    assert parts.to_json() == whole.to_json()
    found = [np.empty(0, np.int64), *whole.encode_pieces(pieces(text, cuts))]
    assert np.array_equal(np.concatenate(found), whole.encode(text))


@of_every_kind
@given(text=TEXT | DENSE, cuts=CUTS, limit=st.integers(1, 40))
@moderate
def test_a_limit_cuts_pieces_as_it_cuts_the_whole(
    kind: str, text: str, cuts: set[int], limit: int
) -> None:
    match kind:
        case "byte":
            expected = text.encode()[:limit].decode(errors="ignore")
        case "word":
            expected = "".join(unicode_words(text)[:limit])
        case _:
            expected = text[:limit]
    for given_pieces in ([text], pieces(text, cuts)):
        assert "".join(first_tokens(given_pieces, TOKENIZERS[kind], limit)) == expected


@functools.cache
def knows_long_runs(kind: str, longest: int) -> Tokenizer:
    return trained(kind, "ab x xx xxxx\n 語語 " + "x" * (longest - 1))


@pytest.mark.parametrize("filling", ["x", "x\u0301", " ", "\t", "\n", "\r\n", "\x1c", "語", "😀"])
@pytest.mark.parametrize("end", ["", "\r\n", " b"])
@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_what_has_no_space_and_no_end_is_cut_at_the_same_places(
    kind: str, end: str, filling: str
) -> None:
    longest = {"word": LONGEST_WORD, "bpe": LONGEST_RUN}[kind]
    tokenizer = knows_long_runs(kind, longest)
    for length in (longest - 1, longest, 2 * longest + 1):
        text = "ab " + filling * (length // len(filling)) + end
        whole = tokenizer.encode(text)
        for size in (4096, 65_537):
            parts = [text[i : i + size] for i in range(0, len(text), size)]
            found = list(tokenizer.encode_pieces(parts))
            assert np.array_equal(np.concatenate(found), whole)
        assert len(text) - tokenizer.settled(text) <= (2 if kind == "word" else 1) * (longest + 2)


WORDS = {
    "हिन्दी में मात्राएँ हैं।": ["हिन्दी", " में", " मात्राएँ", " हैं", "।"],
    "العَرَبِيَّةُ لُغَةٌ": ["العَرَبِيَّةُ", " لُغَةٌ"],
    "l'e\u0301te\u0301 à Noe\u0308l": ["l'e\u0301te\u0301", " à", " Noe\u0308l"],
    "ที่นี่": ["ที่", "นี่"],
    "Don't pay 3.14 or 1,000.": ["Don't", " pay", " 3.14", " or", " 1,000", "."],
    "a_b  x\r\n\ty": ["a_b", " ", " x", "\r\n", "\t", "y"],
    "床前明月光": ["床", "前", "明", "月", "光"],
    "👩\u200d👧 🇫🇷🇩🇪!": ["👩\u200d👧", " 🇫🇷", "🇩🇪", "!"],
    "Allons\u202f!": ["Allons", "\u202f", "!"],
}  # fmt: skip
"""Texts in several scripts, cut by hand after UAX 29, section 4."""


@pytest.mark.parametrize("text", WORDS)
def test_words_end_where_unicode_says(text: str) -> None:
    tokenizer = WordTokenizer.train(text, 1)
    assert [tokenizer.decode([i]) for i in tokenizer.encode(text)] == WORDS[text]


@pytest.mark.parametrize("text", ["L'été passé à Noël, où êtes-vous allés ?\n", "Ả Ạ ǭ ộ Å"])
def test_composed_and_decomposed_letters_give_the_same_words(text: str) -> None:
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    assert forms[0] != forms[1]
    found = [
        WordTokenizer.train(preprocess(form, WordTokenizer.normal_form), 1).words for form in forms
    ]
    assert found[0] == found[1]


@given(
    st.text(st.sampled_from("aB1_ :.,;'\"-\t\r\n\x0b\x1c\0"), max_size=60)
    | st.text(st.characters(codec="ascii"))
)
@moderate
def test_ascii_is_cut_like_any_text(text: str) -> None:
    """There is a faster pattern for it."""
    assert WordTokenizer.cut(text) == regex.findall(UNICODE_WORDS, text) == unicode_words(text)


def test_a_vocabulary_is_limited_to_the_most_frequent_tokens() -> None:
    for kind in ("char", "word"):
        whole = trained(kind, FABLE)
        for most in (2, 5, whole.size, whole.size + 1):
            settings = DataSettings(tokenizer=kind, max_vocabulary=most)
            limited = train_tokenizer(settings, FABLE)
            assert limited.size == min(most, whole.size)
            ids = whole.encode(FABLE)
            assert np.array_equal(limited.encode(FABLE), np.where(ids < most, ids, 0))


def test_models_of_earlier_versions_keep_their_words() -> None:
    """They have no word boundaries in tokenizer.json: words were runs of letters."""
    old = tokenizer_from_json({"type": "word", "words": ["don", "'", "t", " à"]})
    assert type(old) is RunsOfLettersTokenizer
    assert old.normal_form == ""
    assert old.encode("don't à").tolist() == [1, 2, 3, 4]
    assert tokenizer_from_json(old.to_json()).encode("don't").tolist() == [1, 2, 3]
    assert "".join(first_tokens(["don", "'t à"], RunsOfLettersTokenizer, 3)) == "don't"
    with pytest.raises(ValueError, match="unknown word boundaries 'ICU'"):
        tokenizer_from_json({"type": "word", "words": [], "boundaries": "ICU"})


def test_white_space_is_that_of_python() -> None:
    for character in map(chr, range(0x110000)):
        if character.isspace():
            assert regex.findall(UNICODE_WORDS, f"a{character}b")[0] == "a"


def test_a_long_word_is_cut() -> None:
    found = WordTokenizer.cut("a " + "x" * (LONGEST_WORD + 2))
    assert found == ["a", " " + "x" * LONGEST_WORD, "xx"]


LINE = st.text(st.sampled_from("ab  \n\t'!é\x1c\xa0\u3000語1"), max_size=60)


@given(text=LINE, cuts=CUTS)
@moderate
def test_cuts_before_spaces_change_no_id_of_bpe(text: str, cuts: set[int]) -> None:
    """The oracle is the tokenizers library, asked for the whole line."""
    model = tokenizers.Tokenizer.from_str(BPE.to_json()["tokenizers"])
    whole = [token for line in text.splitlines(keepends=True) for token in model.encode(line).ids]
    runs = [run for line in text.splitlines(keepends=True) for run in bpe_tokenizer._runs(line)]
    assert [token for run in runs for token in model.encode(run).ids] == whole
    found = [token for part in BPE.encode_pieces(pieces(text, cuts)) for token in part]
    assert found == BPE.encode(text).tolist() == whole


def test_more_different_words_than_can_be_counted_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(word_tokenizers, "MOST_WORDS", 3)
    assert WordTokenizer.train("a a b a b b", 1).size == 4
    for text in ("a\nb c", ["a\n", "b", " c"]):
        with pytest.raises(CorpusError) as caught:
            WordTokenizer.train(text, 9)
        assert str(caught.value) == (
            "word tokenizer: the training text has more than 3 different words or 100,000,000 "
            "characters in them; use --tokenizer bpe, byte or char"
        )
    monkeypatch.setattr(word_tokenizers, "MOST_WORD_CHARACTERS", 4)
    assert WordTokenizer.train("abcd" * 1, 1).size == 2
    with pytest.raises(CorpusError, match=r"^word tokenizer: the training text has more than 3 "):
        WordTokenizer.train("abcde", 1)


def test_bpe_learns_from_the_beginning_of_a_long_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpe_tokenizer, "LEARNED_CHARACTERS", 20)
    first = BpeTokenizer.train("ab ab ab ab ab ab ab" + " cd" * 99, 300)
    assert first.to_json() == BpeTokenizer.train("ab ab ab ab ab ab ab", 300).to_json()
