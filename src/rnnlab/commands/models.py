"""Commands that use a trained model: they write, measure and score."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro

import rnnlab
from rnnlab.commands.flags import (
    FILES,
    MODELS,
    OPTIONAL,
    Checkpoint,
    MovedText,
    Split,
    Text,
    unescaped,
)
from rnnlab.config import CONTEXTS, GenerationSettings, LoadSettings
from rnnlab.errors import UsageError

DEFAULT_SEPARATOR = r"\n"


def generate(
    model: tyro.conf.Positional[Path],
    text: GenerationSettings,
    machine: LoadSettings,
    prefix: Annotated[tuple[str, ...], OPTIONAL] = (),
    prefix_file: Text = "",
    label: Text = "",
    count: int = 0,
    unique: bool = False,
    novel: bool = False,
    json: bool = False,
    separator: str = DEFAULT_SEPARATOR,
    checkpoint: Checkpoint = "best",
) -> None:
    """Generate text with a trained model.

    In --stop and --separator \\n is a line break, \\t a tab, \\0 NUL and \\\\ a backslash.

    Args:
        model: run directory or model folder
        prefix: beginning of the text; several are continued as one batch
        prefix_file: file with one prefix per line, instead of --prefix
        label: of what is written, for a model of labelled samples; default: the model chooses
        count: write so many samples instead, each up to its end or --length
        unique: with --count: no sample twice
        novel: with --count: no sample that the training text has
        json: with --count: a JSON object a line, with the sample's nats
        separator: with --count: what stands between samples
        checkpoint: of a run directory: best on the validation split, or last
    """
    from rnnlab.display.texts import read_prefixes, write_texts

    prefixes = read_prefixes(prefix, prefix_file)
    check_count_flags(
        count, prefixes=len(prefixes), unique=unique, novel=novel, json=json,
        separator=separator != DEFAULT_SEPARATOR,
    )  # fmt: skip
    text = text.model_copy(update={"stop": tuple(map(unescaped, text.stop))})
    loaded = rnnlab.load(model, checkpoint, **dict(machine))
    if count:
        from rnnlab.display.written_samples import print_samples

        print_samples(
            loaded, count, text, prefix=prefixes[0], label=label, unique=unique, novel=novel,
            as_json=json, separator=unescaped(separator),
        )  # fmt: skip
    else:
        write_texts(loaded, prefixes, text, checkpoint, label)


def check_count_flags(count: int, *, prefixes: int, **flags: bool) -> None:
    """Raise UsageError for flags that do not fit together."""
    if count < 0:
        raise UsageError(f"--count must be 0 or above, not {count}")
    if count and prefixes > 1:
        raise UsageError(f"--count takes one prefix, not {prefixes}")
    if not count and (useless := [name for name, given in flags.items() if given]):
        raise UsageError(f"--{useless[0]} needs --count")


def evaluate(
    model: tyro.conf.Positional[Path],
    machine: LoadSettings,
    files: tyro.conf.Positional[Annotated[tuple[str, ...], FILES]] = (),
    text: Annotated[tuple[str, ...], OPTIONAL] = (),
    split: Annotated[tuple[Split, ...], OPTIONAL] = (),
    context: tuple[str, ...] = CONTEXTS,
    errors: Literal["strict", "replace"] = "strict",
    encoding: str = "utf-8",
    baselines: bool = True,
    dynamic: bool = False,
    checkpoint: Checkpoint = "best",
    corpus: MovedText = (),
    validation_corpus: MovedText = (),
    test_corpus: MovedText = (),
    json: bool = False,
) -> None:
    """Measure how well a model predicts a text, next to simple baselines.

    Args:
        model: run directory or model folder
        files: text files to measure; the same as --text
        text: text files, named corpora or - for standard input; default: the model's held-out text
        split: parts of the model's own corpus, instead of --text
        context: what the model has read before a token: carried, or windows:N from a zero state
        errors: bytes that are not in the encoding: strict stops, replace reads them as U+FFFD
        encoding: of the text files and standard input; auto: detect it
        baselines: also measure n-gram, xz and others; needs the model's training text
        dynamic: also measure the model while it learns on; needs the model's training text
        checkpoint: of a run directory: best on the validation split, or last
        corpus: where the model's own corpus is now, if it has moved
        validation_corpus: where its validation text is now, if it has moved
        test_corpus: where its test text is now, if it has moved
        json: print one JSON object instead of a table
    """
    from rnnlab.display.output import write_evaluations
    from rnnlab.display.work import WorkDisplay
    from rnnlab.lm.evaluate import Evaluation

    if files and text:
        raise UsageError("give the text files alone or with --text, not both")

    done: list[Evaluation] = []
    try:
        with WorkDisplay.on_standard_error() as display:
            records, notices = rnnlab.evaluate(
                rnnlab.load(model, checkpoint, **dict(machine)),
                files or text,
                splits=split,
                contexts=context,
                baselines=baselines,
                dynamic=dynamic,
                errors=errors,
                encoding=encoding,
                checkpoint=checkpoint,
                corpus=corpus,
                validation_corpus=validation_corpus,
                test_corpus=test_corpus,
                watch=display.measuring,
                keep=done,
            )
    except KeyboardInterrupt:
        if done:
            write_evaluations(done, ["interrupted; measured until then:"], as_json=json)
        raise
    write_evaluations(records, notices, as_json=json)


def score(
    model: tyro.conf.Positional[Path],
    machine: LoadSettings,
    files: tyro.conf.Positional[Annotated[tuple[str, ...], FILES]] = (),
    per: Literal["sample", "token"] = "sample",
    csv: bool = False,
    top: int = 0,
    by: Literal["bits_per_character", "worst_bits", "nats"] = "bits_per_character",
    above: float = 0.0,
    reference: Text = "",
    errors: Literal["strict", "replace"] = "strict",
    encoding: str = "utf-8",
    checkpoint: Checkpoint = "best",
) -> None:
    """Say how likely each line is, or each file, for a model of documents: one JSON object a line.

    Args:
        model: run directory or model folder
        files: text files with one sample a line, or with one document each; default: standard
            input, lines answered as they come
        per: a row for each sample, or for each of its tokens
        csv: rows of CSV instead of JSON
        top: only so many samples, the least likely first; 0: all, as they come
        by: what --top goes by; worst_bits is the most surprising token of a sample
        above: only samples less likely than this share of the held-out ones; 0: all
        reference: file of samples to take instead of the held-out ones of the run
        errors: bytes that are not in the encoding: strict stops, replace reads them as U+FFFD
        encoding: of the text files and standard input; auto: detect it
        checkpoint: of a run directory: best on the validation split, or last
    """
    from rnnlab.data.encodings import usable_encoding
    from rnnlab.data.line_batches import batches_of
    from rnnlab.display.scores import ScoreTable, write_scores
    from rnnlab.runs.held_out_scores import quantiles_of_lines, stored_quantiles

    check_score_flags(per, top, by, above)
    files = files or ("-",)
    encoding = usable_encoding(encoding)
    scorer = rnnlab.load(model, checkpoint, **dict(machine)).scorer()
    read = partial(batches_of, errors=errors, encoding=encoding, of_documents=scorer.of_documents)
    quantiles = stored_quantiles(model)
    if reference:
        quantiles = quantiles_of_lines(scorer, read([reference]))
    if above and not quantiles:
        raise UsageError(
            "--above needs to know how likely held-out samples are: give a run that was trained "
            "with --unit lines or documents, or --reference FILE"
        )
    write_scores(
        ScoreTable(scorer, quantiles, with_files=len(files) > 1), read(files), per=per,
        as_csv=csv, top=top, by=by, above=above,
    )  # fmt: skip


def check_score_flags(per: str, top: int, by: str, above: float) -> None:
    """Raise UsageError for values that mean nothing."""
    if top < 0:
        raise UsageError(f"--top must be 0 or above, not {top}")
    if not 0 <= above < 1:
        raise UsageError(f"--above must be at least 0 and below 1, not {above:g}")
    if top and per == "token":
        raise UsageError("--top counts samples; it excludes --per token")
    if by != "bits_per_character" and not top:
        raise UsageError(f"--by {by} has no effect without --top")


def classify(
    model: tyro.conf.Positional[Path],
    machine: LoadSettings,
    files: tyro.conf.Positional[Annotated[tuple[str, ...], FILES]] = (),
    errors: Literal["strict", "replace"] = "strict",
    encoding: str = "utf-8",
    corpus: MovedText = (),
    validation_corpus: MovedText = (),
    test_corpus: MovedText = (),
    checkpoint: Checkpoint = "best",
    json: bool = False,
) -> None:
    """Say which label samples have, by Bayes' rule from a model of labelled samples.

    Without files, say how often it is right on the held-out samples, and what it confuses.

    Args:
        model: run directory or model folder
        files: text files with one sample a line, or with one document each, or - for standard
            input: a JSON object for each sample
        errors: bytes that are not in the encoding: strict stops, replace reads them as U+FFFD
        encoding: of the text files and standard input; auto: detect it
        corpus: where the model's own corpus is now, if it has moved
        validation_corpus: where its validation text is now, if it has moved
        test_corpus: where its test text is now, if it has moved
        checkpoint: of a run directory: best on the validation split, or last
        json: without files: print one JSON object instead of tables
    """
    from rnnlab.console import notice
    from rnnlab.data.encodings import usable_encoding
    from rnnlab.data.line_batches import batches_of
    from rnnlab.display.classification import write_classification, write_labels
    from rnnlab.errors import RnnlabError
    from rnnlab.runs.classification import calibrated_classifier, classify_held_out
    from rnnlab.runs.evaluation import own_texts, training_data

    encoding = usable_encoding(encoding)
    moved_to = own_texts(corpus, validation_corpus, test_corpus)
    loaded = rnnlab.load(model, checkpoint, **dict(machine))
    if not files:
        found = classify_held_out(loaded, training_data(loaded, moved_to))
        write_classification(found, as_json=json)
        return
    try:
        dataset = training_data(loaded, moved_to)
    except RnnlabError as error:
        dataset = None
        notice(f"probabilities are not calibrated, the training text is not available: {error}")
    write_labels(
        calibrated_classifier(loaded, dataset),
        batches_of(files, errors, encoding, of_documents=loaded.of_documents),
        with_files=len(files) > 1,
    )  # fmt: skip


def ensemble(
    models: tyro.conf.Positional[Annotated[tuple[Path, ...], MODELS]],
    machine: LoadSettings,
    output: Path,
    corpus: MovedText = (),
    validation_corpus: MovedText = (),
    test_corpus: MovedText = (),
    checkpoint: Checkpoint = "best",
) -> None:
    """Join models of the same text, such as of several seeds, into one that is better than each.

    Args:
        models: two or more run directories or model folders
        output: new folder for the ensemble, a model folder
        corpus: where the models' own corpus is now, if it has moved
        validation_corpus: where their validation text is now, if it has moved
        test_corpus: where their test text is now, if it has moved
        checkpoint: of run directories: best on the validation split, or last
    """
    from rnnlab.display.output import tell_ensemble

    if output.exists():
        raise UsageError(f"--output {output} exists; choose another folder, or delete it first")
    joined = rnnlab.ensemble(
        models, checkpoint=checkpoint, corpus=corpus, validation_corpus=validation_corpus,
        test_corpus=test_corpus, **dict(machine),
    )  # fmt: skip
    joined.save(output)
    tell_ensemble(joined, output)
