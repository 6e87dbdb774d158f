"""The LaTeX table, read by a small parser of its own that knows nothing of how it is written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_contenders import made_up_contender

from rnnlab.comparison.comparison import Comparison, compared
from rnnlab.comparison.contender import Contender
from rnnlab.report.comparison_latex import escaped, to_latex
from rnnlab.report.comparison_table import rows

COMMANDS = {
    "ldots": "…",
    "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<",
    "textgreater": ">", "textbar": "|", "textquotedbl": '"', "pm": "±", "times": "×", "div": "÷",
}  # fmt: skip


def printed(latex: str) -> str:
    """What LaTeX prints for escaped text; raises for anything that it would read otherwise."""
    raised = dict(zip("714", "⁷¹⁴", strict=True))
    latex = re.sub(r"\\textsuperscript\{(.)\}", lambda found: raised[found[1]], latex)
    found, at, depth = "", 0, 0
    while at < len(latex):
        sign = latex[at]
        if sign == "\\":
            if latex[at + 1] in "{}$&#_%":
                found, at = found + latex[at + 1], at + 2
                continue
            word = re.match(r"\\([a-z]+)(\{\})?", latex[at:])
            assert word, latex[at:]
            found, at = found + COMMANDS[word[1]], at + len(word[0])
            continue
        assert sign not in "&#_%~^", (sign, latex)
        if sign == "$":  # math mode around a sign that rnnlab writes
            at += 1
            continue
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0, latex
        found += sign if sign not in "{}" else ""
        at += 1
    assert depth == 0, latex
    return found


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=30))
def test_any_name_is_printed_as_it_is(name: str) -> None:
    made = escaped(name)
    assert printed(made) == " ".join(name.split())
    assert not re.match(r"[\[*]", made)  # would belong to the line break before it
    assert "--" not in made


def comparison(*contenders: Contender, **options) -> Comparison:
    return compared(contenders, **options)


def cells(latex: str) -> list[list[str]]:
    """The cells of the lines between the rules."""
    inside = latex[latex.index("\\toprule") : latex.index("\\bottomrule")]
    lines = [line.strip() for line in inside.splitlines() if line.strip().endswith("\\\\")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)&", line[:-2])] for line in lines]


NASTY = ["50%_of & {all}", "[x] \\ a~b^c", "*$5 #1 <|> --x", "\"q\" 'n' `"]


def test_long_names_are_cut_in_the_head_and_whole_in_the_caption() -> None:
    long, same = "a name of twenty-five letters", "a name of twenty-six letters"
    made = [made_up_contender(long), made_up_contender("b", cell="gru")]
    latex = to_latex(comparison(*made))
    assert printed(cells(latex)[0][1]) == "a name of twenty-…"
    assert f"Comparison of {long} and b." in latex
    latex = to_latex(comparison(made[0], made_up_contender(same, cell="gru")))
    assert [printed(name) for name in cells(latex)[0][1:]] == [long, same]


def test_names_with_every_sign_that_latex_reads_otherwise() -> None:
    latex = to_latex(comparison(*(
        made_up_contender(name, 2 + n / 10, draw=n, hidden_size=8 + n)
        for n, name in enumerate(NASTY)
    )))  # fmt: skip
    columns = re.search(r"\\begin\{tabular\}\{@\{\}(l r*|lr*)@\{\}\}", latex)
    assert columns
    table = cells(latex)
    assert {len(row) for row in table} == {5} == {len(columns[1])}
    assert [printed(name) for name in table[0][1:]] == NASTY
    assert latex.count("{") - latex.count("\\{") == latex.count("}") - latex.count("\\}")
    for name in ("table*", "tabular"):
        assert latex.count(f"\\begin{{{name}}}") == latex.count(f"\\end{{{name}}}") == 1
    assert re.findall(r"\\(?:top|mid|bottom)rule", latex) == [
        "\\toprule", "\\midrule", "\\midrule", "\\bottomrule"
    ]  # fmt: skip


def number_of(cell: str) -> list[float]:
    """The numbers of a cell in math mode: a figure, and half of its interval."""
    assert re.fullmatch(r"\$[-\d.{},]+( \\pm [\d.{},]+)?\$", cell), cell
    plain = cell.strip("$").replace("{,}", "")
    return [float(part) for part in plain.split(" \\pm ")]


def test_numbers_are_those_of_the_comparison() -> None:
    found = comparison(made_up_contender("a", 2.0), made_up_contender("b", 1.9, draw=5, cell="gru"))
    by_label = {row[0]: row[1:] for row in cells(to_latex(found))}
    (gap,) = found.gaps
    assert gap.over_text is not None
    value, half = number_of(by_label["minus a, over the text"][1])
    assert value == pytest.approx(gap.over_text.difference, abs=5e-4)
    assert half == pytest.approx((gap.over_text.high - gap.over_text.low) / 2, abs=5e-4)
    assert by_label["minus a, over the text"][0] == "--"
    assert by_label["cell"] == ["lstm", "gru"]
    assert number_of(by_label["parameters"][0]) == [1234]
    assert number_of(by_label["tokens trained on"][1]) == [20_000]
    bits = found.figures[0].values[1]
    assert bits is not None
    assert bits.low is not None
    assert number_of(by_label["held-out bits/character"][1]) == pytest.approx(
        [bits.mean, bits.mean - bits.low], abs=5e-4
    )


def test_the_caption_says_what_the_intervals_are() -> None:
    def caption(*contenders: Contender) -> str:
        return re.search(r"\\caption\{(.*)\}", to_latex(comparison(*contenders)))[1]

    alone = caption(made_up_contender("a"), made_up_contender("b", cell="gru"))
    assert "half of a 95\\% interval, over texts of the same kind and length (block" in alone
    assert alone.endswith("One seed each: the figures compare these models, not their settings.")
    assert "Holm" not in alone
    seeds = [made_up_contender(f"{c}-{s}", cell=c, seed=s, draw=s) for c in ("lstm", "gru")
             for s in (1, 2)]  # fmt: skip
    assert "over seeds (Student{'}s t)" in caption(*seeds)
    assert "One seed each" not in caption(*seeds)
    third = made_up_contender("c", cell="rnn")
    assert "(Holm)" in caption(made_up_contender("a"), made_up_contender("b", cell="gru"), third)


def test_many_models_are_rows() -> None:
    found = comparison(*(
        made_up_contender(f"m{n}", 2 + n / 50, draw=n, hidden_size=8 + n) for n in range(7)
    ))  # fmt: skip
    table = cells(to_latex(found))
    assert [row[0] for row in table[1:]] == [f"m{n}" for n in range(7)]
    assert len({len(row) for row in table}) == 1
    assert "hidden\\_size" in table[0]
    assert "bits/character" in table[0]


def test_no_figure_is_left_out_with_few_models() -> None:
    found = comparison(made_up_contender("a"), made_up_contender("b", cell="gru"))
    shown = {row.label for row in rows(found) if row.kind != "machine"}
    assert {printed(row[0]) for row in cells(to_latex(found))[1:]} == shown
