"""A column of a table, against the tables that were written."""

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnlab.data.records import is_table, records_of
from rnnlab.errors import CorpusError, UsageError

values = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8)
tables = st.lists(st.tuples(values, values), max_size=20)


def read(name: str, text: str, cut: int = 7, column: str = "name") -> list[str]:
    pieces = [text[i : i + cut] for i in range(0, len(text), cut)]
    return [value for (value,) in records_of(name, pieces, [column], f"file {name}")]


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "b,name,a\n1,anna,2\n3,ben,4\n"),
     ("a.jsonl", '{"name": "anna", "a": 2}\n{"a": 4, "name": "ben"}\n')],
)  # fmt: skip
def test_several_columns_in_the_order_that_is_asked_for(name: str, text: str) -> None:
    assert list(records_of(name, [text], ["a", "name"], name)) == [["2", "anna"], ["4", "ben"]]
    assert is_table(name)
    assert not is_table("names.txt")
    assert not is_table("csv")
    assert is_table("x.TSV.gz")


@given(rows=tables, cut=st.integers(1, 30))
@settings(max_examples=200, derandomize=True)
@pytest.mark.parametrize("name", ["a.csv", "b.tsv", "c.csv.gz", "D.TSV"])
def test_a_column_of_csv_and_tsv(name: str, rows: list[tuple[str, str]], cut: int) -> None:
    written = io.StringIO()
    kind = "excel-tab" if "tsv" in name.lower() else "excel"
    writer = csv.writer(written, kind, quoting=csv.QUOTE_ALL)
    writer.writerows([("number", "name"), *rows])
    found = read(name, written.getvalue(), cut)
    assert found == [text.replace("\n", " ") for _, text in rows]


@given(rows=tables, cut=st.integers(1, 30))
@settings(max_examples=200, derandomize=True)
def test_a_key_of_json_lines(rows: list[tuple[str, str]], cut: int) -> None:
    lines = [json.dumps({"name": text, "other": 1}) for _, text in rows]
    assert read("a.jsonl", "\n\n".join(lines), cut) == [text.replace("\n", " ") for _, text in rows]
    assert read("a.ndjson", '{"name": 3}\n{"name": 0.5}') == ["3", "0.5"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "number,nam\n1,a\n",
         "file a.csv has no column 'name'; did you mean 'nam'? (it has 'number', 'nam')"),
        ("a.csv", "", "file a.csv has no column 'name' (it has none)"),
        ("a.csv", 'n,name\n1,"a\n2,b\n',
         "file a.csv, line 2: a quote is opened in this record and never closed"),
        ("a.csv", 'n,name\n1,"a"b\n', "file a.csv, line 2: ',' expected after '\"'"),
        ("a.csv", "n,name\n1,a\n2\n", "file a.csv, line 3: 1 column, where the head has 2"),
        ("a.jsonl", '{"name": "a"}\n{"name"', "file a.jsonl, line 2: not JSON: Expecting ':' del"),
        ("a.jsonl", "[1]", "file a.jsonl, line 1: must be a JSON object"),
        ("a.jsonl", '{"nom": "a"}', "file a.jsonl, line 1 has no column 'name'"),
        ("a.jsonl", '{"name": null}', "file a.jsonl, line 1: 'name' must be a string, not null"),
    ],
)  # fmt: skip
def test_a_table_that_is_not_sound_is_one_clear_error(name: str, text: str, message: str) -> None:
    with pytest.raises(CorpusError) as refused:
        read(name, text)
    assert str(refused.value).startswith(message)


def test_a_file_that_is_no_table_is_one_clear_error() -> None:
    with pytest.raises(UsageError) as refused:
        read("names.txt", "a\nb\n")
    assert str(refused.value) == (
        "column = 'name' needs a table, .csv, .tsv, .jsonl, .ndjson, not file names.txt"
    )
