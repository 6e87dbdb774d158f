"""A comparison as a LaTeX table that needs nothing but the package booktabs."""

import re
from collections.abc import Iterable

from rnnlab.comparison.comparison import Comparison
from rnnlab.comparison.figures import BITS
from rnnlab.console import visible
from rnnlab.report.comparison_table import UNKNOWN, about_figures, rows
from rnnlab.report.formatting import listed, shortened

MOST_COLUMNS = 4
"""Models that stand side by side; more of them stand one below the other."""

HEADS = {
    BITS: "bits/character", "over the text": "difference", "over seeds": "over seeds", "p": "p",
    "training_perplexity": "training ppl.", "parameters": "parameters",
    "training_seconds": "time [s]",
}  # fmt: skip
"""What stands in a table in which each model is a row, and short names for it."""

SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    **{sign: f"\\{sign}" for sign in "{}$&#_%"},
    **{sign: f"{{{sign}}}" for sign in "[]*`'"},
}  # fmt: skip
"""What stands for a character that LaTeX reads in a way of its own: [ and * may belong to the line
break before them, and two quotes become one sign, as two hyphens do."""

SIGNS = {
    "…": r"\ldots{}", "±": r"$\pm$", "×": r"$\times$", "÷": r"$\div$",
    **{sign: rf"\textsuperscript{{{digit}}}" for sign, digit in zip("⁷¹⁴", "714", strict=True)},
}  # fmt: skip
"""What rnnlab itself writes."""

NUMBER = re.compile(r"([-+]?[\d,]*\.?\d+)(?: ± ([\d.,]+))?")


def escaped(words: str) -> str:
    """Return words as LaTeX that prints them."""
    one_line = " ".join(visible(words).split())
    made = "".join(SPECIAL.get(sign, SIGNS.get(sign, sign)) for sign in one_line)
    return re.sub("-(?=-)", "-{}", made)


def to_latex(found: Comparison, label: str = "tab:comparison") -> str:
    r"""Return a table environment with caption and label, as wide as the page in two columns.

    Up to `MOST_COLUMNS` models are columns, and all figures rows; more models are rows, with the
    figures of `HEADS`. Commit, processor and the like are left out.
    """
    made = [row for row in rows(found) if row.kind != "machine"]
    names = [shortened(name) for name in found.names]
    if len({*names}) < len(names):
        names = list(found.names)
    upright = len(names) > MOST_COLUMNS
    if upright:
        kept = [row for row in made if row.kind in ("setting", "data") or row.name in HEADS]
        head = ["", *(HEADS.get(row.name, row.label) for row in kept)]
        blocks = [[[name, *(row.cells[at] for row in kept)] for at, name in enumerate(names)]]
    else:
        head = ["", *names]
        parts = [[row for row in made if (row.kind in ("figure", "gap")) == of_figures]
                 for of_figures in (False, True)]  # fmt: skip
        blocks = [[[row.label, *row.cells] for row in part] for part in parts if part]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table*}",
        r"  \centering\footnotesize\setlength{\tabcolsep}{4pt}"
        if upright
        else r"  \centering\small",
        rf"  \caption{{{escaped(caption(found))}}}",
        rf"  \label{{{label}}}",
        r"  \medskip",
        rf"  \begin{{tabular}}{{@{{}}l{'r' * (len(head) - 1)}@{{}}}}",
        r"    \toprule",
        f"    {_line(map(escaped, head))}",
    ]
    for block in blocks:
        lines.append(r"    \midrule")
        lines += [f"    {_line([escaped(cells[0]), *map(_cell, cells[1:])])}" for cells in block]
    lines += [r"    \bottomrule", r"  \end{tabular}", r"\end{table*}"]
    return "\n".join(lines) + "\n"


def caption(found: Comparison) -> str:
    """Say what was compared on which text, and what the intervals are."""
    words = [f"Comparison of {listed(found.names)}.", *about_figures(found)]
    if found.gaps:
        words.append(f"Below 0 in a difference: better than {found.against}.")
    if any(figure.name == "baseline" for figure in found.figures):
        words.append("The n-gram model has learned from the same training text.")
    if len(found.gaps) > 1:
        words.append("The p values are corrected for all comparisons in the table (Holm).")
    if found.gaps and not found.has_seeds:
        words.append("One seed each: the figures compare these models, not their settings.")
    return " ".join(words)


def _cell(words: str) -> str:
    """Return a cell, with a number and what follows ± in math mode."""
    if words == UNKNOWN:
        return "--"
    if matched := NUMBER.fullmatch(words):
        mean, half = (part and part.replace(",", "{,}") for part in matched.groups())
        return f"${mean}$" if half is None else rf"${mean} \pm {half}$"
    if words.startswith("< "):
        return f"$<{words[2:]}$"
    return escaped(words)


def _line(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
