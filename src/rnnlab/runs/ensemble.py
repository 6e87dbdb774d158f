"""Several networks as one: an ensemble that is an ordinary model.

The logits of the ensemble are the mean of those of its members, so that

    p(v) ∝ Π_k p_k(v)^(1/K)

the geometric mean of their probabilities. A network with all units of all members computes just
that: its recurrent weights are those of the members on the diagonal and zero elsewhere, and its
output weights are those of the members divided by K. So every engine, and every command, takes it.

Members that differ only in their seed learn the same text in other ways, and err in other places.

Sources: Hansen and Salamon 1990, IEEE Transactions on Pattern Analysis and Machine Intelligence
12(10); the geometric mean: Hinton 2002, Neural Computation 14(8), section 1.

Legend: K members, G gates, H hidden size, E embedding size, V vocabulary size.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnnlab.config import TEXTS
from rnnlab.errors import RnnlabError, UsageError
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.ngram_joining import CountedNGrams, gate_slices
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.evaluation import say_where, training_data

EQUAL = ("cell", "num_layers", "input")
"""Settings of the network that all members must share; their sizes may differ."""

OF_BATCHES = {*TEXTS, "data_dir", "batching", "batch_size", "num_steps"}
"""Settings of the text that may differ: where it is, and how training read it."""

MEMBERS = "members"
"""The key of config.json that says how many networks an ensemble has."""


def ensemble(
    members: Sequence[TextModel], moved_to: Mapping[str, Sequence[str]] | None = None
) -> TextModel:
    """Return the ensemble of models of the same text.

    If n-gram models join all of them, that of the first joins the ensemble, with a gate of its own.
    moved_to: where their training text is now, by setting, if it has moved; the gate needs it.

    Raises UsageError if there are fewer than two, or if they do not fit together;
    ChecksumError if the training text is not available.
    """
    _check(members)
    first = members[0]
    network = joined_network([member.model for member in members]).to(first.compute.device)
    about: dict[str, Any] = {**first.about, MEMBERS: sum(map(_size, members))}
    about.pop("model", None)
    model = TextModel(network, first.tokenizer, first.preprocessing, first.compute, about)
    if all(member.mixture for member in members) and first.mixture:
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


def joined_network(members: Sequence[LanguageModel]) -> LanguageModel:
    """Return one network whose logits are the means of those of the members."""
    settings, K = members[0].settings, len(members)
    hidden = sum(member.settings.hidden_size for member in members)
    width = sum(member.settings.embedding_size for member in members)
    sizes = {"hidden_size": hidden, "embedding_size": width, "tie_weights": False}
    if settings.input == "one-hot":
        sizes.pop("embedding_size")
    joined = LanguageModel(
        settings.model_copy(update=sizes), members[0].vocabulary_size, 0, members[0].start
    )
    values = {"output.bias": torch.stack([m.output.bias for m in members]).mean(0)}
    values["output.weight"] = torch.cat([m.output.weight for m in members], 1) / K
    if settings.input == "embedding":
        values["embedding.weight"] = torch.cat([_embedding(member) for member in members], 1)
    G = members[0].recurrent.cell.num_gates
    parameters = [dict(member.recurrent.named_parameters()) for member in members]
    for name in parameters[0]:
        parts = [own[name].view(G, -1, *own[name].shape[1:]) for own in parameters]
        shared_input = name == "weight_ih_l0" and settings.input == "one-hot"
        is_vector = parts[0].dim() == 2
        stack = torch.cat if is_vector or shared_input else _on_diagonals
        values[f"recurrent.{name}"] = stack(parts, 1).flatten(0, 1)
    with torch.no_grad():
        for name, parameter in joined.named_parameters():
            parameter.copy_(values[name])
    return joined


def _embedding(member: LanguageModel) -> Tensor:
    assert member.embedding is not None
    return member.embedding.weight


def _on_diagonals(parts: Sequence[Tensor], dim: int) -> Tensor:
    """Return matrices (G, ΣH, ΣI) with blocks (G, H, I) on their diagonals, zeros elsewhere."""
    diagonal = torch.block_diag
    return torch.stack([diagonal(*blocks) for blocks in zip(*parts, strict=True)])  # type: ignore[no-untyped-call]
