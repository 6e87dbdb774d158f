"""Text for people."""

import io
from contextlib import redirect_stderr

import pytest
from rich.box import SIMPLE
from rich.table import Table

from rnnlab.console import counted, notice, printable
from rnnlab.display.plain_console import PlainConsole


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1200, "1,200 runs")]
)
def test_counts_agree_with_their_noun(count: int, words: str) -> None:
    assert counted(count, "run") == words


class Latin(io.StringIO):
    encoding = "latin-1"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("été, µ × ±", "été, µ × ±"),
        ("│▁▄█ 10⁷ −1 ═╗", "|_.# 10^7 -1 -+"),
        ("中 🙂 \udce9", "\\u4e2d \\U0001f642 \\udce9"),
    ],
)
def test_what_an_encoding_lacks_is_replaced_or_escaped(text: str, shown: str) -> None:
    assert printable(text, Latin()) == shown
    notices, text_stream = io.StringIO(), Latin()
    with redirect_stderr(text_stream):
        notice(text)
    assert text_stream.getvalue() == f"rnnlab: note: {shown}\n"
    assert printable(text, notices) == text.replace("\udce9", "\\udce9")


def test_a_console_without_a_terminal_writes_no_spaces_at_the_end_of_a_line() -> None:
    stream = Latin()
    console = PlainConsole(file=stream, width=40)
    table = Table("one", "two", box=SIMPLE)
    table.add_row("α", "")
    console.print(table)
    console.print("a  ")
    lines = stream.getvalue().splitlines()
    assert lines == [line.rstrip() for line in lines]
    assert lines[1:] == [
        "| one | two |",
        "|-----+-----|",
        "| \\u03b1   |     |",
        "+-----------+",
        "a",
    ]
