"""Experiments and benchmarks, as functions of the library."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnlab.bench.benchmark import BenchWatcher, Measurement, run_benchmark
from rnnlab.config import BenchSettings
from rnnlab.experiments.folder import find_shipped, open_folder
from rnnlab.experiments.records import Records
from rnnlab.experiments.settings import ExecutionSettings

if TYPE_CHECKING:
    from rnnlab.experiments.power import ExperimentPower


def experiment(
    file: str | Path,
    *,
    output: str | Path = "",
    quick: bool = False,
    quiet: bool = True,
    **execution: Any,
) -> Records:
    """Execute the runs of an experiment file that are missing, and write its report.

    file: an experiment.toml, or its folder. output: folder for runs and report; default: the
    file's own, with `quick` its subfolder quick. quick: the small version described in the file.
    execution: executor, workers, run_threads, address.

    Returns all that the report is made of. Raises UsageError for a file that is wrong,
    RunDirectoryError at the end if runs failed.
    """
    command = f"experiment {file}"
    return _execute(Path(file), str(output), command, execution, quick=quick, quiet=quiet)


def reproduce(
    name: str, *, output: str | Path = "", quick: bool = False, quiet: bool = True, **execution: Any
) -> Records:
    """Execute an experiment that comes with rnnlab, such as "lab-report"; see `experiment`.

    output: folder for runs and report; default: experiments/NAME, with `quick` its subfolder quick.
    """
    default = Path("experiments", name.replace("-", "_"), "quick" if quick else "")
    file, folder, command = find_shipped(name), str(output or default), f"reproduce {name}"
    return _execute(file, folder, command, execution, quick=quick, quiet=quiet)


def power(
    file: str | Path,
    *,
    output: str | Path = "",
    pilot: str | Path = "",
    sd: float = 0.0,
    difference: float = 0.0,
) -> "ExperimentPower":
    """Say what an experiment would show, and how many seeds its claims need, before it is made.

    file: an experiment.toml, or its folder. output: the folder of its runs, if it is another one.
    sd: standard deviation of paired differences (of logarithms for outcomes compared by ratio).
    pilot: the folder of an earlier experiment, whose differences vary as much. difference: what
    claims without a margin of tolerance are to show; a ratio above 1 for such outcomes. The spread
    comes from `sd`, `pilot`, the experiment's own runs so far or its quick version, the first of
    these that knows it.

    Raises UsageError for a file that is wrong, or has nothing to test.
    """
    from rnnlab.experiments.power import plan_power  # imports scipy

    return plan_power(
        Path(file), output=str(output), pilot=str(pilot), sd=sd, difference=difference
    )


def _execute(
    file: Path, output: str, command: str, execution: dict[str, Any], *, quick: bool, quiet: bool
) -> Records:
    from rnnlab.display.experiment import ExperimentDisplay  # imports scipy and matplotlib
    from rnnlab.execution.experiment import run_experiment

    settings = ExecutionSettings.from_dict(execution, command.partition(" ")[0])
    plan, folder = open_folder(file, output, quick=quick)
    again = f"rnnlab {command}{' --quick' if quick else ''}"
    return run_experiment(plan, folder, settings, ExperimentDisplay(quiet=quiet), again)


def benchmark(watch: BenchWatcher | None = None, **settings: Any) -> Measurement:
    """Time engines against each other: training steps and generation, interleaved, medians.

    watch: is told each row as it is measured. settings: by the names in `rnnlab bench --help`
    (hidden_size=(256, 512)).

    Returns the object that `rnnlab bench --json` prints; `rnnlab.bench.plot.save_plot` draws it.
    """
    return run_benchmark(BenchSettings.from_dict(settings, "benchmark"), watch)
