"""Vocabularies of other programs: which id is which character, and which files are refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.data.tokenizer import BpeTokenizer, ByteTokenizer, CharTokenizer, WordTokenizer
from rnnlab.errors import RnnlabError, UsageError
from rnnlab.interop.vocabularies import Vocabulary, read_vocabulary

ABC = ["<unk>", "c", "\n", "a", " ", "\\", "\t"]


def stored(folder: Path, content: Any, name: str = "vocabulary.json") -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def as_the_other_program_reads(vocabulary: Vocabulary, text: str) -> list[int]:
    return list(vocabulary.rows[vocabulary.tokenizer.encode(text)])


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (ABC, "list.json"),
        ({token: i for i, token in reversed(list(enumerate(ABC)))}, "object.json"),
        ("<unk>\nc\n\\n\na\n \n\\\\\n\\t\n", "lines.txt"),
        ("<unk>\nc\n\\n\na\n \n\\\\\n\\t", "without_an_end"),
        ("<unk>\r\nc\r\n\\n\r\na\r\n \r\n\\\\\r\n\\t\r\n", "windows.txt"),
    ],
)
def test_all_forms_mean_the_same(tmp_path: Path, content: Any, name: str) -> None:
    found = read_vocabulary(stored(tmp_path, content, name))
    assert found.num_rows == 7
    assert found.notes == ()
    assert as_the_other_program_reads(found, "ca \n\\\tX") == [1, 3, 4, 2, 5, 6, 0]


def test_unknown_characters_have_the_id_zero_wherever_their_token_stands(tmp_path: Path) -> None:
    file = stored(tmp_path, ["a", "b", "?", "c"])
    found = read_vocabulary(file, unknown="?")
    assert isinstance(found.tokenizer, CharTokenizer)
    assert found.tokenizer.characters == "abc"
    assert found.rows.tolist() == [2, 0, 1, 3]
    assert as_the_other_program_reads(found, "cab?z") == [3, 0, 1, 2, 2]


def test_without_a_token_for_unknown_characters_one_is_added(tmp_path: Path) -> None:
    found = read_vocabulary(stored(tmp_path, ["b", "a"]))
    assert found.rows.tolist() == [-1, 0, 1]
    assert found.num_rows == 2
    assert found.notes == (
        "no token for unknown characters: <unk> was added, with a probability of zero",
    )


def test_marks_are_tokens_that_no_text_holds(tmp_path: Path) -> None:
    found = read_vocabulary(stored(tmp_path, ["<pad>", "", "[UNK]", "a", "\U00100000", "<eos>"]))
    assert found.num_rows == 6
    assert as_the_other_program_reads(found, "a<pad>\U00100000") == [3, 2, 2, 3, 2, 2, 4]
    assert found.notes == ("'<pad>', '', '<eos>' stand for nothing that a text holds",)


@pytest.mark.parametrize(
    "tokenizer",
    [CharTokenizer("ab"), ByteTokenizer(), WordTokenizer(["a", " b"]), BpeTokenizer.train("ab", 9)],
)
def test_a_tokenizer_of_our_own_is_taken_as_it_is(tmp_path: Path, tokenizer: Any) -> None:
    found = read_vocabulary(stored(tmp_path, tokenizer.to_json(), "tokenizer.json"))
    assert found.tokenizer.to_json() == tokenizer.to_json()
    assert found.rows.tolist() == list(range(tokenizer.size))


@given(characters=st.lists(st.characters(exclude_categories=["Cs"]), min_size=2, unique=True))
def test_every_character_keeps_its_row(
    characters: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = stored(tmp_path_factory.mktemp("vocabulary"), characters)
    found = read_vocabulary(file)
    read = as_the_other_program_reads(found, "".join(characters))
    assert read == list(range(len(characters)))
    assert np.unique(found.rows).size == found.tokenizer.size == len(characters) + 1


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (["a", "b", "a"], "v.json", "'a' stands twice, as token 0 and 2"),
        ("a\nb\na\n", "v.txt", "'a' stands twice, as token 0 and 2"),
        (["a", 1], "v.json", "token 1 must be text, not 1"),
        ('["a", "\\ud800"]', "v.json", r"token 1 must be text, not '\ud800'"),
        (["a"], "v.json", "a vocabulary needs two tokens, not 1"),
        ("a\n\nb\n", "v.txt", "line 2 is empty; write a line break as \\n"),
        ("", "v.txt", "line 1 is empty; write a line break as \\n"),
        ("[", "v.json", "not JSON: Expecting value: line 1 column 2 (char 1)"),
        ("3", "v.json", "must hold a list of tokens, or an object with their ids"),
        ({"a": 0, "b": 2}, "v.json", "the ids of 2 tokens must be 0 to 1, each once"),
        ({"a": 0, "b": 0}, "v.json", "the ids of 2 tokens must be 0 to 1, each once"),
        (
            {"version": "1.0", "model": {"type": "BPE"}},
            "tokenizer.json",
            "the id of 'version' must be a whole number; an object gives each token its id, or is "
            "the tokenizer.json of a model folder of rnnlab",
        ),
        ({"a": True, "b": 0}, "v.json", "the id of 'a' must be a whole number; an object gives "
         "each token its id, or is the tokenizer.json of a model folder of rnnlab"),
        (
            ["the", "time", "a"],
            "v.json",
            "2 tokens have more than one character, such as 'the'; a list is of characters, and "
            "words or bytes need the tokenizer.json of a model folder",
        ),
        ({"type": "char"}, "v.json", "not a tokenizer: 'characters' is missing"),
        ({"type": "unigram"}, "v.json", "not a tokenizer: unknown tokenizer type 'unigram'"),
        ({"type": "byte", "sha256": "0"}, "v.json", "damaged, its checksum does not match"),
    ],
)  # fmt: skip
def test_files_that_are_not_vocabularies(
    tmp_path: Path, content: Any, name: str, message: str
) -> None:
    file = stored(tmp_path, content, name)
    with pytest.raises(RnnlabError) as raised:
        read_vocabulary(file)
    assert str(raised.value) == f"{file}: {message}"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name, message in (("none", "No such file or directory"), (".", "Is a directory")):
        with pytest.raises(RnnlabError, match=f"cannot be read: {message}"):
            read_vocabulary(tmp_path / name)
    (tmp_path / "latin.txt").write_bytes(b"\xe4\n\xf6\n")
    with pytest.raises(RnnlabError, match=r"latin.txt: not a vocabulary in UTF-8"):
        read_vocabulary(tmp_path / "latin.txt")


def test_what_stands_for_unknown_characters_must_be_clear(tmp_path: Path) -> None:
    file = stored(tmp_path, ["<unk>", "[UNK]", "a"])
    with pytest.raises(UsageError, match=r"has <unk> and \[UNK\]; say --unknown which it is"):
        read_vocabulary(file)
    with pytest.raises(UsageError, match=r"--unknown '\*' is not in .*vocabulary.json"):
        read_vocabulary(file, unknown="*")
    own = stored(tmp_path, ByteTokenizer().to_json(), "tokenizer.json")
    with pytest.raises(UsageError, match="--unknown has no effect"):
        read_vocabulary(own, unknown="a")
