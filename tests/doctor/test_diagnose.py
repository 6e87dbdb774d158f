"""`rnnlab doctor` and `rnnlab.diagnose` on runs in every state, and on damaged ones."""

import json
import re
import shutil
from pathlib import Path

import pytest
from command_line import Cli
from safetensors.numpy import load_file, save_file

import rnnlab
from rnnlab.data import copies
from rnnlab.display.output import write_diagnosis
from rnnlab.doctor import (
    activity,
    advice,
    evidence,
    rules_activity,
    rules_budget,
    rules_curve,
    rules_learning,
    rules_regularization,
)
from rnnlab.doctor.diagnose import RULES
from rnnlab.doctor.diagnosis import Diagnosis, Finding
from rnnlab.doctor.history import read_history
from rnnlab.errors import ModelFolderError, RnnlabError, RunDirectoryError, UsageError
from rnnlab.files import sealed, write_json
from rnnlab.runs.training import train

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "doctor.md").read_text(encoding="utf-8")
NEED_TEXT = {
    "held-out text is a copy",
    "stuck at the unigram level",
    "saturated gates",
    "dead units",
    "learning rate too low",
}


@pytest.fixture
def copy(trained: tuple[Path, str], tmp_path: Path) -> Path:
    """A run directory that a test may damage."""
    return Path(shutil.copytree(trained[0], tmp_path / "copy"))


def test_words_and_json_say_the_same(cli: Cli, trained: tuple[Path, str]) -> None:
    done = cli("doctor", str(trained[0]))
    assert (done.returncode, done.stderr) == (0, "")
    told = cli("doctor", str(trained[0]), "--json")
    assert told.returncode == 0
    content = json.loads(told.stdout)
    diagnosis = rnnlab.diagnose(trained[0])
    assert content == json.loads(json.dumps(diagnosis.to_dict()))
    assert content["healthy"] is (not content["findings"])
    assert done.stdout.startswith(f"run         {trained[0]}\nstate       ")
    assert "100% of the budget; ended by budget\n" in done.stdout
    assert f"looked for  {', '.join(content['looked_at'])}\n" in done.stdout
    assert [*content["looked_at"], *content["not_asked"]] == list(RULES)
    assert all(f"\n{finding['title']}\n" in done.stdout for finding in content["findings"])


def test_a_finding_is_printed_with_its_evidence_and_advice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    finding = Finding("dead units", "dead units", ("layer 1: all",), ("--cell gru", "more text"))
    why = "no checkpoint has been saved yet"
    left_out = {"overfitting": why, "saturated gates": why, "diverged": "nothing was logged"}
    write_diagnosis(Diagnosis("runs/a", "at rest", (finding,), (), left_out), as_json=False)
    assert capsys.readouterr().out == (
        "run         runs/a\n"
        "state       at rest\n"
        "\n"
        "dead units\n"
        "evidence    layer 1: all\n"
        "try         in a new run --cell gru\n"
        "            more text\n"
        "\n"
        "looked for  nothing\n"
        "left out    overfitting, saturated gates: no checkpoint has been saved yet\n"
        "            diverged: nothing was logged\n"
    )
    write_diagnosis(Diagnosis("runs/a", "at rest", (), ("diverged",), {}), as_json=False)
    assert "\nhealthy: none of these illnesses was found\n" in capsys.readouterr().out
    write_diagnosis(Diagnosis("runs/a", "at rest", (), (), left_out), as_json=False)
    assert "\nnothing could be looked for\n" in capsys.readouterr().out


def test_a_run_object_gives_the_same_diagnosis_as_its_directory(trained: tuple[Path, str]) -> None:
    assert rnnlab.diagnose(rnnlab.Run.open(trained[0])) == rnnlab.diagnose(str(trained[0]))


def test_a_deleted_checkpoint_is_told_from_one_not_saved_yet(copy: Path) -> None:
    shutil.rmtree(copy / "checkpoint")
    last = copy / "checkpoint" / "last"
    assert rnnlab.diagnose(copy).not_asked["dead units"] == f"{last} is gone"


