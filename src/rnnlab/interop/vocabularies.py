"""Vocabularies of other programs: which token an id of a checkpoint stands for.

A file is one of these:

- JSON (.json): a list of tokens in the order of their ids, or an object that gives each its id
- text: a token on each line, in the order of the ids; \\n, \\t, \\r, \\0 and \\\\ are what they
  stand for
- the tokenizer.json of a model folder

Tokens of the first two are single characters, apart from marks such as <pad>.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.data.escapes import unescaped
from rnnlab.data.tokenizer import CharTokenizer, Tokenizer, tokenizer_from_json
from rnnlab.errors import ForeignFileError, UsageError, is_unicode, message_of
from rnnlab.files import check_not_special, check_path, has_valid_checksum

UNKNOWN_NAMES = ("<unk>", "<UNK>", "[UNK]")
"""What stands for unknown characters if nothing else is said."""

MARK = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]|")
"""A token that stands for no part of a text."""

FIRST_MARK = 0x100000
"""Marks become characters of a private plane of Unicode from here on, which no text holds."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokenizer of a checkpoint, and which of its rows belongs to each of our ids."""

    tokenizer: Tokenizer
    rows: npt.NDArray[np.int64]  # (V,); -1: the checkpoint has none
    notes: tuple[str, ...] = ()

    @property
    def num_rows(self) -> int:
        """How many tokens the checkpoint has."""
        return int((self.rows >= 0).sum())


def read_vocabulary(file: Path, unknown: str = "") -> Vocabulary:
    """Read a vocabulary.

    unknown: the token that stands for characters that are not in it; "": one of UNKNOWN_NAMES. If
    there is none, the model gets a token that it never expects.

    Raises ForeignFileError for a file that is none, UsageError for an unknown `unknown`.
    """
    content = _content(file)
    if isinstance(content, dict) and isinstance(content.get("type"), str):
        if unknown:
            raise UsageError(f"--unknown has no effect: {file} says itself what is unknown")
        tokenizer = _own_tokenizer(file, content)
        return Vocabulary(tokenizer, np.arange(tokenizer.size))
    tokens = _by_id(file, content) if isinstance(content, dict) else _checked(file, content)
    if unknown and unknown not in tokens:
        raise UsageError(f"--unknown {unknown!r} is not in {file}")
    found = [unknown] if unknown else [name for name in UNKNOWN_NAMES if name in tokens]
    if len(found) > 1:
        raise UsageError(f"{file} has {' and '.join(found)}; say --unknown which it is")
    return _of_characters(file, tokens, found[0] if found else None)


def _content(file: Path) -> Any:
    """Return what a JSON file holds, or the lines of a text."""
    check_path(file)
    check_not_special(file, ForeignFileError)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ForeignFileError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ForeignFileError(f"{file}: not a vocabulary in UTF-8: {error}") from None
    if file.suffix.lower() != ".json":
        lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
        if "" in lines:
            raise ForeignFileError(
                f"{file}: line {lines.index('') + 1} is empty; write a line break as \\n"
            )
        return [unescaped(line) for line in lines]
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ForeignFileError(f"{file}: not JSON: {error}") from None
    if not isinstance(content, list | dict):
        raise ForeignFileError(f"{file}: must hold a list of tokens, or an object with their ids")
    return content


def _own_tokenizer(file: Path, content: dict[str, Any]) -> Tokenizer:
    if not has_valid_checksum(content):
        raise ForeignFileError(f"{file}: damaged, its checksum does not match")
    try:
        return tokenizer_from_json(content)
    except Exception as error:  # the tokenizers library raises bare Exception
        raise ForeignFileError(f"{file}: not a tokenizer: {message_of(error)}") from None


def _by_id(file: Path, content: Mapping[str, Any]) -> list[str]:
    """Return the tokens of an object that gives each its id, in the order of the ids."""
    for token, number in content.items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise ForeignFileError(
                f"{file}: the id of {token!r} must be a whole number; an object gives each token "
                "its id, or is the tokenizer.json of a model folder of rnnlab"
            )
    if sorted(content.values()) != list(range(len(content))):
        raise ForeignFileError(
            f"{file}: the ids of {len(content)} tokens must be 0 to {len(content) - 1}, each once"
        )
    return _checked(file, sorted(content, key=content.__getitem__))


def _checked(file: Path, tokens: Sequence[Any]) -> list[str]:
    """Return tokens if they are a vocabulary of characters."""
    if len(tokens) < 2:
        raise ForeignFileError(f"{file}: a vocabulary needs two tokens, not {len(tokens)}")
    first_places: dict[str, int] = {}
    for place, token in enumerate(tokens):
        if not isinstance(token, str) or not is_unicode(token):
            raise ForeignFileError(f"{file}: token {place} must be text, not {token!r}")
        if first_places.setdefault(token, place) != place:
            raise ForeignFileError(
                f"{file}: {token!r} stands twice, as token {first_places[token]} and {place}"
            )
    return list(tokens)


def _of_characters(file: Path, tokens: Sequence[str], unknown: str | None) -> Vocabulary:
    """Give <unk> the id 0, as in all vocabularies here, and the others those from 1 on."""
    others = [place for place, token in enumerate(tokens) if token != unknown]
    long = [tokens[i] for i in others if len(tokens[i]) != 1 and not MARK.fullmatch(tokens[i])]
    if long:
        raise ForeignFileError(
            f"{file}: {len(long)} tokens have more than one character, such as {long[0]!r}; a list "
            "is of characters, and words or bytes need the tokenizer.json of a model folder"
        )
    marks = [tokens[i] for i in others if len(tokens[i]) != 1]
    free = (c for c in map(chr, range(FIRST_MARK, 0x110000)) if c not in tokens)
    stand_ins = dict(zip(marks, free, strict=False))
    characters = "".join(stand_ins.get(tokens[i], tokens[i]) for i in others)
    notes = []
    if stand_ins:
        notes.append(f"{', '.join(map(repr, marks))} stand for nothing that a text holds")
    if unknown is None:
        notes.append("no token for unknown characters: <unk> was added, with a probability of zero")
    rows = np.array([-1 if unknown is None else tokens.index(unknown), *others])
    return Vocabulary(CharTokenizer(characters), rows, tuple(notes))
