"""The values of a few units over the first tokens of a text: what one colours letters by.

Source of the picture: Karpathy, Johnson and Fei-Fei 2015, arXiv:1506.02078, figure 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rnnlab.errors import UsageError
from rnnlab.lm.evaluate import Floats
from rnnlab.probes.reading import Reading
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.traces import quantities, trace

MOST_TOKENS = 600


@dataclass(frozen=True)
class UnitValues(ProbeResult):
    """Values of U units, of an LSTM as tanh c, so that all are between -1 and 1."""

    name: ClassVar[str] = "units"
    title: ClassVar[str] = "Values of units"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {"values": ("unit", "token")}

    tokens: tuple[str, ...]
    units: tuple[tuple[str, int, int], ...]
    """Part of the state, layer and number of each."""
    values: Floats  # (U, N)

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`: values find nothing by themselves."""
        return [f"{len(self.units)} units over {len(self.tokens)} tokens."]


def unit_values(reading: Reading, units: Sequence[tuple[str, int, int]]) -> UnitValues:
    """Return the values of units (part, layer, unit), all counted from 0.

    Raises UsageError for a unit that does not exist.
    """
    reading = reading.first(MOST_TOKENS)
    network = reading.model.model
    parts = quantities(network)
    L, H = network.recurrent.num_layers, network.recurrent.hidden_size
    for part, layer, unit in units:
        if part not in parts or not 0 <= layer < L or not 0 <= unit < H:
            raise UsageError(
                f"unit {part} {layer} {unit} does not exist (parts: {', '.join(parts)}; layers "
                f"0 to {L - 1}; units 0 to {H - 1})"
            )
    traced = trace(reading)
    rows = [traced[part][:, layer, unit].astype(float) for part, layer, unit in units]
    values = [
        np.tanh(row) if part == "c" else row for row, (part, *_) in zip(rows, units, strict=True)
    ]
    shaped = np.array(values).reshape(len(units), len(reading))
    return UnitValues(tuple(reading.tokens), tuple(units), shaped)
