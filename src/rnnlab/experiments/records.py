"""The data of a report: all runs of an experiment and their figures; needs no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from rnnlab.data.copies import Copies
from rnnlab.experiments.outcomes import OUTCOMES, Outcome
from rnnlab.experiments.plan import Plan

Status = Literal["finished", "diverged", "failed", "pruned", "missing"]
"""diverged, pruned: ended early; failed: will be tried again; missing: not run yet."""

Points = list[tuple[float, float]]
"""(x, y), x ascending."""


@dataclass(frozen=True)
class RunRecord:
    """One run of an experiment."""

    id: str
    variant: str
    seed: int
    status: Status
    reason: str = ""
    """Why it did not finish."""
    outcomes: dict[str, float] = field(default_factory=dict)
    """Finite values by the names of `OUTCOMES`; timed ones as measured during the run."""
    curves: dict[str, Points] = field(default_factory=dict)
    """`training`: (epochs, nats per token); `held_out`: (epochs, bits per character)."""
    baselines: dict[str, float] = field(default_factory=dict)
    """Held-out bits per character by method, on the text of `held_out_bits_per_character`."""
    gradient_flow: dict[str, list[float]] = field(default_factory=dict)
    """`initial`, `trained`: norm of dL_T/dh_(T-k), k = 0, 1, …"""
    texts: list[str] = field(default_factory=list)
    """The experiment's phrases with their continuations."""
    data: dict[str, Any] = field(default_factory=dict)
    """`corpus_sha256`; `tokens` by split; `copies` in the text of the held-out figures."""
    environment: dict[str, Any] = field(default_factory=dict)
    """Content of environment.json."""
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    """By held-out outcome: what `network` and `ngram` reach alone, if an n-gram model joins."""
    text: str = ""
    """Which text it was trained and tested on, if the experiment has several."""

    @property
    def has_ended(self) -> bool:
        """Whether the run has its final outcome."""
        return self.status not in ("missing", "failed")


@dataclass(frozen=True)
class Timing:
    """One measurement of a variant's speed."""

    variant: str
    round: int
    outcomes: dict[str, float]
    """By the names of the timed `OUTCOMES`."""


@dataclass(frozen=True)
class Records:
    """A plan and the records of its runs."""

    plan: Plan
    runs: list[RunRecord]
    """In the plan's order, including missing ones."""
    timings: list[Timing] = field(default_factory=list)
    timing_environment: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    """The command that makes the experiment again."""
    looks: list[int] = field(default_factory=list)
    """Numbers of seeds (times texts) with complete verdicts, the current one last."""

    def values(self, variant: str, outcome: str) -> dict[int, float]:
        """Return a variant's figures by seed, or by timing round for timed outcomes.

        Timed outcomes are by round if the experiment measures speed separately; there are none
        until it has. Of several texts it is the mean over them, geometric if compared by ratio; a
        seed that lacks a figure on any of them is left out.
        """
        if self.plan.texts:
            parts = [on.values(variant, outcome) for on in self.on_texts.values()]
            return _means(OUTCOMES[outcome], parts)
        if OUTCOMES[outcome].timed and self.timed_separately:
            own = [timing for timing in self.timings if timing.variant == variant]
            return {t.round: t.outcomes[outcome] for t in own if outcome in t.outcomes}
        runs = [run for run in self.runs if run.variant == variant and run.status == "finished"]
        return {run.seed: run.outcomes[outcome] for run in runs if outcome in run.outcomes}

    def part_values(self, variant: str, outcome: str, part: str) -> dict[int, float]:
        """Return what a part of a variant's models reaches alone, `network` or `ngram`, by seed."""
        if self.plan.texts:
            figures = [on.part_values(variant, outcome, part) for on in self.on_texts.values()]
            return _means(OUTCOMES[outcome], figures)
        runs = [run for run in self.runs if run.variant == variant and run.status == "finished"]
        found = {run.seed: run.parts.get(outcome, {}).get(part) for run in runs}
        return {seed: value for seed, value in found.items() if value is not None}

    @cached_property
    def on_texts(self) -> dict[str, "Records"]:
        """The records of each text, as those of an experiment with one text; none if it has one."""
        return {
            text.name: replace(
                self,
                plan=self.plan.on_text(text.name),
                runs=[replace(run, text="") for run in self.runs if run.text == text.name],
            )
            for text in self.plan.texts
        }

    @property
    def copies(self) -> list[Copies]:
        """What of the held-out text is copied from the training text, for each pair of texts."""
        found = [Copies.from_dict(run.data["copies"]) for run in self.runs if "copies" in run.data]
        return list(dict.fromkeys(found))

    @property
    def timed_separately(self) -> bool:
        """Whether the experiment measures speed separately from its runs."""
        return bool(self.rounds)

    @property
    def rounds(self) -> set[int]:
        """The timing rounds, measured or planned; none if speed is not measured separately."""
        asked = self.plan.settings.timing
        made = {timing.round for timing in self.timings}
        return made or set(range(asked.rounds if asked else 0))


def _means(outcome: Outcome, parts: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Return the mean over several texts for each seed that has a figure on all of them."""
    scaled = [outcome.scaled(part) for part in parts]
    seeds = [seed for seed in scaled[0] if all(seed in part for part in scaled)]
    return {s: outcome.unscaled(sum(part[s] for part in scaled) / len(scaled)) for s in seeds}
