"""What the terminal shows of a run: a line per milestone, and a live progress bar."""

import math
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from rnnlab.console import PlainConsole, counted
from rnnlab.display.evaluations import evaluation_tables, number
from rnnlab.lm.evaluate import perplexity
from rnnlab.lm.train import Milestone, Step
from rnnlab.runs.preparation import Prepared
from rnnlab.runs.run import Run
from rnnlab.runs.watcher import Watcher
from rnnlab.signals import INTERRUPTS

RECENT_STEPS = 100
"""The training perplexity and the share of clipped steps on the screen are means over these."""

WORKING_SECONDS = 10.0
"""Without a terminal, a line in this interval shows the progress of reading and measuring."""

BLOCKS = " ▁▂▃▄▅▆▇█"


class TrainingDisplay(Watcher):
    """Prints to standard output, or nothing if `quiet`. Leaving its context removes the bar."""

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
    def on_standard_error(cls) -> Self:
        """Return one for commands whose results go to standard output."""
        return cls(console=PlainConsole(stderr=True, highlight=False, soft_wrap=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._remove_bar()

    def reading(self, purpose: str, share: float) -> None:
        """Show how much of a long text has been read."""
        self._working("reading", purpose, share, purpose)

    def measuring(self, purpose: str, share: float) -> None:
        """Show how much of an evaluation is done."""
        self._working("measuring", purpose, share, f"measuring {purpose}")

    def _working(self, heading: str, purpose: str, share: float, in_bar: str) -> None:
        if self._bar is None:
            self._start_bar()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=share, description=in_bar)
        elif time.perf_counter() - self._told > WORKING_SECONDS:
            self._told = time.perf_counter()
            self.console.print(f"{heading:<10}{purpose}: {share:.0%}", markup=False)

    def begin(self, directory: Path, ready: Prepared) -> None:
        """Print what will be trained."""
        self._remove_bar()
        self._directory, self._trainer = directory, ready.trainer
        dataset, model, settings = ready.dataset, ready.model, ready.settings
        self._has_held_out = bool(dataset.held_out)
        show, machine, corpus = self.console.print, settings.machine, dataset.corpus
        show(f"corpus    {corpus.name} ({corpus.origin})", markup=False)
        sizes = ", ".join(f"{name} {len(part.all_ids):,}" for name, part in dataset.splits.items())
        rule = settings.data.preprocessing
        read_as = f"{'' if rule == 'none' else f'{rule}, '}{model.tokenizer!r}"
        show(f"text      {read_as}: {sizes} tokens")
        cell = f"{settings.model.num_layers} x {settings.model.cell} {settings.model.hidden_size}"
        show(f"model     {cell}, {model.model.num_parameters():,} parameters")
        where = f"{machine.precision}, {machine.device}, {counted(machine.threads, 'thread')}"
        show(f"engine    {model.compute.engine.name} ({ready.why}), {where}")
        show(f"run       {directory}", markup=False)
        if "validation" not in dataset.splits:
            show("note      no validation split: all figures during training are of training text")
        training = settings.training
        if training.sample_length and training.sample_prefix:
            for notice in model.read_prefix(training.sample_prefix)[2]:
                show(f"note      samples: {notice}", markup=False)
        for name in dataset.held_out:
            if (part := dataset.splits[name]).is_cut:
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

    def resumed(self, notices: Sequence[str]) -> None:
        """Print from which step training resumes, and the notices."""
        self._resumed = min(1.0, self._trainer.progress)
        self.console.print(
            f"resumed   from step {self._trainer.step:,}, {self._resumed:.0%} of the budget"
        )
        for notice in notices:
            self.console.print(f"note      {notice}", markup=False)

    def step(self, event: Step) -> None:
        """Move the bar."""
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
        if not self._recent:  # the evaluation that was due when training was interrupted
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

    def _remove_bar(self) -> None:
        """Remove the bar and show the cursor again."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def trained(self, training: dict[str, Any]) -> None:
        """Print the summary of training and, if it stopped early, how to resume it."""
        self._remove_bar()
        show = self.console.print
        epochs = training["epochs"]
        show(
            f"trained   {counted(training['steps'], 'step')}, {counted(epochs, 'epoch')} in "
            f"{training['seconds']:.1f} s, {training['tokens_per_second']:,.0f} tokens/s, "
            f"training perplexity {number(training['perplexity'])} "
            f"({'last complete epoch' if epochs else 'all steps'})"
        )
        share = training["state_seconds"] / (training["elapsed_seconds"] or 1)
        states = counted(training["states_saved"], "state")
        show(f"saved     {states} to resume from, {share:.2%} of the time")
        if training["stopped_by"] != "budget":
            show(f"stopped   {training['stopped_by']}", markup=False)
            by_signal = training["stopped_by"] in INTERRUPTS
            more = "" if by_signal else " and a larger --patience"
            show(
                f"          go on with rnnlab train --resume {self._directory}{more}", markup=False
            )
            if training["stopped_by"] == "SIGINT" and self._has_held_out:
                show("          evaluating the held-out text; Ctrl-C again skips it")
        self._told = time.perf_counter()

    def end(self, error: BaseException | None) -> None:
        """Print the curve, the evaluations with their baselines, and the run directory."""
        self._remove_bar()
        if error is not None or self.quiet:
            return
        show, run = self.console.print, Run(self._directory)
        held_out = [line for line in run.metrics if line["kind"] == "held-out"]
        curve = [line["bits_per_character"] for line in held_out]
        if len(curve) > 1:
            show(f"held-out bits per character ({held_out[0]['context']}), over training:")
            for line in text_chart(curve):
                show(line, markup=False)
        for table in evaluation_tables(run.result["evaluations"]):
            show(table)
        show(f"run directory: {self._directory}", markup=False)

    def _status(self, event: Step) -> tuple[str, str]:
        """Return the position and the figures; each fits on one line of a terminal with the bar."""
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


def text_chart(values: Sequence[float], width: int = 60, height: int = 6) -> list[str]:
    """Draw values as columns of blocks; return the lines from top to bottom."""
    points = [v for v in values if math.isfinite(v)]
    if not points:
        return []
    width = min(width, len(points))
    groups = [
        points[len(points) * i // width : len(points) * (i + 1) // width] for i in range(width)
    ]
    means = [sum(group) / len(group) for group in groups]
    low, high = min(means), max(means)
    eighths = [1 + round((m - low) / ((high - low) or 1) * (8 * height - 1)) for m in means]
    rows = range(height - 1, -1, -1)
    lines = ["".join(BLOCKS[max(0, min(8, level - 8 * row))] for level in eighths) for row in rows]
    labels = {0: f"{high:7.3f}", height - 1: f"{low:7.3f}"}
    return [f"{labels.get(row, ''):>7} │{line}" for row, line in enumerate(lines)]
