"""A class of made-up runs: who is ranked with whom, what is unusual, what is a copy."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
from made_up_runs import made_up_run

import rnnlab
from rnnlab.comparison.class_overview import ClassOverview, read_class
from rnnlab.comparison.held_out import figure_record
from rnnlab.errors import UsageError

NGRAM = 2.25
"""Bits per character in `made_up_runs.evaluation`."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "autumn"


def edited(run: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A run whose result.json was changed."""
    result = json.loads((run / "result.json").read_text())
    change(result)
    (run / "result.json").write_text(json.dumps(result))
    return run


def weigh(run: Path, weights: str, seconds: float) -> Path:
    def change(result: dict[str, Any]) -> None:
        result["files"] = {"checkpoint/last/model.safetensors": weights}
        result["training"]["seconds"] = seconds

    return edited(run, change)


def read(folder: Path) -> ClassOverview:
    return read_class(folder)


def test_runs_are_found_five_levels_deep_and_named_after_the_first_folder(folder: Path) -> None:
    made_up_run(folder / "ada")
    made_up_run(folder / "ben" / "a" / "b" / "c" / "d")
    made_up_run(folder / "cyd" / "a" / "b" / "c" / "d" / "e")
    made_up_run(folder / "dee" / "first")
    made_up_run(folder / "dee" / "first" / "checkpoint" / "odd")
    made_up_run(folder / ".hidden" / "run")
    (folder / "dee" / "linked").symlink_to(folder / "ada")
    assert [(run.student, run.name) for run in read(folder).runs] == [
        ("ada", ""), ("ben", "a/b/c/d"), ("dee", "first"),
    ]  # fmt: skip
    assert read(folder).extent == "3 students, 3 runs, 1 held-out text"


def test_the_best_is_first_and_ties_share_a_place(folder: Path) -> None:
    for student, bits in (("ada", 2.3), ("ben", 2.1), ("cyd", 2.3), ("dee", 2.4)):
        made_up_run(folder / student / "run", bits)
    (text,) = read(folder).texts
    assert [(row.run.student, row.place) for row in text.rows] == [
        ("ben", 1), ("ada", 2), ("cyd", 2), ("dee", 4),
    ]  # fmt: skip
    assert text.students == ["ada", "ben", "cyd", "dee"]
    assert text.ahead == ["ben"]


def test_figures_are_those_of_the_test_split_with_a_carried_state(folder: Path) -> None:
    run = made_up_run(folder / "ada" / "run", 2.0)
    (own,) = read(folder).runs
    result = json.loads((run / "result.json").read_text())
    (record,) = [
        each
        for each in result["evaluations"]
        if (each["split"], each["context"]) == ("test", "carried")
    ]
    assert own.held_out is not None
    assert own.held_out.bits_per_character == record["bits_per_character"] == 2.0
    assert own.held_out.baseline_bits == record["baselines"]["ngram"]["bits_per_character"] == NGRAM
    assert own.held_out.lead is not None
    assert vars(own.held_out.lead) == record["leads"]["ngram"]
    assert own.held_out.text == "timemachine, test split"
    assert own.training_perplexity == result["training"]["perplexity"]
    assert own.seconds == result["training"]["seconds"]


def test_figure_record() -> None:
    one = {"split": "validation", "context": "carried"}
    other = {"split": "test", "context": "windows:256"}
    carried = {"split": "test", "context": "carried"}
    assert figure_record([]) is None
    assert figure_record([one, carried, other]) is carried
    assert figure_record([one, other]) is other


@pytest.mark.parametrize(
    "other",
    [
        {"preprocessing": "letters"}, {"corpus_limit": 5_000}, {"split": (0.8, 0.1, 0.1)},
        {"unit": "lines"},
    ],
)  # fmt: skip
def test_another_held_out_text_is_ranked_apart(folder: Path, other: dict[str, Any]) -> None:
    made_up_run(folder / "ada" / "run", 2.3)
    made_up_run(folder / "ben" / "run", 2.2)
    made_up_run(folder / "cyd" / "run", 1.0, **other)
    first, second = read(folder).texts
    assert [row.run.student for row in first.rows] == ["ben", "ada"]
    assert [(row.run.student, row.place) for row in second.rows] == [("cyd", 1)]


def test_another_corpus_is_ranked_apart(folder: Path) -> None:
    made_up_run(folder / "ada" / "run")
    run = made_up_run(folder / "ben" / "run")
    edited(run, lambda result: [r.update(corpus_sha256="00" * 32) for r in result["evaluations"]])
    assert len(read(folder).texts) == 2


def test_the_same_text_under_another_tokenizer_or_name_is_ranked_together(folder: Path) -> None:
    made_up_run(folder / "ada" / "run", batch_size=8, num_steps=16)
    made_up_run(folder / "ben" / "run", tokenizer="byte", corpus=("/elsewhere/timemachine.txt",))
    assert len(read(folder).texts) == 1


def test_settings_that_differ_from_the_most_usual_are_told(folder: Path) -> None:
    for student, change in {
        "ada": {"hidden_size": 64}, "ben": {"hidden_size": 128, "dropout": 0.5},
        "cyd": {"hidden_size": 64, "seed": 3}, "dee": {"hidden_size": 64, "num_log_lines": 7},
    }.items():  # fmt: skip
        made_up_run(folder / student / "run", **change)
    (text,) = read(folder).texts
    changes = {row.run.student: dict(row.change) for row in text.rows}
    assert changes == {"ada": {}, "ben": {"hidden_size": 128, "dropout": 0.5}, "cyd": {}, "dee": {}}
    assert text.usual["hidden_size"] == 64


def test_spread_over_seeds_of_equal_settings(folder: Path) -> None:
    """Student's t interval by hand: t is 4.303 with 2 degrees of freedom."""
    bits = {"ada": 2.10, "ben": 2.16, "cyd": 2.22}
    for seed, (student, value) in enumerate(bits.items()):
        made_up_run(folder / student / "run", value, seed=seed)
    made_up_run(folder / "dee" / "run", 1.5, seed=0)  # a seed counts once
    made_up_run(folder / "eve" / "run", 1.9, hidden_size=128)
    diverged = made_up_run(folder / "fay" / "run", 2.0, seed=9)
    edited(diverged, lambda result: result["training"].update(stopped_by="divergence"))
    (text,) = read(folder).texts
    (spread,) = text.spreads
    assert [run.student for run in spread.runs] == ["dee", "ben", "cyd"]
    values = [1.5, 2.16, 2.22]
    assert spread.estimate.mean == pytest.approx(mean(values))
    assert spread.estimate.half == pytest.approx(4.303 * stdev(values) / math.sqrt(3), rel=1e-3)
    assert spread.biased == 1
    assert spread.change == {}


def test_copies_are_told_from_trainings_that_were_done_twice(folder: Path) -> None:
    weigh(made_up_run(folder / "ada" / "run"), "aa", 2.125)
    weigh(made_up_run(folder / "ben" / "mine"), "aa", 2.125)
    weigh(made_up_run(folder / "cyd" / "run", hidden_size=32), "bb", 3.5)
    weigh(made_up_run(folder / "dee" / "run", hidden_size=32), "bb", 3.75)
    weigh(made_up_run(folder / "eve" / "run", seed=1), "cc", 1.5)
    weigh(made_up_run(folder / "fay" / "run", seed=2), "cc", 1.5)
    weigh(made_up_run(folder / "gus" / "run", seed=3), "dd", 1.5)
    made_up_run(folder / "hal" / "run")  # of a version that kept no checksums
    made_up_run(folder / "ivy" / "run")
    assert read(folder).warnings == (
        "ada/run and ben/mine have the same weights, to the last bit, and took the same time, to "
        "the last digit: they are copies of one run.",
        "cyd/run and dee/run have the same weights, to the last bit. They have the same settings "
        "and the same seed, which gives the same weights on machines of one kind: one training, "
        "done more than once.",
        "eve/run and fay/run have the same weights, to the last bit, though their settings say "
        "otherwise: they are copies, and were edited.",
        *(f"{name}/run: result.json has no checksums, as an earlier version of rnnlab wrote it: "
          "whether all files belong to one run is not known." for name in ("hal", "ivy")),
    )  # fmt: skip


def test_a_figure_of_training_text_only_is_warned_of_and_not_ranked(folder: Path) -> None:
    made_up_run(folder / "ada" / "run")
    for student in ("ben", "cyd"):
        run = made_up_run(folder / student / "run", 1.0, split=(1.0, 0.0, 0.0))
        edited(run, lambda result: result.update(evaluations=[]))
    overview = read(folder)
    assert [[row.place for row in text.rows] for text in overview.texts] == [[1], [0, 0]]
    assert overview.warnings[0] == (
        "ben/run and cyd/run have a figure of the training text only: nothing was held out, or it "
        "was not evaluated. It says how much was learned by heart, and cannot be ranked."
    )


def test_a_run_that_has_not_ended_has_no_figures(folder: Path) -> None:
    made_up_run(folder / "ada" / "run", steps=5, ended="")
    (run,) = read(folder).runs
    assert (run.end, run.held_out, run.seconds) == ("has not ended", None, None)
    assert read(folder).warnings == ()


def test_an_infinite_figure_comes_last(folder: Path) -> None:
    made_up_run(folder / "ada" / "run", 9.0)
    run = made_up_run(folder / "ben" / "run")
    edited(run, lambda result: [r.update(bits_per_character=None) for r in result["evaluations"]])
    (text,) = read(folder).texts
    assert [row.run.student for row in text.rows] == ["ada", "ben"]
    assert text.ahead == []


def test_what_cannot_be_read_is_told_and_the_rest_is_shown(folder: Path) -> None:
    made_up_run(folder / "ada" / "run")
    (made_up_run(folder / "ben" / "run") / "config.toml").write_text("hidden_size = 'many'")
    edited(made_up_run(folder / "cyd" / "run"), lambda result: result.update(evaluations=[{}]))
    (made_up_run(folder / "dee" / "run") / "result.json").write_text("{")
    overview = read(folder)
    assert [run.title for run in overview.runs] == ["ada/run"]
    assert overview.unread.keys() == {"ben/run", "cyd/run", "dee/run"}
    assert overview.unread["ben/run"].startswith("ben/run/config.toml: hidden_size must be a whole")
    assert overview.unread["cyd/run"] == "cyd/run/result.json: damaged, not what a run writes"


def test_the_doctor_s_findings_and_what_it_cannot_examine(folder: Path, sick: Path) -> None:
    shutil.copytree(sick, folder / "ada" / "run")
    other = shutil.copytree(sick, folder / "ben" / "run")
    lines = (other / "metrics.jsonl").read_text().splitlines(keepends=True)
    (other / "metrics.jsonl").write_text("".join(lines[:-3]))
    found = {run.student: run.finding for run in read(folder).runs}
    brief = "; ".join(finding.title for finding in rnnlab.diagnose(sick).findings)
    assert found["ada"] == brief != ""
    assert found["ben"].startswith("not examined: metrics.jsonl ")


@pytest.fixture(scope="module")
def sick(trained: tuple[Path, str]) -> Path:
    return trained[0]


def test_folders_that_are_not_those_of_a_class(tmp_path: Path) -> None:
    (tmp_path / "empty" / "ada").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    run = made_up_run(tmp_path / "run")
    for name, words in {
        "empty": f"{tmp_path / 'empty'} is neither the folder of an experiment, it has no "
        "experiment.toml, nor that of a class: no folder in it, up to 5 levels deep, is a run "
        "directory",
        "file": f"{tmp_path / 'file'} is not a folder",
        "nowhere": f"{tmp_path / 'nowhere'} does not exist",
        "run": f"{run} is a run directory; give the folder in which the folders of students are, "
        "or --template lab-report",
    }.items():
        with pytest.raises(UsageError) as error:
            read(tmp_path / name)
        assert str(error.value) == words
