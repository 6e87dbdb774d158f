"""A run's chart: the figures from which an illness is told, without its name."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rnnlab.console import counted

if TYPE_CHECKING:
    from rnnlab.doctor.evidence import Evidence
    from rnnlab.runs.run import Run

COLUMN = 16
"""Where the words of a line begin."""


@dataclass(frozen=True, repr=False)
class Chart:
    """What the doctor looks at, as a table; a notebook shows it."""

    evidence: Evidence

    def lines(self) -> list[tuple[str, str]]:
        """Return each figure with its name; what cannot be measured is left out."""
        from rnnlab.doctor.diagnosis import MissingEvidence

        found = list[tuple[str, str]]()
        for part in (self._curves, self._gradients, self._text, self._weights):
            try:
                found += part()
            except MissingEvidence as why:
                found.append(("not measured", str(why)))
        return list(dict.fromkeys(found))

    def _curves(self) -> Iterator[tuple[str, str]]:
        from rnnlab.doctor.history import mean_nats

        history = self.evidence.history
        epochs = f"{counted(history.steps, 'step')}, {counted(history.epochs, 'epoch')}"
        yield "length", f"{epochs}; ended by {history.stopped_by}"
        quarters = (mean_nats(history.part(k / 4, (k + 1) / 4)) for k in range(4))
        words = "  ".join(f"{nats:.2f}" for nats in quarters)
        yield "training nats", f"{words}  per token, in the quarters of the run"
        if history.held_out:
            lowest = min(history.held_out, key=lambda line: line.nats_per_token)
            last = history.held_out[-1]
            yield (
                "held-out nats",
                f"lowest {lowest.nats_per_token:.2f} at step {lowest.step:,}, "
                f"last {last.nats_per_token:.2f} at step {last.step:,}",
            )
        if reached := history.reached:
            yield (
                "bits held out",
                f"{reached.bits_per_character:.2f} per character; n-gram "
                f"{reached.ngram_bits_per_character:.2f}, token frequencies "
                f"{reached.unigram_bits_per_character:.2f}",
            )

    def _gradients(self) -> Iterator[tuple[str, str]]:
        from rnnlab.doctor.history import mean_clipped_share

        history = self.evidence.history
        late = history.part(0.5, 1)
        norm = median(line.gradient_norm for line in late)
        share = mean_clipped_share(late)
        yield "gradient norm", f"{norm:.3g} (median); {share:.0%} of the steps clipped, second half"

    def _text(self) -> Iterator[tuple[str, str]]:
        text, history = self.evidence.text, self.evidence.history
        yield (
            "training text",
            f"{counted(text.tokens, 'token')}; token frequencies alone give "
            f"{text.unigram_nats:.2f} nats, one token of context {text.gain_by_one_token:.0%} less",
        )
        for name, copies in text.copies.items():
            yield (
                "copies",
                f"{copies.copied_share:.0%} of the {name} text stands in the training text",
            )
        if history.steps and history.epochs:
            yield "updates", f"{history.steps / history.epochs:,.0f} in an epoch"

    def _weights(self) -> Iterator[tuple[str, str]]:
        weights = self.evidence.weights
        yield "weights", f"moved by {weights.moved:.2g} of their initial size"
        ends = ", ".join(
            f"{each.gate.name} {each.low_share + each.high_share:.0%}" for each in weights.gates
        )
        yield "at an end", f"{ends}: share of activations, by gate"
        for layer in weights.layers:
            yield (
                f"layer {layer.layer}",
                f"{layer.dead} of {layer.units} units never change over the text",
            )

    def __repr__(self) -> str:
        return "\n".join(f"{name:<{COLUMN}}{words}" for name, words in self.lines())

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def chart(run: Run | str | Path) -> Chart:
    """Return the chart of a run. Raises as `rnnlab.diagnose`."""
    from rnnlab.doctor.diagnose import evidence_of
    from rnnlab.runs.run import Run

    return Chart(evidence_of(run if isinstance(run, Run) else Run.open(run)))
