"""Tokenizers of the tokenizers library give the ids and texts that ours give."""

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.data.labelled_tokenizer import label_character
from rnnlab.data.preprocessing import preprocess
from rnnlab.data.samples import shown, start_of_samples, within
from rnnlab.data.tokenizer import (
    BpeTokenizer,
    ByteTokenizer,
    CharTokenizer,
    LabelledTokenizer,
    RunsOfLettersTokenizer,
    Tokenizer,
    WordTokenizer,
)
from rnnlab.errors import ForeignFileError
from rnnlab.interop.fast_tokenizers import (
    DOCUMENTS,
    PAD,
    fast_tokenizer,
    kind_of,
    read_fast_tokenizer,
)

TEXT = "The cat sees the dog. Die Katze fällt, é!\n\n  x = 3.14\r\n don't a\u2028b c\x85 e  end\n"
TOKENIZERS = {
    "characters": CharTokenizer.train(TEXT),
    "bytes": ByteTokenizer(),
    "words": WordTokenizer.train(TEXT, 1),
    "runs of letters": RunsOfLettersTokenizer(sorted(set(RunsOfLettersTokenizer.cut(TEXT)))),
    "bpe": BpeTokenizer.train(TEXT * 3, 290),
}
PARTS = ["the", " cat", "a", "ä", "e\u0301", " ", "\n", "\r", "\t", ".", "'", "3", "<unk>", PAD,
         "\x1c", "\x85", "\u2028", "_", ":", "\u00a0", "Σ", "ς", "я", "א", "中", "ア", "한", "😀",
         "\u200d", "İ"]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


def written(tokenizer: Tokenizer, *about: Any) -> tokenizers.Tokenizer:
    found = tokenizers.Tokenizer.from_str(fast_tokenizer(tokenizer, *about).to_str())
    found.encode_special_tokens = True  # which transformers sets as tokenizer_config.json says
    return found


FAST = {name: written(tokenizer) for name, tokenizer in TOKENIZERS.items()}


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=TEXTS)
def test_ids_and_texts_are_ours(name: str, text: str) -> None:
    ours, fast = TOKENIZERS[name], FAST[name]
    ids = ours.encode(text).tolist()
    assert fast.encode(text).ids == ids
    assert fast.decode(ids, skip_special_tokens=False) == ours.decode(ids)


@pytest.mark.parametrize("rule", ["letters", "lower", "nfc", "nfc lower", "nfc letters"])
@given(text=TEXTS)
def test_text_rules_are_ours(rule: str, text: str) -> None:
    fast = fast_tokenizer(TOKENIZERS["bytes"], rule)
    text = text.replace("Σ", "")
    assert fast.normalizer.normalize_str(text) == preprocess(text, rule)


def test_the_final_sigma() -> None:
    fast = fast_tokenizer(TOKENIZERS["bytes"], "lower")
    text = "ΣΑΣ ΑΣ, Σ אΣ"
    assert fast.normalizer.normalize_str(text) == preprocess(text, "lower") == "σας ας, σ אσ"


def test_padding_is_a_token_that_no_text_holds() -> None:
    for name, fast in FAST.items():
        assert fast.token_to_id(PAD) == TOKENIZERS[name].size == fast.get_vocab_size() - 1
        assert TOKENIZERS[name].size not in fast.encode(f"a{PAD}b").ids


def test_documents_begin_with_a_line_break_and_have_others_within() -> None:
    ours = CharTokenizer("\n\x0babc")
    fast = written(ours, f"lower {DOCUMENTS}", 1)
    ids = fast.encode("A\nb").ids
    assert ids == [1, *ours.encode(within("a\nb"))]
    assert fast.decode(ids, skip_special_tokens=False) == shown("\na\x0bb")


@pytest.mark.parametrize("name", ["characters", "bytes"])
def test_labels_are_their_name_and_a_tab(name: str) -> None:
    ours = LabelledTokenizer(TOKENIZERS[name], {"dog": 3, "cat": 2})
    start = start_of_samples(ours)
    fast = written(ours, "none", start)
    ids = [start, *ours.encode(f"{label_character(1)}the cat")]
    assert fast.encode("cat\tthe cat").ids == ids
    assert fast.decode(ids) == ours.decode(ids)
    assert fast.token_to_id(PAD) == ours.size


def test_surrogates_cannot_be_written_and_keep_their_places() -> None:
    fast = written(CharTokenizer("a\udc80b"))
    assert fast.encode("ba").ids == [3, 1]
    assert fast.get_vocab_size() == 5


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("labels", [{}, {"dog": 3, "cat": 2}], ids=["", "labels"])
def test_what_was_written_is_read_back(name: str, labels: dict[str, int], tmp_path: Path) -> None:
    inside = TOKENIZERS[name]
    ours = LabelledTokenizer(inside, labels) if labels else inside
    file = tmp_path / "tokenizer.json"
    file.write_text(fast_tokenizer(ours, f"lower {DOCUMENTS}", start_of_samples(ours)).to_str())
    back = read_fast_tokenizer(file, kind_of(ours), labels)
    expected = ours.to_json()
    (expected["tokenizer"] if labels else expected).pop("rare", None)
    if name == "bpe":
        assert back.encode(TEXT).tolist() == ours.encode(TEXT).tolist()
    else:
        assert back.to_json() == expected


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("characters", {"model": {"vocab": {"<unk>": 0, "ab": 1}}}, ": 'ab' has more than one"),
        ("characters", {"model": {"vocab": {"a": 0, "b": 1}}}, ": its ids must begin with <unk>"),
        ("characters", {"model": {"vocab": {"<unk>": 0, "a": 2}}}, ": its ids must begin with <u"),
        ("words", {"model": {}}, ": 'vocab'"),
        ("bytes", {}, ": its tokens are not the 256"),
        ("bpe", {}, ": "),
        ("characters", {"added_tokens": []}, "$"),
    ],
)
def test_foreign_files(kind: str, change: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    content = json.loads(fast_tokenizer(TOKENIZERS["characters"]).to_str())
    file.write_text(json.dumps(content | change))
    wanted = rf"tokenizer\.json: not the tokenizer of {kind} that rnnlab export has written"
    with pytest.raises(ForeignFileError, match=wanted + message):
        read_fast_tokenizer(file, kind, {})
