"""A text or samples that a Python program gives, kept in the run directory.

A run can be resumed and evaluated later, so it needs its text again. What is given is written to a
file in the run directory before training begins, and is the run's corpus: GIVEN_TEXT, or
GIVEN_SAMPLES with a JSON object in each line, in which line breaks survive.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rnnlab.config import Settings
from rnnlab.errors import RnnlabError, RunDirectoryError, UsageError, is_unicode
from rnnlab.files import replacing
from rnnlab.runs.directory import check_new, lock_run_directory, make_directory
from rnnlab.runs.files import (
    ENVIRONMENT,
    GIVEN_SAMPLES,
    GIVEN_TEXT,
    LOCK,
    RUN_CONFIG,
    SAMPLES,
    state_files,
)

MOST_BYTES = 2**30
"""The largest text that is kept in a run directory."""

COLUMN, LABEL_COLUMN = "text", "label"

DECIDED = ("corpus", "column", "label_column", "encoding", "errors")
"""Settings that what is given decides."""

MARK = "\ufeff"
"""At the beginning of GIVEN_TEXT, so that no text is taken for a packed file."""

MISSING = object()

Pair = tuple[str, str | None]
"""A sample, and its label if it has one."""


@contextmanager
def kept_text(
    directory: str | Path | None,
    settings: Mapping[str, Any],
    text: object = None,
    samples: object = None,
    labels: object = None,
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Write what is given into a new run directory, and yield it with the settings for it.

    directory: None: a numbered one, under runs/. If the block raises before a training state is
    saved, what was written is removed.

    Raises UsageError for what is not text, or not one of text and samples, or if `settings` has
    others for it; RunDirectoryError if the directory cannot be written.
    """
    if (text is None) == (samples is None):
        raise UsageError(
            "labels need samples" if text is None else "give text or samples, not both"
        )
    if text is not None and labels is not None:
        raise UsageError("labels need samples; a text has none")
    what = "text" if samples is None else "samples"
    if clash := [name for name in DECIDED if name in settings]:
        raise UsageError(f"{clash[0]} and {what} exclude each other; give one of them")
    if what == "samples" and settings.get("unit") == "text":
        raise UsageError("samples exclude unit = 'text'; give text for one running text")
    if directory is not None:
        check_new(Path(directory))
    path = make_directory(directory, what)
    file = path / (GIVEN_TEXT if samples is None else GIVEN_SAMPLES)
    try:
        with lock_run_directory(path):
            more = (
                _written(file, text) if samples is None else _written_samples(file, samples, labels)
            )
        yield path, {"corpus": (str(file),), **more, **settings}
    except BaseException:
        if not state_files(path):
            _remove(path, file)
        raise


def with_given_text_here(settings: Settings, directory: Path) -> Settings:
    """Return settings whose given text is that in the run directory, which may have moved."""
    return settings.with_changes(corpus=given_text_here(settings.data.corpus, directory))


def given_text_here(corpus: Iterable[str], directory: Path) -> tuple[str, ...]:
    """Return the names of texts; of one that a program gave, its path in the run directory."""
    return tuple(
        str(directory.resolve() / file.name)
        if (file := Path(name)).name in (GIVEN_TEXT, GIVEN_SAMPLES)
        and (directory / file.name).is_file()
        else name
        for name in corpus
    )


def _written(file: Path, text: object) -> dict[str, Any]:
    content = _text(text, "text", "it must be a string")
    _write(file, [MARK, content])
    return {}


def _written_samples(file: Path, samples: object, labels: object) -> dict[str, Any]:
    about = {"lines": False, "labels": False}

    def rows() -> Iterator[str]:
        for sample, label in _pairs(samples, labels):
            about["lines"] |= "\n" in sample
            about["labels"] |= label is not None
            row = {COLUMN: sample} | ({} if label is None else {LABEL_COLUMN: label})
            yield json.dumps(row, ensure_ascii=False) + "\n"

    _write(file, rows())
    unit = {"unit": "documents" if about["lines"] else "lines", "column": COLUMN}
    return unit | ({"label_column": LABEL_COLUMN} if about["labels"] else {})


def _write(file: Path, parts: Iterable[str]) -> None:
    size = 0
    try:
        with replacing(file) as stream:
            for part in parts:
                content = part.encode()
                size += len(content)
                if size > MOST_BYTES:
                    raise UsageError(
                        f"more than {MOST_BYTES:,} bytes are too much to keep in a run directory; "
                        "write them to a file, and give its name as corpus"
                    )
                stream.write(content)
    except OSError as error:
        raise RunDirectoryError(f"{file}: cannot be written: {error.strerror}") from None


def _pairs(samples: object, labels: object) -> Iterator[Pair]:
    """Yield samples with their labels; raises UsageError, which names the first that is wrong."""
    number, labelled = -1, None
    of_labels = iter(()) if labels is None else _iterator(labels, "labels")
    for number, (sample, label) in enumerate(
        zip_longest(_iterator(samples, "samples"), of_labels, fillvalue=MISSING)
    ):
        where = f"samples[{number}]"
        if sample is MISSING or (labels is not None and label is MISSING):
            short = "samples" if sample is MISSING else "labels"
            raise UsageError(f"{short} end after {number:,}; there must be a label for each sample")
        if labels is None and labelled is None:
            labelled = isinstance(sample, tuple | list)
        if labels is not None:
            yield _text(sample, where), _label(label, f"labels[{number}]")
        elif not labelled:
            yield _text(sample, where), None
        elif isinstance(sample, tuple | list) and len(sample) == 2:
            yield _text(sample[1], f"{where}[1]"), _label(sample[0], f"{where}[0]")
        else:
            raise UsageError(f"{where} is {_shown(sample)}; it must be a label and a text")
    if number < 0:
        raise UsageError("samples is empty; there must be some")


def _iterator(values: object, name: str) -> Iterator[object]:
    if isinstance(values, str | bytes):
        raise UsageError(f"{name} is one string; give a list, or text for one running text")
    if isinstance(values, Mapping) or hasattr(values, "columns"):
        raise UsageError(f"{name} is a table; give one of its columns")
    if not isinstance(values, Iterable):
        raise UsageError(f"{name} is {_shown(values)}; it must be a list of strings")
    return iter(values)


def _text(value: object, where: str, rule: str = "a sample is a string") -> str:
    if not isinstance(value, str):
        raise UsageError(f"{where} is {_shown(value)}; {rule}")
    if not value.strip():
        raise UsageError(f"{where} is empty")
    if not is_unicode(value):
        raise UsageError(f"{where} has characters that are not Unicode (lone surrogates)")
    return str(value)


def _label(value: object, where: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(value, where, "a label is a string or a whole number")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 50 else f"{text[:50]}..."


def _remove(directory: Path, file: Path) -> None:
    """Remove a given text, and the directory if there is nothing of value in it."""
    with suppress(OSError, RnnlabError), lock_run_directory(directory):
        file.unlink(missing_ok=True)
        check_new(directory)
        for name in (LOCK, SAMPLES, RUN_CONFIG, ENVIRONMENT):
            (directory / name).unlink(missing_ok=True)
        directory.rmdir()