def test_files_of_another_run_are_refused(trained: tuple[Path, str], copy: Path) -> None:
    """Another run with the same settings and number of steps, but another seed."""
    settings = rnnlab.Run.open(copy).settings
    other = copy.parent / "other"
    train(settings.with_changes(seed=settings.training.seed + 1), other)
    for name in ("metrics.jsonl", "checkpoint/last/model.safetensors",
                 "checkpoint/best/model.safetensors"):  # fmt: skip
        kept = (copy / name).read_bytes()
        shutil.copy(other / name, copy / name)
        with pytest.raises(RunDirectoryError, match="belongs to another run, or was ch") as caught:
            rnnlab.diagnose(copy)
        assert str(caught.value).startswith(str(copy / name))
        (copy / name).write_bytes(kept)
    assert rnnlab.diagnose(copy).notices == ()


def test_a_log_is_compared_with_the_training_state_of_a_killed_run(copy: Path) -> None:
    (copy / "result.json").unlink()
    file = copy / "metrics.jsonl"
    assert rnnlab.diagnose(copy).notices == ()
    file.write_text(file.read_text().replace('"step": 1', '"step": 2', 1))
    message = f"{file} does not begin with the lines that were there when the training state was"
    with pytest.raises(RunDirectoryError, match=re.escape(message)):
        rnnlab.diagnose(copy)
    with pytest.raises(RunDirectoryError, match=re.escape(f"{message} saved")) as caught:
        rnnlab.train(resume=copy, quiet=True)
    assert str(caught.value).endswith("; move it away to go on without it")


def test_a_run_without_checksums_is_accepted_with_a_note(copy: Path) -> None:
    file = copy / "result.json"
    result = json.loads(file.read_text())
    del result["files"]
    write_json(file, result)
    (notice,) = rnnlab.diagnose(copy).notices
    assert notice.startswith("result.json has no checksums, as an earlier version of rnnlab wrote")
    assert f"note        {notice}" in repr(rnnlab.diagnose(copy))


def test_settings_that_were_edited_are_told(copy: Path) -> None:
    file = copy / "config.toml"
    file.write_text(f"# mine\n{file.read_text()}")
    assert rnnlab.diagnose(copy).notices == (
        "config.toml was changed since; the run is judged by what it says now",
    )


@pytest.mark.parametrize("damage", ["gone", "another run's"])
def test_metrics_of_another_run_are_refused(copy: Path, damage: str) -> None:
    file = copy / "metrics.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    steps = json.loads(lines[-1])["step"]
    if damage == "gone":
        file.unlink()
        ends = 0
    else:
        file.write_text(lines[0])
        ends = json.loads(lines[0])["step"]
    message = (
        f"{file} ends at step {ends}, result.json says {steps}: it belongs to another run, or lines"
    )
    with pytest.raises(RunDirectoryError, match=re.escape(message)):
        rnnlab.diagnose(copy)


def test_settings_that_contradict_the_checkpoint_are_refused(copy: Path) -> None:
    file = copy / "config.toml"
    file.write_text(file.read_text().replace("hidden_size = 32", "hidden_size = 33"))
    message = (
        f"{file} was changed since: its model is not the one in {copy / 'checkpoint' / 'last'}"
    )
    with pytest.raises(RunDirectoryError, match=re.escape(message)):
        rnnlab.diagnose(copy)


def test_torn_settings_are_refused(copy: Path) -> None:
    """Otherwise a learning rate that nobody set would be judged."""
    file = copy / "config.toml"
    file.write_text(file.read_text().partition("learning_rate")[0])
    advice = "delete it, and --resume will write it again from"
    message = f"{file}: damaged, it has no learning_rate; {advice}"
    with pytest.raises(RunDirectoryError, match=re.escape(message)):
        rnnlab.diagnose(copy)


