"""Several networks side by side as one network, and back again.

The logits of the joined network are the mean of those of its members, so that

    p(v) ∝ Π_k p_k(v)^(1/K)

the geometric mean of their probabilities. A network with all units of all members computes just
that: its recurrent weights are those of the members on the diagonal and zero elsewhere, and its
output weights are those of the members divided by K. So every engine, and every command, takes it.

Source of the geometric mean: Hinton 2002, Neural Computation 14(8), section 1.

Legend: K members, G gates, H hidden size, E embedding size, I input size, L layers, V vocabulary
size.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from rnnlab.cells import CELLS
from rnnlab.lm.model import LanguageModel

Places = npt.NDArray[np.int64]


def joined_network(members: Sequence[LanguageModel]) -> LanguageModel:
    """Return one network whose logits are the means of those of the members."""
    settings, K = members[0].settings, len(members)
    hidden = sum(member.settings.hidden_size for member in members)
    width = sum(member.settings.embedding_size for member in members)
    sizes = {"hidden_size": hidden, "embedding_size": width, "tie_weights": False}
    if settings.input == "one-hot":
        sizes.pop("embedding_size")
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
    return _network(members[0], sizes, values)


def members_of(joined: LanguageModel) -> list[LanguageModel]:
    """Return the networks that one consists of: one or more, whose mean logits are its own.

    Units belong to one member if weights that are not zero lead from one to the other. Of a cell
    of the user's own it is not known what else leads there.
    """
    settings = joined.settings
    if settings.cell not in CELLS:
        return [joined]
    hidden = [weights.weight_hh for weights in joined.recurrent.weights()]
    inputs = [weights.weight_ih for weights in joined.recurrent.weights()]
    H, E = settings.hidden_size, 0 if joined.embedding is None else joined.embedding.embedding_dim
    L = settings.num_layers
    size = E + L * H
    linked = np.zeros((size, size), bool)
    for layer in range(L):
        own = slice(E + layer * H, E + (layer + 1) * H)
        linked[own, own] = _linked(hidden[layer], H)
        if layer:
            linked[own, E + (layer - 1) * H : own.start] = _linked(inputs[layer], H)
        elif E:
            linked[own, :E] = _linked(inputs[0], H)
    count, member = connected_components(linked, directed=False)
    embeddings = [np.flatnonzero(member[:E] == k) for k in range(count)]
    units = [
        [np.flatnonzero(member[E + layer * H :][:H] == k) for layer in range(L)]
        for k in range(count)
    ]
    whole = all(len({*map(len, own)}) == 1 and len(own[0]) for own in units)
    if count == 1 or settings.tie_weights or not whole or (E and not all(map(len, embeddings))):
        return [joined]
    return [
        _member(joined, own, columns, count) for own, columns in zip(units, embeddings, strict=True)
    ]


def _linked(weight: Tensor, units: int) -> npt.NDArray[np.bool_]:
    """Return which inputs (I,) of a matrix (G · H, I) change which units: (H, I)."""
    gates = weight.detach().view(-1, units, weight.shape[1])
    return gates.ne(0).any(0).cpu().numpy()


def _member(
    joined: LanguageModel, units: Sequence[Places], columns: Places, count: int
) -> LanguageModel:
    """Return the network of some units of each layer, and some columns of the embedding."""
    values: dict[str, Tensor] = {"output.bias": joined.output.bias}
    values["output.weight"] = joined.output.weight[:, units[-1]] * count
    if joined.embedding is not None:
        values["embedding.weight"] = joined.embedding.weight[:, columns]
    G = joined.recurrent.cell.num_gates
    sources = [columns if len(columns) else np.arange(joined.vocabulary_size), *units]
    own: dict[str, Tensor] = dict(joined.recurrent.named_parameters())
    for layer, (source, target) in enumerate(pairwise(sources)):
        for kind, inputs in (("weight_ih", source), ("weight_hh", target)):
            name = f"{kind}_l{layer}"
            gates = own[name].view(G, -1, own[name].shape[1])
            values[f"recurrent.{name}"] = gates[:, target][:, :, inputs].flatten(0, 1)
        for kind in ("bias_ih", "bias_hh"):
            name = f"{kind}_l{layer}"
            values[f"recurrent.{name}"] = own[name].view(G, -1)[:, target].flatten()
    sizes = {"hidden_size": len(units[0])}
    if len(columns):
        sizes["embedding_size"] = len(columns)
    return _network(joined, sizes, values)


def _network(
    like: LanguageModel, sizes: Mapping[str, int | bool], values: Mapping[str, Tensor]
) -> LanguageModel:
    """Return a network of other sizes with these values, on the device that `like` is on."""
    settings = like.settings.model_copy(update=dict(sizes))
    made = LanguageModel(settings, like.vocabulary_size, 0, like.start).to(like.output.bias)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.copy_(values[name])
    return made.train(like.training)


def _embedding(member: LanguageModel) -> Tensor:
    assert member.embedding is not None
    return member.embedding.weight


def _on_diagonals(parts: Sequence[Tensor], dim: int) -> Tensor:
    """Return matrices (G, ΣH, ΣI) with blocks (G, H, I) on their diagonals, zeros elsewhere."""
    diagonal = torch.block_diag
    return torch.stack([diagonal(*blocks) for blocks in zip(*parts, strict=True)])  # type: ignore[no-untyped-call]
