"""Prints which labels samples have, and how often they are told rightly."""

import json
import sys
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE
from rich.measure import Measurement
from rich.table import Table

from rnnlab.data.line_batches import Line
from rnnlab.display.plain_console import PlainConsole
from rnnlab.lm.classifier import Classifier
from rnnlab.runs.classification import Classification, in_order, share_with_interval

DIGITS = 4
MOST_COLUMNS, WIDEST = 12, 1_000
"""Labels of a table of confusions; with more, only each label's own share is shown."""


def write_labels(
    classifier: Classifier, batches: Iterable[Sequence[Line]], *, with_files: bool
) -> None:
    """Print a JSON object for each line, of each batch as soon as it is classified."""
    for lines in batches:
        for line, row in zip(
            lines, classifier.probabilities([line.text for line in lines]), strict=True
        ):
            ordered = in_order(row.tolist(), classifier.labels)
            label, p = next(iter(ordered.items()))
            content: dict[str, object] = {**line.place(with_file=with_files)}
            if line.number:
                content["text"] = line.text
            content |= {
                "label": label, "p": round(p, DIGITS),
                "probabilities": {name: round(each, DIGITS) for name, each in ordered.items()},
            }  # fmt: skip
            sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def write_classification(found: Classification, *, as_json: bool) -> None:
    """Print the figures of a held-out split, and which labels are taken for which."""
    figures = found.to_dict()
    if as_json:
        print(json.dumps(figures, indent=2, ensure_ascii=False))
        return
    console = PlainConsole(highlight=False)
    console.print(
        f"{found.split} split: {len(found.targets):,} samples, {len(found.labels)} labels",
        style="bold",
    )
    ngram = figures["baselines"]["ngram"]
    rows = (
        ("model", _interval(figures["accuracy"])),
        (f"naive Bayes, {ngram['order']}-grams", _interval(ngram["accuracy"])),
        ("most frequent label", f"{found.majority_share:.1%}"),
    )
    table = Table(box=SIMPLE, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column("right, 95% interval", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table, soft_wrap=False)
    lead, half = found.lead()
    where = "ahead of" if lead >= 0 else "behind"
    console.print(f"The model is {where} naive Bayes by {abs(lead):.1%} ± {half:.1%}.")
    console.print(
        f"-ln p of the right label: {abs(figures['nats_per_label']):.3f} on average "
        f"(temperature {found.temperature:.2f}, fitted to the validation split)."
    )
    table = _confusions(found, with_columns=len(found.labels) <= MOST_COLUMNS)
    options = console.options.update(max_width=WIDEST)
    if Measurement.get(console, options, table).maximum > console.width:
        table = _confusions(found, with_columns=False)
    console.print(table, soft_wrap=False)


def _interval(figure: dict[str, float]) -> str:
    return f"{figure['share']:.1%}  ({figure['low']:.1%} to {figure['high']:.1%})"


def _confusions(found: Classification, *, with_columns: bool) -> Table:
    confusion = found.confusion
    table = Table(box=SIMPLE, padding=(0, 1), title="given the label (columns), by its own (rows)")
    if not with_columns:
        table.title = "told rightly, by label"
    table.add_column(no_wrap=True)
    for label in found.labels if with_columns else ():
        table.add_column(label, justify="right", no_wrap=True)
    table.add_column("samples", justify="right")
    table.add_column("right, 95% interval", justify="right", no_wrap=True)
    for number, label in enumerate(found.labels):
        counts, total = confusion[number].tolist(), int(confusion[number].sum())
        share = _interval(share_with_interval(counts[number], total)) if total else ""
        cells = [f"{count:,}" for count in counts] if with_columns else []
        table.add_row(label, *cells, f"{total:,}", share)
    return table
