"""Each patient has its illness and no other; a wrong answer is told what contradicts it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

import rnnlab
from rnnlab.config import Settings
from rnnlab.course import chart, judge, patient
from rnnlab.course.diagnoses import NAMES, contradiction
from rnnlab.course.patients import PATIENTS, TO_LOOK_AT, USUAL
from rnnlab.doctor.diagnose import RULES
from rnnlab.errors import UsageError

NUMBER = {own.illness: number for number, own in PATIENTS.items()}


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the patients of these tests lie, each trained once."""
    return tmp_path_factory.mktemp("ward")


@pytest.fixture(autouse=True)
def in_the_ward(ward: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ward)


def result(number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(f"runs/patient-{number}") / "result.json").read_text())
    return found


def lines(number: int, kind: str) -> list[dict[str, Any]]:
    text = (Path(f"runs/patient-{number}") / "metrics.jsonl").read_text()
    return [line for line in map(json.loads, text.splitlines()) if line["kind"] == kind]


def last_quarter(number: int) -> float:
    """Training nats per token, by hand: lines weighted by their steps."""
    found, before, total, count = lines(number, "train"), 0, 0.0, 0
    for line in found:
        if line["step"] > 0.75 * found[-1]["step"]:
            total += line["nats_per_token"] * (line["step"] - before)
            count += line["step"] - before
        before = line["step"]
    return total / count


@pytest.mark.parametrize("number", PATIENTS, ids=[own.illness for own in PATIENTS.values()])
def test_a_patient_has_its_illness_and_no_other(number: int) -> None:
    run = patient(number)
    assert run.directory == Path(f"runs/patient-{number}")
    illness = PATIENTS[number].illness
    assert [finding.illness for finding in rnnlab.diagnose(run).findings] == [illness]
    assert judge(f"B.{number}", illness) == (True, f"B.{number}: right.")
    evidence = chart(run).evidence
    told = {guess: contradiction(guess, evidence) for guess in NAMES if guess != illness}
    assert len(told) == 10
    for words in told.values():
        assert any(letter.isdigit() for letter in words)
        assert illness not in words
    guess = next(iter(told))
    assert judge(f"B.{number}", guess) == (False, f"B.{number}: not yet. {told[guess]}")


def test_there_is_a_patient_for_each_illness_of_the_doctor() -> None:
    assert NUMBER.keys() == RULES.keys() == NAMES.keys()
    assert len(PATIENTS) == len(RULES)


def test_a_patient_is_trained_once_and_always_the_same(tmp_path: Path) -> None:
    changed = Path("runs/patient-6/result.json").stat().st_mtime_ns
    patient(6)
    assert Path("runs/patient-6/result.json").stat().st_mtime_ns == changed
    again = patient(6, tmp_path / "again")
    weights = "checkpoint/last/model.safetensors"
    assert again.result["files"][weights] == result(6)["files"][weights]


def test_a_number_without_patient_is_refused() -> None:
    choices = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"
    with pytest.raises(UsageError, match=rf"unknown patient '12'.*\(choices: {choices}\)"):
        patient(12)


@pytest.mark.parametrize(
    ("illness", "answers"),
    [
        ("diverged", ["Divergence", "the loss exploded", "NaN", "it blew up"]),
        ("stuck at the unigram level", ["a plateau", "letter frequencies", "It ignores its input"]),
        (
            "clipping every step",
            [
                "too much clipping",
                "Gradient clipping",
                "clipped",
                "The clipping is too strong",
                "a high share of clipped steps",
                "clip norm too small",
            ],
        ),
        ("saturated gates", ["Saturation", "the gates are saturated"]),
        ("dead units", ["dying ReLUs", "the dead neurons"]),
        ("overfitting", ["Over-fitting", "it overfits", "learned by heart", "memorization"]),
        ("regularization too strong", ["too much dropout", "over-regularised", "weight-decay"]),
        ("learning rate too low", ["lr too small", "a tiny learning rate", "Steps are too short"]),
        ("batch too large for the text", ["batch-size", "the batches are too big"]),
        (
            "held-out text is a copy",
            ["a leak", "duplicates", "train and test are the same text", "the text is there twice"],
        ),
        (
            "training too short",
            [
                "undertrained",
                "the budget is too small",
                "it needs more epochs",
                "not trained long enough",
                "stopped too early",
            ],
        ),
    ],
)
def test_other_words_for_an_illness_are_accepted(illness: str, answers: list[str]) -> None:
    for answer in answers:
        assert judge(f"B.{NUMBER[illness]}", answer).is_right, answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (3, 'Name the illness in words, such as "overfitting".'),
        (" ", 'Name the illness in words, such as "overfitting".'),
        ("overfitting or dead units", "That names several: dead units, overfitting. Which one is "
         "it?"),
        ("underfitting", "Underfitting is what you see. Name what causes it."),
        ("learning rate", "What is wrong with the learning rate?"),
        ("The learning rate is too high", "That may be the cause. Name the illness that it has led "
         "to: the doctor looks at what happened, and then at the settings."),
        ("small initial weights", "That may be the cause. Name the illness that it has led to."),
        *((words, "That may be the cause. Name the illness that it has led to.")
          for words in ("no clipping", "clip norm too large", "clipping is off", "no dropout",
                        "too little dropout", "batch too small")),
        *((words, f"Name one of the illnesses that the doctor knows: {', '.join(NAMES)}.")
          for words in ("not overfitting", "not a copy", "not saturated")),
        ("It learns too slowly", "That is what you see. Which figure of the chart says what makes "
         "it slow?"),
        ("too few updates", "That is what you see. Which setting makes them so few?"),
        ("the cell", f"Name one of the illnesses that the doctor knows: {', '.join(NAMES)}."),
    ],
)  # fmt: skip
def test_what_is_no_diagnosis_is_not_judged(answer: Any, words: str) -> None:
    assert judge("B.5", answer) == (False, f"B.5: not yet. {words}")


