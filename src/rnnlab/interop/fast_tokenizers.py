"""Tokenizers as files of the tokenizers library, which transformers reads, and back.

The ids of all tokens are those of rnnlab; labels follow, each written as its name and a tab, and
the last id is that of PAD, which no model predicts.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors

from rnnlab.data.base_tokenizer import UNKNOWN
from rnnlab.data.bpe_tokenizer import byte_characters
from rnnlab.data.labelled_tokenizer import LabelledTokenizer, inner_kind
from rnnlab.data.samples import LINE_BREAK_WITHIN, SEPARATOR
from rnnlab.data.tokenizer import (
    BpeTokenizer,
    ByteTokenizer,
    CharTokenizer,
    RunsOfLettersTokenizer,
    Tokenizer,
    WordTokenizer,
)
from rnnlab.errors import ForeignFileError, is_unicode, message_of
from rnnlab.files import read_json

PAD = "<pad>"
"""The token that fills the rows of a batch up."""

DOCUMENTS = "documents"

EXCLUDED = 0x10F000
"""From here on are the characters that stand for surrogates, which the library cannot write."""

_WHITE = r"\s\x1c-\x1f"

# Oniguruma's own words for what `word_tokenizers` writes for `regex`: with (?y{w}), \y is a default
# Unicode word boundary.
UNICODE_WORDS = rf"(?y{{w}}) ?+[^{_WHITE}](?:[^{_WHITE}]*?(?:\y|(?=[{_WHITE}])))|\r\n|[{_WHITE}]"
_LETTERS = r"\p{L}\p{N}_"
RUNS_OF_LETTERS = rf" ?[{_LETTERS}]+| ?[^{_LETTERS}{_WHITE}]|[{_WHITE}]"

KINDS = {
    "characters": CharTokenizer,
    "bytes": ByteTokenizer,
    "words": WordTokenizer,
    "runs of letters": RunsOfLettersTokenizer,
    "bpe": BpeTokenizer,
}
"""The tokenizers that can be written, by the name that config.json gives them."""

_BREAKS = r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
LINES = rf"[^{_BREAKS}]*(?:\r\n|[{_BREAKS}])|[^{_BREAKS}]+"
r"""As `str.splitlines(keepends=True)`."""

CHARACTERS = r"[\s\S]"
CASED = r"\p{Lu}\p{Ll}\p{Lt}"
GAP, ANY = "[^A-Za-z]+", "[^A-Za-z]*"


def fast_tokenizer(
    tokenizer: Tokenizer, rule: str = "none", start: int | None = None
) -> tokenizers.Tokenizer:
    """Return what gives the same ids in that library.

    rule: the text rule, which becomes a part of it, or several; DOCUMENTS after them for texts with
    line breaks within samples. start: the token with which a sample begins; it
    is put before each text.
    """
    inside, labels = tokenizer, list[str]()
    if isinstance(tokenizer, LabelledTokenizer):
        inside, labels = tokenizer.inside, tokenizer.labels
    found = _inside(inside)
    if steps := [step for name in rule.split() for step in _normalizers(name)]:
        found.normalizer = normalizers.Sequence(steps)
    if DOCUMENTS in rule.split():
        shown = decoders.Replace(LINE_BREAK_WITHIN, SEPARATOR)
        found.decoder = decoders.Sequence([found.decoder, shown])
    found.add_tokens([AddedToken(f"{label}\t", normalized=False) for label in labels])
    special = [PAD] if tokenizer.unknown_id is None else [UNKNOWN, PAD]
    found.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in special])
    found.encode_special_tokens = True  # in a text, <pad> is five characters
    if start is not None:
        first = found.id_to_token(start)
        found.post_processor = processors.TemplateProcessing(
            single=[first, "$A"], pair=[first, "$A", first, "$B"], special_tokens=[(first, start)]
        )
    return found


def _inside(tokenizer: Tokenizer) -> tokenizers.Tokenizer:
    if isinstance(tokenizer, BpeTokenizer):
        found = tokenizers.Tokenizer.from_str(tokenizer.to_json()["tokenizers"])
        found.pre_tokenizer = pre_tokenizers.Sequence(
            [_cut(LINES), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        return found
    if isinstance(tokenizer, ByteTokenizer):
        ids = {character: byte for byte, character in enumerate(byte_characters())}
        found = tokenizers.Tokenizer(models.BPE(ids, []))
        found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        found.decoder = decoders.ByteLevel()
        return found
    tokens: Sequence[str]
    if isinstance(tokenizer, CharTokenizer):
        tokens, pattern = tokenizer.characters, CHARACTERS
    else:
        assert isinstance(tokenizer, WordTokenizer)
        is_older = isinstance(tokenizer, RunsOfLettersTokenizer)
        tokens, pattern = tokenizer.words, RUNS_OF_LETTERS if is_older else UNICODE_WORDS
    ids = {UNKNOWN: 0}
    for i, token in enumerate(tokens, start=1):
        ids[token if is_unicode(token) else chr(EXCLUDED + i)] = i
    found = tokenizers.Tokenizer(models.WordLevel(ids, UNKNOWN))
    found.pre_tokenizer = _cut(pattern)
    found.decoder = decoders.Fuse()
    return found


def _normalizers(rule: str) -> Iterator[Any]:
    """Yield the steps of a text rule; see `rnnlab.data.preprocessing`."""
    if rule == "nfc":
        yield normalizers.NFC()
    if rule == "letters":
        yield normalizers.Replace(Regex(rf"\A{GAP}|{GAP}\z|{ANY}\n{ANY}"), "")
        yield normalizers.Replace(Regex(GAP), " ")
    if rule == "lower":
        yield normalizers.Replace(Regex(rf"(?<=[{CASED}])Σ(?![{CASED}])"), "ς")
    if rule in ("lower", "letters"):
        yield normalizers.Lowercase()
    if rule == DOCUMENTS:
        yield normalizers.Replace(SEPARATOR, LINE_BREAK_WITHIN)


def _cut(pattern: str) -> Any:
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated")


def kind_of(tokenizer: Tokenizer) -> str:
    """Return which of KINDS a tokenizer is, or the one inside it."""
    kinds = {kind: name for name, kind in KINDS.items()}
    return kinds[inner_kind(tokenizer)]


def read_fast_tokenizer(file: Path, kind: str, labels: Mapping[str, int]) -> Tokenizer:
    """Return the tokenizer that `fast_tokenizer` has written to a file.

    kind: which of KINDS it is. labels: how many training samples had each.

    Raises ForeignFileError if the file is not one of these.
    """
    content = read_json(file, ForeignFileError)
    foreign = ForeignFileError(
        f"{file}: not the tokenizer of {kind} that rnnlab export has written"
    )
    try:
        inside = _read_inside(content, kind)
        added = [entry["content"] for entry in content["added_tokens"]]
        found = LabelledTokenizer(inside, labels) if labels else inside
        special = [PAD] if found.unknown_id is None else [UNKNOWN, PAD]
        # The library sorts by id, and <unk> is token 0.
        is_ours = sorted(added) == sorted([*(f"{label}\t" for label in labels), *special])
    except Exception as error:  # the tokenizers library raises bare Exception
        raise ForeignFileError(f"{foreign}: {message_of(error)}") from None
    if not is_ours:
        raise foreign
    return found


def _read_inside(content: Mapping[str, Any], kind: str) -> Tokenizer:
    if kind == "bytes":
        inside = ByteTokenizer()
        written = json.loads(fast_tokenizer(inside).to_str())
        if content["model"]["vocab"] != written["model"]["vocab"] or content["model"]["merges"]:
            raise ValueError("its tokens are not the 256 bytes")
        return inside
    if kind == "bpe":
        own = {**content, "added_tokens": [], "truncation": None, "padding": None}
        own |= {"normalizer": None, "post_processor": None}
        own["pre_tokenizer"] = content["pre_tokenizer"]["pretokenizers"][-1]
        own["decoder"] = content["decoder"].get("decoders", [content["decoder"]])[0]
        return BpeTokenizer.from_str(json.dumps(own))
    ids = content["model"]["vocab"]
    tokens = sorted(ids, key=ids.__getitem__)
    if tokens[:1] != [UNKNOWN] or sorted(ids.values()) != list(range(len(ids))):
        raise ValueError(f"its ids must begin with {UNKNOWN}, each once")
    if kind == "characters":
        if long := [token for token in tokens[1:] if len(token) != 1]:
            raise ValueError(f"{long[0]!r} has more than one character")
        return CharTokenizer("".join(tokens[1:]))
    return WordTokenizer(tokens[1:]) if kind == "words" else RunsOfLettersTokenizer(tokens[1:])
