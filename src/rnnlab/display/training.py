"""What a person sees while a run goes on: a line a milestone, and on a terminal a live bar."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from rnnlab.config import Settings
from rnnlab.console import PlainConsole, visible
from rnnlab.data.dataset import Dataset
from rnnlab.lm.evaluate import perplexity
from rnnlab.lm.text_model import TextModel
from rnnlab.lm.train import Milestone, Step
from rnnlab.runs.curves import text_chart
from rnnlab.signals import INTERRUPTS

RECENT_STEPS = 100
"""Steps that the training perplexity and the share of clipped steps on the screen are means of."""

WORKING_SECONDS = 10.0
"""Where there is no terminal, a line every so many seconds says how far reading or measuring is."""


class Display:
    """Prints to standard output; with `quiet` it prints nothing."""

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self.quiet = quiet
        self.console = console or PlainConsole(quiet=quiet, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._told = time.perf_counter()
        self._began: float | None = None
        self._resumed = 0.0
        self._has_held_out = False
        self._recent: deque[Step] = deque(maxlen=RECENT_STEPS)
        self._bits: float | None = None

    @classmethod
    def beside_output(cls) -> Self:
        """One that prints to standard error, where standard output is for results."""
        return cls(console=PlainConsole(stderr=True, highlight=False, soft_wrap=True))

    def __enter__(self) -> Self:
        """Leave the terminal as it was, whatever happens."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        self.take_bar_away()

    def reading(self, purpose: str, share: float) -> None:
        """Say how far a long text is read."""
        self._working("reading", purpose, share, purpose)

    def measuring(self, purpose: str, share: float) -> None:
        """Say how far an evaluation is."""
        self._working("measuring", purpose, share, f"measuring {purpose}")

    def _working(self, heading: str, purpose: str, share: float, in_bar: str) -> None:
        if self._bar is None:
            self._start_bar()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=share, description=in_bar)
        elif time.perf_counter() - self._told > WORKING_SECONDS:
            self._told = time.perf_counter()
            self.console.print(f"{heading:<10}{purpose}: {share:.0%}", markup=False)

    def begin(
        self, dataset: Dataset, model: TextModel, settings: Settings, why: str, directory: Path
    ) -> None:
        """Say what is about to be trained; the first line names the corpus and why this one."""
        self.take_bar_away()
        self._has_held_out = bool(dataset.held_out)
        show, machine, corpus = self.console.print, settings.machine, dataset.corpus
        show(f"corpus    {corpus.name} ({corpus.origin})", markup=False)
        sizes = ", ".join(f"{name} {len(part.all_ids):,}" for name, part in dataset.splits.items())
        show(f"text      {settings.data.preprocessing}, {model.tokenizer!r}: {sizes} tokens")
        cell = f"{settings.model.num_layers} x {settings.model.cell} {settings.model.hidden_size}"
        show(f"model     {cell}, {model.model.num_parameters():,} parameters")
        where = f"{machine.precision}, {machine.device}, {machine.threads} threads"
        show(f"engine    {model.engine.name} ({why}), {where}")
        show(f"run       {directory}", markup=False)
        if "validation" not in dataset.splits:
            show("note      no validation split: all figures while training are of training text")
        training = settings.training
        if training.sample_length and training.sample_prefix:
            for notice in model.read_prefix(training.sample_prefix)[2]:
                show(f"note      samples: {notice}", markup=False)
        for name in dataset.held_out:
            if (part := dataset.splits[name]).whole:
                share = f"first {len(part.text):,} of {part.characters:,} characters"
                show(f"note      a long text: the {name} split is evaluated on its {share}")
        self._start_bar()

    def _start_bar(self) -> None:
        if self.console.is_terminal and not self.quiet:
            self._bar = Progress(
                BarColumn(bar_width=10),
                TextColumn("{task.percentage:>3.0f}% {task.description}"),  # two lines of text
                console=self.console,
                transient=True,
            )
            self._bar.add_task("", total=1.0)
            self._bar.start()

    def resume(self, step: int, progress: float, notices: Sequence[str]) -> None:
        """Say where training goes on, and what there is to know of it."""
        self.console.print(f"resumed   from step {step:,}, {progress:.0%} of the budget")
        for notice in notices:
            self.console.print(f"note      {notice}", markup=False)
        self._resumed = progress

    def step(self, event: Step) -> None:
        """Remember the step; move the bar."""
        self._began = self._began or time.perf_counter()
        self._recent.append(event)
        self._move_bar(event)

    def _move_bar(self, event: Step) -> None:
        if self._bar is not None:
            where, figures = self._status(event)
            status = f"{where} | {self._seconds_left(event):.0f} s left\n{figures}"
            self._bar.update(self._bar.task_ids[0], completed=event.progress, description=status)

    def milestone(self, event: Milestone, bits_per_character: float | None, sample: str) -> None:
        """Print a line, and the sample under it."""
        self._bits = bits_per_character
        if not self._recent:  # training goes on with an evaluation that was due
            return
        last = self._recent[-1]
        self._move_bar(last)
        mark = " *best" if event.is_best else ""
        status = " | ".join(self._status(last))
        left = f"{self._seconds_left(last):.0f} s left"
        self.console.print(f"{last.progress:4.0%} {status} | {left}{mark}", markup=False)
        if sample:
            line = " ".join(sample.split())
            self.console.print(f"     | {line}", markup=False, style="dim")

    def take_bar_away(self) -> None:
        """Leave the lines alone, and the cursor to the terminal."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def trained(self, training: Mapping[str, Any], directory: Path) -> None:
        """Say what training came to, and before anything else follows, how to go on with it."""
        self.take_bar_away()
        show = self.console.print
        show(
            f"trained   {training['steps']:,} steps, {training['epochs']} epochs in "
            f"{training['seconds']:.1f} s, {training['tokens_per_second']:,.0f} tokens/s, "
            f"training perplexity {_number(training['perplexity'])} "
            f"({'last complete epoch' if training['epochs'] else 'all steps'})"
        )
        share = training["state_seconds"] / (training["elapsed_seconds"] or 1)
        show(f"saved     {training['states_saved']} states to resume from, {share:.2%} of the time")
        if training["stopped_by"] != "budget":
            show(f"stopped   {training['stopped_by']}", markup=False)
            by_signal = training["stopped_by"] in INTERRUPTS
            more = "" if by_signal else " and a larger --patience"
            show(f"          go on with rnnlab train --resume {directory}{more}", markup=False)
            if training["stopped_by"] == "SIGINT" and self._has_held_out:
                show("          now the held-out text is measured; Ctrl-C again leaves that out")
        self._told = time.perf_counter()

    def end(
        self, result: dict[str, Any], metrics: Sequence[dict[str, Any]], directory: Path
    ) -> None:
        """Show the curve, the held-out figures beside the baselines, and where everything is."""
        self.take_bar_away()
        show = self.console.print
        held_out = [line for line in metrics if line["kind"] == "held-out"]
        curve = [line["bits_per_character"] for line in held_out]
        if len(curve) > 1:
            show(f"held-out bits per character ({held_out[0]['context']}), over training:")
            for line in text_chart(curve):
                show(line, markup=False)
        if result["evaluations"]:
            for table in evaluation_tables(result["evaluations"]):
                show(table)
        show(f"run directory: {directory}", markup=False)

    def _status(self, event: Step) -> tuple[str, str]:
        """Where the run is, and its figures; each fits a line of 80 columns beside the bar."""
        held_out = "" if self._bits is None else f" | held-out {self._bits:.3f} bits/char"
        nats = sum(step.loss_nats for step in self._recent) / len(self._recent)
        clipped = sum(step.clipped for step in self._recent) / len(self._recent)
        speed = event.tokens / event.seconds if event.seconds else 0.0
        return (
            f"epoch {event.epoch}{held_out}",
            f"training ppl {perplexity(nats):.2f} | {speed:,.0f} tokens/s | "
            f"grad norm {event.gradient_norm:.2f}, clipped {clipped:.0%}",
        )

    def _seconds_left(self, event: Step) -> float:
        elapsed = time.perf_counter() - (self._began or 0.0)
        done = event.progress - self._resumed
        return elapsed * (1 - event.progress) / done if done > 0 else 0.0


def evaluation_tables(records: Sequence[dict[str, Any]]) -> list[Table]:
    """One table a text: the model under each context rule, then its baselines."""
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
    table = plain_table(title, ("",), ("bits/character", "nats/token", "perplexity"))
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
            _number(record["perplexity"]),
            style="bold",
        )
    for name, baseline in first["baselines"].items():
        row = [_baseline_name(name, baseline), f"{baseline['bits_per_character']:.3f}"]
        if first["tokens"] == first["characters"]:  # otherwise the other units do not compare
            row += [f"{baseline['nats_per_character']:.4f}", f"{baseline['perplexity']:.3f}"]
        table.add_row(*row)
    return table


def plain_table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    """A table without a frame: columns of words, then columns of numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE, padding=(0, 1))
    for heading in words:
        table.add_column(heading, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _number(value: float | None) -> str:
    return "infinite" if value is None else f"{value:.3f}"


def _baseline_name(name: str, baseline: dict[str, Any]) -> str:
    if name == "ngram":
        return f"{baseline['order']}-gram, {baseline['smoothing']}"
    return name
