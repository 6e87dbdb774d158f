"""Tokenizers by name: learn one from a text, or read one back from JSON."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from rnnlab.config import DataSettings
from rnnlab.data.base_tokenizer import Ids, Tokenizer
from rnnlab.data.bpe_tokenizer import BpeTokenizer
from rnnlab.data.char_tokenizers import ByteTokenizer, CharTokenizer
from rnnlab.data.labelled_tokenizer import MOST_LABELS, LabelledTokenizer
from rnnlab.data.pieces import PieceReader
from rnnlab.data.word_tokenizers import RunsOfLettersTokenizer, WordTokenizer
from rnnlab.errors import CorpusError

__all__ = [
    "KINDS",
    "BpeTokenizer",
    "ByteTokenizer",
    "CharTokenizer",
    "Ids",
    "LabelledTokenizer",
    "RunsOfLettersTokenizer",
    "Tokenizer",
    "WordTokenizer",
    "first_tokens",
    "text_rule",
    "tokenizer_from_json",
    "train_tokenizer",
    "train_usable_tokenizer",
]


def train_tokenizer(settings: DataSettings, text: Iterable[str]) -> Tokenizer:
    """Learn the tokenizer that `settings` name from `text`: a string, or its pieces."""
    match settings.tokenizer:
        case "char":
            return CharTokenizer.train(text, settings.max_vocabulary)
        case "byte":
            return ByteTokenizer()
        case "word":
            return WordTokenizer.train(text, settings.min_frequency, settings.max_vocabulary)
        case "bpe":
            return BpeTokenizer.train(text, settings.bpe_size)


def train_usable_tokenizer(settings: DataSettings, text: Iterable[str]) -> Tokenizer:
    """As `train_tokenizer`, but raise CorpusError if nothing but <unk> was learned."""
    tokenizer = train_tokenizer(settings, text)
    if tokenizer.size == 1:
        raise CorpusError(
            "word tokenizer: no word of the training text occurs "
            f"min_frequency = {settings.min_frequency} times"
        )
    return tokenizer


def tokenizer_from_json(content: dict[str, Any]) -> Tokenizer:
    """Build a tokenizer from what `to_json` returned; raise KeyError or ValueError otherwise."""
    match content["type"]:
        case "char":
            return CharTokenizer(_checked(content, "characters", str))
        case "byte":
            return ByteTokenizer()
        case "word":
            words, rare = (
                _checked({"rare": [], **content}, key, list) for key in ("words", "rare")
            )
            if not all(isinstance(word, str) for word in words + rare):
                raise ValueError("words must all be text")
            match content.get("boundaries"):
                case "UAX 29":
                    return WordTokenizer(words, rare)
                case None:
                    return RunsOfLettersTokenizer(words, rare)
                case other:
                    raise ValueError(f"unknown word boundaries {other!r}")
        case "bpe":
            return BpeTokenizer.from_str(_checked(content, "tokenizers", str))
        case "labelled":
            counts, inside = (_checked(content, key, dict) for key in ("labels", "tokenizer"))
            if not all(isinstance(count, int) for count in counts.values()) or not counts:
                raise ValueError("labels must have counts")
            if len(counts) > MOST_LABELS or inside.get("type") == "labelled":
                raise ValueError("labels must be few, and not within labels")
            return LabelledTokenizer(tokenizer_from_json(inside), counts)
        case other:
            raise ValueError(f"unknown tokenizer type {other!r}")


Value = TypeVar("Value")

NAMES: dict[type, str] = {str: "text", list: "a list", dict: "an object"}


def _checked(content: dict[str, Any], key: str, kind: type[Value]) -> Value:
    value = content[key]
    if not isinstance(value, kind):
        raise ValueError(f"{key} must be {NAMES[kind]}")
    return value


KINDS: dict[str, type[Tokenizer]] = {
    tokenizer.kind: tokenizer
    for tokenizer in (CharTokenizer, ByteTokenizer, WordTokenizer, BpeTokenizer)
}


def text_rule(settings: DataSettings, kind: type[Tokenizer]) -> str:
    """Return the names of the text rules that a text goes through before it is tokenized.

    kind: the class of the tokenizer; models of earlier versions have others than `settings` name.
    """
    rules = [
        rule for rule in (kind.normal_form, settings.preprocessing) if rule not in ("", "none")
    ]
    return " ".join(rules) or "none"


def first_tokens(pieces: Iterable[str], kind: type[Tokenizer], limit: int) -> Iterator[str]:
    """Yield the text of the first `limit` tokens, in pieces.

    For bpe, whose tokens are not known before it is trained, the limit counts characters.
    """
    if issubclass(kind, ByteTokenizer):
        return _first_bytes(pieces, limit)
    if issubclass(kind, WordTokenizer):
        return kind.first(pieces, limit)
    return PieceReader(pieces).take(limit)


def _first_bytes(pieces: Iterable[str], limit: int) -> Iterator[str]:
    for piece in pieces:
        content = piece.encode()
        yield content[:limit].decode("utf-8", "ignore")
        limit -= len(content)
        if limit <= 0:
            return
