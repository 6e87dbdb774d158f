"""The runs of a class as one HTML page, to read or to print."""

from dataclasses import dataclass
from itertools import count
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rnnlab.comparison.class_overview import ClassOverview, ClassRow, ClassText, Spread
from rnnlab.comparison.handed_in import HandedIn, HeldOut
from rnnlab.console import counted, listed
from rnnlab.errors import UsageError, message_of
from rnnlab.files import write_atomically
from rnnlab.report.forest_plot import ForestRow, forest_plot
from rnnlab.report.formatting import assigned, number, setting

HERE = Path(__file__).parent
UNKNOWN = "–"
MOST_DRAWN = 40
"""Runs in a picture."""

COLUMNS = (
    "Student", "Run", "Unusual settings", "Seed", "Training perplexity", "Held-out bits/character",
    "n-gram", "Lead ± 95%", "Doctor", "Seconds",
)  # fmt: skip

HOW = (
    "Figures are those that each run has recorded; nothing was trained or measured anew. Lead: by "
    "how many bits per character a run is ahead of an n-gram that has read the same training text, "
    "with a 95% interval over texts of this kind (block bootstrap). It speaks about that model and "
    "not about its settings: for these see the spread over seeds. The training perplexity is of "
    "the text that was learned, and does not rank anything."
)


@dataclass(frozen=True)
class ClassReport:
    """The runs of a class, in words; a notebook shows the page."""

    overview: ClassOverview

    def to_html(self) -> str:
        """Return one page that needs no other file; all text in it is escaped."""
        environment = Environment(
            loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        )  # fmt: skip
        environment.filters |= {"next": next, "setting": setting}
        style = Markup((HERE / "report.css").read_text(encoding="utf-8"))
        named = enumerate(zip(titles(self.overview), self.overview.texts, strict=True))
        texts = [
            (text, title, text_words(text), table(text), spread_rows(text),
             _picture(f"leads-{at}", title, text))
            for at, (title, text) in named
        ]  # fmt: skip
        return environment.get_template("class.html.jinja").render(
            overview=self.overview, texts=texts, columns=COLUMNS, how=HOW, style=style,
            figure_numbers=count(1),
        )  # fmt: skip

    def save(self, file: str | Path) -> Path:
        """Write the page. Raises UsageError if it cannot be written there."""
        try:
            write_atomically(Path(file), self.to_html().encode())
        except OSError as error:
            raise UsageError(f"the page cannot be written to {file}: {message_of(error)}") from None
        return Path(file)

    def _repr_html_(self) -> str:
        quoted = self.to_html().replace("&", "&amp;").replace('"', "&quot;")
        return f'<iframe srcdoc="{quoted}" style="width:100%;height:40rem;border:0"></iframe>'

    def __repr__(self) -> str:
        lines = [f"{self.overview.name}: {self.overview.extent}"]
        for title, text in zip(titles(self.overview), self.overview.texts, strict=True):
            lines += ["", f"{title}: {text_words(text)}"]
            lines += [" · ".join(row) for row in table(text)]
        return "\n".join([*lines, *self.overview.warnings])


def titles(overview: ClassOverview) -> list[str]:
    """Return what the table of each text is called; equal names are numbered from the second on."""
    names = [
        text.held_out.text if text.held_out else "Nothing held out, or not evaluated"
        for text in overview.texts
    ]
    return [
        f"{name} ({names[:at].count(name) + 1})" if name in names[:at] else name
        for at, name in enumerate(names)
    ]


def text_words(text: ClassText) -> str:
    """Say on what runs were measured, how many students are ahead, and what is usual."""
    held_out, students = text.held_out, len(text.students)
    if held_out is None:
        return (
            f"{counted(students, 'student')}. Only figures of the training text: they say how much "
            "was learned by heart, so these runs are not ranked."
        )
    own = [row.run.held_out for row in text.rows if row.run.held_out]
    contexts, weights = (sorted({getattr(each, what) for each in own})
                         for what in ("context", "checkpoint"))  # fmt: skip
    ngrams = sorted({f"{each.baseline} {number(each.baseline_bits, 3)}" for each in own})
    ahead = f"{len(text.ahead)} of {counted(students, 'student')}"
    has = "has" if 1 in (len(text.ahead), students) else "have"
    return (
        f"{held_out.characters:,} characters, context {listed(contexts)}, weights: "
        f"{listed(weights)}. {ahead} {has} a model that predicts them better than the n-gram "
        f"({listed(ngrams)} bits per character)."
    )


def table(text: ClassText) -> list[tuple[str, ...]]:
    """Return a row of words for each run, under `COLUMNS`."""
    return [_row(row) for row in text.rows]


def spread_rows(text: ClassText) -> list[tuple[str, ...]]:
    """Return for each group of equal settings: what is unusual, seeds, mean with interval, runs."""
    return [_spread(spread) for spread in text.spreads]


def _row(row: ClassRow) -> tuple[str, ...]:
    run, own = row.run, row.run.held_out
    return (
        run.student, run.name or UNKNOWN, assigned(row.change) or UNKNOWN, setting(run.seed),
        UNKNOWN if run.training_perplexity is None else number(run.training_perplexity, 3),
        number(own.bits_per_character, 3) if own else UNKNOWN,
        number(own.baseline_bits, 3) if own and own.baseline else UNKNOWN,
        _lead(own), _finding(run),
        UNKNOWN if run.seconds is None else number(run.seconds, 1),
    )  # fmt: skip


def _lead(own: HeldOut | None) -> str:
    if own is None or not own.baseline:
        return UNKNOWN
    if own.lead is None:  # the text is too short for an interval
        return f"{own.baseline_bits - own.bits_per_character:+.3f}"
    half = (own.lead.high - own.lead.low) / 2
    return f"{own.lead.bits_per_character:+.3f} ± {half:.3f}"


def _finding(run: HandedIn) -> str:
    return run.finding if run.end in ("", "diverged") else f"{run.end}; {run.finding}"


def _spread(spread: Spread) -> tuple[str, ...]:
    estimate = spread.estimate
    left_out = f", {spread.biased} that ended early left out" if spread.biased else ""
    return (
        assigned(spread.change) or "the usual settings",
        f"{counted(estimate.count, 'seed')}{left_out}",
        f"{number(estimate.mean, 3)} ± {number(estimate.half or 0.0, 3)}",
        listed([run.title for run in spread.runs]),
    )


def _picture(name: str, title: str, text: ClassText) -> Markup:
    """Draw the leads over the n-gram; nothing if there are none."""
    rows = []
    for row in text.rows[:MOST_DRAWN]:
        own = row.run.held_out
        if own and own.lead:
            lead = own.lead
            rows.append(
                ForestRow(row.run.title, lead.bits_per_character, lead.low, lead.high, _lead(own))
            )
    if not rows:
        return Markup("")
    what = f"Ahead of the n-gram on {title}"
    return forest_plot(name, what, "bits per character ahead", rows, ratio=False, margin=0)
