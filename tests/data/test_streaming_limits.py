"""A text gives the same dataset whether it is read into memory or streamed in pieces of any size.

The oracle takes the whole text as one string: bytes.decode, slices, dictionaries.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pooch
import pytest
from dataset_outcome import ALL, outcome, read
from hypothesis import given, settings
from hypothesis import strategies as st
from text_pieces import TEXT
from unicode_words import unicode_words

from rnnlab.config import DataSettings
from rnnlab.data.corpus import open_corpus
from rnnlab.data.dataset import load_dataset
from rnnlab.data.splits import split_sizes
from rnnlab.data.streaming_limits import STREAMING_LIMITS, StreamingLimits
from rnnlab.data.texts import TextFile
from rnnlab.data.tokenizer import BpeTokenizer
from rnnlab.errors import CorpusError, RnnlabError, UsageError
from rnnlab.lm.baselines import MAX_TRAIN_CHARACTERS

pytestmark = pytest.mark.usefixtures("cache")
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


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """Text with many places where a cut could do harm, and sometimes bytes that are not text."""
    text = draw(st.one_of(TEXT, TEXT, st.sampled_from(sorted(STRANGE.values()))))
    content = draw(st.sampled_from([b"", b"", BOM])) + text.encode()
    if draw(st.integers(0, 4)) == 0:
        where = draw(st.integers(0, len(content)))
        broken = st.sampled_from([b"\0", b"\xff", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80"])
        content = content[:where] + draw(broken | st.binary(max_size=4)) + content[where:]
    return content


SPLITS = st.sampled_from(
    [(0.9, 0.05, 0.05), (1, 0, 0), (0.5, 0.2, 0.3), (0.34, 0.33, 0.33), (7, 2, 3), (2, 0, 9)]
)


def decoded_at_once(content: bytes, file: Path, errors: str) -> str:
    if errors == "strict" and b"\0" in content:
        raise CorpusError(
            f"file {file} is not text: NUL byte at offset {content.index(0)}; "
            "use --errors replace to read it anyway"
        )
    try:
        text = content.decode("utf-8", errors).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"file {file} is not UTF-8 text: byte 0x{content[error.start]:02x} at offset "
            f"{error.start}; name its encoding (--encoding cp1252, or auto to detect it), or "
            "lose characters by --errors replace"
        ) from None
    if not text:
        raise CorpusError(f"file {file} is empty; a corpus needs text")
    return text


def by_rule(text: str, rule: str) -> str:
    if rule == "letters":  # as d2l has it
        return "".join(re.sub("[^A-Za-z]+", " ", line).strip().lower() for line in text.split("\n"))
    return text.lower() if rule == "lower" else text


def parts_of(text: str, kind: str) -> list[str]:
    """The tokens as text: all of `char` and `word`."""
    return list(text) if kind == "char" else unicode_words(text)


def first_of(text: str, kind: str, limit: int) -> str:
    match kind:
        case "byte":
            return text.encode()[:limit].decode(errors="ignore")
        case "word":
            return "".join(parts_of(text, "word")[:limit])
        case _:
            return text[:limit]


def cut_in_three(text: str, cut: tuple[float, float, float]) -> list[str]:
    if sum(cut) > 1.5:
        counts = [int(part) for part in cut]
        if sum(counts) > len(text):
            raise UsageError(f"split asks for {sum(counts)} characters; the text has {len(text)}")
        ends = [counts[0], counts[0] + counts[1], sum(counts)]
    else:
        shares = [cut[0], cut[0] + cut[1]]
        ends = [min(len(text), round(len(text) * share)) for share in shares] + [len(text)]
    return [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def expected(files: list[Path], data: DataSettings) -> Any:
    """What `outcome` must be."""
    try:
        return of_one_string(files, data)
    except RnnlabError as error:
        return type(error), str(error)


def of_one_string(files: list[Path], data: DataSettings) -> dict[str, Any]:
    contents = [file.read_bytes() for file in files]
    sums = [hashlib.sha256(content).hexdigest() for content in contents]
    texts = [decoded_at_once(c, f, data.errors) for c, f in zip(contents, files, strict=True)]
    kind = data.tokenizer
    for number, text in enumerate(texts):
        ended = text if number + 1 == len(texts) or text.endswith("\n") else text + "\n"
        composed = unicodedata.normalize("NFC", ended) if kind == "word" else ended
        texts[number] = by_rule(composed, data.preprocessing)
    if data.preprocessing == "letters":  # which keeps no line breaks
        kept = [text for text in texts if text]
        texts = [text if text is kept[0] else f" {text}" for text in kept] if kept else []
    whole = "".join(texts)
    name = " ".join(map(str, files))
    if not whole:
        raise CorpusError(
            f"corpus {name!r}: nothing is left of the text after preprocessing "
            f"{data.preprocessing!r}"
        )
    limited = first_of(whole, kind, data.corpus_limit) if data.corpus_limit else whole
    cut = data.split
    if len(texts) == 2 and 0 < len(texts[0]) < len(limited):
        sizes = split_sizes(len(limited), cut, [len(texts[0])])  # test_splits.py tests these
        cut = tuple(sizes.values()) if sum(cut) < 1.5 else cut
    splits = cut_in_three(limited, cut)
    learned = whole if data.vocabulary == "text" else splits[0]
    match kind:
        case "byte":
            saved: Any = {"type": "byte"}
            ids = [list(text.encode()) for text in splits]
        case "bpe":  # whose ids test_tokenizer.py compares with the tokenizers library
            bpe = BpeTokenizer.train(learned, data.bpe_size)
            saved, ids = bpe.to_json(), [bpe.encode(text).tolist() for text in splits]
        case _:
            counts = Counter(parts_of(learned, kind))
            least = data.min_frequency if kind == "word" else 1
            kept = [part for part, count in counts.items() if count >= least]
            kept.sort(key=lambda part: (-counts[part], part))
            if kind == "word" and not kept:
                raise CorpusError(
                    "word tokenizer: no word of the training text occurs "
                    f"min_frequency = {least} times"
                )
            rare = sorted(p for p, count in counts.items() if count == min(counts.values()))
            number = {part: i for i, part in enumerate(kept, start=1)}
            ids = [[number.get(part, 0) for part in parts_of(text, kind)] for text in splits]
            saved = {"type": kind} | (
                {"boundaries": "UAX 29", "words": kept, "rare": rare}
                if kind == "word"
                else {"characters": "".join(kept)}
            )
    if len(ids[0]) < 2:
        raise CorpusError(
            f"text too short: a training split of {len(splits[0])} characters holds fewer than two "
            "tokens"
        )
    source = (str(files[0]), sums[0], f"file {files[0]}")
    if len(files) > 1:
        joined = hashlib.sha256("\n".join(sums).encode()).hexdigest()
        source = (name, joined, f"{len(files)} texts, one after another")
    named = zip(("train", "validation", "test"), splits, ids, strict=True)
    return {
        "source": source,
        "tokenizer": saved,
        "splits": {name: (len(text), of_text) for name, text, of_text in named if len(of_text) > 1},
    }


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
@settings(max_examples=200, derandomize=True)
def test_in_memory_and_streamed_a_text_gives_what_one_string_gives(
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
        limits = StreamingLimits(0, chunk, evaluated_characters=7, end_characters=11)
        wanted = expected(files, data)
        assert outcome(data, None) == wanted
        assert outcome(data, limits) == wanted
        assert outcome(data, limits) == wanted  # from the cache, unless it is an error
        assert not list(Path(folder).rglob("*.tmp"))


@pytest.mark.parametrize("kind", ["char", "byte", "word", "bpe"])
@pytest.mark.parametrize("name", sorted(STRANGE))
def test_strange_text_is_decoded_to_the_same_text(name: str, kind: str, tmp_path: Path) -> None:
    text = STRANGE[name]
    few = replace(ALL, chunk_bytes=5)
    values: dict[str, Any] = {"tokenizer": kind, "vocabulary": "text", "bpe_size": 300}
    found = read(tmp_path, BOM + text.encode(), few, split=(1, 0, 0), **values)
    ids = found.splits["train"].all_ids
    assert found.tokenizer.decode(ids) == (
        unicodedata.normalize("NFC", text) if kind == "word" else text
    )
    if kind == "byte":
        assert bytes(ids.tolist()) == text.encode()
    if kind == "char":
        assert len(ids) == len(text)


def test_nul_is_kept_and_broken_bytes_are_replaced(tmp_path: Path) -> None:
    content = b"a\0b\xff" + "é".encode() + b"\xf0\x9f\x98"
    found = read(tmp_path, content, replace(ALL, chunk_bytes=1), errors="replace", split=(1, 0, 0))
    assert found.tokenizer.decode(found.splits["train"].all_ids) == "a\0b\ufffdé\ufffd"


def test_the_beginning_and_end_of_a_long_split_are_kept(tmp_path: Path) -> None:
    text = "".join(f"{number:05d}\n" for number in range(1000))
    few = StreamingLimits(0, 16, evaluated_characters=102, end_characters=200)
    found = read(tmp_path, text.encode(), few, split=(0.5, 0.48, 0.02), tokenizer="word")
    start = 0
    for name, size in (("train", 3000), ("validation", 2880), ("test", 120)):
        part, whole = found.splits[name], text[start : start + size]
        assert part.characters == size
        assert part.text == whole[:102]
        assert part.end == (whole[-200:] if name == "train" else "")
        assert np.array_equal(part.ids, found.tokenizer.encode(whole[:102]))
        assert part.ids.dtype == np.int64
        assert np.array_equal(part.all_ids, found.tokenizer.encode(whole))
        assert isinstance(part.all_ids, np.memmap)
        start += size
    small = DataSettings(batch_size=2, num_steps=3)
    assert np.array_equal(found.batches(small).ids, found.splits["train"].all_ids)


@pytest.mark.parametrize(
    ("kind", "purposes"),
    [
        ("word", ["counting characters", "learning the vocabulary", "tokenizing"]),
        ("byte", ["counting characters", "tokenizing"]),
    ],
)
def test_progress_is_reported_while_a_long_text_is_read(
    kind: str, purposes: list[str], tmp_path: Path
) -> None:
    files = [tmp_path / "one.txt", tmp_path / "two.txt"]
    for file in files:
        file.write_text("the cat sat. " * 40)
    told: list[tuple[str, float]] = []
    data = DataSettings(corpus=tuple(map(str, files)), tokenizer=kind)

    def watch(purpose: str, share: float) -> None:
        told.append((purpose, share))

    load_dataset(data, limits=replace(ALL, chunk_bytes=100), watch=watch)
    assert list(dict.fromkeys(purpose for purpose, _ in told)) == purposes
    for purpose in purposes:
        shares = [share for of, share in told if of == purpose]
        assert shares == sorted(shares)
        assert len(shares) >= 10
        assert 0.85 < shares[-1] <= 1, "the last piece is not read if the splits end before it"
    told.clear()
    load_dataset(data, limits=replace(ALL, chunk_bytes=100), watch=watch)
    assert not told, "the ids are in the cache"


def test_the_end_that_is_kept_is_what_baselines_learn_from() -> None:
    assert STREAMING_LIMITS.end_characters == MAX_TRAIN_CHARACTERS


@pytest.mark.parametrize(
    ("kind", "characters", "type_"),
    [("byte", 1, np.uint8), ("char", 254, np.uint8), ("char", 255, np.uint16)],
)
def test_ids_take_the_smallest_type(
    kind: str, characters: int, type_: type, tmp_path: Path
) -> None:
    text = "".join(map(chr, range(200, 200 + characters))) + "a" * 1000
    few = replace(ALL, evaluated_characters=300)
    found = read(tmp_path, text.encode(), few, tokenizer=kind)
    assert found.tokenizer.size == (256 if kind == "byte" else characters + 2)
    ids = found.splits["train"].all_ids
    assert ids.dtype == type_
    assert ids.max() == found.tokenizer.encode(text).max()


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("some text")
    opened = TextFile.open(str(file), "strict", chunk_bytes=4)
    assert "".join(opened.pieces()) == "some text"
    for change in (lambda: file.write_text("some texts"), file.unlink):
        pieces = opened.pieces()
        next(pieces)
        change()
        with pytest.raises(CorpusError) as caught:
            list(pieces)
        assert str(caught.value) == (
            f"file {file} has changed while it was read; run the command again"
        )


def test_files_and_named_corpora_are_streamed_together(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("some text of one's own\n")
    data = DataSettings(corpus=(str(file), "python-reference"), tokenizer="byte")
    in_memory = outcome(data, None)
    assert outcome(data, replace(ALL, chunk_bytes=7)) == in_memory
    assert len(in_memory["splits"]) == 3


@pytest.mark.parametrize("count", [1, 2])
def test_the_checksum_is_the_same_in_memory_and_streamed(count: int, tmp_path: Path) -> None:
    files = [str(tmp_path / f"{number}.txt") for number in range(count)]
    for file in files:
        Path(file).write_text(f"text {file}")
    sums = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files]
    joined = sums[0] if count == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()
    for limits in (STREAMING_LIMITS, ALL):
        assert open_corpus(files, limits=limits).source.sha256 == joined


def test_a_missing_file_is_an_error() -> None:
    for names in (["gone.txt"], [__file__, "gone.txt"]):
        with pytest.raises(RnnlabError) as caught:
            load_dataset(DataSettings(corpus=tuple(names)), limits=ALL)
        assert str(caught.value).startswith(
            "corpus 'gone.txt' is neither a named corpus nor a file"
        )
