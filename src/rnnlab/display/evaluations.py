"""Tables of evaluations: a model and its baselines on one text."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from rnnlab.console import visible


def evaluation_tables(records: Sequence[dict[str, Any]]) -> list[Table]:
    """Return a table for each text: the model under each context rule, then its baselines."""
    return [
        _evaluation_table(list(group))
        for _, group in groupby(records, key=lambda record: (record["corpus"], record["split"]))
    ]


def _evaluation_table(records: Sequence[dict[str, Any]]) -> Table:
    first = records[0]
    title = (
        f"{visible(first['corpus'])}, {first['split']}: {first['characters']:,} characters "
        f"predicted, weights: {first['checkpoint']}"
    )
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE, padding=(0, 1))
    table.add_column(no_wrap=True)
    for heading in ("bits/character", "nats/token", "perplexity"):
        table.add_column(heading, justify="right", no_wrap=True)
    if first["unknown_tokens"]:
        table.caption = (
            f"{first['unknown_tokens']:,} of {first['tokens']:,} tokens are <unk>, "
            "whose spelling is not predicted; this flatters the model"
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
        if first["tokens"] == first["characters"]:  # otherwise the other units do not compare
            row += [f"{baseline['nats_per_character']:.4f}", f"{baseline['perplexity']:.3f}"]
        table.add_row(*row)
    return table


def number(value: float | None) -> str:
    """Format a figure of a record, in which None stands for infinite."""
    return "infinite" if value is None else f"{value:.3f}"
