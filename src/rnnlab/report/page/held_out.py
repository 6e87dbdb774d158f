"""How well a model predicts its held-out text: as it was trained, and as the page computes it."""

from dataclasses import dataclass, replace
from pathlib import Path

from rnnlab.data.dataset import Dataset
from rnnlab.errors import RnnlabError
from rnnlab.lm.evaluate import Evaluation
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
    ngrams: float | None = None
    """What the page's n-gram model is worth, in bits per character; None: not measured, or none."""
    longer_ngrams: float | None = None
    """What the n-grams are worth that are not on the page, likewise."""


def held_out(model: TextModel, on_page: TextModel, weights: str) -> HeldOut:
    """Measure both on the test split, or on the validation split if there is no other.

    on_page: the model with the weights, and the n-gram model, that the page has. weights: how they
    were rounded.
    """
    try:
        dataset = training_data(model)
    except RnnlabError as error:
        return _not_measured(str(error))
    if not dataset.held_out:
        return _not_measured("nothing was held out when the model was trained")
    split = dataset.held_out[-1]
    whole, after = (_measured(each, dataset, split) for each in (model, on_page))

    def joined(each: TextModel) -> str:
        if each.mixture is not None:
            return f", n-grams up to {len(each.mixture.table.orders)}"
        return "" if model.mixture is None else ", network alone"

    rows = [_row(f"as trained, float32{joined(model)}", whole)]
    longer = None
    if on_page.mixture is not model.mixture:
        shorter = replace(model, mixture=on_page.mixture)
        rows.append(_row(f"as trained{joined(shorter)}", _measured(shorter, dataset, split)))
        longer = rows[1].bits - rows[0].bits
    rows.append(_row(f"on this page, {weights}{joined(on_page)}", after))
    words = (
        f"{Path(whole.corpus).name}, {split} split: {whole.characters:,} characters that the "
        f"model has not learned from, read in one go; {whole.tokens:,} tokens predicted"
    )
    network = after.parts.get("network")
    worth = None if network is None else network["bits_per_character"] - after.bits_per_character
    return HeldOut(words, tuple(rows), ngrams=worth, longer_ngrams=longer)


def _row(name: str, record: Evaluation) -> Row:
    return Row(name, record.bits_per_character, record.perplexity)


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
