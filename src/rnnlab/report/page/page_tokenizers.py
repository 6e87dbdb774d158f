"""What the page's program needs of a tokenizer; see tokenizers.js."""

import json
from typing import Any

from rnnlab.data.tokenizer import BpeTokenizer, ByteTokenizer, CharTokenizer, Tokenizer
from rnnlab.errors import UsageError

KINDS = ("char", "byte", "bpe")

REASONS = {
    "word": "browsers do not cut words at the same places",
    "labelled": "it has no place for labels",
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
        case _:
            raise UsageError(
                f"a page has no tokenizer {tokenizer.kind!r}, since {REASONS[tokenizer.kind]}; it "
                f"has {', '.join(KINDS)}"
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
