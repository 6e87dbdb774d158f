"""What the terminal shows of a run: a live display, or lines of a log; then the results."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnnlab.cells import short_name
from rnnlab.console import counted, printable
from rnnlab.data.corpus import has_several_texts
from rnnlab.display.evaluations import (
    copies_notes,
    forgetting_note,
    mixture_notes,
    number,
    print_evaluations,
    samples_words,
)
from rnnlab.display.plain_console import PlainConsole
from rnnlab.display.training_status import (
    LOG_HEADING,
    UNIT,
    TrainingStatus,
    log_line,
    sample_lines,
    speed_notes,
    text_chart,
)
from rnnlab.display.work import WorkDisplay
from rnnlab.doctor.diagnose import diagnose_trained
from rnnlab.errors import DivergenceError, RnnlabError
from rnnlab.lm.moments import EVALUATION_SHARE
from rnnlab.lm.train import Milestone, Step
from rnnlab.runs.ancestry import ORIGIN
from rnnlab.runs.metrics import TrainingUnits
from rnnlab.runs.preparation import Prepared
from rnnlab.runs.run import Run
from rnnlab.runs.watcher import Watcher
from rnnlab.signals import INTERRUPTS

LONG_SECONDS = 3.0
"""Final evaluations that take at least so long are announced."""

REFRESH_SECONDS = 0.1
"""How often the live display is made anew."""

LOG_WIDTH = 80


class TrainingDisplay(WorkDisplay, Watcher):
    """Prints to standard output, or nothing if `quiet`. Leaving its context ends the live display.

    On a terminal, figures are updated in place. Elsewhere each evaluation gets a line.
    """

    def __init__(self, *, quiet: bool = False, console: PlainConsole | None = None) -> None:
        super().__init__(quiet=quiet, console=console)
        self._status: TrainingStatus | None = None
        self._refreshed = time.perf_counter()
        self._has_held_out = self._has_heading = False

    def begin(self, directory: Path, ready: Prepared) -> None:
        """Print what will be trained."""
        self._close_view()
        self._directory, self._trainer, self._dataset = directory, ready.trainer, ready.dataset
        self._status = TrainingStatus(TrainingUnits.of_training_text(ready.dataset))
        self._expected_speed = ready.automatic.tokens_per_second if ready.automatic else 0.0
        dataset, model, settings = ready.dataset, ready.model, ready.settings
        self._has_held_out = bool(dataset.held_out)
        tell, machine, corpus = self.console.tell, settings.machine, dataset.corpus
        is_named = corpus.name != "-" and f" {corpus.name}" not in corpus.origin
        tell("corpus", f"{corpus.name} ({corpus.origin})" if is_named else corpus.origin)
        sizes = ", ".join(f"{name} {len(part.all_ids):,}" for name, part in dataset.splits.items())
        rule = model.preprocessing
        read_as = f"{'' if rule == 'none' else f'{rule}, '}{model.tokenizer!r}"
        fold = f"; test: fold {settings.data.fold}" if settings.data.fold else ""
        tell("text", f"{read_as}: {sizes} tokens{fold}")
        if dataset.samples:
            tell("samples", samples_words(dataset.samples, dataset.unit))
        if dataset.copies:
            found = "; ".join(f"{name} {copies}" for name, copies in dataset.copies.items())
            tell("copies", f"from the training text: {found}")
        cell = short_name(settings.model.cell)
        sizes = f"{settings.model.num_layers} x {cell} {settings.model.hidden_size}"
        tell("model", f"{sizes}, {model.model.num_parameters():,} parameters")
        if ready.matched:
            tell("matched", ready.matched)
        if ngrams := ready.ngrams:
            tell(
                "n-gram",
                f"order {settings.model.ngram_order}, {ngrams.table.size:,} n-grams; it "
                "joins the network when training ends, until then all figures are the network's",
            )
        where = f"{machine.precision}, {machine.device}, {counted(machine.threads, 'thread')}"
        tell("engine", f"{model.compute.engine.name} ({ready.why}), {where}")
        if ready.automatic:
            tell("chosen", ready.automatic.chose)
            tell("because", ready.automatic.why)
        tell("run", str(directory))
        limit = settings.data.max_vocabulary
        if model.tokenizer.unknown_id is not None and model.tokenizer.size == limit:
            tell(
                "note",
                f"the vocabulary is limited to {limit:,} tokens, the most frequent; the others are "
                "<unk> (--max-vocabulary)",
            )
        if any(part.cuts_document for part in dataset.splits.values()) and has_several_texts(
            settings.data.corpus
        ):
            tell("note", "a split ends within one of the texts (--split-at documents)")
        for words in copies_notes(dataset.copies):
            tell("note", words)
        if "validation" not in dataset.splits:
            tell("note", "no validation split: all figures during training are of training text")
        training = settings.training
        if training.sample_length and training.sample_prefix:
            for notice in model.read_prefix(training.sample_prefix)[2]:
                tell("note", f"samples: {notice}")
        for name in dataset.held_out:
            if (part := dataset.splits[name]).is_cut:
                share = f"first {len(part.text):,} of {part.characters:,} characters"
                tell("note", f"a long text: the {name} split is evaluated on its {share}")
        self._open_view()

    def resumed(self, notices: Sequence[str]) -> None:
        """Print from which step training resumes, and the notices."""
        share = min(1.0, self._trainer.progress)
        if self._status is not None:
            self._status.resumed_at = share
        self.console.tell("resumed", f"from step {self._trainer.step:,}, {share:.0%} of the budget")
        for notice in notices:
            self.console.tell("note", notice)

    def step(self, event: Step) -> None:
        """Count a step, and show it now and then."""
        if self._status is None:
            return
        self._status.step(event)
        if self._view is not None and time.perf_counter() - self._refreshed > REFRESH_SECONDS:
            self._refresh()

    def milestone(self, event: Milestone, bits_per_character: float | None, sample: str) -> None:
        """Show an evaluation and a sample: in the live display, or as lines."""
        status = self._status
        if status is None:
            return
        status.milestone(event, bits_per_character, sample)
        if not status.recent:  # the evaluation that was due when training was interrupted
            return
        if self._view is not None:
            self._refresh()
            return
        if event.is_early:  # a line for each would be many
            return
        if not self._has_heading:
            self._has_heading = True
            self.console.print(LOG_HEADING)
        self.console.print(log_line(status, is_best=event.is_best), markup=False)
        for line in sample_lines(sample, self.console, LOG_WIDTH - 7, 1):
            self.console.print(f"     | {line}", markup=False, style="dim")

    def trained(self, training: dict[str, Any]) -> None:
        """Print the summary of training and, if it stopped early, how to resume it."""
        self._close_view()
        tell, epochs = self.console.tell, training["epochs"]
        length = counted(epochs, "epoch") if epochs else "less than an epoch,"
        tell(
            "trained",
            f"{counted(training['steps'], 'step')}, {length} in "
            f"{training['seconds']:.1f} s, {training['tokens_per_second']:,.0f} tokens/s",
        )
        tell(
            "",
            f"training perplexity {number(training['perplexity'])} "
            f"({'last complete epoch' if epochs else 'all steps'})",
        )
        if self.console.is_terminal and self._status and self._status.sample:
            sample = printable(self._status.sample, self.console.file)
            for line in sample_lines(sample, self.console, max(20, self.console.width - 10), 2):
                tell("", line)
        for note in speed_notes(training, self._trainer.pace.most, self._expected_speed):
            tell("note", note)
        share = training["state_seconds"] / (training["elapsed_seconds"] or 1)
        states = counted(training["states_saved"], "state")
        tell("saved", f"{states} to resume from, {share:.2%} of the time")
        if training["stopped_by"] != "budget":
            tell("stopped", training["stopped_by"])
            by_signal = training["stopped_by"] in INTERRUPTS
            more = "" if by_signal else " and a larger --patience"
            tell("", f"go on with rnnlab train --resume {self._directory}{more}")
            if training["stopped_by"] == "SIGINT" and self._has_held_out:
                tell("", "evaluating the held-out text; Ctrl-C again skips it")
        if left_out := training["evaluations_left_out"]:
            each = training["seconds_per_evaluation"]
            tell(
                "note",
                f"{counted(left_out, 'evaluation')} left out: one takes about {each:.2g} s, and "
                f"all but the last may take {EVALUATION_SHARE:.0%} of the time",
            )
        self._told = time.perf_counter()

    def evaluating(self, seconds: float) -> None:
        """Say how long the final evaluations will take, if that is long."""
        if seconds >= LONG_SECONDS and self._has_held_out:
            self.console.tell(
                "then",
                f"about {seconds:.0f} s for the held-out text and the baselines, which no budget "
                "counts; Ctrl-C leaves them to --resume",
            )

    def end(self, error: BaseException | None) -> None:
        """Print the curve, the evaluations with their baselines, and the doctor's verdict."""
        self._close_view()
        if isinstance(error, DivergenceError):
            self._tell_verdict()
        if error is not None or self.quiet:
            return
        show, run = self.console.print, Run(self._directory)
        held_out = [line for line in run.metrics if line["kind"] == "held-out"]
        curve = [line["bits_per_character"] for line in held_out]
        if len(curve) > 1:
            steps = f"steps {held_out[0]['step']:,} to {held_out[-1]['step']:,}"
            self.console.tell("held-out", f"{UNIT} ({held_out[0]['context']}), {steps}:")
            for line in text_chart(curve):
                show(line, markup=False)
        print_evaluations(self.console, run.result["evaluations"])
        for note in mixture_notes(run.result["evaluations"]):
            self.console.tell("note", note)
        if note := forgetting_note(run.result.get(ORIGIN, {})):
            self.console.tell("before", note)
        if run.result["training"]["stopped_by"] != "SIGTERM":  # whose sender waits only for seconds
            self._tell_verdict()
        show(f"run directory: {self._directory}", markup=False)

    def _tell_verdict(self) -> None:
        """Print what the doctor finds, in two lines; the run is complete even if that fails."""
        if self.quiet:
            return
        try:
            verdict, more = diagnose_trained(self._directory, self._dataset).in_brief()
        except RnnlabError as problem:
            verdict, more = f"cannot judge this run: {problem}", f"rnnlab doctor {self._directory}"
        self.console.tell("doctor", verdict)
        self.console.tell("", more)

    def _refresh(self) -> None:
        self._refreshed = time.perf_counter()
        if self._view is not None and self._status is not None:
            self._view.show(self._status)
