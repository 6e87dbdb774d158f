"""How well a model predicts its held-out text: as it was trained, and as the page computes it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rnnlab.data.dataset import Dataset
from rnnlab.errors import RnnlabError
from rnnlab.lm.evaluate import Evaluation, perplexity
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.evaluation import evaluate_splits, training_data


@dataclass(frozen=True)
class Row:
    """One measurement."""

    name: str
    bits: float
    """Per character."""
    perplexity: float


@dataclass(frozen=True)
class HeldOut:
    """All measurements and their protocol, or why there are none."""

    words: str
    rows: tuple[Row, ...] = ()
    left_out: tuple[str, ...] = ()
    """Why nothing was measured, for whoever makes the page."""
    ngram_bits: float | None = None
    """What the n-gram model is worth, in bits per character; None: not measured, or it has none."""


def held_out(model: TextModel, on_page: TextModel, weights: str) -> HeldOut:
    """Measure both on the test split, or on the validation split if there is no other.

    on_page: the model with the weights, and the n-gram model, that the page has. weights: how they
    were rounded.
    """
    if "data" not in model.about:
        return _not_measured("the model does not say which text it was trained on")
    try:
        dataset = training_data(model)
    except RnnlabError as error:
        return _not_measured(str(error))
    if not dataset.held_out:
        return _not_measured("nothing was held out when the model was trained")
    split = dataset.held_out[-1]
    before, after = (_measured(each, dataset, split) for each in (model, on_page))
    network = before.parts.get("network")
    worth = None if network is None else network["bits_per_character"] - before.bits_per_character
    words = (
        f"{Path(before.corpus).name}, {split} split: {before.characters:,} characters that the "
        f"model has not learned from, read in one go; {before.tokens:,} tokens predicted"
    )
    rows = _rows(before, after, weights, is_left_out=on_page.mixture is None)
    return HeldOut(words, tuple(rows), ngram_bits=worth)


def _not_measured(reason: str) -> HeldOut:
    """The reason may name folders of this machine, which are nobody else's business."""
    words = "Not measured: the held-out text was not at hand when this page was made."
    return HeldOut(words, left_out=(f"held-out figures: {reason}",))


def _measured(model: TextModel, dataset: Dataset, split: str) -> Evaluation:
    """Return the record of a split; its parts are the network and the n-gram model alone."""
    checkpoint = model.checkpoint or "best"
    (record,) = evaluate_splits(
        model, dataset, [split], ["carried"], checkpoint=checkpoint, baselines=None
    )
    return record


def _rows(
    before: Evaluation, after: Evaluation, weights: str, *, is_left_out: bool
) -> Iterator[Row]:
    joined = " with n-grams" if before.parts else ""
    yield Row(f"as trained, float32{joined}", before.bits_per_character, before.perplexity)
    if before.parts and is_left_out:
        alone = before.parts["network"]
        yield Row(
            "as trained, the network alone", alone["bits_per_character"],
            perplexity(alone["nats_per_token"]),
        )  # fmt: skip
    here = "" if is_left_out else joined
    yield Row(f"on this page, {weights}{here}", after.bits_per_character, after.perplexity)
