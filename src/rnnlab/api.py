"""Functions of the library that put several rooms together; the command line calls the same ones.

`rnnlab.__init__` names all public functions and where each is defined. They return data; only
those with a keyword `quiet` can print.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from rnnlab.bench.benchmark import BenchWatcher, Measurement, run_benchmark
from rnnlab.config import BenchSettings, ComputeSettings, Settings
from rnnlab.data.streaming_limits import ProgressCallback, no_progress
from rnnlab.display.evaluations import Evaluations
from rnnlab.display.training import TrainingDisplay
from rnnlab.errors import UsageError
from rnnlab.experiments.folder import find_shipped, open_folder
from rnnlab.experiments.records import Records
from rnnlab.experiments.settings import ExecutionSettings
from rnnlab.lm.evaluate import Evaluation
from rnnlab.lm.text_model import TextModel
from rnnlab.probes import PORTRAIT
from rnnlab.runs import evaluation, training
from rnnlab.runs.effects import check_effects
from rnnlab.runs.ensemble import ensemble as join_models
from rnnlab.runs.given_texts import kept_text
from rnnlab.runs.loading import load_text_model
from rnnlab.runs.precedence import budget_setting, starting_settings
from rnnlab.runs.run import Run

if TYPE_CHECKING:
    from rnnlab.report.probe_page import Probed


def train(
    config: str | Path | None = None,
    *,
    run_dir: str | Path | None = None,
    resume: str | Path | None = None,
    quiet: bool = False,
    automatic: bool = True,
    budget: str = "",
    text: str | None = None,
    samples: Iterable[Any] | None = None,
    labels: Iterable[Any] | None = None,
    **settings: Any,
) -> Run:
    """Train a language model, and leave a complete run directory.

    config: a TOML file or the name of a recipe. run_dir: a new directory; default: numbered, under
    runs/. resume: a run directory to continue instead, with its own settings.
    automatic: without config and resume, choose the settings that are not given from the text, the
    budget and the speed of this machine; see `rnnlab.runs.automatic`. budget: max_seconds with a
    unit: "30s", "3m" or "1h".
    text: a text to train on, instead of a corpus. samples: strings that are samples, such as a list
    or a column of a table, read once; or pairs of a label and a string. labels: of the samples, one
    for each. All of this is kept in the run directory, in given-text.txt or given-samples.jsonl, so
    that the run can be resumed and evaluated; it may have 1 GiB.
    settings: override those of the file or the run, by the names in `rnnlab train --help`
    (hidden_size=256).

    >>> run = rnnlab.train(corpus="python-reference", corpus_limit=30_000, hidden_size=32,
    ...                    num_epochs=1, run_dir="runs/small", quiet=True)
    >>> run.result["training"]["epochs"]
    1
    >>> words = [f"{number:b}" for number in range(500)]
    >>> rnnlab.train(samples=words, hidden_size=8, num_epochs=1, run_dir="runs/words",
    ...              quiet=True).settings.data.unit
    'lines'

    Raises UsageError, CorpusError, UnavailableError or RunDirectoryError before anything is
    trained, DivergenceError if the loss becomes NaN or infinite.
    """
    start = starting_settings(config, run_dir, resume)
    if budget:
        settings |= budget_setting(budget, settings)
    display = TrainingDisplay(quiet=quiet)
    how = (config, start, automatic, display)
    if text is None and samples is None and labels is None:
        return _train(how, resume or run_dir, settings, resume=resume is not None)
    if resume is not None:
        raise UsageError("resume takes its text from the run; leave out text, samples and labels")
    with kept_text(run_dir, settings, text, samples, labels) as (directory, changed):
        return _train(how, directory, changed)


def _train(
    how: tuple[str | Path | None, Settings, bool, TrainingDisplay],
    directory: str | Path | None,
    settings: Mapping[str, Any],
    *,
    resume: bool = False,
) -> Run:
    config, start, automatic, display = how
    asked = start.with_changes("train", train.__kwdefaults__ or (), **settings)
    before = start.flat()
    check_effects(asked, [n for n, value in asked.flat().items() if value != before[n]], "train")
    if config is not None:
        check_effects(start, before, str(config), instead=asked)
    with display:
        return training.train(
            asked,
            directory,
            [display],
            resume=resume,
            given=settings.keys() if automatic and config is None else None,
        )


def load(path: str | PathLike[str], checkpoint: str = "best", **machine: Any) -> TextModel:
    """Load the model of a run directory, or a model folder.

    checkpoint: of a run directory, "best" on the validation split, or "last".
    machine: engine, device, precision, threads.

    >>> rnnlab.load("runs/small", engine="textbook").compute.engine.name
    'textbook'

    Raises UsageError if there is no model, ModelFolderError if it is damaged, UnavailableError if
    this machine lacks the engine, device or precision. If the weights of a run are damaged, the
    message says which others are intact.
    """
    return load_text_model(path, checkpoint, ComputeSettings.from_dict(machine, "load"))


def ensemble(
    models: Iterable[TextModel | str | PathLike[str]],
    *,
    checkpoint: str = "best",
    corpus: evaluation.Names = (),
    validation_corpus: evaluation.Names = (),
    test_corpus: evaluation.Names = (),
    **machine: Any,
) -> TextModel:
    """Join models of the same text, such as of several seeds, into one; see `runs.ensemble`.

    models: loaded models, run directories or model folders, at least two. checkpoint: of run
    directories. corpus, validation_corpus, test_corpus: where their texts are now, if they have
    moved. machine: engine, device, precision, threads, for models that are not loaded yet.

    >>> seeds = [rnnlab.train(corpus="python-reference", corpus_limit=30_000, hidden_size=8, seed=s,
    ...                       num_epochs=1, run_dir=f"runs/s{s}", quiet=True) for s in (1, 2)]
    >>> both = rnnlab.ensemble([run.directory for run in seeds])
    >>> both.model.settings.hidden_size
    16
    >>> both.save("models/both")

    Raises UsageError if they do not fit together, CorpusError or ChecksumError if an n-gram model
    joins all of them and their text is not available.
    """
    loaded = [m if isinstance(m, TextModel) else load(m, checkpoint, **machine) for m in models]
    return join_models(loaded, evaluation.own_texts(corpus, validation_corpus, test_corpus))


def generate(
    model: TextModel | str | PathLike[str],
    prefix: str | list[str] | tuple[str, ...] = "",
    *,
    checkpoint: str = "best",
    **settings: Any,
) -> str | list[str]:
    """Continue one prefix, or several as one batch; return a text or a list of texts.

    model: a loaded model, a run directory or a model folder.
    settings: by the names in `rnnlab generate --help` (length=500, temperature=0.5);
    engine, device, precision and threads only if the model is not loaded yet.

    >>> text = rnnlab.generate("runs/small", "The ", length=20, seed=1)
    >>> len(text)
    24
    """
    machine = {n: settings.pop(n) for n in ComputeSettings.model_fields if n in settings}
    if not isinstance(model, TextModel):
        model = load(model, checkpoint, **machine)
    elif machine:
        raise UsageError(
            f"generate: the model is loaded already; give {', '.join(machine)} to load"
        )
    return model.generate(prefix, **settings)


Parameters = ParamSpec("Parameters")


def _shown_as_tables(
    measure: Callable[Parameters, tuple[list[Evaluation], list[str]]],
) -> Callable[Parameters, Evaluations]:
    """Return a function that does the same; its result is shown as tables."""

    @wraps(measure)
    def evaluate(*args: Parameters.args, **options: Parameters.kwargs) -> Evaluations:
        return Evaluations(*measure(*args, **options))

    return evaluate


evaluate = _shown_as_tables(evaluation.evaluate)


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


def probe(
    model: TextModel | str | PathLike[str],
    text: str | None = None,
    *,
    file: str | PathLike[str] = "",
    what: str | Iterable[str] = PORTRAIT,
    after: Iterable[str] = (),
    patterns: Mapping[str, str] | None = None,
    label_files: Mapping[str, str | Path] | None = None,
    checkpoint: str = "best",
    corpus: evaluation.Names = (),
    validation_corpus: evaluation.Names = (),
    test_corpus: evaluation.Names = (),
    watch: ProgressCallback = no_progress,
    **machine: Any,
) -> "Probed":
    """Look inside a network while it reads a text; in a notebook the result shows itself.

    model: a loaded model, a run directory or a model folder. text: what it reads; file: the same,
    by path or name of a corpus. Default: the last of its held-out splits.
    what: names of probes, see `rnnlab.probes`; default: a portrait, in which a probe that is not
    possible is left out with the reason. A probe that is named is an error then.
    after, patterns, label_files: features of your own that units may follow; see `FeatureSettings`.
    checkpoint: of a run directory. corpus, validation_corpus, test_corpus: where the model's own
    texts are now, if they have moved. watch: called with a probe and the share of it that is done.
    machine: engine, device, precision, threads, for a model that is not loaded yet.

    >>> found = rnnlab.probe("runs/small", "The index of the first item", what="surprise")
    >>> len(found["surprise"].bits)
    26

    Raises UsageError for an unknown probe or one that the model does not allow, CorpusError for a
    text that is too short.
    """
    from rnnlab.probes.feature_settings import FeatureSettings
    from rnnlab.probes.portrait import MOST_TOKENS, run_probes
    from rnnlab.probes.subject import Subject
    from rnnlab.report.probe_page import Probed  # imports scipy and matplotlib

    names = [what] if isinstance(what, str) else list(what)
    path = None if isinstance(model, TextModel) else model
    loaded = model if isinstance(model, TextModel) else load(model, checkpoint, **machine)
    moved_to = evaluation.own_texts(corpus, validation_corpus, test_corpus)
    subject = Subject.of(loaded, path, text, str(file), moved_to)
    features = FeatureSettings(tuple(after), patterns or {}, label_files or {})
    is_portrait = names == list(PORTRAIT)
    results, left_out = run_probes(subject, names, features, watch, strict=not is_portrait)
    read = min(len(subject.reading), MOST_TOKENS)
    about = f"{subject.text}, {read:,} tokens"
    return Probed(subject.name, about, results, left_out, subject.reading.text)


def reproduce(
    name: str, *, output: str | Path = "", quick: bool = False, quiet: bool = True, **execution: Any
) -> Records:
    """Execute an experiment that comes with rnnlab, such as "lab-report"; see `experiment`.

    output: folder for runs and report; default: experiments/NAME, with `quick` its subfolder quick.
    """
    default = Path("experiments", name.replace("-", "_"), "quick" if quick else "")
    file, folder, command = find_shipped(name), str(output or default), f"reproduce {name}"
    return _execute(file, folder, command, execution, quick=quick, quiet=quiet)


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
