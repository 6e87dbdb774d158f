"""The command that puts runs next to each other."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

import rnnlab
from rnnlab.commands.flags import Checkpoint, MovedText, Text
from rnnlab.config import LoadSettings
from rnnlab.errors import UsageError

RUNS = tyro.conf.arg(metavar="RUN RUN ...", help_behavior_hint="(required)")
FROM = tyro.conf.arg(name="from", metavar="RUN RUN ...")


def compare(
    runs: tyro.conf.Positional[Annotated[tuple[Path, ...], RUNS]],
    machine: LoadSettings,
    against: Text = "",
    text: Text = "",
    group: bool = True,
    x: Literal["tokens", "seconds", "epochs"] = "tokens",
    output: Text = "",
    figure_format: tuple[Literal["png", "pdf", "svg"], ...] = ("png", "pdf", "svg"),
    format: Literal["text", "csv", "latex", "markdown", "json"] = "text",
    json: bool = False,
    checkpoint: Checkpoint = "best",
    corpus: MovedText = (),
    validation_corpus: MovedText = (),
    test_corpus: MovedText = (),
) -> None:
    """Compare runs: settings that differ, figures, how far they are apart, and how surely.

    Text, Markdown, CSV, a LaTeX table and learning curves, as they stand in a paper.

    Args:
        runs: two or more run directories or model folders
        against: name of the run that the others are compared with; default: the first
        text: file or named corpus that all are measured on; default: their own held-out text
        group: runs that differ in nothing but the seed are one, tested over seeds
        x: what the learning curves are drawn over
        output: also write comparison.md, .csv, .tex and .json and curves into this folder
        figure_format: of the curves, one or several of png, pdf and svg
        format: what is printed
        json: print one JSON object, as --format json
        checkpoint: of run directories: best on the validation split, or last
        corpus: where the runs' own corpus is now, if it has moved
        validation_corpus: where their validation text is now, if it has moved
        test_corpus: where their test text is now, if it has moved
    """
    from rnnlab.console import notice
    from rnnlab.display.comparing import tell_saved, write_comparison
    from rnnlab.display.work import WorkDisplay

    if json and format not in ("text", "json"):
        raise UsageError(f"give --json or --format {format}, not both")
    if output and Path(output).exists() and not Path(output).is_dir():
        raise UsageError(f"--output {output} is a file; give the name of a folder")
    if output and not figure_format:
        raise UsageError("--figure-format needs at least one of png, pdf and svg")
    with WorkDisplay.on_standard_error() as display:
        found = rnnlab.compare(
            *runs, against=against, file=text, checkpoint=checkpoint, group=group, x=x,
            corpus=corpus, validation_corpus=validation_corpus, test_corpus=test_corpus,
            watch=display.measuring, **dict(machine),
        )  # fmt: skip
    form = "json" if json else format
    if form in ("csv", "latex"):
        for words in found.comparison.notes:
            notice(words)
    write_comparison(found, form)
    if output:
        tell_saved(found.save(output, figure_format), Path(output), found)


def new_experiment(
    from_: Annotated[tuple[Path, ...], FROM],
    output: Path,
    machine: LoadSettings,
    against: Text = "",
    checkpoint: Checkpoint = "best",
    corpus: MovedText = (),
    validation_corpus: MovedText = (),
    test_corpus: MovedText = (),
) -> None:
    """Write an experiment file from runs: what they have shown is tested on fresh seeds.

    The settings that they share are its base, each run is a variant, each difference a claim.

    Args:
        from_: two or more run directories
        output: folder for experiment.toml, and later for its runs and its report
        against: name of the run that the others are compared with; default: the first
        checkpoint: of run directories: best on the validation split, or last
        corpus: where the runs' own corpus is now, if it has moved
        validation_corpus: where their validation text is now, if it has moved
        test_corpus: where their test text is now, if it has moved
    """
    from rnnlab.display.comparing import tell_new_experiment
    from rnnlab.display.work import WorkDisplay

    with WorkDisplay.on_standard_error() as display:
        file = rnnlab.new_experiment(
            *from_, output=output, against=against, checkpoint=checkpoint, corpus=corpus,
            validation_corpus=validation_corpus, test_corpus=test_corpus, watch=display.measuring,
            **dict(machine),
        )  # fmt: skip
    tell_new_experiment(file)
