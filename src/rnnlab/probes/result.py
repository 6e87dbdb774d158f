"""What every probe returns: data with named axes, and the finding in plain words."""

import json
import math
from abc import ABC, abstractmethod
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt


class ProbeResult(ABC):
    """Base of the results, which are frozen dataclasses of numbers, strings and arrays."""

    name: ClassVar[str]
    """As in `rnnlab probe --what NAME`."""
    title: ClassVar[str]
    axes: ClassVar[dict[str, tuple[str, ...]]]
    """For each array its axes, such as ("token",) or ("layer", "unit")."""

    @abstractmethod
    def sentences(self) -> list[str]:
        """Return the finding, each sentence with its control; or that nothing was found."""

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, ready for JSON: an array as its axes and values, NaN as None."""
        values = {
            name: {"axes": list(self.axes[name]), "values": _plain(value.tolist())}
            if isinstance(value, np.ndarray)
            else _plain(value)
            for name, value in self._own().items()
        }
        return {"probe": self.name, "finding": self.sentences(), **values}

    def facts(self) -> dict[str, Any]:
        """Return `to_dict` without the arrays."""
        own = {k: _plain(v) for k, v in self._own().items() if not isinstance(v, np.ndarray)}
        return {"probe": self.name, "finding": self.sentences(), **own}

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays by name."""
        own = self._own().items()
        return {name: value for name, value in own if isinstance(value, np.ndarray)}

    def _own(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def save_npz(self, file: str | Path) -> None:
        """Write the arrays into a .npz file."""
        np.savez_compressed(file, allow_pickle=False, **self.arrays())


def _plain(value: Any) -> Any:
    """Return what JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
