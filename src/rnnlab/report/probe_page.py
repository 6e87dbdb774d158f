"""Probes of one network, or of several on the same text, as one HTML page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rnnlab.probes.result import ProbeResult
from rnnlab.report.probe_pictures import pictures

HERE = Path(__file__).parent

CAPTIONS = {
    "surprise": "Each token in the colour of its surprise: the stronger, the more surprising. "
    "Point at one to see what was expected.",
    "units": "Units that follow a feature: tanh c or h, orange above 0 and blue below.",
    "timescales": "How long units keep what they have; grey: before training.",
    "saturation": "Each point is a unit; grey crosses: before training.",
    "ablation": "Each point is a unit that is switched off; grey crosses: random directions.",
    "reach": "How far back the gradient reaches, grey: before training; and what it costs to see "
    "only the last tokens.",
    "memorisation": "Passages that stand word for word in the training text.",
}


@dataclass(frozen=True)
class Probed:
    """What probes found in one network; a notebook shows it as the page."""

    name: str
    text: str
    """Which text was read."""
    results: dict[str, ProbeResult]
    left_out: dict[str, str] = field(default_factory=dict)
    """Probes that were not possible, with the reason."""
    read: str = ""
    """The whole text, as the network reads it."""

    def __getitem__(self, probe: str) -> ProbeResult:
        """Return one result by name."""
        return self.results[probe]

    def sentences(self) -> dict[str, list[str]]:
        """Return the findings of each probe."""
        return {name: found.sentences() for name, found in self.results.items()}

    def to_json(self) -> str:
        """Return everything as JSON."""
        results = {name: found.to_dict() for name, found in self.results.items()}
        content = {
            "name": self.name,
            "text": self.text,
            "probes": results,
            "left_out": self.left_out,
        }
        return json.dumps(content, ensure_ascii=False, allow_nan=False)

    def save_npz(self, file: str | Path) -> None:
        """Write all arrays into a .npz file, as PROBE.ARRAY."""
        arrays = {
            f"{probe}.{name}": values
            for probe, found in self.results.items()
            for name, values in found.arrays().items()
        }
        np.savez_compressed(file, allow_pickle=False, **arrays)

    def to_html(self) -> str:
        """Return one HTML page that needs no other file."""
        return probe_page([self])

    def _repr_html_(self) -> str:
        page = self.to_html().replace("&", "&amp;").replace('"', "&quot;")
        return f'<iframe srcdoc="{page}" style="width:100%;height:40rem;border:0"></iframe>'

    def __repr__(self) -> str:
        lines = [f"{self.name}, {self.text}"]
        lines += [f"{name}: {' '.join(found)}" for name, found in self.sentences().items()]
        return "\n".join(lines)


def probe_page(probed: Sequence[Probed]) -> str:
    """Return one page with the probes of one or more networks; all text in it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    styles = [(HERE / name).read_text(encoding="utf-8") for name in ("report.css", "probe.css")]
    drawn = [pictures(one.results, f"p{number}") for number, one in enumerate(probed)]
    return environment.get_template("probe.html.jinja").render(
        networks=list(zip(probed, drawn, strict=True)), captions=CAPTIONS,
        style=Markup("\n".join(styles)), title=" and ".join(one.name for one in probed),
    )  # fmt: skip
