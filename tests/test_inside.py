"""The measurement of docs/explanation/inside.md: what code is made of, and its pictures."""

import io
import json
import sys
import textwrap
import tokenize
from pathlib import Path
from xml.etree import ElementTree

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import inside
from inside_pictures import draw


def test_strings_and_comments_are_those_of_the_tokenizer() -> None:
    for file in (textwrap.__file__, tokenize.__file__, json.decoder.__file__):
        text = Path(file).read_text(encoding="utf-8")
        begins = [0]
        for line in text.splitlines(keepends=True):
            begins.append(begins[-1] + len(line))
        expected = ["code"] * len(text)
        kinds = {tokenize.STRING: "string", tokenize.COMMENT: "comment"}
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in kinds:
                begin, end = (begins[row - 1] + column for row, column in (token.start, token.end))
                expected[begin:end] = [kinds[token.type]] * (end - begin)
        found = ["code" if part == "if" else part for part in inside.parts_of_code(text)]
        assert found == expected


def test_a_condition_reaches_from_if_to_its_colon() -> None:
    text = "x = 1\n    if a < 'if':  # so\n        elif_ = 2\n    elif b:\n        y if z else 0\n"
    parts = inside.parts_of_code(text)
    assert "".join(c for c, part in zip(text, parts, strict=True) if part == "if") == (
        "    if a < :    elif b:"
    )


def test_the_pictures_are_those_of_the_figures() -> None:
    figures = json.loads(inside.FIGURES.read_text(encoding="utf-8"))
    drawn = draw(figures, inside.SHOWN)
    assert drawn == draw(figures, inside.SHOWN)
    page = inside.DOCS.with_suffix(".md").read_text(encoding="utf-8")
    for name, svg in drawn.items():
        file = inside.DOCS / f"{name}.svg"
        assert f"inside/{file.name}" in page
        assert file.stat().st_size < 150_000
        written = ElementTree.parse(file).getroot()
        texts = [e.text for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text")]
        assert texts == [e.text for e in written.iter() if e.tag.endswith("text")]
        assert str(Path.home()) not in file.read_text(encoding="utf-8")
    assert {file.stem for file in inside.DOCS.glob("*.svg")} == {*drawn}
