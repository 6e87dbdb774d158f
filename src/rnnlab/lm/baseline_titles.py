"""What baselines are called; apart from them, so that reports need no torch."""

from collections.abc import Mapping
from typing import Any

PARTS = {"network": "network", "ngram": "n-gram"}
"""What the parts of a model that an n-gram model joins are called in tables."""


def baseline_title(name: str, record: Mapping[str, Any]) -> str:
    """Return what a baseline is called in tables and figures; `record`: its figures in a result."""
    match name:
        case "ngram":
            return f"{record['order']}-gram, {record['smoothing'].removeprefix('modified ')}"
        case "ppmd":
            return "PPMd, learning on"
        case "ppmd-restarted":
            return "PPMd, restarted"
    return name
