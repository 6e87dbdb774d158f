"""What is compared: a run or a model folder, with its settings, figures and code for a text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnnlab.comparison.measured_text import MeasuredText, MovedTo, measured_text
from rnnlab.config import ComputeSettings, DataSettings, ModelSettings, Settings
from rnnlab.data.dataset import Dataset
from rnnlab.data.labelled_tokenizer import labels_of
from rnnlab.errors import UsageError
from rnnlab.files import CHECKSUM, read_json, sealed
from rnnlab.lm.baseline_titles import baseline_title
from rnnlab.lm.code_length import CodeLength, code_of_tokens
from rnnlab.lm.equal_parameters import num_parameters
from rnnlab.lm.evaluate import perplexity
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.effects import effective
from rnnlab.runs.files import (
    ENVIRONMENT,
    METRICS,
    RESULT,
    RUN_CONFIG,
    read_metrics,
    settings_of_run,
)
from rnnlab.runs.loading import load_text_model
from rnnlab.runs.other_texts import data_settings

DIVERGED = "divergence"
"""What a run that diverged was stopped by."""

ENDS = {"SIGINT": "was ended by Ctrl-C", "SIGTERM": "was ended by SIGTERM"}


class CurvePoint(NamedTuple):
    """A held-out evaluation during training, and what training had used by then."""

    tokens: float
    seconds: float
    epochs: float
    bits_per_character: float


@dataclass(frozen=True)
class Contender:
    """One of the models that are compared."""

    name: str
    path: Path
    settings: Settings | None
    """Of the run, where those without effect have their defaults; None for a model folder."""
    own: Mapping[str, Any]
    """The settings that are known, by name: all of a run, data and model of a model folder."""
    corpus_sha256: str
    tokenizer: str
    """Its kind and size."""
    tokens_are: str
    """SHA-256 of the tokenizer, by which tokens are the same."""
    checkpoint: str
    text: MeasuredText | None
    """None: nothing was held out."""
    code: CodeLength | None
    """Of this text."""
    figures: Mapping[str, float]
    """By the names of `rnnlab.comparison.figures`."""
    baselines: Mapping[str, float]
    """Bits per character of the held-out text by title, as the run has measured them."""
    validation: str
    """The text and the context of the curve; "" without."""
    curve: Sequence[CurvePoint]
    environment: Mapping[str, Any]
    unusual_end: str = ""
    """Why the run is not one of its settings like any other: it diverged, or has not ended."""
    notices: Sequence[str] = ()

    @property
    def seed(self) -> int | None:
        """Of the run; None for a model folder."""
        return None if self.settings is None else self.settings.training.seed


def read_contender(
    path: Path,
    name: str,
    *,
    file: str = "",
    checkpoint: str = "best",
    moved_to: MovedTo | None = None,
    machine: ComputeSettings | None = None,
    trust_cell: bool = False,
) -> Contender:
    """Read a run directory or a model folder, and measure it on a text.

    file: by path or name of a corpus; default: the last of the model's own held-out splits, and
    that with the state carried through it.

    Raises as `load_text_model`; CorpusError, ChecksumError or UsageError if the model's own text is
    not available.
    """
    is_run = (path / RUN_CONFIG).is_file()
    settings = effective(settings_of_run(path)) if is_run else None
    result = _json(path / RESULT)
    if _end(result) == DIVERGED and not [*(path / "checkpoint").glob("*/config.json")]:
        raise UsageError(f"{name} diverged before it had saved weights; leave it out")
    model = load_text_model(path, checkpoint, machine, trust_cell=trust_cell)
    notices = [f"{name}: {words}" for words in model.checkpoint_notices(checkpoint)]
    notices += _about_the_end(name, result) if is_run else []
    if not is_run:
        notices.append(f"{name} is a model folder: it has no figures of training and no curve")
    text, dataset, about = measured_text(model, name, file, moved_to)
    notices += about
    code, figures = None, dict[str, float]()
    if text is not None:
        score = model.score_prepared(text.content, documents=text.resets)
        code = code_of_tokens(model.tokenizer, text.content, score.target_nats)
        figures["held_out_bits_per_character"] = score.bits_per_character
        figures["held_out_perplexity"] = perplexity(score.nats / score.tokens)
        if labels_of(model.tokenizer):
            notices.append(
                f"{name}: its samples have labels, which count as text here; rnnlab classify says "
                "how well it tells them"
            )
    parameters = num_parameters(model.network.settings, model.tokenizer.size)
    figures["parameters"] = float(parameters)
    lines = read_metrics(path) if is_run else []
    if is_run and not lines:
        notices.append(f"{name} has no curve: it has no {METRICS}, or nothing is in it")
    elif is_run and not any(line["kind"] == "held-out" for line in lines):
        notices.append(f"{name} has no curve: nothing was evaluated during training")
    epoch = _epoch(result, dataset)
    sha256 = str(model.about.get("corpus_sha256", ""))
    curve = _curve(lines, epoch)
    figures |= _of_training(lines, result, curve, epoch)
    return Contender(
        name, path, settings, _known(model, settings), sha256,
        f"{type(model.tokenizer).__name__}, {model.tokenizer.size:,} tokens",
        sealed(model.tokenizer.to_json())[CHECKSUM], model.checkpoint or "its own", text, code,
        figures, {} if file else _baselines(result, dataset),
        _validation(settings, dataset, sha256), curve,
        _json(path / ENVIRONMENT) if is_run else {}, _unusual_end(result, model), notices,
    )  # fmt: skip


def names_of(paths: Sequence[str | PathLike[str]]) -> list[str]:
    """Return a name for each path: its last part, and as many before it as tell it from others.

    Raises UsageError if there are fewer than two, or if one is given twice.
    """
    places = [Path(path).resolve() for path in paths]
    if len(places) < 2:
        raise UsageError(f"a comparison needs two or more runs or model folders, not {len(places)}")
    for number, place in enumerate(places):
        if place in places[:number]:
            raise UsageError(f"{paths[number]} is given twice; compare it with another run")
    names = [place.name for place in places]
    parts = 1
    while len(set(names)) < len(names):
        parts += 1
        names = ["/".join(place.parts[-parts:]) for place in places]
    return names


def _json(file: Path) -> dict[str, Any]:
    return read_json(file) if file.is_file() else {}


def _end(result: Mapping[str, Any]) -> str:
    return str(result.get("training", {}).get("stopped_by", ""))


def _about_the_end(name: str, result: Mapping[str, Any]) -> list[str]:
    """Say if a run did not end as planned."""
    end = _end(result)
    if end == DIVERGED:
        steps = result["training"]["steps"]
        return [f"{name} diverged at step {steps:,}; it is measured with the weights kept before"]
    return [f"{name} {ENDS[end]} before its budget was used"] if end in ENDS else []


def _unusual_end(result: Mapping[str, Any], model: TextModel) -> str:
    if _end(result) == DIVERGED:
        return "diverged"
    return "" if model.has_ended else "has not ended"


def _known(model: TextModel, settings: Settings | None) -> dict[str, Any]:
    if settings is not None:
        return settings.flat()
    network = ModelSettings(**dict(model.network.settings))
    data = data_settings(model) if "data" in model.about else DataSettings()
    whole = effective(Settings(data=data, model=network))
    return {**dict(whole.data), **dict(whole.model)}


def _epoch(result: Mapping[str, Any], dataset: Dataset | None) -> int:
    """Return the tokens of the training split; 0 if it is not known."""
    if found := result.get("data", {}).get("tokens", {}).get("train"):
        return int(found)
    return len(dataset.splits["train"].all_ids) if dataset else 0


def _curve(lines: Sequence[Mapping[str, Any]], epoch: int) -> list[CurvePoint]:
    """Place each held-out evaluation by its step among the lines of training."""
    train = [line for line in lines if line["kind"] == "train"]
    if not train:
        return []
    steps = np.array([0, *(line["step"] for line in train)], dtype=float)
    tokens, seconds = (np.array([0, *(line[what] for line in train)], dtype=float)
                       for what in ("tokens", "seconds"))  # fmt: skip
    points = []
    for line in lines:
        bits = line.get("bits_per_character")
        if line["kind"] == "held-out" and bits is not None:  # None stands for infinite
            used = float(np.interp(line["step"], steps, tokens))
            passes = used / epoch if epoch else 0.0
            points.append(
                CurvePoint(used, float(np.interp(line["step"], steps, seconds)), passes, bits)
            )
    return points


def _of_training(
    lines: Sequence[Mapping[str, Any]],
    result: Mapping[str, Any],
    curve: Sequence[CurvePoint],
    epoch: int,
) -> dict[str, float]:
    """Return the figures of training; of a run that has not ended, those so far."""
    found = dict[str, Any]()
    if curve:
        found["validation_bits_per_character"] = min(p.bits_per_character for p in curve)
    if training := result.get("training"):
        found["training_perplexity"] = training.get("perplexity")
        found["tokens_trained"] = training.get("tokens")
        found["training_seconds"] = training.get("seconds")
        found["tokens_per_second"] = training.get("tokens_per_second")
    elif train := [line for line in lines if line["kind"] == "train"]:
        last = train[-1]
        found |= {"tokens_trained": last["tokens"], "training_seconds": last["seconds"]}
        found["tokens_per_second"] = last["tokens"] / last["seconds"]
    if epoch and found.get("tokens_trained") is not None:
        found["epochs"] = found["tokens_trained"] / epoch
    return {name: float(value) for name, value in found.items() if value is not None}


def _baselines(result: Mapping[str, Any], dataset: Dataset | None) -> dict[str, float]:
    if dataset is None or not dataset.held_out:
        return {}
    for record in result.get("evaluations", []):
        if record["split"] == dataset.held_out[-1]:
            return {
                baseline_title(name, found): float(found["bits_per_character"])
                for name, found in record["baselines"].items()
                if name == "ngram"
            }
    return {}


def _validation(settings: Settings | None, dataset: Dataset | None, corpus_sha256: str) -> str:
    """Return what must be the same for two curves to be compared."""
    if settings is None:
        return ""
    if dataset is None:  # the text is not at hand; it is the same if all that makes it is
        return f"{settings.validation_context}: {corpus_sha256} {settings.data}"
    if "validation" not in dataset.splits:
        return ""
    return f"{settings.validation_context}: {dataset.splits['validation'].text}"
