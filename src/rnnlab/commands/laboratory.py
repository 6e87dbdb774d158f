"""Commands about runs, experiments and this machine."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

import rnnlab
from rnnlab.commands.flags import MovedText, Text
from rnnlab.config import BenchSettings
from rnnlab.errors import UsageError
from rnnlab.experiments.folder import FILE
from rnnlab.experiments.settings import ExecutionSettings

CLASS_PAGE = "class.html"
"""What the page of a class is called in its folder."""


def doctor(
    run: tyro.conf.Positional[Path],
    corpus: MovedText = (),
    validation_corpus: MovedText = (),
    test_corpus: MovedText = (),
    trust_cell: bool = False,
    json: bool = False,
) -> None:
    """Say what is wrong with a run, what shows it, and what to try.

    Args:
        run: run directory: finished, interrupted or still in training
        corpus: where the training text is now, if it has moved; - for standard input
        validation_corpus: where the validation text is now, if it has moved
        test_corpus: where the test text is now, if it has moved
        trust_cell: run the Python file of the run's own cell, if it has one
        json: print one JSON object instead of words
    """
    from rnnlab.display.output import write_diagnosis

    found = rnnlab.diagnose(run, corpus, validation_corpus, test_corpus, trust_cell=trust_cell)
    write_diagnosis(found, as_json=json)


def experiment(
    file: tyro.conf.Positional[Path],
    execution: ExecutionSettings,
    output: Text = "",
    quick: bool = False,
    quiet: bool = False,
) -> None:
    """Train variants with several seeds, compare them, and write a report.

    Runs that have ended are kept: the same command continues after a stop, or after the file got
    more seeds or variants.

    Args:
        file: experiment.toml, or its folder: the question, the variants, the claims
        output: folder for runs and report; default: the file's own, with --quick its subfolder
        quick: run the small version that the file defines under quick, to see that it works
        quiet: print nothing but errors
    """
    rnnlab.experiment(file, output=output, quick=quick, quiet=quiet, **dict(execution))


def power(
    file: tyro.conf.Positional[Path],
    pilot: Text = "",
    sd: float = 0.0,
    difference: float = 0.0,
    output: Text = "",
) -> None:
    """Say how many seeds the claims of an experiment need, before it is made.

    How much paired differences vary is taken from --sd or --pilot, or else from its own runs so
    far, or from its quick version.

    Args:
        file: experiment.toml, or its folder
        pilot: folder of an earlier experiment with the same outcomes
        sd: standard deviation of the paired differences, 0: not given; of logarithms for outcomes
            that are compared by ratio, where 0.01 is 1%
        difference: what claims without a margin of tolerance are to show, 0: not given; a ratio
            above 1 for outcomes that are compared by ratio
        output: folder of its runs, if it is not that of the file
    """
    from rnnlab.display.power import power_lines

    found = rnnlab.power(file, output=output, pilot=pilot, sd=sd, difference=difference)
    print("\n".join(power_lines(found)))


def reproduce(
    name: tyro.conf.Positional[str],
    execution: ExecutionSettings,
    output: Text = "",
    quick: bool = False,
    quiet: bool = False,
) -> None:
    """Run an experiment that comes with rnnlab, and compare reported and measured figures.

    Args:
        name: name of the experiment: lab-report
        output: folder for runs and report; default: experiments/NAME
        quick: one seed and fewer epochs, to see in a few minutes that it works
        quiet: print nothing but errors
    """
    rnnlab.reproduce(name, output=output, quick=quick, quiet=quiet, **dict(execution))


REPORTED = tyro.conf.arg(metavar="FOLDER | RUN RUN ...", help_behavior_hint="(required)")


def report(
    folders: tyro.conf.Positional[Annotated[tuple[Path, ...], REPORTED]],
    template: Text = "",
    samples: bool = False,
    output: Text = "",
) -> None:
    """Report on an experiment, on the runs of a class, or on runs by a template.

    Of an experiment's folder, its report is written again. Of any other folder that holds the runs
    of students, each in a folder of theirs, a page of the class: all runs, ranked on the same
    held-out text only. With a template, its tables are filled from the runs.

    Args:
        folders: folder of an experiment that has been run, with its experiment.toml; or of a class;
            with --template, one or more run directories
        template: lab-report, or a file of your own
        samples: with --template, also continue the ten phrases of the lab report
        output: of a class, the page, default: class.html in the folder; with --template, a new
            file, default: print it, without the picture of the curves
    """
    if template:
        _lab_report(folders, template, output, samples=samples)
        return
    if samples:
        raise UsageError("--samples needs --template")
    if len(folders) != 1:
        raise UsageError(
            f"report needs one folder, not {len(folders)}; several runs need --template lab-report"
        )
    (folder,) = folders
    if (folder / FILE).is_file():
        if output:
            raise UsageError("the report of an experiment is in its folder; leave out --output")
        print(rnnlab.rewrite_report(folder))
        return
    from rnnlab.display.class_report import write_class
    from rnnlab.display.work import WorkDisplay

    with WorkDisplay.on_standard_error() as display:
        found = rnnlab.class_report(folder, watch=display.reading)
    write_class(found, found.save(output or folder / CLASS_PAGE))


def _lab_report(runs: Sequence[Path], template: str, output: str, *, samples: bool) -> None:
    from rnnlab.console import notice
    from rnnlab.course.lab_report import lab_report

    picture = f"{Path(output or template).stem}-curves.svg"
    found = lab_report(*runs, template=template, samples=samples, picture=picture)
    if output:
        print("\n".join(map(str, found.save(output))))
        return
    print(found)
    if found.curves:
        notice(f"the picture {picture} is written with --output only")


def check_cell(cell: tyro.conf.Positional[str]) -> None:
    """Check a cell of your own: shapes, ranges, independence of the batch, gradients.

    Args:
        cell: FILE.py:CLASS, or any other name that rnnlab train --cell takes
    """
    from rnnlab.display.cells import write_checks

    checks = rnnlab.check_cell(cell)
    write_checks(checks)
    sys.exit(not all(check.passed for check in checks))


def corpora(data_dir: Text = "") -> None:
    """List the named corpora: where each was found, or how to get it.

    Args:
        data_dir: folder searched first
    """
    from rnnlab.display.output import write_corpora

    write_corpora(rnnlab.list_corpora(data_dir))


def engines() -> None:
    """List the engines: which this machine can use, and why not the others; how many threads."""
    from rnnlab.display.output import write_engines
    from rnnlab.engines.threads import default_threads

    write_engines(rnnlab.list_engines(), default_threads())


def bench(benchmark: BenchSettings, json: bool = False, plot: Text = "") -> None:
    """Time engines side by side: training steps and generation.

    Args:
        json: print one JSON object instead of tables
        plot: also draw the figures into this file (.svg, .pdf or .png)
    """
    from rnnlab.bench.plot import check_plot_file, save_plot
    from rnnlab.display.bench import BenchDisplay

    if plot:
        check_plot_file(plot)
    with BenchDisplay(as_json=json) as display:
        result = rnnlab.benchmark(display, **dict(benchmark))
    display.end(result)
    if plot:
        save_plot(result, plot)
        display.note(f"plot written to {plot}")
