"""The commands: one function each, generated flags, no logic.

torch is imported inside the commands that need it, so that help starts at once.
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import tyro

from rnnlab.config import (
    CONTEXTS,
    BenchSettings,
    ComputeSettings,
    DataSettings,
    GenerationSettings,
    MachineSettings,
    ModelSettings,
    Settings,
    TrainingSettings,
)
from rnnlab.errors import UsageError
from rnnlab.experiments.settings import ExecutionSettings
from rnnlab.signals import INTERRUPTS


def train(
    data: DataSettings,
    model: ModelSettings,
    training: TrainingSettings,
    machine: MachineSettings,
    config: str = "",
    run_dir: str = "",
    resume: str = "",
    quiet: bool = False,
) -> None:
    """Train a language model on text; writes a run directory.

    Args:
        data: which text.
        model: what is learned.
        training: how.
        machine: with what.
        config: TOML file with settings, or the name of a recipe; flags override it.
        run_dir: new directory for all that the run writes; default: numbered, under runs/.
        resume: run directory to go on in, where training was interrupted, or has used up its budget
            and is given a larger one, counted from the start; its settings are the defaults of all
            flags.
        quiet: print nothing but errors.
    """
    if resume and (config or run_dir):
        raise UsageError("--resume takes settings and directory from the run; leave out --config "
                         "and --run-dir")  # fmt: skip
    from rnnlab.display.training import TrainingDisplay
    from rnnlab.runs.training import train

    settings = Settings(data=data, model=model, training=training, machine=machine)
    with TrainingDisplay(quiet=quiet) as display:
        run = train(settings, resume or run_dir or None, [display], resume=bool(resume))
    if (reason := run.result["training"]["stopped_by"]) in INTERRUPTS:
        sys.exit(128 + signal.Signals[reason])


def generate(
    model: tyro.conf.Positional[Path],
    settings: GenerationSettings,
    machine: ComputeSettings,
    prefix: tuple[str, ...] = ("",),
    prefix_file: str = "",
    checkpoint: Literal["best", "last"] = "best",
) -> None:
    """Let a trained model write.

    Args:
        model: run directory or model folder.
        settings: how text is drawn.
        machine: how it is computed.
        prefix: what the text begins with; several are continued side by side.
        prefix_file: file with one prefix a line, instead of --prefix.
        checkpoint: of a run directory: best on the validation split, or last.
    """
    from rnnlab.display.output import write_texts
    from rnnlab.lm.text_model import TextModel

    found = TextModel.load(model, checkpoint, machine)
    write_texts(found, prefix, prefix_file, settings, checkpoint)


def evaluate(
    model: tyro.conf.Positional[Path],
    machine: ComputeSettings,
    text: tuple[str, ...] = (),
    split: tuple[Literal["train", "validation", "test"], ...] = (),
    context: tuple[str, ...] = CONTEXTS,
    errors: Literal["strict", "replace"] = "strict",
    baselines: bool = True,
    checkpoint: Literal["best", "last"] = "best",
    json: bool = False,
) -> None:
    """Measure how likely a text is under a trained model, beside simple baselines.

    Args:
        model: run directory or model folder.
        machine: how it is computed.
        text: text files, named corpora or - for standard input; default: the model's held-out text.
        split: parts of the model's own corpus, instead of --text.
        context: what the model has read before a token: carried, or windows:N from a zero state.
        errors: bytes that are no UTF-8: stop, or read them as U+FFFD.
        baselines: measure n-gram, xz and others beside it; needs the model's training text.
        checkpoint: of a run directory: best on the validation split, or last.
        json: print one JSON object instead of a table.
    """
    from rnnlab.display.output import write_evaluations
    from rnnlab.display.training import TrainingDisplay
    from rnnlab.lm.text_model import TextModel
    from rnnlab.runs.evaluation import evaluate

    with TrainingDisplay.on_standard_error() as display:
        records, notices = evaluate(
            TextModel.load(model, checkpoint, machine),
            text,
            splits=split,
            contexts=context,
            baselines=baselines,
            errors=errors,
            checkpoint=checkpoint,
            watch=display.measuring,
        )
    write_evaluations(records, notices, as_json=json)


def doctor(run: tyro.conf.Positional[Path], json: bool = False) -> None:
    """Say in words what is wrong with a run, the evidence for it, and what to try.

    Args:
        run: run directory: finished, interrupted or still going.
        json: print one JSON object instead of words.
    """
    from rnnlab.display.diagnosis import write_diagnosis
    from rnnlab.doctor.diagnose import diagnose

    write_diagnosis(diagnose(run), as_json=json)


def corpora(data_dir: str = "") -> None:
    """List the named corpora: where each was found, or how to get it.

    Args:
        data_dir: folder searched first.
    """
    from rnnlab.display.output import write_corpora

    write_corpora(data_dir)


def engines() -> None:
    """List the engines: which this machine can use, and why not the others."""
    from rnnlab.display.output import write_engines

    write_engines()


def bench(settings: BenchSettings, json: bool = False, plot: str = "") -> None:
    """Time engines side by side: training steps and generation, interleaved, medians.

    Args:
        settings: what is measured.
        json: print one JSON object instead of tables.
        plot: also draw the figures into this file (.svg, .pdf or .png).
    """
    from rnnlab.display.bench import write_bench

    write_bench(settings, as_json=json, plot=plot)


def experiment(
    file: tyro.conf.Positional[Path],
    execution: ExecutionSettings,
    output: str = "",
    quick: bool = False,
    quiet: bool = False,
) -> None:
    """Run an experiment file: variants times seeds, then verdicts and a report.

    What has been run before is not run again, so the same command goes on after a stop, and after
    the file was given more seeds or variants.

    Args:
        file: experiment.toml, or its folder: the question, the variants, the claims.
        execution: where runs are made.
        output: folder for runs and report; default: the file's own, with --quick its subfolder.
        quick: the small version that the file describes under quick, to see that it works.
        quiet: print nothing but errors.
    """
    from rnnlab.display.experiment import ExperimentDisplay
    from rnnlab.execution.experiment import run_experiment
    from rnnlab.experiments.folder import open_folder

    plan, folder = open_folder(file, output, quick=quick)
    command = f"rnnlab experiment {file}{' --quick' if quick else ''}"
    run_experiment(plan, folder, execution, ExperimentDisplay(quiet=quiet), command)


def reproduce(
    name: tyro.conf.Positional[str],
    execution: ExecutionSettings,
    output: str = "",
    quick: bool = False,
    quiet: bool = False,
) -> None:
    """Run an experiment that comes with rnnlab: lab-report, its tables reported beside measured.

    Args:
        name: lab-report.
        execution: where runs are made.
        output: folder for runs and report; default: experiments/NAME.
        quick: one seed, fewer epochs, a few minutes: to see that it works.
        quiet: print nothing but errors.
    """
    from rnnlab.display.experiment import ExperimentDisplay
    from rnnlab.execution.experiment import run_experiment
    from rnnlab.experiments.folder import find_shipped, open_folder

    flag = "quick" if quick else ""
    default = Path("experiments", name.replace("-", "_"), flag)
    plan, folder = open_folder(find_shipped(name), output or str(default), quick=quick)
    command = f"rnnlab reproduce {name}{' --quick' if quick else ''}"
    run_experiment(plan, folder, execution, ExperimentDisplay(quiet=quiet), command)


def report(folder: tyro.conf.Positional[Path]) -> None:
    """Write an experiment's report again, from what its folder holds.

    Args:
        folder: of an experiment that has been run, with its experiment.toml.
    """
    from rnnlab.execution.experiment import rewrite_report

    print(rewrite_report(folder))


COMMANDS: dict[str, Callable[..., None]] = {
    command.__name__: command
    for command in (
        train,
        generate,
        evaluate,
        doctor,
        experiment,
        reproduce,
        report,
        corpora,
        engines,
        bench,
    )
}