def told(number: int, guess: str) -> str:
    return judge(f"B.{number}", guess).words.removeprefix(f"B.{number}: not yet. ")


def test_the_figures_that_contradict_are_those_of_the_run() -> None:
    """Each read from the files by hand."""
    held_out = {number: lines(number, "held-out") for number in PATIENTS}
    assert told(6, "overfitting") == (
        f"Held-out text is predicted best at the end: {held_out[6][-1]['nats_per_token']:.2f} nats "
        "per token at step 138. With overfitting that curve turns."
    )
    half = result(1)["training"]["steps"] / 2
    early = min(x["nats_per_token"] for x in held_out[1] if x["step"] <= half)
    late = min(x["nats_per_token"] for x in held_out[1] if x["step"] > half)
    assert told(1, "training too short") == (
        f"What would a longer training bring? Held-out nats per token were {early:.2f} at best "
        f"in the first half of the run, and {late:.2f} in the second."
    )
    record = result(4)["evaluations"][0]
    assert told(4, "training too short") == (
        "A run that is too short is behind the n-gram. This one has "
        f"{record['bits_per_character']:.2f} bits per character on held-out text, the n-gram "
        f"{record['baselines']['ngram']['bits_per_character']:.2f}."
    )
    assert f"It ends at {last_quarter(3):.2f}, and has not even come" in told(3, "plateau")
    assert f"It ends at {last_quarter(9):.2f}, so it has learned" in told(9, "plateau")
    assert f"{last_quarter(2):.2f} in the last" in told(2, "plateau")
    assert "There were 368 updates, 46 in each epoch." in told(2, "batch too large")
    assert told(7, "clipping") == "In the second half of the run 0% of the steps were clipped."
    assert "Its optimizer is adamw, which divides" in told(9, "clipping")
    assert "Its largest dropout is 0.2, and weight decay takes 0" in told(2, "dropout")
    assert "The learning rate is 1, where 1 is usual for sgd. The weights have hardly" in told(
        3, "learning rate too low"
    )
    assert told(9, "copy").startswith("Of the held-out characters, 0% stand")
    steps, logged = result(8)["training"]["steps"], lines(8, "train")[-1]
    assert told(8, "overfitting").startswith(
        f"Training ended after step {steps}, at {logged['progress']:.0%} of its budget, and its "
        f"last logged loss is {logged['nats_per_token']:.3g} nats per token."
    )


def test_a_chart_has_the_figures_and_not_the_name() -> None:
    shown = repr(chart("runs/patient-3"))
    norms = sorted(line["gradient_norm"] for line in lines(3, "train") if line["step"] > 184)
    middle = (norms[len(norms) // 2] + norms[(len(norms) - 1) // 2]) / 2
    assert f"{middle:.3g} (median); 100% of the steps clipped, second half" in shown
    bits = [each["bits_per_character"] for each in (
        result(3)["evaluations"][0],
        *(result(3)["evaluations"][0]["baselines"][name] for name in ("ngram", "unigram")),
    )]  # fmt: skip
    assert (
        f"{bits[0]:.2f} per character; n-gram {bits[1]:.2f}, token frequencies {bits[2]:.2f}"
    ) in shown
    assert "0 of 64 units never change over the text" in shown
    assert not [name for name in NAMES if name in shown]
    assert not math.isnan(last_quarter(3))
    assert f"{last_quarter(3):.2f}  per token, in the quarters of the run" in shown


def test_what_cannot_be_measured_of_a_diverged_run_is_said_once() -> None:
    shown = [words for name, words in chart("runs/patient-8").lines() if name == "not measured"]
    assert shown == [f"{Path('runs/patient-8/checkpoint/last')} is gone"]


def test_the_settings_to_look_at_have_every_change_and_what_is_usual() -> None:
    usual = {**Settings().flat(), **USUAL}
    assert {name: usual[name] for name in TO_LOOK_AT} == TO_LOOK_AT
    changed = {name for own in PATIENTS.values() for name in own.change}
    assert changed - TO_LOOK_AT.keys() <= {"init_std", "num_evaluations"}
