"""Training, as a function of the library."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rnnlab.config import Settings
from rnnlab.display.training import TrainingDisplay
from rnnlab.errors import UsageError
from rnnlab.runs import training
from rnnlab.runs.effects import check_effects
from rnnlab.runs.given_texts import kept_text
from rnnlab.runs.precedence import budget_setting, starting_settings
from rnnlab.runs.run import Run


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
    trust_cell: bool = False,
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
    trust_cell: run the Python file of the cell that the run or the model that training starts from
    holds; a cell that is named by its file, cell="my_cell.py:MyCell", needs no trust.
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
    how = (config, start, automatic, display, trust_cell)
    if text is None and samples is None and labels is None:
        return _train(how, resume or run_dir, settings, resume=resume is not None)
    if resume is not None:
        raise UsageError("resume takes its text from the run; leave out text, samples and labels")
    with kept_text(run_dir, settings, text, samples, labels) as (directory, changed):
        return _train(how, directory, changed)


def _train(
    how: tuple[str | Path | None, Settings, bool, TrainingDisplay, bool],
    directory: str | Path | None,
    settings: Mapping[str, Any],
    *,
    resume: bool = False,
) -> Run:
    config, start, automatic, display, trust_cell = how
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
            trust_cell=trust_cell,
        )
