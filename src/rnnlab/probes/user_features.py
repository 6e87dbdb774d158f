"""Features that a user gives: a regular expression, or a file of labels.

Legend: N tokens, C characters.
"""

import time
from pathlib import Path

import numpy as np
import regex

from rnnlab.errors import UsageError, message_of
from rnnlab.probes.reading import Reading
from rnnlab.probes.text_features import PerCharacter

MOST_LABELS = 50
"""Different labels of a file that are not numbers: each becomes a feature."""


def inside_matches(text: str, name: str, pattern: str, seconds: float) -> PerCharacter:
    """Mark the characters (C,) inside the matches of a regular expression.

    Raises UsageError if it cannot be read, or takes longer than `seconds` for the whole text.
    """
    found = np.zeros(len(text), bool)
    too_long = UsageError(
        f"regular expression {pattern!r} of the feature {name!r} did not end within "
        f"{seconds:g} seconds on {len(text):,} characters; use a simpler one, or a shorter text"
    )
    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise UsageError(
            f"feature {name!r}: {pattern!r} is not a regular expression: {error}"
        ) from None
    deadline = time.monotonic() + seconds
    try:
        for match in compiled.finditer(text, timeout=seconds):
            found[slice(*match.span())] = True
            if time.monotonic() > deadline:
                raise too_long
    except TimeoutError:
        raise too_long from None
    return found


def labels_of_file(reading: Reading, name: str, file: Path) -> dict[str, PerCharacter]:
    """Return the features (N,) of a label file by name.

    Numbers are one feature, yes or no if all are 0 or 1. Two other labels are one as well, for the
    second in alphabetical order; of more labels each is a feature of its own.

    Raises UsageError if the file cannot be read, or does not have as many lines as the text, under
    the model's text rule, has tokens or characters.
    """
    try:
        labels = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"label file {file} cannot be read: {message_of(error)}") from None
    if len(labels) not in (len(reading), len(reading.text)):
        raise UsageError(
            f"label file {file} has {len(labels):,} lines; it needs one for each of the "
            f"{len(reading):,} tokens or {len(reading.text):,} characters of the text"
        )
    values = np.array([label.strip() for label in labels])
    if len(values) != len(reading):
        values = values[last_characters(reading)]
    try:
        numbers = values.astype(np.float64)
    except ValueError:
        pass
    else:
        if not np.isfinite(numbers).all():
            raise UsageError(f"label file {file} has a number that is NaN or infinite")
        return {name: numbers == 1 if np.isin(numbers, (0, 1)).all() else numbers}
    names = np.unique(values).tolist()
    if len(names) > MOST_LABELS:
        raise UsageError(
            f"label file {file} has {len(names):,} different labels; the most is {MOST_LABELS}, "
            "or numbers"
        )
    shown = names[1:] if len(names) == 2 else names
    return {f"{name} = {label}": values == label for label in shown}


def last_characters(reading: Reading) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the place of the last complete character of each token (N,).

    The first bytes of a character belong to the one before it, as far as there is one.
    """
    return np.maximum(reading.ends - 1, 0)
