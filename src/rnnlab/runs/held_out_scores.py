"""How likely the held-out samples of a run are, so that others can be placed among them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from rnnlab.data.line_batches import Line
from rnnlab.data.samples import samples_of
from rnnlab.errors import RnnlabError
from rnnlab.files import read_json
from rnnlab.lm.evaluate import Floats
from rnnlab.lm.sample_scores import SampleScorer
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.files import RESULT, RUN_CONFIG

QUANTILES = "bits_per_character_quantiles"
"""Key in result.json."""

STEPS = 1_000


def quantiles_of(bits_per_character: Floats) -> list[float]:
    """Return the quantiles 0, 1/1000 .. 1 of figures (N,), N at least 1."""
    return [float(q) for q in np.quantile(bits_per_character, np.linspace(0, 1, STEPS + 1))]


def held_out_quantiles(model: TextModel, text: str) -> list[float]:
    """Return the quantiles of the bits per character of each sample of a text."""
    return quantiles_of(model.score(samples_of([text])).bits_per_character)


def quantiles_of_lines(scorer: SampleScorer, batches: Iterable[Sequence[Line]]) -> list[float]:
    """Return the quantiles of the bits per character of lines."""
    found = [scorer.score([line.text for line in lines]).bits_per_character for lines in batches]
    return quantiles_of(np.concatenate(found))


def places_among(bits_per_character: Floats, quantiles: list[float]) -> Floats:
    """Return which share of the samples with these quantiles is more likely than each, (N,)."""
    return np.interp(bits_per_character, quantiles, np.linspace(0, 1, len(quantiles)))


def stored_quantiles(path: Path) -> list[float] | None:
    """Return the quantiles that a run has stored; None if it has none or is a model folder."""
    if not (path / RUN_CONFIG).is_file():
        return None
    try:
        found = read_json(path / RESULT, RnnlabError).get(QUANTILES)
    except (RnnlabError, OSError):
        return None
    if not isinstance(found, list) or not found:
        return None
    return found if all(isinstance(q, float) for q in found) else None
