"""A comparison in every form in which it is read: text, Markdown, CSV, LaTeX, JSON, figures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from rnnlab.comparison.comparison import Comparison
from rnnlab.console import listed
from rnnlab.errors import UsageError, message_of, unknown
from rnnlab.files import json_bytes, make_folder, write_atomically
from rnnlab.report.comparison_latex import caption, to_latex
from rnnlab.report.comparison_plot import ACROSS, Across, curves_svg, save_curves
from rnnlab.report.comparison_table import WIDTH, Row, about_figures, plain, rows, to_csv
from rnnlab.report.markdown import escaped, prose, table
from rnnlab.report.svg_plot import FORMATS, check_format

FILES = {
    "comparison.md": "markdown", "comparison.csv": "csv", "comparison.tex": "latex",
    "comparison.json": "json",
}  # fmt: skip
"""What is written into a folder, next to the figures."""


@dataclass(frozen=True)
class WriteUp:
    """Runs next to each other, as they stand in a paper; a notebook shows table and curves."""

    comparison: Comparison
    across: Across = "tokens"
    """What the curves are drawn over: tokens, seconds or epochs."""

    @classmethod
    def of(cls, comparison: Comparison, across: str) -> "WriteUp":
        """Return the write-up; raise UsageError unless curves can be drawn over `across`."""
        for known in ACROSS:
            if across == known:
                return cls(comparison, known)
        raise unknown("x", across, ACROSS)

    def to_text(self, width: int = WIDTH) -> str:
        """Return what the terminal shows; columns that do not fit follow in further blocks."""
        return plain(self.comparison, width)

    def to_markdown(self) -> str:
        """Return the tables and the findings as Markdown."""
        found, made = self.comparison, rows(self.comparison)
        parts = [f"# {escaped(listed(found.names))}\n", str(prose(escaped(caption(found))))]
        for title, kinds in (
            ("What differs", ("setting", "data", "machine")), ("Figures", ("figure", "gap")),
        ):  # fmt: skip
            own = [row for row in made if row.kind in kinds]
            if own:
                parts.append(f"## {title}\n\n{self._markdown_table(own)}")
        parts.append("## Findings\n")
        parts += ["".join(str(prose(escaped(words), "- ")) for words in found.findings)]
        if found.notes:
            parts.append("## Notes\n")
            parts += ["".join(str(prose(escaped(words), "- ")) for words in found.notes)]
        return "\n".join(parts)

    def to_csv(self) -> str:
        """Return one row for each value; see `rnnlab.report.comparison_table.to_csv`."""
        return to_csv(self.comparison)

    def to_latex(self, label: str = "tab:comparison") -> str:
        r"""Return a LaTeX table for \usepackage{booktabs}, with caption and label."""
        return to_latex(self.comparison, label)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return self.comparison.to_dict()

    def to_json(self) -> str:
        """Return everything as JSON, the learning curves too."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def as_form(self, form: str) -> str:
        """Return one of the forms by name: text, csv, latex, markdown or json."""
        made = {
            "text": self.to_text, "csv": self.to_csv, "latex": self.to_latex,
            "markdown": self.to_markdown, "json": self.to_json,
        }  # fmt: skip
        if form not in made:
            raise unknown("format", form, made)
        return made[form]()

    def save_figures(self, folder: str | Path, kinds: str | Sequence[str] = FORMATS) -> list[Path]:
        """Write curves.KIND, one column of a paper wide, and curves-wide.KIND, two columns wide.

        kinds: png, pdf or svg, one or several. Raises UsageError for another kind, if there are no
        curves, or if the folder cannot be written to.
        """
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        for kind in kinds:
            check_format(kind)
        try:
            make_folder(Path(folder))
            return save_curves(self.comparison, Path(folder), kinds, self.across)
        except OSError as error:
            raise _unwritable(folder, error) from None

    def save(self, folder: str | Path, kinds: str | Sequence[str] = FORMATS) -> list[Path]:
        """Write all forms, and the figures if there are curves, into a folder; return the files.

        Raises UsageError as `save_figures`.
        """
        path = Path(folder)
        try:
            make_folder(path)
            for name, form in FILES.items():
                content = json_bytes(self.to_dict()) if form == "json" else (
                    self.as_form(form).encode()
                )  # fmt: skip
                write_atomically(path / name, content)
        except OSError as error:
            raise _unwritable(folder, error) from None
        files = [path / name for name in FILES]
        return files + (self.save_figures(path, kinds) if self.comparison.has_curves else [])

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        found, made = self.comparison, rows(self.comparison)
        head = _html_row("th", ["", *found.names])
        body = Markup("").join(_html_row("td", [row.label, *row.cells]) for row in made)
        lines = [
            " ".join(about_figures(found)),
            *found.findings,
            *(f"Note: {note}" for note in found.notes),
        ]
        words = Markup("").join(Markup("<p>{}</p>").format(line) for line in lines)
        curves = Markup(curves_svg(found, self.across) if found.has_curves else "")
        return str(Markup("<table>{}{}</table>{}{}").format(head, body, words, curves))

    def _markdown_table(self, made: Sequence[Row]) -> str:
        names = ["", *self.comparison.names]
        return str(table(names, [[row.label, *row.cells] for row in made]))


def _html_row(tag: str, cells: Sequence[str]) -> Markup:
    made = (Markup("<{}>{}</{}>").format(Markup(tag), cell, Markup(tag)) for cell in cells)
    return Markup("<tr>{}</tr>").format(Markup("").join(made))


def _unwritable(folder: str | Path, error: OSError) -> UsageError:
    return UsageError(f"the comparison cannot be written to {folder}: {message_of(error)}")
