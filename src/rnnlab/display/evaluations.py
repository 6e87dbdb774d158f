"""Tables of evaluations: a model and its baselines on one text."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from rnnlab.console import visible
from rnnlab.lm.evaluate import bits_per_character


def evaluation_tables(records: Sequence[dict[str, Any]]) -> list[Table]:
    """Return a table for each text: the model under each context rule, then its baselines."""
    return [
        _evaluation_table(list(group))
        for _, group in groupby(records, key=lambda record: (record["corpus"], record["split"]))
    ]


def _evaluation_table(records: Sequence[dict[str, Any]]) -> Table:
    first = records[0]
    title = (
        f"{text_name(first)}: {first['characters']:,} characters, weights: {first['checkpoint']}"
    )
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE, padding=(0, 1))
    table.add_column(no_wrap=True)
    for heading in ("bits/character", "nats/token", "perplexity"):
        table.add_column(heading, justify="right", no_wrap=True)
    if first["unknown_tokens"]:
        share = first["unknown_characters"] / first["characters"]
        spelling = bits_per_character(first["spelling_nats"], first["characters"])
        table.caption = (
            f"<unk> stands for {share:.1%} of the characters; spelling them takes "
            f"{spelling:.3f} of the bits/character"
        )
        table.caption_justify = "left"
    for record in records:
        table.add_row(
            f"this model, {record['context']}",
            f"{record['bits_per_character']:.3f}",
            f"{record['nats_per_token']:.4f}",
            number(record["perplexity"]),
            style="bold",
        )
    for name, baseline in first["baselines"].items():
        if name == "ngram":
            name = f"{baseline['order']}-gram, {baseline['smoothing']}"
        row = [name, f"{baseline['bits_per_character']:.3f}"]
        if first["tokens"] + 1 == first["characters"]:  # otherwise the other units do not compare
            row += [f"{baseline['nats_per_character']:.4f}", f"{baseline['perplexity']:.3f}"]
        table.add_row(*row)
    return table


def text_name(record: dict[str, Any]) -> str:
    """Return the name of the text that was evaluated, and of the split if it is one."""
    corpus = "standard input" if record["corpus"] == "-" else visible(record["corpus"])
    return corpus if record["split"] == "all" else f"{corpus}, {record['split']}"


def number(value: float | None) -> str:
    """Format a figure of a record, in which None stands for infinite."""
    return "infinite" if value is None else f"{value:.3f}"
