"""How often each gate of each unit is open or closed.

For each unit and gate: the share of moments in which the activation is in the lowest and in the
highest tenth of its range, for a sigmoid below 0.1 and above 0.9. A forget gate that is always in
the highest tenth keeps what is in the cell; one that is always in the lowest forgets it at once.

Source: Karpathy, Johnson and Fei-Fei 2015, arXiv:1506.02078, section 4.2.

Legend: L layers, G gates, H hidden size.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from rnnlab.cells import short_name
from rnnlab.errors import UsageError
from rnnlab.lm.evaluate import Floats, ShareCallback, unwatched
from rnnlab.probes.reading import Reading
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.traces import traces
from rnnlab.probes.twin import DEFAULT_SEED, untrained_twin

TENTH = 0.1
NEARLY_ALWAYS = 0.9
"""A unit whose gate is at an end in this share of the moments counts as held there."""


@dataclass(frozen=True)
class Saturation(ProbeResult):
    """Shares of moments, in the trained network and in its untrained twin."""

    name: ClassVar[str] = "saturation"
    title: ClassVar[str] = "Saturation of gates"
    axes: ClassVar[dict[str, tuple[str, ...]]] = dict.fromkeys(
        ("low", "high", "twin_low", "twin_high"), ("layer", "gate", "unit")
    )

    gates: tuple[str, ...]
    low: Floats  # (L, G, H)
    high: Floats  # (L, G, H)
    twin_low: Floats  # (L, G, H)
    twin_high: Floats  # (L, G, H)

    def held(self, gate: str, end: str) -> tuple[int, int]:
        """Return how many units have a gate nearly always at an end, and how many of the twin."""
        g = self.gates.index(gate)
        own, twin = (self.low, self.twin_low) if end == "low" else (self.high, self.twin_high)
        return int((own[:, g] > NEARLY_ALWAYS).sum()), int((twin[:, g] > NEARLY_ALWAYS).sum())

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`."""
        found, units = [], self.low[:, 0].size
        for gate in self.gates:
            for end, word in (("low", "lowest"), ("high", "highest")):
                own, twin = self.held(gate, end)
                if own > twin:
                    found.append(
                        f"Gate {gate} of {own} of {units} units is in the {word} tenth of its "
                        f"range {NEARLY_ALWAYS:.0%} of the time and more; untrained, of {twin}."
                    )
        return found or [
            "Nothing found beyond the control: before training as many gates were held at an end "
            "of their range."
        ]


def saturation(
    reading: Reading,
    seed: int = DEFAULT_SEED,
    progress: ShareCallback = unwatched,
) -> Saturation:
    """Count the ends of all gates over a text; seed: of the run, for the untrained twin.

    Raises UsageError for a cell whose only gate is the state itself without bounds.
    """
    cell = reading.model.model.recurrent.cell
    if not all(math.isfinite(end) for gate in cell.gates for end in (gate.low, gate.high)):
        has = "no gate with two ends" if cell.num_gates == 1 else "a gate without two ends"
        raise UsageError(
            f"cell {short_name(cell.name)!r} has {has}; saturation needs one (cells: lstm, gru, "
            "rnn)"
        )
    twin = replace(reading, model=untrained_twin(reading.model, seed))
    low, high = _shares(reading, lambda share: progress(share / 2))
    twin_low, twin_high = _shares(twin, lambda share: progress((1 + share) / 2))
    names = tuple(gate.name for gate in cell.gates)
    return Saturation(names, low, high, twin_low, twin_high)


def _shares(reading: Reading, progress: ShareCallback) -> tuple[Floats, Floats]:
    """Return the shares of moments in the lowest and in the highest tenth, each (L, G, H)."""
    gates = reading.model.model.recurrent.cell.gates
    low = high = np.zeros(1)
    for part in traces(reading, progress):
        values = np.stack([part[gate.name] for gate in gates], axis=2)  # (T, L, G, H)
        margins = [TENTH * (gate.high - gate.low) for gate in gates]
        lowest = np.array([gate.low + m for gate, m in zip(gates, margins, strict=True)])
        highest = np.array([gate.high - m for gate, m in zip(gates, margins, strict=True)])
        low = low + (values < lowest[:, None]).sum(0)
        high = high + (values > highest[:, None]).sum(0)
    return low / len(reading), high / len(reading)
