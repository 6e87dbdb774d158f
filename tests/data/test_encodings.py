"""Encodings that are named or detected, in pieces of any size."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_pieces import pieces

from rnnlab.config import DataSettings
from rnnlab.data.corpus import open_corpus
from rnnlab.data.decoding import decoded
from rnnlab.data.encodings import detected, usable_encoding
from rnnlab.errors import CorpusError, UsageError

FRENCH = (
    """Le garçon a été très étonné de voir la forêt brûler. Où étiez-vous, demanda-t-il à sa
sœur aînée ? Elle répondit qu'elle n'avait rien vu, que la fumée lui avait caché les arbres, et
qu'elle était rentrée à pied par le chemin de l'école.
"""
    * 3
)
JAPANESE = (
    """吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で
ニャーニャー泣いていた事だけは記憶している。吾輩はここで始めて人間というものを見た。
"""
    * 3
)
RUSSIAN = (
    """Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.
Все смешалось в доме Облонских. Жена узнала, что муж был в связи с бывшею гувернанткой.
"""
    * 3
)
TEXTS = [
    (FRENCH, "cp1252"), (JAPANESE, "shift_jis"), (JAPANESE, "euc_jp"), (RUSSIAN, "cp1251"),
    (RUSSIAN, "koi8_r"), (FRENCH, "utf-16"), (JAPANESE, "utf-32"), (RUSSIAN, "utf-8"),
    (FRENCH, "utf-8-sig"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "encoding"), TEXTS)
@given(cuts=st.sets(st.integers(1, 3_000), max_size=30))
@settings(max_examples=20, derandomize=True, deadline=None)
def test_a_named_encoding_is_read_wherever_it_is_cut(text: str, encoding: str, cuts) -> None:
    content = text.encode(encoding)
    parts = pieces(content, cuts)
    assert "".join(decoded(parts, "a book", "strict", usable_encoding(encoding))) == text


@pytest.mark.parametrize(("text", "encoding"), TEXTS)
def test_a_text_is_detected_and_read(tmp_path, text: str, encoding: str) -> None:
    """The name may be another one for the same characters."""
    file = tmp_path / "book.txt"
    file.write_bytes(text.encode(encoding))
    corpus = open_corpus([str(file)], encoding="auto")
    assert "".join(corpus.pieces()) == text
    assert ("read as" in corpus.source.origin) is ("utf-8" not in encoding)


def test_detection_takes_nothing_away() -> None:
    content = [b"a", b"bc\xe9t\xe9 ", b"d" * 70_000, b"e"]
    found, same = detected(iter(content), "auto", "a book")
    assert found != "utf-8"
    assert b"".join(same) == b"".join(content)
    assert detected(content, "koi8_r", "a book") == ("koi8_r", content)


def test_two_encodings_in_one_file_are_one_clear_error() -> None:
    content = FRENCH.encode() * 120 + FRENCH.encode("cp1252")
    found, same = detected(io.BytesIO(content), "auto", "a book")
    rule = r"^a book is not UTF-8 text: byte 0xe7 at offset \d+; name its encoding \(--encoding cp"
    with pytest.raises(CorpusError, match=rule):
        list(decoded(same, "a book", "strict", found))
    with pytest.raises(CorpusError, match=r"^a book is not shift_jis text: byte 0x"):
        list(decoded([b"abc\x85"], "a book", "strict", "shift_jis"))


def test_unknown_names_are_one_clear_error() -> None:
    for name in ("utf-9", "hex", "rot13", "", "a\0b"):
        with pytest.raises(UsageError, match=r"^encoding: an encoding is auto or a name that Pyth"):
            usable_encoding(name)
    assert usable_encoding("UTF8") == "utf-8"
    assert DataSettings(encoding="latin1").encoding == "iso8859-1"
