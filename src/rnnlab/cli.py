"""The command line: one function a command, generated flags, no logic.

torch is imported inside the commands that need it, so that help starts at once.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Literal, NoReturn

import tyro

from rnnlab import __version__
from rnnlab.config import (
    CONTEXTS,
    BenchSettings,
    DataSettings,
    GenerationSettings,
    MachineSettings,
    ModelSettings,
    Settings,
    TrainingSettings,
    find_config,
)
from rnnlab.config.experiment import ExecutionSettings
from rnnlab.errors import RnnlabError, TerminatedError, UsageError, unknown
from rnnlab.lab.run_files import INTERRUPTS, settings_of_run

FLAT = (tyro.conf.OmitArgPrefixes,)
"""A flag is a setting's name, never a group's."""

DESCRIPTION = "A laboratory for recurrent language models: train, measure honestly, generate."


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
            and is given a larger one; its settings are the defaults of all flags.
        quiet: print nothing but errors.
    """
    if resume and (config or run_dir):
        raise UsageError("--resume takes settings and directory from the run; leave out --config "
                         "and --run-dir")  # fmt: skip
    from rnnlab.lab.display import Display
    from rnnlab.lab.training import train

    settings = Settings(data=data, model=model, training=training, machine=machine)
    run = train(settings, resume or run_dir or None, Display(quiet=quiet), resume=bool(resume))
    if (reason := run.result["training"]["stopped_by"]) in INTERRUPTS:
        sys.exit(128 + signal.Signals[reason])


def generate(
    model: tyro.conf.Positional[Path],
    settings: GenerationSettings,
    machine: MachineSettings,
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
    from rnnlab.lab.writing import write_texts
    from rnnlab.lm.text_model import TextModel

    write_texts(TextModel.load(model, checkpoint, machine), prefix, prefix_file, settings)


def evaluate(
    model: tyro.conf.Positional[Path],
    machine: MachineSettings,
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
    from rnnlab.lab.api import evaluate
    from rnnlab.lab.display import Display
    from rnnlab.lab.writing import write_evaluations
    from rnnlab.lm.text_model import TextModel

    with Display.beside_output() as display:
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
    from rnnlab.lab.api import diagnose
    from rnnlab.lab.doctor.writing import write_diagnosis

    write_diagnosis(diagnose(run), as_json=json)


def corpora(data_dir: str = "") -> None:
    """List the named corpora: where each was found, or how to get it.

    Args:
        data_dir: folder searched first.
    """
    from rnnlab.lab.writing import write_corpora

    write_corpora(data_dir)


def engines() -> None:
    """List the engines: which this machine can use, and why not the others."""
    from rnnlab.lab.writing import write_engines

    write_engines()


def bench(settings: BenchSettings, json: bool = False, plot: str = "") -> None:
    """Time engines side by side: training steps and generation, interleaved, medians.

    Args:
        settings: what is measured.
        json: print one JSON object instead of tables.
        plot: also draw the figures into this file (.svg, .pdf or .png).
    """
    from rnnlab.lab.bench_display import write_bench

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
    from rnnlab.lab.experiment.conduct import conduct
    from rnnlab.lab.experiment.folder import open_folder
    from rnnlab.lab.experiment.progress import Progress

    plan, folder = open_folder(file, output, quick=quick)
    command = f"rnnlab experiment {file}{' --quick' if quick else ''}"
    conduct(plan, folder, execution, Progress(quiet=quiet), command)


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
    from rnnlab.lab.experiment.conduct import conduct
    from rnnlab.lab.experiment.folder import open_folder, shipped
    from rnnlab.lab.experiment.progress import Progress

    flag = "quick" if quick else ""
    default = Path("experiments", name.replace("-", "_"), flag)
    plan, folder = open_folder(shipped(name), output or str(default), quick=quick)
    command = f"rnnlab reproduce {name}{' --quick' if quick else ''}"
    conduct(plan, folder, execution, Progress(quiet=quiet), command)


def report(folder: tyro.conf.Positional[Path]) -> None:
    """Write an experiment's report again, from what its folder holds.

    Args:
        folder: of an experiment that has been run, with its experiment.toml.
    """
    from rnnlab.lab.experiment.write_up import write_again

    print(write_again(folder))


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


def main(args: Sequence[str] | None = None) -> None:
    """Run one command; exit code 0, 1 for a failure, 2 for wrong usage.

    130 after Ctrl-C and 143 after SIGTERM, as shells have it.
    """
    args = list(sys.argv[1:] if args is None else args)
    signal.signal(signal.SIGTERM, terminate)
    try:
        run_command(args)
    except RnnlabError as error:
        fail(str(error), error.exit_code)
    except (MemoryError, RuntimeError) as error:
        if "memory" not in str(error):
            raise
        sizes = "--hidden-size, --batch-size or --num-steps"
        fail(f"out of memory: {str(error).splitlines()[0]}; use a smaller {sizes}", 1)
    except KeyboardInterrupt as interrupt:
        sign = signal.SIGTERM if isinstance(interrupt, TerminatedError) else signal.SIGINT
        kept = f". {interrupt}" if str(interrupt) else ""
        fail(f"interrupted by {sign.name}{kept}", 128 + sign)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        fail(f"{error.filename or 'input or output'}: {error.strerror or error}", 1)


def run_command(args: Sequence[str]) -> None:
    """Parse the flags of one command and call it."""
    if list(args) == ["--version"]:
        print(f"rnnlab {__version__}")
    elif args and args[0] in COMMANDS:
        command = COMMANDS[args[0]]
        if command is train:
            command = partial(train, **dict(configured(args[1:])))
        tyro.cli(command, prog=f"rnnlab {args[0]}", args=args[1:], config=FLAT)
    elif args and not args[0].startswith("-"):
        raise unknown("command", args[0], COMMANDS)
    else:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="rnnlab", description=DESCRIPTION, args=args or ["--help"], config=FLAT
        )


def configured(args: Sequence[str]) -> Settings:
    """Return the settings of `--config` or `--resume`, the defaults of all other flags.

    Raises UsageError where one of them, or `--run-dir`, is given as nothing: a shell's variable
    that is not set would otherwise begin a new run.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for flag in ("--config", "--resume", "--run-dir"):
        parser.add_argument(flag)
    try:
        given = parser.parse_known_args(args)[0]
    except argparse.ArgumentError:  # one of them at the end; the real parser says so
        return Settings()
    if empty := [name for name, value in vars(given).items() if value == ""]:
        raise UsageError(f"--{empty[0].replace('_', '-')} is empty; name one, or leave it out")
    if given.resume:
        return settings_of_run(Path(given.resume))
    return Settings.from_toml(find_config(given.config)) if given.config else Settings()


def terminate(number: int, frame: FrameType | None) -> NoReturn:
    """End on SIGTERM as on Ctrl-C, with files closed and mirrors told."""
    raise TerminatedError


def fail(message: str, exit_code: int) -> NoReturn:
    """Print one error and end."""
    print(f"rnnlab: error: {message}", file=sys.stderr)
    sys.exit(exit_code)
