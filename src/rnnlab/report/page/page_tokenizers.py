"""What the page's program needs of a tokenizer; see tokenizers.js."""

import json
from typing import Any

from rnnlab.data.tokenizer import (
    BpeTokenizer,
    ByteTokenizer,
    CharTokenizer,
    LabelledTokenizer,
    RunsOfLettersTokenizer,
    Tokenizer,
    WordTokenizer,
)
from rnnlab.errors import UsageError

KINDS = ("char", "byte", "bpe", "word")

LACKING: dict[type[Tokenizer], str] = {
    RunsOfLettersTokenizer: "words that an early version has cut",
    LabelledTokenizer: "labels",
}


def page_tokenizer(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return a tokenizer as JSON for the page; raises UsageError for one not in KINDS."""
    match tokenizer:
        case CharTokenizer():
            return {"type": "char", "characters": list(tokenizer.characters)}
        case ByteTokenizer():
            return {"type": "byte"}
        case BpeTokenizer():
            return _bpe(tokenizer)
        case WordTokenizer() if not isinstance(tokenizer, RunsOfLettersTokenizer):
            return {"type": "word", "words": tokenizer.words}
        case _:
            raise UsageError(
                f"a page cannot read {LACKING[type(tokenizer)]}; its tokenizers are "
                f"{', '.join(KINDS)}"
            )


def _bpe(tokenizer: BpeTokenizer) -> dict[str, Any]:
    """Return the bytes of each token, and the pairs that become one, in the order of learning."""
    model = json.loads(tokenizer.to_json()["tokenizers"])["model"]
    ids, merges = model["vocab"], []
    for pair in model["merges"]:
        left, right = pair.split(" ") if isinstance(pair, str) else pair
        merges.append([ids[left], ids[right], ids[left + right]])
    spelled = [bytes(part).hex() for part in tokenizer.spelled()]
    return {"type": "bpe", "tokens": spelled, "merges": merges}
