"""A lab report whose tables are filled from run directories; the words are the student's.

The template is Markdown with Jinja. It runs in a sandbox, so that one from elsewhere can only ask
for what is handed to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnlab.config import TEXTS, LoadSettings, Settings, read_toml
from rnnlab.errors import UsageError, message_of, unknown
from rnnlab.experiments.folder import find_shipped
from rnnlab.files import make_folder, write_atomically

if TYPE_CHECKING:
    from markupsafe import Markup

    from rnnlab.comparison.comparison import Comparison
    from rnnlab.comparison.contender import Contender
    from rnnlab.comparison.handed_in import HandedIn

ENDING = ".md.jinja"
SHIPPED = sorted(
    file.name.removesuffix(ENDING) for file in Path(__file__).parent.glob(f"*{ENDING}")
)
"""Names of templates that come with rnnlab."""

CHOSEN = (
    "cell", "num_layers", "hidden_size", "dropout", "num_steps", "batch_size", "optimizer",
    "learning_rate", "clip_norm", "seed",
)  # fmt: skip
"""Settings that are always told; others if they differ from their defaults or between runs."""

UNKNOWN = "–"


@dataclass(frozen=True)
class LabReport:
    """A report in Markdown, and the picture that it shows."""

    markdown: str
    curves: str
    """An <svg> element; "" without curves."""
    picture: str
    """The name of its file next to the report."""

    def save(self, file: str | PathLike[str]) -> list[Path]:
        """Write the report, and its picture next to it; return the files.

        Raises UsageError if the report is there already, since somebody may have written into it,
        or if it cannot be written.
        """
        path = Path(file)
        if path.exists():
            raise UsageError(f"{path} exists; give another --output, or delete it first")
        files = {path: self.markdown, path.parent / self.picture: self.curves}
        written = {place: text for place, text in files.items() if text}
        try:
            make_folder(path.parent)
            for place, text in written.items():
                write_atomically(place, text.encode())
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {message_of(error)}") from None
        return list(written)

    def __str__(self) -> str:
        return self.markdown


def lab_report(
    *runs: str | PathLike[str],
    template: str | PathLike[str] = "lab-report",
    samples: bool = False,
    picture: str = "lab-report-curves.svg",
    **machine: Any,
) -> LabReport:
    """Fill a template with the settings, figures, baselines and curves of run directories.

    template: a name of those that come with rnnlab, or a file; the head of `lab-report` says what a
    template may use. samples: continue the ten phrases of the lab report. picture: the name of the
    file of the curves. machine: engine, device, precision, threads, trust_cell.

    Raises UsageError for a template that does not exist or cannot be filled, for no run and for
    what is not a run directory; otherwise as `rnnlab.compare`.
    """
    source = _source(fspath(template))
    context = _context([Path(run) for run in runs], samples=samples, machine=machine)
    curves = context.pop("svg")
    if curves:
        context["curves"] = _shown(picture)
    return LabReport(_filled(source, fspath(template), context), curves, picture)


def _source(template: str) -> str:
    file = (
        Path(__file__).with_name(f"{template}{ENDING}") if template in SHIPPED else Path(template)
    )
    if not file.is_file():
        raise unknown("template", template, [*SHIPPED, "FILE"])
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"template {template} cannot be read: {error}") from None


def _filled(source: str, template: str, context: Mapping[str, Any]) -> str:
    from jinja2 import StrictUndefined
    from jinja2.exceptions import SecurityError, TemplateSyntaxError, UndefinedError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    from rnnlab.report.markdown import escaped, fenced, prose

    environment = ImmutableSandboxedEnvironment(
        autoescape=True, undefined=StrictUndefined, finalize=escaped,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["fenced"] = fenced
    environment.filters["prose"] = lambda words, mark="": prose(escaped(words), mark)
    try:
        return environment.from_string(source).render(**context)
    except TemplateSyntaxError as error:
        raise UsageError(f"template {template}: line {error.lineno}: {error.message}") from None
    except UndefinedError as error:
        known = ", ".join(sorted(context))
        raise UsageError(f"template {template}: {error.message} (known: {known})") from None
    except (SecurityError, TypeError, ValueError, ArithmeticError) as error:
        raise UsageError(f"template {template}: {error}") from None


def _context(runs: Sequence[Path], *, samples: bool, machine: Mapping[str, Any]) -> dict[str, Any]:
    from rnnlab.comparison.comparison import compared
    from rnnlab.comparison.contender import names_of, read_contender
    from rnnlab.comparison.handed_in import read_handed_in
    from rnnlab.report.comparison_plot import curves_svg
    from rnnlab.report.comparison_table import about_figures, rows
    from rnnlab.report.markdown import table
    from rnnlab.runs.files import settings_of_run

    if not runs:
        raise UsageError("a lab report needs one or more run directories")
    for run in runs:
        settings_of_run(run)  # so that a model folder, which has no figures, is refused
    names = names_of(runs) if len(runs) > 1 else [runs[0].resolve().name]
    asked = LoadSettings.from_dict(machine, "report")
    contenders = [
        read_contender(run, name, machine=asked, trust_cell=asked.trust_cell)
        for run, name in zip(runs, names, strict=True)
    ]
    told = [read_handed_in(run, run.parent) for run in runs]
    found = compared(contenders)
    made = [row for row in rows(found) if row.kind in ("figure", "gap") and row.name != "baseline"]
    return {
        "names": list(found.names), "count": len(found.names),
        "settings": table(["setting", *found.names], _settings(found)),
        "results": table(["figure", *found.names], [[row.label, *row.cells] for row in made]),
        "held_out": _held_out_table(names, told),
        "baselines": _baseline_table(names, runs),
        "protocol": _protocol(found, about_figures(found)),
        "curves": "There are no curves to draw: see the notes.",
        "svg": curves_svg(found, "tokens") if found.has_curves else "",
        "findings": list(found.findings), "notes": list(found.notes),
        "doctor": [(name, own.finding) for name, own in zip(names, told, strict=True)],
        "machine": _machines(contenders),
        "samples": [_continued(each.name, each.path) for each in contenders] if samples else [],
    }  # fmt: skip


def _settings(found: Comparison) -> list[list[str]]:
    """Return a row for each setting that is told, with its values in the order of the groups."""
    from rnnlab.cells import short_name
    from rnnlab.comparison.groups import NOT_COMPARED
    from rnnlab.report.formatting import setting, span

    own = [group.members[0].own for group in found.groups]
    defaults, rows = Settings().flat(), list[list[str]]()
    for name in Settings.names():
        values = [each[name] for each in own]
        is_usual = all(value == defaults[name] for value in values)
        if name in NOT_COMPARED or (is_usual and name not in CHOSEN):
            continue
        if name in TEXTS:
            values = [[Path(text).name for text in value] for value in values]
        words = [short_name(value) if name == "cell" else setting(value) for value in values]
        if name == "seed":
            words = [span(group.seeds) for group in found.groups]
        rows.append([name, *words])
    return rows


def _held_out_table(names: Sequence[str], told: Sequence[HandedIn]) -> Markup:
    from rnnlab.report.formatting import number
    from rnnlab.report.markdown import table

    head = ["", "text", "characters", "context", "weights", "bits/character", "perplexity",
            "training perplexity"]  # fmt: skip
    rows = []
    for name, run in zip(names, told, strict=True):
        own, training = run.held_out, run.training_perplexity
        figures = ["nothing held out", *[UNKNOWN] * 5]
        if own:
            figures = [
                own.text, f"{own.characters:,}", own.context, own.checkpoint,
                number(own.bits_per_character, 3), number(own.perplexity, 3),
            ]  # fmt: skip
        rows.append([name, *figures, UNKNOWN if training is None else number(training, 3)])
    return table(head, rows)


def _baseline_table(names: Sequence[str], runs: Sequence[Path]) -> Markup:
    """Return the run and each simple method in a column, a row for each run."""
    from rnnlab.comparison.held_out import figure_record
    from rnnlab.files import read_json
    from rnnlab.lm.baseline_titles import baseline_title
    from rnnlab.report.formatting import number
    from rnnlab.report.markdown import table
    from rnnlab.runs.files import RESULT

    measured: list[dict[str, float | None]] = []
    for run in runs:
        result = read_json(run / RESULT) if (run / RESULT).is_file() else {}
        record = figure_record(result.get("evaluations", [])) or {}
        measured.append({"this run": record.get("bits_per_character")} if record else {})
        for name, own in record.get("baselines", {}).items():
            measured[-1][baseline_title(name, own)] = own["bits_per_character"]
    titles = list(dict.fromkeys(title for own in measured for title in own)) or ["this run"]
    return table(
        ["", *titles],
        [
            [name, *(UNKNOWN if own.get(t) is None else number(own[t] or 0.0, 3) for t in titles)]
            for name, own in zip(names, measured, strict=True)
        ],
    )


def _protocol(found: Comparison, about: Sequence[str]) -> list[str]:
    weights = {member.checkpoint for group in found.groups for member in group.members}
    return [
        *about,
        f"Held-out figures are of the {' and '.join(sorted(weights))} weights. Training perplexity "
        "is of the training text, while the weights change, with dropout; it says little about new "
        "text. Speeds are those of the run, whatever else the machine was doing.",
    ]


def _machines(contenders: Sequence[Contender]) -> list[str]:
    """Say on which machines and with which versions the runs were made."""
    words = []
    for each in contenders:
        own = each.environment
        versions = [
            f"{name} {own[name]}" for name in ("rnnlab", "torch", "python") if own.get(name)
        ]
        cores = f"{own['cores']} cores" if own.get("cores") else ""
        parts = [own.get("gpu"), own.get("cpu"), cores, *versions]
        words.append(", ".join(str(part) for part in parts if part))
    return [f"Machine: {each}." for each in dict.fromkeys(filter(None, words))]


def _continued(name: str, run: Path) -> tuple[str, list[str]]:
    """Return the phrases of the lab report as a run continues them, greedily, each on one line."""
    from rnnlab.runs.loading import load_text_model

    asked, model = read_toml(find_shipped("lab-report")), load_text_model(run)
    length = asked["phrase_length"]
    texts = (model.generate(p, length=length, temperature=0) for p in asked["phrases"])
    return name, [text.replace("\n", "⏎") for text in texts]


def _shown(picture: str) -> Markup:
    from markupsafe import Markup

    return Markup(f"![Learning curves: validation bits per character]({picture})")
