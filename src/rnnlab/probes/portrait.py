"""Several probes of one network on one text, each independent of the others."""

from collections.abc import Sequence
from functools import partial

from rnnlab.data.streaming_limits import ProgressCallback, no_progress
from rnnlab.errors import CorpusError, UnavailableError, UsageError, unknown
from rnnlab.lm.evaluate import ShareCallback
from rnnlab.probes import PORTRAIT, PROBES
from rnnlab.probes.ablation import ablation
from rnnlab.probes.decoding import decoding
from rnnlab.probes.decoding_settings import DecodingSettings
from rnnlab.probes.exposure import exposure
from rnnlab.probes.feature_settings import FeatureSettings
from rnnlab.probes.following import Following, following
from rnnlab.probes.following_settings import FollowingSettings
from rnnlab.probes.memorisation import memorisation
from rnnlab.probes.reach import reach
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.saturation import saturation
from rnnlab.probes.subject import Subject
from rnnlab.probes.surprise import surprise
from rnnlab.probes.timescales import timescales
from rnnlab.probes.unit_values import unit_values

MOST_TOKENS = 20_000
"""Tokens of a text that are read; the rest is left out."""

ABLATION_TOKENS = 4_000
"""Of a portrait; each unit is switched off for all of them. An ablation by name takes all."""

TOLD_UNITS = 5
"""Units that a portrait shows over the text."""


def run_probes(
    subject: Subject,
    names: Sequence[str] = PORTRAIT,
    features: FeatureSettings | None = None,
    watch: ProgressCallback = no_progress,
    *,
    strict: bool = True,
) -> tuple[dict[str, ProbeResult], dict[str, str]]:
    """Return the results by name, and for each probe that was left out the reason.

    strict: a probe that is not possible is an error. Otherwise it is left out, as in a portrait.

    Raises UsageError for an unknown name, and what the probes raise.
    """
    for name in names:
        if name not in PROBES:
            raise unknown("probe", name, PROBES)
    results, left_out = dict[str, ProbeResult](), dict[str, str]()
    for name in names:
        watch(name, 0.0)
        try:
            found = _probe(
                subject, name, features or FeatureSettings(), partial(watch, name), strict
            )
        except (UsageError, CorpusError, UnavailableError) as error:
            if strict:
                raise
            left_out[name] = str(error)
            continue
        results[name] = found
        if isinstance(found, Following) and (told := list(found.closest().values())[:TOLD_UNITS]):
            units = [(one.part, one.layer, one.unit) for one in told]
            results["units"] = unit_values(subject.reading, units)
    return results, left_out


def _probe(
    subject: Subject,
    name: str,
    features: FeatureSettings,
    progress: ShareCallback,
    strict: bool,
) -> ProbeResult:
    reading, seed = subject.reading.first(MOST_TOKENS), subject.seed
    match name:
        case "surprise":
            return surprise(reading, progress=progress)
        case "saturation":
            return saturation(reading, seed, progress)
        case "timescales":
            return timescales(reading, seed, progress)
        case "ablation":
            few = reading if strict else reading.first(ABLATION_TOKENS)
            return ablation(few, progress=progress)
        case "following":
            return following(reading, FollowingSettings(features), seed, progress)
        case "decoding":
            return decoding(reading, DecodingSettings(features), seed, progress)
        case "reach":
            return reach(reading, seed=seed, progress=progress)
        case "exposure":
            return exposure(subject.reading.model, progress=progress)
    train, held_out = subject.training_texts()
    return memorisation(reading.model, train, held_out, seed=seed, progress=progress)
