"""Prints how likely lines or documents are: one JSON object or one row of CSV for each."""

import csv
import heapq
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from rnnlab.data.line_batches import Line
from rnnlab.data.samples import SEPARATOR, shown
from rnnlab.lm.evaluate import Floats
from rnnlab.lm.sample_scores import SampleScorer, SampleScores
from rnnlab.runs.held_out_scores import places_among

DIGITS = 4

Row = dict[str, Any]


class Scored(NamedTuple):
    """Lines, and what is known of them."""

    lines: Sequence[Line]
    scores: SampleScores
    bits: Floats
    """Per character."""
    among: Floats | None
    """Their quantiles among held-out samples."""
    chosen: Sequence[int]
    """The numbers of those that are shown."""


class ScoreTable:
    """The rows of lines, in the order that is asked for."""

    def __init__(
        self, scorer: SampleScorer, quantiles: Sequence[float] | None, *, with_files: bool
    ) -> None:
        """Quantiles: bits per character of held-out samples, see `runs.held_out_scores`.

        with_files: each row names the file of its line.
        """
        self.scorer, self.quantiles, self.with_files = scorer, quantiles, with_files

    def rows(
        self, batches: Iterable[Sequence[Line]], per: str, above: float
    ) -> Iterator[list[Row]]:
        """Yield for each batch its rows.

        per: "sample" or "token". above: only lines less likely than this share of the held-out
        samples; 0: all.
        """
        for lines in batches:
            scores = self.scorer.score([line.text for line in lines])
            bits = scores.bits_per_character
            among = None if self.quantiles is None else places_among(bits, list(self.quantiles))
            chosen = np.arange(len(lines))
            if above and among is not None:
                chosen = np.flatnonzero(among > above)
            make = self._of_samples if per == "sample" else self._of_tokens
            yield list(make(Scored(lines, scores, bits, among, chosen.tolist())))

    def _of_samples(self, batch: Scored) -> Iterator[Row]:
        lines, scores, bits, among, chosen = batch
        worst = scores.worst
        nats, places = scores.token_nats[worst] / np.log(2), scores.token_places[worst]
        for i in chosen:
            line, size = lines[i], int(scores.characters[i])
            row: Row = {**line.place(with_file=self.with_files)}
            if line.number:
                row["text"] = line.text
            row |= {
                "nats": round(float(scores.nats[i] + scores.spelling_nats[i]), DIGITS),
                "bits_per_character": round(float(bits[i]), DIGITS),
                "characters": size,
                "unknown_share": round(int(scores.unknown_characters[i]) / max(1, size), DIGITS),
            }
            if among is not None:
                row["quantile"] = round(float(among[i]), DIGITS)
            row["worst_at"], row["worst_bits"] = int(places[i]), round(float(nats[i]), DIGITS)
            yield row

    def _of_tokens(self, batch: Scored) -> Iterator[Row]:
        lines, scores, _, _, chosen = batch
        for i in chosen:
            line, own = lines[i], scores.targets(i)
            text = self.scorer.prepared(line.text) + SEPARATOR
            begins = scores.token_places[own].tolist()
            figures = (scores.token_nats[own] / np.log(2)).tolist()
            for begin, end, figure in zip(begins, [*begins[1:], len(text)], figures, strict=True):
                yield {
                    **line.place(with_file=self.with_files),
                    "at": begin,
                    "token": shown(text[begin:end]) if line.number == 0 else text[begin:end],
                    "bits": round(figure, DIGITS),
                }


def write_scores(
    table: ScoreTable,
    batches: Iterable[Sequence[Line]],
    *,
    per: str = "sample",
    as_csv: bool = False,
    top: int = 0,
    by: str = "bits_per_character",
    above: float = 0.0,
) -> None:
    """Print the rows of lines, of each batch as soon as it is scored.

    top: print only the rows of so many lines, the least likely first, at the end. by: the figure
    that says so.
    """
    found = table.rows(batches, per, above)
    if top:
        found = iter([_least_likely(chain.from_iterable(found), top, by)])
    writer = csv.writer(sys.stdout, lineterminator="\n")
    has_head = False
    for rows in found:
        for row in rows:
            if as_csv:
                if not has_head:
                    writer.writerow(row)
                    has_head = True
                writer.writerow(row.values())
            else:
                sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def _least_likely(rows: Iterable[Row], top: int, by: str) -> list[Row]:
    """Return the rows with the largest figures; ties keep their order."""
    numbered = ((row[by], -number, row) for number, row in enumerate(rows))
    return [row for *_, row in heapq.nlargest(top, numbered)]
