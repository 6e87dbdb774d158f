"""Texts and samples that a Python program gives: kept in the run, used again, refused clearly."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rnnlab
from rnnlab.errors import RnnlabError

SMALL: dict[str, Any] = {
    "hidden_size": 6, "embedding_size": 3, "num_epochs": 1, "num_evaluations": 1, "batch_size": 4,
    "num_steps": 8, "sample_length": 0, "quiet": True, "automatic": False, "threads": 1,
}  # fmt: skip

POEMS = [f'poem "{n % 7}"\n\nends {n}\t' for n in range(80)]


class Series:
    """What is needed of a column of a table."""

    def __init__(self, values: list[str]) -> None:
        self.values, self.read = values, 0

    def __iter__(self) -> Iterator[str]:
        self.read += 1
        return iter(self.values)


def stored(run: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (run / "given-samples.jsonl").read_text().split("\n")[:-1]]


def test_line_breaks_survive_and_a_run_that_moved_is_evaluated_and_resumed(tmp_path: Path) -> None:
    column = Series(POEMS)
    run = rnnlab.train(samples=column, run_dir=tmp_path / "run", **SMALL)
    assert column.read == 1
    assert [row["text"] for row in stored(run.directory)] == POEMS
    assert (run.settings.data.unit, run.settings.data.column) == ("documents", "text")
    before = rnnlab.evaluate(run.directory)[0][0].to_dict()
    moved = tmp_path / "elsewhere"
    shutil.move(run.directory, moved)
    again = rnnlab.evaluate(moved)[0][0].to_dict()
    assert before["corpus"] != again["corpus"] == str(moved / "given-samples.jsonl")
    assert before["nats_per_token"] == again["nats_per_token"]
    longer = rnnlab.train(resume=moved, num_epochs=2, quiet=True)
    assert longer.settings.data.corpus == (str(moved / "given-samples.jsonl"),)
    assert longer.result["training"]["resumed_at"]
    assert not any("not available" in why for why in rnnlab.diagnose(moved).not_asked.values())


def test_samples_without_line_breaks_are_lines_and_give_the_run_of_a_file(tmp_path: Path) -> None:
    names = [f"name {n * n % 101}" for n in range(300)]
    run = rnnlab.train(samples=iter(names), run_dir=tmp_path / "run", **SMALL)
    assert run.settings.data.unit == "lines"
    file = tmp_path / "names.txt"
    file.write_text("\n".join(names))
    other = rnnlab.train(corpus=file, unit="lines", run_dir=tmp_path / "other", **SMALL)
    assert (
        run.result["evaluations"][0]["nats_per_token"]
        == (other.result["evaluations"][0]["nats_per_token"])
    )


def test_labels_come_in_pairs_or_alone(tmp_path: Path) -> None:
    numbers = [str(n) for n in range(200)]
    labels = [int(n) % 2 for n in numbers]
    pairs = [(str(label), number) for label, number in zip(labels, numbers, strict=True)]
    one = rnnlab.train(samples=numbers, labels=labels, run_dir=tmp_path / "one", **SMALL)
    two = rnnlab.train(samples=pairs, run_dir=tmp_path / "two", **SMALL)
    assert stored(one.directory) == stored(two.directory)
    assert one.settings.data.label_column == "label"
    assert rnnlab.Classifier(one.model).labels == ["0", "1"]


@pytest.mark.parametrize("text", ["BZh is not packed\r\nhere " * 40, "\ufeff\v marked " * 40])
def test_a_text_is_read_as_it_was_given(tmp_path: Path, text: str) -> None:
    run = rnnlab.train(text=text, run_dir=tmp_path / "run", split=(1, 0, 0), **SMALL)
    from rnnlab.runs.evaluation import training_data

    assert training_data(run.model).splits["train"].text == text


def test_runs_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        run = rnnlab.train(text="abc " * 100, **SMALL)
        assert run.directory == Path(f"runs/text-00{number}")


def test_a_column_of_a_table(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"text": [f"a{n}" for n in range(100)]})
    run = rnnlab.train(samples=table["text"], run_dir=tmp_path / "run", **SMALL)
    assert len(stored(run.directory)) == 100
    with pytest.raises(RnnlabError, match="samples is a table; give one of its columns"):
        rnnlab.train(samples=table, run_dir=tmp_path / "other", **SMALL)
    table.loc[3, "text"] = None
    with pytest.raises(RnnlabError, match=r"^samples\[3\] is (nan|None); a sample is a string"):
        rnnlab.train(samples=table["text"], run_dir=tmp_path / "other", **SMALL)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"samples": []}, "samples is empty; there must be some"),
        ({"samples": ["a", None]}, "samples[1] is None; a sample is a string"),
        ({"samples": ["a", float("nan")]}, "samples[1] is nan; a sample is a string"),
        ({"samples": ["a", 3]}, "samples[1] is 3; a sample is a string"),
        ({"samples": ["a", " \n"]}, "samples[1] is empty"),
        ({"samples": ["a", "\ud800"]},
         "samples[1] has characters that are not Unicode (lone surrogates)"),
        ({"samples": "abc"}, "samples is one string; give a list, or text for one running text"),
        ({"samples": {"a": "b"}}, "samples is a table; give one of its columns"),
        ({"samples": 5}, "samples is 5; it must be a list of strings"),
        ({"samples": [("a", "b"), "c"]}, "samples[1] is 'c'; it must be a label and a text"),
        ({"samples": [("a", "b"), ("c", 1)]}, "samples[1][1] is 1; a sample is a string"),
        ({"samples": ["a", "b"], "labels": ["x"]},
         "labels end after 1; there must be a label for each sample"),
        ({"samples": ["a"], "labels": ["x", "y"]},
         "samples end after 1; there must be a label for each sample"),
        ({"samples": ["a", "b"], "labels": ["x", True]},
         "labels[1] is True; a label is a string or a whole number"),
        ({"samples": ["a"], "unit": "text"},
         "samples exclude unit = 'text'; give text for one running text"),
        ({"samples": ["a"], "corpus": "x"}, "corpus and samples exclude each other; give one of "
         "them"),
        ({"samples": ["a"], "text": "b"}, "give text or samples, not both"),
        ({"text": ""}, "text is empty"),
        ({"text": b"abc"}, "text is b'abc'; it must be a string"),
        ({"text": "abc", "labels": ["x"]}, "labels need samples; a text has none"),
        ({"labels": ["x"]}, "labels need samples"),
        ({"text": "abc " * 99, "hiden_size": 3},
         "train: unknown setting 'hiden_size'; did you mean 'hidden_size'?"),
    ],
)  # fmt: skip
def test_each_fault_is_one_clear_error_and_leaves_nothing(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(RnnlabError) as caught:
        rnnlab.train(run_dir=tmp_path / "run", **SMALL, **given)
    assert str(caught.value) == message
    assert not (tmp_path / "run").exists()


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnlab.runs.given_texts.MOST_BYTES", 500)
    with pytest.raises(RnnlabError, match=r"^more than 500 bytes are too much to keep in a run"):
        rnnlab.train(samples=POEMS, run_dir=tmp_path / "run", **SMALL)
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_has_its_text(tmp_path: Path) -> None:
    run = rnnlab.train(samples=POEMS, run_dir=tmp_path / "run", **SMALL)
    with pytest.raises(RnnlabError, match=r"^resume takes its text from the run; leave out text"):
        rnnlab.train(resume=run.directory, samples=POEMS, quiet=True)


def test_a_directory_with_files_of_others_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RnnlabError, match="exists and is not empty"):
        rnnlab.train(samples=POEMS, run_dir=tmp_path, **SMALL)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
