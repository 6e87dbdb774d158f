"""Tables of evaluations: one per text, with the model's context rules and the baselines."""

import io
import math
from typing import Any

from rich.console import Console

from rnnlab.display.evaluations import evaluation_tables


def record(**changes: Any) -> dict[str, Any]:
    return {
        "corpus": "pets", "split": "test", "context": "carried", "tokens": 119, "characters": 120,
        "unknown_tokens": 0, "unknown_characters": 0, "spelling_nats": 0.0,
        "nats_per_token": 1.5, "bits_per_character": 2.164, "perplexity": 4.4817,
        "checkpoint": "best",
        "baselines": {
            "ngram": {"order": 5, "smoothing": "absolute", "bits_per_character": 1.9,
                      "nats_per_character": 1.317, "perplexity": 3.732},
        },
    } | changes  # fmt: skip


def shown(*records: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=120)
    for table in evaluation_tables(records):
        console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_one_table_per_text_with_all_context_rules_and_baselines() -> None:
    text = shown(record(), record(context="windows:64"), record(split="validation"))
    assert text.count("120 characters, weights: best") == 2
    assert "this model, carried" in text
    assert "this model, windows:64" in text
    assert text.count("5-gram, absolute") == 2
    assert "1.3170" in text


def test_units_that_do_not_compare_are_left_out() -> None:
    """The model's nats are per token, a baseline's per character."""
    assert "1.3170" not in shown(record(tokens=60))


def test_infinite_perplexity_and_unknown_tokens() -> None:
    unknown = {"unknown_tokens": 7, "unknown_characters": 30, "spelling_nats": 60 * math.log(2)}
    text = shown(record(perplexity=None, corpus="p\x1b[2Jets", **unknown))
    assert "infinite" in text
    assert "<unk> stands for 25.0% of the characters" in text
    assert "0.500 of the bits/character" in text
    assert "\x1b" not in text
