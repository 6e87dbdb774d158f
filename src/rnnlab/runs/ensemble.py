"""Several networks as one: an ensemble that is an ordinary model.

Members that differ only in their seed learn the same text in other ways, and err in other places.
See `rnnlab.lm.joined_network` for the rule by which they are joined.

Source: Hansen and Salamon 1990, IEEE Transactions on Pattern Analysis and Machine Intelligence
12(10).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnlab.cells import CELLS, short_name
from rnnlab.config import TEXTS
from rnnlab.errors import RnnlabError, UsageError
from rnnlab.lm.joined_network import joined_network
from rnnlab.lm.model_folder import MEMBERS
from rnnlab.lm.ngram_joining import CountedNGrams, gate_slices
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.evaluation import say_where, training_data

EQUAL = ("cell", "num_layers", "input")
"""Settings of the network that all members must share; their sizes may differ."""

OF_BATCHES = {*TEXTS, "data_dir", "batching", "batch_size", "num_steps"}
"""Settings of the text that may differ: where it is, and how training read it."""


def ensemble(
    members: Sequence[TextModel], moved_to: Mapping[str, Sequence[str]] | None = None
) -> TextModel:
    """Return the ensemble of models of the same text.

    If n-gram models join them, that of the first joins the ensemble, with a gate of its own.
    moved_to: where their training text is now, by setting, if it has moved; the gate needs it.

    Raises UsageError if there are fewer than two, or if they do not fit together, also if some have
    an n-gram model and some have none; ChecksumError if the training text is not available.
    """
    _check(members)
    first = members[0]
    network = joined_network([member.model for member in members]).to(first.compute.device)
    about: dict[str, Any] = {**first.about, MEMBERS: sum(map(_size, members))}
    about.pop("model", None)
    model = TextModel(network, first.tokenizer, first.preprocessing, first.compute, about)
    if first.mixture is not None:
        try:
            train = training_data(first, moved_to).splits["train"].all_ids
        except RnnlabError as error:
            raise type(error)(
                f"the gate of the n-gram model needs the members' own text: {error}; "
                f"{say_where(first)}"
            ) from None
        kept = (train[part].astype(np.int64) for part in gate_slices(len(train), network.start))
        counted = CountedNGrams(first.mixture.table, tuple(kept), 0.0)
        model.mixture = counted.join(network, first.compute)
    return model


def _size(member: TextModel) -> int:
    """Return how many networks a member has itself."""
    return int(member.about.get(MEMBERS, 1))


def _split(member: TextModel) -> dict[str, Any]:
    """Return what decides which part of the text a member has learned from."""
    data = member.about.get("data", {})
    return {name: value for name, value in data.items() if name not in OF_BATCHES}


def _check(members: Sequence[TextModel]) -> None:
    if len(members) < 2:
        raise UsageError(f"an ensemble has at least two members, not {len(members)}")
    first = members[0]
    if (cell := first.network.settings.cell) not in CELLS:
        raise UsageError(
            f"an ensemble needs one of the cells {', '.join(CELLS)}: of {short_name(cell)} it is "
            "not known how two of them make one"
        )
    for number, member in enumerate(members[1:], start=2):
        own, theirs = first.model, member.model
        named = {
            "tokenizer": (first.tokenizer.to_json(), member.tokenizer.to_json()),
            "preprocessing": (first.preprocessing, member.preprocessing),
            "start of samples": (own.start, theirs.start),
            "text": tuple(m.about.get("corpus_sha256") for m in (first, member)),
            "split of the text": (_split(first), _split(member)),
        } | {name: (getattr(own.settings, name), getattr(theirs.settings, name)) for name in EQUAL}
        if odd := [name for name, (mine, other) in named.items() if mine != other]:
            raise UsageError(
                f"member {number} does not fit the first: it has another {odd[0]}; the members of "
                f"an ensemble share {', '.join(named)}"
            )
        if (member.mixture is None) != (first.mixture is None):
            lacking, other = (number, 1) if member.mixture is None else (1, number)
            raise UsageError(
                f"member {lacking} lacks an n-gram model, which member {other} has; if its "
                "training was cut short, rnnlab train --resume goes on with it"
            )