def test_a_run_without_result_is_still_going_or_was_killed(copy: Path) -> None:
    (copy / "result.json").unlink()
    with (copy / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "step": 99')
    diagnosis = rnnlab.diagnose(copy)
    assert diagnosis.state.endswith("; no result yet: it is still going, or was killed")
    assert diagnosis.looked_at == tuple(RULES)[:-1]
    assert diagnosis.not_asked == {
        "training too short": "there is no final evaluation with an n-gram to compare with"
    }


def test_a_run_that_has_only_begun_has_no_evidence(copy: Path) -> None:
    for name in ("result.json", "metrics.jsonl"):
        (copy / name).unlink()
    shutil.rmtree(copy / "checkpoint")
    diagnosis = rnnlab.diagnose(copy)
    assert (diagnosis.findings, diagnosis.looked_at) == ((), ())
    assert diagnosis.not_asked["diverged"] == "nothing has been logged yet"
    assert diagnosis.not_asked["dead units"] == "no checkpoint has been saved yet"


def test_without_its_text_a_run_is_judged_by_its_log_alone(copy: Path) -> None:
    file = copy / "checkpoint" / "last" / "config.json"
    config = json.loads(file.read_text())
    config["data"]["corpus"] = ["gone.txt"]
    write_json(file, sealed(config))
    diagnosis = rnnlab.diagnose(copy)
    assert diagnosis.not_asked.keys() == NEED_TEXT
    (why,) = set(diagnosis.not_asked.values())
    assert why.startswith("the training text is not available: corpus 'gone.txt' is neither")


def test_nan_weights_of_a_diverged_run_are_not_damage(copy: Path) -> None:
    file = copy / "checkpoint" / "last" / "model.safetensors"
    weights = load_file(file)
    weights["output.bias"][0] = float("nan")
    save_file(weights, file)
    with pytest.raises(ModelFolderError, match=r"output\.bias holds NaN"):
        rnnlab.diagnose(copy)
    result = json.loads((copy / "result.json").read_text())
    result["training"]["stopped_by"] = "divergence"
    del result["files"]
    (copy / "result.json").write_text(json.dumps(result))
    diagnosis = rnnlab.diagnose(copy)
    assert [finding.illness for finding in diagnosis.findings] == ["diverged"]
    assert diagnosis.not_asked["dead units"].startswith("the last weights cannot be used: ")


def test_a_folder_that_is_not_a_run_directory_is_refused(cli: Cli, tmp_path: Path) -> None:
    done = cli("doctor", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    message = f"rnnlab: error: {tmp_path} is not a run directory: it has no config.toml"
    assert " ".join(done.stderr.split()) == message


@pytest.mark.parametrize(
    ("name", "content", "kind", "message"),
    [
        ("config.toml", "cell = ", UsageError, "config.toml: not TOML: "),
        ("config.toml", "cells = 'gru'", UsageError, "unknown setting 'cells'; did you mean"),
        (
            "metrics.jsonl", '{"kind": "train", "step": 1}\n{oops\n', RunDirectoryError,
            "line 2: damaged, not JSON: ",
        ),
        ("metrics.jsonl", "\xff\n", RunDirectoryError, "line 1: damaged, not JSON: "),
        ("metrics.jsonl", "[1]\n", RunDirectoryError, "line 1: damaged, must hold a JSON object"),
        (
            "metrics.jsonl", '{"kind": "train", "epoch": 1}\n', RunDirectoryError,
            "line 1: damaged, it has no kind or no step of a line of metrics",
        ),
        (
            "metrics.jsonl", '{"kind": "held-out", "step": 1, "nats_per_token": "x"}\n',
            RunDirectoryError, "line 1: damaged, nats_per_token must be a number, not 'x'",
        ),
        ("result.json", "{", RunDirectoryError, "result.json: damaged, not JSON: "),
        (
            "result.json", '{"training": {}}', RunDirectoryError,
            "result.json: damaged, not what a run writes",
        ),
        ("result.json", '{"training": 3}', RunDirectoryError, "not what a run writes"),
        (
            "checkpoint/last/model.safetensors", "", ModelFolderError,
            "model.safetensors: damaged, not a safetensors file: ",
        ),
        ("checkpoint/last/config.json", "{}", ModelFolderError, "format None is not known"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named(
    copy: Path, name: str, content: str, kind: type[RnnlabError], message: str
) -> None:
    (copy / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(kind) as raised:
        rnnlab.diagnose(copy)
    assert message in str(raised.value)
    assert str(copy / name) in str(raised.value)


def test_the_damage_of_one_checkpoint_names_what_else_is_intact(cli: Cli, copy: Path) -> None:
    best, last = copy / "checkpoint" / "best", copy / "checkpoint" / "last"
    for which, other in ((best, last), (last, best)):
        file = which / "model.safetensors"
        kept = file.read_bytes()
        file.write_bytes(kept[:1000])
        other_way = f"; {other} is intact (--checkpoint {other.name}); "
        resume = f"rnnlab train --resume {copy} --num-epochs 8 goes on from the training state"
        for model in (copy, which):
            with pytest.raises(ModelFolderError, match=re.escape(f"{other_way}{resume}")):
                rnnlab.load(model, which.name)
        with pytest.raises(RnnlabError, match=re.escape(resume)):
            rnnlab.diagnose(copy)
        file.write_bytes(kept)
    (best / "model.safetensors").unlink()
    assert cli("generate", str(copy)).returncode == 1
    assert cli("generate", str(copy), "--checkpoint", "last", "--length", "9").returncode == 0
    assert cli("train", "--resume", str(copy), "--num-epochs", "8").returncode == 0
    assert rnnlab.load(copy).checkpoint == "best"


def test_what_is_not_intact_is_not_named(copy: Path) -> None:
    """Weights that can be read, but are not those that the run wrote, are not intact either."""
    best, last = copy / "checkpoint" / "best", copy / "checkpoint" / "last"
    (best / "config.json").write_text("{")
    shutil.rmtree(copy / "checkpoint" / "state")
    weights = load_file(last / "model.safetensors")
    weights["output.bias"][0] += 1
    save_file(weights, last / "model.safetensors")
    for _ in range(2):
        with pytest.raises(ModelFolderError) as caught:
            rnnlab.load(copy)
        assert "is intact" not in str(caught.value)
        assert "--resume" not in str(caught.value)
        (last / "model.safetensors").unlink(missing_ok=True)


def test_a_damaged_file_is_one_line_on_the_command_line(cli: Cli, copy: Path) -> None:
    (copy / "metrics.jsonl").write_text("oops\n")
    done = cli("doctor", str(copy), "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"rnnlab: error: {copy}/metrics.jsonl: line 1: damaged")
    assert len(done.stderr.splitlines()) == 1


def test_the_page_names_every_illness_in_the_order_of_the_rules() -> None:
    table = PAGE.partition("## Tried on")[0]
    assert re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) == ["illness", *RULES]
    assert all(f'"{illness}"' in table for illness in NEED_TEXT)


@pytest.mark.parametrize(
    ("illness", "words"),
    [
        ("diverged", f"lost {rules_curve.LOST_SHARE:.0%} of what had been learned"),
        ("diverged", f"at least {rules_curve.MIN_LOST_NATS} nats and {rules_curve.NOISE:.0%} of"),
        ("diverged", f"it is {rules_curve.NOISE:.0%} worse than uniform guessing"),
        ("stuck at the unigram level", f"within {rules_learning.NEAR_UNIGRAM:.0%} of the entropy"),
        ("stuck at the unigram level", f"no more than {rules_curve.STILL_FALLING:.0%} from the"),
        ("stuck at the unigram level", f"model gains {rules_learning.WORTH_READING:.0%}"),
        ("clipping every step", f"{rules_curve.EVERY_STEP:.0%} of the steps in the second half"),
        ("saturated gates", f"{rules_activity.SATURATED_SHARE:.0%} of a gate's activations"),
        ("saturated gates", f"within {activity.END_SHARE:.0%} of an end of its range"),
        ("saturated gates", f"below {rules_activity.MEMORIZED_SHARE:.0%} of the unigram level"),
        ("dead units", f"{rules_activity.DEAD_SHARE:.0%} of a layer's units vary"),
        ("dead units", f"less than {activity.DEAD_SPREAD:.0%} of what the most active"),
        ("dead units", f"most active {activity.MOST_ACTIVE:.0%}"),
        ("held-out text is a copy", f"{copies.MANY:.0%} of the characters of a held-out split"),
        ("held-out text is a copy", f"copies of {copies.COPY} characters or more"),
        ("held-out text is a copy", f"at least {copies.FEW_LINES}, {copies.MANY_LINES:.0%} of the"),
        ("overfitting", f"the last {rules_curve.LATE_EVALUATIONS} held-out evaluations"),
        ("overfitting", f"all {rules_curve.RISE:.0%} above"),
        ("regularization too strong", f"above {rules_regularization.STRONG_DROPOUT} while"),
        ("regularization too strong", f"removes {advice.FORGETTING} of every weight per step"),
        ("regularization too strong", f"above {rules_regularization.HALF_LEARNED:.0%} of"),
        ("learning rate too low", f"less than {rules_learning.HARDLY_MOVED} of their initial"),
        ("learning rate too low", f"at most {rules_learning.FAR_BELOW:.0%} of the optimizer's"),
        ("learning rate too low", f"still fell by {rules_curve.STILL_FALLING:.0%}"),
        ("training too short", f"are {rules_budget.BEHIND:.0%} above the n-gram's"),
        ("training too short", f"is {rules_budget.STILL_LEARNING:.0%} below that of the first"),
        ("training too short", "four times the budget"),
        ("batch too large for the text", f"at most {rules_curve.FEW_BATCHES} batches per epoch"),
        ("batch too large for the text", f"fewer than {rules_curve.FEW_UPDATES} updates"),
        ("batch too large for the text", f"gives {rules_curve.WANTED_BATCHES} updates per epoch"),
    ],
)
def test_the_page_gives_the_thresholds_of_the_rules(illness: str, words: str) -> None:
    (row,) = re.findall(rf"^\| {illness} \|.*\|.*\|$", PAGE, re.MULTILINE)
    assert words in row


def test_the_page_gives_the_progress_that_rules_need() -> None:
    assert f"within {evidence.MIN_BUDGET_SHARE:.0%} of the budget, or within " in PAGE
    assert f"within {rules_learning.MIN_STEPS} steps" in PAGE


def test_files_of_the_best_checkpoint_that_are_gone_are_missed(copy: Path) -> None:
    file = copy / "checkpoint" / "best" / "model.safetensors"
    file.unlink()
    with pytest.raises(RunDirectoryError, match=re.escape(f"{file} is gone")):
        rnnlab.diagnose(copy)


def test_a_verdict_says_how_many_rules_were_left_out() -> None:
    found, _ = Diagnosis("run", "", (), ("diverged",), {"dead units": "no weights"}).in_brief()
    assert found == "nothing was found, but only 1 of 2 illnesses could be looked for"
    found, more = Diagnosis("run", "", (), ("diverged", "overfitting"), {}).in_brief()
    assert found == "healthy: 2 illnesses were looked for, none was found"
    assert more == "what was looked for, and what was left out: rnnlab doctor run"


def test_the_network_of_a_mixture_is_compared_with_the_n_gram(copy: Path) -> None:
    result = json.loads((copy / "result.json").read_text())
    for record in result["evaluations"]:
        record["parts"] = {"network": {"bits_per_character": 9.5}, "ngram": {}}
    write_json(copy / "result.json", result)
    history = read_history(copy, rnnlab.Run.open(copy).settings)
    assert history.reached is not None
    assert history.reached.bits_per_character == 9.5
