"""Tables as text and as CSV, read back and compared with the comparison itself."""

import csv
import io
import json
import re

from made_up_contenders import made_up_contender

from rnnlab.comparison.comparison import Comparison, compared
from rnnlab.comparison.contender import Contender
from rnnlab.report.comparison_table import COLUMNS, plain, rows, to_csv
from rnnlab.report.write_up import WriteUp


def of_seeds() -> Comparison:
    return compared(
        [made_up_contender(f"{cell}-{seed}", bits, cell=cell, seed=seed, draw=10 * len(cell) + seed)
         for cell, bits in (("lstm", 2.0), ("gru", 1.95), ("rnn", 2.2)) for seed in range(3)]
    )  # fmt: skip


def read(found: Comparison) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(found))))


def test_the_csv_holds_the_numbers_of_the_json() -> None:
    found = of_seeds()
    content, table = json.loads(WriteUp(found).to_json()), read(found)
    assert tuple(table[0]) == COLUMNS
    by_kind = {kind: [row for row in table if row["kind"] == kind]
               for kind in ("setting", "figure", "run", "gap", "baseline")}  # fmt: skip
    names = [group["name"] for group in content["groups"]]
    expected = [
        (figure["name"], name, value["mean"], value["low"], value["high"])
        for figure in content["figures"] if figure["name"] != "baseline"
        for name, value in zip(names, figure["values"], strict=True)
    ]  # fmt: skip
    assert [
        (row["name"], row["group"], float(row["value"]), *(
            float(row[end]) if row[end] else None for end in ("low", "high")
        )) for row in by_kind["figure"]
    ] == expected  # fmt: skip
    assert {(row["run"], row["name"]): float(row["value"]) for row in by_kind["run"]} == {
        (run["name"], name): value
        for group in content["groups"] for run in group["runs"]
        for name, value in run["figures"].items()
    }  # fmt: skip
    for gap in content["gaps"]:
        for interval, test in (("text", gap["over_text"]), ("seeds", gap["over_seeds"]["tested"])):
            (row,) = (row for row in by_kind["gap"]
                      if (row["group"], row["interval"]) == (gap["name"], interval))  # fmt: skip
            assert [float(row[name]) for name in ("value", "low", "high", "p", "adjusted_p")] == [
                test[name] for name in ("difference", "low", "high", "p", "adjusted_p")
            ]
    assert [(row["name"], row["group"], row["value"]) for row in by_kind["setting"]] == [
        ("cell", name, name) for name in ("lstm", "gru", "rnn")
    ]
    assert {float(row["value"]) for row in by_kind["baseline"]} == {2.1}


def test_names_with_commas_quotes_and_line_breaks_survive_the_csv() -> None:
    name = 'a, "b"\nc'
    table = read(compared([made_up_contender(name), made_up_contender("x", cell="gru")]))
    assert {row["group"] for row in table} == {name, "x"}


def test_columns_that_do_not_fit_follow_below() -> None:
    made = [made_up_contender(f"a model, {n}", draw=n, hidden_size=8 + n) for n in range(9)]
    lines = plain(compared(made), width=80).partition("\n\ngru")[0].splitlines()
    tables = [line for line in lines if "  " in line]
    assert max(map(len, tables)) <= 80
    heads = [line for line in lines if line.startswith("figures")]
    assert re.findall(r"a model, (\d)", "".join(heads)) == [str(n) for n in range(9)]


def test_the_text_of_one_pair() -> None:
    """All of it, as a user sees it."""
    made = compared([made_up_contender("a", 2.0), made_up_contender("b", 2.01, draw=3, cell="gru")])
    assert plain(made).splitlines() == [
        "differs     a    b",
        "cell     lstm  gru",
        "",
        "figures                                     a               b",
        "held-out bits/character         2.004 ± 0.024   2.017 ± 0.022",
        "minus a, over the text                      –  +0.013 ± 0.021",
        "p                                           –            0.21",
        "7-gram, Kneser-Ney                      2.100           2.100",
        "held-out perplexity                     4.012           4.048",
        "best validation bits/character          2.104           2.117",
        "training perplexity                     3.012           3.048",
        "parameters                              1,234           1,234",
        "tokens trained on                      20,000          20,000",
        "epochs                                   2.00            2.00",
        "training [s]                             40.0            43.0",
        "tokens/s                                  500             465",
        "",
        "Held-out figures are of made-up, test split (4,000 characters, SHA-256 of the corpus "
        "abababababab...), with the state carried through it. After ±: half of a 95% interval, "
        "over texts of the same kind and length (block bootstrap).",
        "",
        "No difference is shown on this text: b has 0.013 bits/character more than a (95%: -0.008 "
        "to 0.034, p = 0.21).",
        "Each is a single model: the figures compare these models, and say nothing about their "
        "settings, since other seeds may reverse the order; rnnlab experiment new --from tests "
        "that.",
    ]


def test_markdown_has_every_row_and_shows_names_as_they_are() -> None:
    found = compared([made_up_contender("a|b_c"), made_up_contender("*d*", cell="gru")])
    text = WriteUp(found).to_markdown()
    tables = [line for line in text.splitlines() if line.startswith("|")]
    split = [re.split(r"(?<!\\)\|", line)[1:-1] for line in tables]
    assert {len(cells) for cells in split} == {3}
    assert len(tables) == len(rows(found)) + 4
    assert split[0][1].strip() == "a\\|b_c"
    assert split[0][2].strip() == "\\*d\\*"
    for words in found.findings:
        assert " ".join(words.split()[-3:]) in " ".join(text.replace("\\", "").split())


def test_what_stands_after_plus_and_minus_is_told() -> None:
    def intervals(*made: Contender) -> str:
        return plain(compared(made)).partition("After ±: half of a 95% interval, ")[2].split(".")[0]

    one = made_up_contender("a")
    seeds = [made_up_contender(f"s-{n}", cell="gru", seed=n, draw=n) for n in range(2)]
    more = [made_up_contender(f"r-{n}", cell="rnn", seed=n, draw=n) for n in range(2)]
    text = "over texts of the same kind and length (block bootstrap)"
    assert intervals(one, made_up_contender("b", cell="gru")) == text
    assert intervals(*seeds, *more) == "over seeds (Student's t) unless stated otherwise"
    assert intervals(one, *seeds) == (
        f"of single models {text}, of several runs over seeds (Student's t)"
    )
    short = [made_up_contender(c, cell=c, characters=500) for c in ("lstm", "gru")]
    assert "±" not in plain(compared(short))
