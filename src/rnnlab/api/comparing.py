"""Runs next to each other, as a function of the library."""

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnlab.config import LoadSettings
from rnnlab.data.streaming_limits import ProgressCallback, no_progress
from rnnlab.runs.evaluation import Names, own_texts

if TYPE_CHECKING:
    from rnnlab.comparison.comparison import Comparison
    from rnnlab.report.class_page import ClassReport
    from rnnlab.report.write_up import WriteUp


def class_report(
    folder: str | PathLike[str], *, watch: ProgressCallback = no_progress
) -> "ClassReport":
    """Put the runs of a class next to each other, each in a folder of its student.

    Runs are ranked on the same held-out text only, with their lead over the n-gram, what the doctor
    finds, the settings that are unusual, and the spread over seeds of equal settings. It warns of
    copies and of figures that are of training text only. Nothing is trained or measured anew, and
    no code of a run is executed. watch: called with a run and the share of all that is read.

    The result has `to_html`, `save`, and `overview` with all that was read.

    >>> small = rnnlab.train(corpus="python-reference", corpus_limit=30_000, hidden_size=8,
    ...                      num_epochs=1, run_dir="class/ada/first", quiet=True)
    >>> found = rnnlab.class_report("class")
    >>> found.overview.extent
    '1 student, 1 run, 1 held-out text'
    >>> page = found.save("class.html")

    Raises UsageError if `folder` is not a folder, is a run itself, or has no run in it.
    """
    from rnnlab.comparison.class_overview import read_class
    from rnnlab.report.class_page import ClassReport  # imports scipy and matplotlib

    return ClassReport(read_class(Path(folder), watch))


def compare(
    *runs: str | PathLike[str],
    against: str | PathLike[str] = "",
    file: str | PathLike[str] = "",
    checkpoint: str = "best",
    group: bool = True,
    x: str = "tokens",
    corpus: Names = (),
    validation_corpus: Names = (),
    test_corpus: Names = (),
    watch: ProgressCallback = no_progress,
    **machine: Any,
) -> "WriteUp":
    """Compare two or more runs or model folders; in a notebook the result shows itself.

    against: the one that all others are compared with; default: the first. file: path or name of a
    corpus that all are measured on; default: the last of their own held-out splits, which must be
    the same text. checkpoint: of run directories, "best" or "last". group: runs that differ in
    their seeds only are one, with intervals and tests over seeds. x: what the curves are drawn
    over, "tokens", "seconds" or "epochs".
    corpus, validation_corpus, test_corpus: where the models' own texts are now, if they have
    moved. watch: called with a run and the share of all that is read.
    machine: engine, device, precision, threads, trust_cell.

    Each is compared by the difference in bits per character of the same text, whatever its tokens
    are, with a 95% interval over the text (`rnnlab.lm.code_length`), and between groups of several
    seeds also over these; p values are corrected for all comparisons (Holm).

    The result has `to_text`, `to_markdown`, `to_csv`, `to_latex`, `to_json`, `save`, and
    `save_figures`.

    >>> both = [rnnlab.train(corpus="python-reference", corpus_limit=30_000, hidden_size=8, cell=c,
    ...                      num_epochs=1, run_dir=f"runs/{c}", quiet=True) for c in ("rnn", "gru")]
    >>> found = rnnlab.compare(*both)
    >>> found.comparison.names
    ('rnn', 'gru')
    >>> files = found.save("runs/paper", kinds="pdf")

    Raises UsageError for fewer than two or one that is given twice, and as `load` does; CorpusError
    or ChecksumError if a model's own text is not available.
    """
    from rnnlab.report.write_up import WriteUp  # imports scipy and matplotlib

    moved_to = own_texts(corpus, validation_corpus, test_corpus)
    found = _compared(
        runs, machine, against=fspath(against), file=fspath(file), checkpoint=checkpoint,
        grouped=group, moved_to=moved_to, watch=watch,
    )  # fmt: skip
    return WriteUp.of(found, x)


def new_experiment(
    *runs: str | PathLike[str],
    output: str | PathLike[str],
    against: str | PathLike[str] = "",
    checkpoint: str = "best",
    corpus: Names = (),
    validation_corpus: Names = (),
    test_corpus: Names = (),
    watch: ProgressCallback = no_progress,
    **machine: Any,
) -> Path:
    """Write an experiment that tests on fresh seeds what a comparison of runs has shown.

    output: folder for the experiment.toml, which is returned. Its base are the settings that the
    runs share, each of them is a variant, and each difference from `against` is a claim. The seeds
    of the runs are left out. The rest is as for `compare`.

    >>> rnnlab.new_experiment("runs/rnn", "runs/gru", output="runs/again").name
    'experiment.toml'

    Raises UsageError as `compare`, for model folders, if the runs differ in nothing that decides
    the result, and if the folder has an experiment already.
    """
    from rnnlab.comparison.new_experiment import new_file, write_experiment

    new_file(Path(output))
    moved_to = own_texts(corpus, validation_corpus, test_corpus)
    found = _compared(
        runs, machine, against=fspath(against), checkpoint=checkpoint, moved_to=moved_to,
        watch=watch,
    )  # fmt: skip
    return write_experiment(found, Path(output))


def _compared(
    runs: Sequence[str | PathLike[str]], machine: Mapping[str, Any], **options: Any
) -> "Comparison":
    from rnnlab.comparison.comparison import compare as compare_runs

    settings = LoadSettings.from_dict(machine, "compare")
    return compare_runs(runs, machine=settings, trust_cell=settings.trust_cell, **options)
