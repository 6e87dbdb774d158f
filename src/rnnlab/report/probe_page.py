"""Probes of one network, or of two on the same text, as one HTML page and as files."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rnnlab.errors import UsageError
from rnnlab.probes.comparison import Comparison, comparison
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.surprise import Surprise
from rnnlab.report.probe_pictures import check_format, pictures, save_pictures, svgs
from rnnlab.report.probe_plots import plots, plots_of_both
from rnnlab.report.svg_plot import colours_on_paper

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
    "following": "The unit that follows each feature most closely. Filled: more closely than all "
    "controls.",
    "decoding": "What can be told from the state of a layer. Filled: more than from all controls.",
    "exposure": "Each point is a canary.",
}

CAPTIONS_OF_BOTH = {
    "comparison": "Blue: {0} expected it more. Orange: {1} did. The stronger, the more bits apart.",
    "timescales": "How long the units of both networks keep what they have.",
    "reach": "How far back the gradients of both reach, and what it costs each to see only the "
    "last tokens; lines: 95% intervals.",
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
    notices: Sequence[str] = ()
    """What to know of the network's weights."""

    @property
    def source(self) -> str:
        """The text that was read, without its number of tokens."""
        return self.text.rpartition(", ")[0]

    def __getitem__(self, probe: str) -> ProbeResult:
        """Return one result by name."""
        return self.results[probe]

    def sentences(self) -> dict[str, list[str]]:
        """Return the findings of each probe."""
        return {name: found.sentences() for name, found in self.results.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        results = {name: found.to_dict() for name, found in self.results.items()}
        return {
            "name": self.name,
            "text": self.text,
            "probes": results,
            "left_out": self.left_out,
            "notices": list(self.notices),
        }

    def to_json(self) -> str:
        """Return everything as JSON."""
        return _json(self.to_dict())

    def save_npz(self, file: str | Path) -> None:
        """Write all arrays into a .npz file, as PROBE.ARRAY."""
        arrays = {
            f"{probe}.{name}": values
            for probe, found in self.results.items()
            for name, values in found.arrays().items()
        }
        np.savez_compressed(file, allow_pickle=False, **arrays)

    def save_figures(self, folder: str | Path, kind: str = "png", prefix: str = "") -> list[Path]:
        """Write all plots into a folder, as PROBE.KIND or PROBE-PART.KIND; return the files.

        kind: png, pdf or svg. prefix: begins their names. Texts in colour are on the page only.

        Raises UsageError for another kind, or if the folder cannot be written to.
        """
        check_format(kind)
        colours = colours_on_paper()
        drawn = {name: plots(found, colours) for name, found in self.results.items()}
        return save_pictures(drawn, Path(folder), kind, prefix)

    def compared_with(self, other: "Probed") -> "Compared":
        """Return this network with another one that read the same text; it is called B there."""
        return Compared.of(self, other)

    def to_html(self) -> str:
        """Return one HTML page that needs no other file."""
        return probe_page([self])

    def _repr_html_(self) -> str:
        return _in_frame(self.to_html())

    def __repr__(self) -> str:
        lines = [f"{self.name}, {self.text}"]
        lines += [f"{name}: {' '.join(found)}" for name, found in self.sentences().items()]
        return "\n".join(lines)


@dataclass(frozen=True)
class Compared:
    """What probes found in two networks on the same text; a notebook shows it as the page."""

    one: Probed
    other: Probed
    names: tuple[str, str]
    """What they are called here: with a number, if both have the same name."""
    comparison: Comparison | None
    """Which predicts the text better; None: surprise was not looked at, or `left_out` says why."""
    left_out: dict[str, str]

    @classmethod
    def of(cls, one: Probed, other: Probed) -> "Compared":
        """Compare two networks by what was looked at in both."""
        names = one.name, other.name
        if one.name == other.name:
            names = f"{one.name} (1)", f"{other.name} (2)"
        found, left_out = None, dict[str, str]()
        first, second = (each.results.get(Surprise.name) for each in (one, other))
        if isinstance(first, Surprise) and isinstance(second, Surprise):
            try:
                found = comparison(first, second, names)
            except UsageError as error:
                left_out[Comparison.name] = str(error)
        return cls(one, other, names, found, left_out)

    def sentences(self) -> list[str]:
        """Return which predicts the text better, by how much; nothing without surprise."""
        return [] if self.comparison is None else self.comparison.sentences()

    def to_json(self) -> str:
        """Return everything as JSON."""
        found = self.comparison
        return _json(
            {
                "networks": [self.one.to_dict(), self.other.to_dict()],
                "comparison": None if found is None else found.to_dict(),
                "left_out": self.left_out,
            }
        )

    def save_npz(self, file: str | Path) -> list[Path]:
        """Write all arrays into .npz files: NAME-1, NAME-2 and NAME-both; return the files."""
        path = Path(file)
        files = [path.with_stem(f"{path.stem}-{end}") for end in ("1", "2", "both")]
        self.one.save_npz(files[0])
        self.other.save_npz(files[1])
        if self.comparison is None:
            return files[:2]
        self.comparison.save_npz(files[2])
        return files

    def save_figures(self, folder: str | Path, kind: str = "png") -> list[Path]:
        """Write all plots, see `Probed.save_figures`: of each as 1-... and 2-..., and both-..."""
        files = [
            *self.one.save_figures(folder, kind, "1"), *self.other.save_figures(folder, kind, "2")
        ]  # fmt: skip
        drawn = plots_of_both(self.one.results, self.other.results, self.names, colours_on_paper())
        return [*files, *save_pictures(drawn, Path(folder), kind, "both")]

    def to_html(self) -> str:
        """Return one HTML page that needs no other file."""
        return probe_page([self.one, self.other], self)

    def _repr_html_(self) -> str:
        return _in_frame(self.to_html())

    def __repr__(self) -> str:
        return "\n\n".join([*self.sentences(), repr(self.one), repr(self.other)])


def probe_page(probed: Sequence[Probed], both: Compared | None = None) -> str:
    """Return one page with the probes of one network, or two; all text in it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    styles = [(HERE / name).read_text(encoding="utf-8") for name in ("report.css", "probe.css")]
    names = [one.name for one in probed] if both is None else list(both.names)
    drawn = [pictures(one.results, f"p{number}") for number, one in enumerate(probed)]
    return environment.get_template("probe.html.jinja").render(
        networks=list(zip(names, probed, drawn, strict=True)), captions=CAPTIONS,
        both=both, figures_of_both=[] if both is None else list(_figures_of_both(both)),
        style=Markup("\n".join(styles)), title=" and ".join(names),
    )  # fmt: skip


def _figures_of_both(both: Compared) -> Iterable[tuple[str, list[Markup], bool]]:
    """Yield caption, pictures, and whether they are coloured text."""
    if both.comparison is not None:
        caption = CAPTIONS_OF_BOTH[Comparison.name].format(*both.names)
        yield caption, pictures({"": both.comparison})[""], True
    for probe, drawn in plots_of_both(both.one.results, both.other.results, both.names).items():
        yield CAPTIONS_OF_BOTH[probe], svgs(drawn, f"both-{probe}"), False


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def _in_frame(page: str) -> str:
    """Return a page as an element of another one."""
    quoted = page.replace("&", "&amp;").replace('"', "&quot;")
    return f'<iframe srcdoc="{quoted}" style="width:100%;height:40rem;border:0"></iframe>'
