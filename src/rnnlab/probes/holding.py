"""A network in which units are switched off: their memory is held at one value.

The memory is the c of an LSTM and the h of other cells. A unit that is held is a network with other
weights, so every engine can read and write with it, as fast as without. There are two ways:

keeping    its gates keep what it has (f = 1, i = 0; z = 1), whatever value it begins with;
held       its gates give the value at each step (f = 0, i = 1, g = v; z = 0, n = v), whatever the
           state was, so that a text can begin from a state of zeros.

The g of an LSTM is between -1 and 1, and the mean v of a c may be beyond. All others read c only as
h = o tanh(c): g is then as large as it can be, and those who read h read it s = tanh(v) / tanh(g)
times. An Elman network has no gate: there the sum itself is the one that gives the value.

Legend: L layers, H hidden size, G gates, V vocabulary size.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rnnlab.cells import CELLS, Cell, Weights, short_name
from rnnlab.errors import UsageError
from rnnlab.lm.evaluate import Floats, ShareCallback, unwatched
from rnnlab.lm.stored_network import StoredNetwork
from rnnlab.lm.text_model import TextModel
from rnnlab.probes.reading import Reading
from rnnlab.probes.traces import traces

ALWAYS = 40.0
"""A sum of a gate at which a sigmoid is 1 in float32, and at minus which it is 0."""

LARGEST = 0.99
"""The size of a g that stands for a larger c."""

Units = Mapping[tuple[int, int], float]
"""By layer and number, both from 0: the value at which the unit's memory is held."""


def check_holdable(cell: str, what: str) -> None:
    """Raise UsageError for a cell of the user's own; what: needs to hold units."""
    if cell not in CELLS:
        raise UsageError(
            f"of the cell {short_name(cell)} it is not known how a unit is held; {what} needs one "
            f"of {', '.join(CELLS)}"
        )


def keeping(cell: Cell, weights: Weights, unit: int, value: float) -> Weights:
    """Return weights of torch with which a unit's memory keeps the value that it begins with."""
    sums = {gate.name: unit + g * _size(weights) for g, gate in enumerate(cell.gates)}
    new = Weights(*(part.detach().clone() for part in weights))
    if cell.name == "lstm":
        _fix(new, {sums["i"]: -ALWAYS, sums["f"]: ALWAYS})
    elif cell.name == "gru":
        _fix(new, {sums["z"]: ALWAYS})
    else:
        _fix(new, {unit: _sum_of(cell, value)})
    return new


def held_model(model: TextModel, units: Units) -> TextModel:
    """Return a model that reads and writes while units are held; see `Units`.

    Without units it is the model itself. An n-gram model that joins the network joins this one.

    Raises UsageError for a unit that does not exist, a value that it cannot have, or a cell of the
    user's own.
    """
    settings = model.network.settings
    check_units(model, units)
    if not units:
        return model
    cell, L = model.network.network().cell, settings.num_layers
    arrays: dict[str, Any] = _arrays(model)
    if settings.tie_weights:  # what a unit writes is scaled, and what a token reads is not
        arrays["output.weight"] = arrays["embedding.weight"]
        settings = settings.model_copy(update={"tie_weights": False})
    touched = {
        f"recurrent.{name}_l{layer}"
        for layer in range(L)
        for name in cell.weight_names
        if {layer, layer - 1} & {at for at, _ in units}
    }
    arrays |= {name: arrays[name].copy() for name in (*touched, "output.weight")}
    for (layer, unit), value in units.items():
        own = Weights(*(arrays[f"recurrent.{name}_l{layer}"] for name in cell.weight_names))
        scale = _hold(cell, own, unit, value)
        reader = f"recurrent.weight_ih_l{layer + 1}" if layer + 1 < L else "output.weight"
        for columns in (own.weight_hh, arrays[reader]):
            columns[:, unit] *= scale
    network = model.network
    return replace(
        model, network=StoredNetwork(settings, network.vocabulary_size, network.start, arrays)
    )


def check_units(model: TextModel, units: Units) -> None:
    """Raise UsageError as `held_model`."""
    settings = model.network.settings
    L, H = settings.num_layers, settings.hidden_size
    if units:
        check_holdable(settings.cell, "switching units off")
    for (layer, unit), value in units.items():
        if not (0 <= layer < L and 0 <= unit < H):
            raise UsageError(
                f"unit {unit} of layer {layer} does not exist (layers 0 to {L - 1}; units 0 to "
                f"{H - 1})"
            )
        low, high = _range(settings.cell)
        if not low <= value <= high or not math.isfinite(value):
            raise UsageError(
                f"unit {unit} of layer {layer} cannot be held at {value:g}: its memory is "
                f"{low:g} to {high:g}"
            )


def means(reading: Reading, progress: ShareCallback = unwatched) -> Floats:
    """Return the mean of every unit's memory over a text (L, H)."""
    name = reading.model.model.recurrent.cell.state_names[-1]
    total = sum(part[name].sum(0, dtype=np.float64) for part in traces(reading, progress))
    found: Floats = np.asarray(total) / len(reading)
    return found


def _range(cell: str) -> tuple[float, float]:
    """Return between which values a memory can be."""
    if cell == "lstm":
        return -math.inf, math.inf
    return (0.0, math.inf) if cell == "rnn-relu" else (-1.0, 1.0)


def _hold(cell: Cell, weights: Weights, unit: int, value: float) -> float:
    """Change weights so that a unit's memory is a value; return by what its h is to be scaled."""
    sums = {gate.name: unit + g * _size(weights) for g, gate in enumerate(cell.gates)}
    if cell.name == "lstm":
        g = float(np.clip(value, -LARGEST, LARGEST))
        _fix(weights, {sums["i"]: ALWAYS, sums["f"]: -ALWAYS, sums["g"]: math.atanh(g)})
        return math.tanh(value) / math.tanh(g) if g else 1.0
    if cell.name == "gru":
        _fix(weights, {sums["z"]: -ALWAYS, sums["n"]: _inverse_tanh(value)})
    else:
        _fix(weights, {unit: _sum_of(cell, value)})
    return 1.0


def _sum_of(cell: Cell, value: float) -> float:
    """Return the sum for which an Elman network's h is a value."""
    return _inverse_tanh(value) if cell.gates[0].low < 0 else value


def _inverse_tanh(value: float) -> float:
    return float(np.arctanh(np.clip(value, -1 + 1e-7, 1 - 1e-7)))


def _size(weights: Weights) -> int:
    size: int = weights.weight_hh.shape[1]
    return size


def _fix(weights: Weights, totals: Mapping[int, float]) -> None:
    """Make sums of gates, by their row, constant."""
    for row, total in totals.items():
        weights.weight_ih[row] = weights.weight_hh[row] = 0.0
        weights.bias_ih[row], weights.bias_hh[row] = total, 0.0


def _arrays(model: TextModel) -> dict[str, Any]:
    """Return the weights of a model by name."""
    if isinstance(model.network, StoredNetwork):
        return dict(model.network.arrays)
    named = model.network.named_parameters()
    return {name: own.detach().float().cpu().numpy() for name, own in named}
