"""Makes one run of an experiment: trains, measures, and writes its outcome."""

import math
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rnnlab.cells.registry import allow
from rnnlab.config import Settings
from rnnlab.engines.threads import using_threads
from rnnlab.errors import DivergenceError, ModelFolderError, RunDirectoryError, RunEndedError
from rnnlab.execution.executor import Job
from rnnlab.experiments.store import OUTCOME, OUTCOME_FORMAT, RunEnd
from rnnlab.files import write_json
from rnnlab.lm.gradient_flow import decay, gradient_norms
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.environment import environment
from rnnlab.runs.files import state_folder
from rnnlab.runs.identity import BUILT_WITH
from rnnlab.runs.preparation import prepare
from rnnlab.runs.run import Run
from rnnlab.runs.state_saver import newest_state
from rnnlab.runs.training import train
from rnnlab.signals import INTERRUPTS

if TYPE_CHECKING:
    from rnnlab.execution.pruning import Pruning

GRADIENT_STEPS = 50
"""Time steps over which the gradient is followed back."""


def run_one(job: Job, directory: Path) -> RunEnd:
    """Train and measure in a run directory, new or to be resumed; outcome.json is written last.

    A run that diverges, or that a search prunes, has an outcome like any other. Raises
    RunDirectoryError if a signal ended training, and everything else that training raises.
    """
    if job.cell:
        allow(job.cell)
    with using_threads(job.settings.machine.threads):
        return _run(job, directory)


def _run(job: Job, directory: Path) -> RunEnd:
    began = perf_counter()
    found: dict[str, Any] = {"outcomes": {}, "texts": [], "gradient_flow": {}}
    flow = {"initial": _gradient_flow(job.settings)} if job.gradient_flow else {}
    pruning = None
    if job.trial:
        from rnnlab.execution.pruning import Pruning  # Optuna may not be installed

        pruning = Pruning(job.trial, job.settings.training.num_evaluations)
    try:
        run = _train(job.settings, directory, pruning)
    except DivergenceError as error:
        ended = RunEnd("diverged", str(error).partition(". ")[0])
    else:
        if (reason := run.result["training"]["stopped_by"]) in INTERRUPTS:
            raise RunDirectoryError(f"training was ended by {reason}; it will be run again")
        if pruning and pruning.reason:
            ended = RunEnd("pruned", pruning.reason)
            found |= {"outcomes": _measure_training(run), "gradient_flow": flow}
        else:
            ended = RunEnd("finished")
            found = _measure(job, run, flow)
    content = {
        "format": OUTCOME_FORMAT,
        "id": job.id,
        "status": ended.status,
        "reason": ended.reason,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": perf_counter() - began,
        **found,
    }
    write_json(directory / OUTCOME, content)
    shutil.rmtree(state_folder(directory), ignore_errors=True)
    return ended


def can_resume(job: Job, directory: Path) -> bool:
    """Whether an interrupted run can be resumed with the same result, to the bit.

    Its directory must have a training state, made by the same version on the same machine with the
    same number of threads.
    """
    try:
        run = newest_state(directory).facts.about
    except (RunDirectoryError, ModelFolderError):  # ModelFolderError: of another version
        return False
    now = environment()
    return run.flat().get("threads") == job.settings.machine.threads and all(
        run.environment.get(name) == now[name] for name in BUILT_WITH
    )


def _train(settings: Settings, directory: Path, pruning: "Pruning | None") -> Run:
    """Train, or resume if the directory exists; a run that has ended stays as it is."""
    try:
        return train(settings, directory, stop_when=pruning, resume=directory.is_dir())
    except RunEndedError:
        return Run.open(directory)


def _measure_training(run: Run) -> dict[str, Any]:
    """Return the outcomes that training itself measures."""
    training = run.result["training"]
    return {
        "training_perplexity": training["perplexity"],
        "tokens_per_second": training["tokens_per_second"],
        "training_seconds": training["seconds"],
    }


def _measure(job: Job, run: Run, flow: dict[str, list[float]]) -> dict[str, Any]:
    """Return all outcomes of a finished run."""
    outcomes = _measure_training(run)
    ready = prepare(run.settings)
    last = TextModel.load(run.directory, "last", run.settings.machine)
    parts: dict[str, float] = {}
    split = next((name for name in ("test", "validation") if name in ready.dataset.splits), None)
    if split:
        evaluations = {(each["split"], each["context"]): each for each in run.result["evaluations"]}
        best = evaluations[split, "carried"]["bits_per_character"]
        outcomes["best_held_out_bits_per_character"] = best
        resets, text = ready.dataset.state_resets(split), ready.dataset.splits[split].text
        score = last.score_prepared(text, documents=resets)
        alone = last.parts_prepared(text, documents=resets)
        parts = {name: part.bits_per_character for name, part in alone.items()}
        outcomes["held_out_bits_per_character"] = score.bits_per_character
    held_out = [line["bits_per_character"] for line in run.metrics if line["kind"] == "held-out"]
    if held_out and None not in held_out:  # None stands for infinity
        outcomes["validation_bits_per_character"] = min(held_out)
        outcomes["overfitting_bits_per_character"] = held_out[-1] - min(held_out)
    if job.gradient_flow:
        ids = ready.dataset.splits["train"].ids
        flow = {**flow, "trained": gradient_norms(last.model, ids, GRADIENT_STEPS)}
        outcomes["initial_gradient_decay"] = decay(flow["initial"])
        outcomes["gradient_decay"] = decay(flow["trained"])
    texts: list[str] = []
    if job.phrases:
        started = perf_counter()
        texts = continue_phrases(last, job.phrases, job.phrase_length)
        outcomes["prediction_seconds"] = perf_counter() - started
    outcomes = {n: v for n, v in outcomes.items() if v is not None and math.isfinite(v)}
    return {"outcomes": outcomes, "texts": texts, "gradient_flow": flow, "parts": parts}


def _gradient_flow(settings: Settings) -> list[float]:
    """Return the gradient norms of the model before its first step."""
    ready = prepare(settings)
    ids = ready.dataset.splits["train"].ids
    return gradient_norms(ready.model.model, ids, GRADIENT_STEPS)


def continue_phrases(model: TextModel, phrases: Sequence[str], length: int) -> list[str]:
    """Continue each phrase greedily, one after the other."""
    return [model.generate(phrase, length=length, temperature=0) for phrase in phrases]
