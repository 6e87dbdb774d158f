"""Suggestions of a search, its journal, and its trials as variants of a plan."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from statistics import mean, median
from typing import Any

import optuna
import pytest
from made_up_search import (
    BEST,
    RATE,
    SPACE,
    figure,
    frozen,
    go_through,
    make_up,
    search_plan,
)

from rnnlab.errors import RunDirectoryError
from rnnlab.execution.search import Search
from rnnlab.experiments.optuna_study import (
    JOURNAL,
    importances,
    open_journal,
    plan_with_trials,
    read_trials,
    running_trial,
    search_settings,
    study_name,
)
from rnnlab.experiments.plan import Plan, change_name, settings_id
from rnnlab.experiments.store import Store


def suggested(plan: Plan, folder: Path) -> list[dict[str, Any]]:
    return [trial.change for trial in read_trials(plan, folder) if trial.counts]


def test_suggestions_are_in_range_and_improve(content: dict[str, Any], tmp_path: Path) -> None:
    jobs = go_through(Search(search_plan(content, 40), Store(tmp_path)))
    assert len(jobs) == 40
    for job in jobs:
        training, model = job.settings.training, job.settings.model
        assert 1e-4 <= training.learning_rate <= 1
        assert isinstance(model.hidden_size, int)
        assert 8 <= model.hidden_size <= 64
        assert 0 <= model.dropout <= 0.9
        assert training.seed == 0
        assert training.num_epochs == 1
    early = jobs[:10]
    assert sum(job.settings.training.learning_rate < 1e-2 for job in early) in range(2, 9)
    assert {job.settings.model.cell for job in early} == {"lstm", "gru"}
    figures = [figure(job.settings) for job in jobs]
    assert mean(figures[20:]) < 0.8 * mean(figures[:10])


def test_whole_numbers_are_drawn_on_a_logarithmic_scale_too(
    content: dict[str, Any], tmp_path: Path
) -> None:
    plan = search_plan(content, 10, {"hidden_size": {"low": 1, "high": 1024, "log": True}})
    jobs = go_through(Search(plan, Store(tmp_path)), lambda s: 1.0)
    sizes = [job.settings.model.hidden_size for job in jobs]
    assert sum(size <= 32 for size in sizes) in range(2, 9)


def test_an_outcome_that_is_better_if_higher_is_maximised(
    content: dict[str, Any], tmp_path: Path
) -> None:
    space = {"hidden_size": {"low": 8, "high": 512}}
    plan = search_plan(content, 30, space, outcome="tokens_per_second")
    jobs = go_through(Search(plan, Store(tmp_path)), lambda s: s.model.hidden_size)
    sizes = [job.settings.model.hidden_size for job in jobs]
    assert median(sizes[20:]) > 1.2 * median(sizes[:10])


def test_tpe_avoids_settings_near_diverged_runs(content: dict[str, Any], tmp_path: Path) -> None:
    border = 1e-2
    plan = search_plan(content, 40, RATE)
    jobs = go_through(
        Search(plan, Store(tmp_path)),
        lambda s: None if s.training.learning_rate >= border else s.training.learning_rate,
    )
    beyond = [job.settings.training.learning_rate >= border for job in jobs]
    assert sum(beyond[:10]) >= 3
    assert sum(beyond[20:]) <= 2
    states = [trial.state.name for trial in frozen(plan, tmp_path)]
    assert states == ["PRUNED" if away else "COMPLETE" for away in beyond]


def test_the_same_seed_gives_the_same_suggestions_after_interruptions(
    content: dict[str, Any], tmp_path: Path
) -> None:
    plan = search_plan(content, 14)
    go_through(Search(plan, Store(tmp_path / "whole")))
    whole = suggested(plan, tmp_path / "whole")
    assert len({json.dumps(change) for change in whole}) == 14
    for _ in range(14):
        assert len(go_through(Search(plan, Store(tmp_path / "parts")), count=1)) == 1
    assert suggested(plan, tmp_path / "parts") == whole
    other = search_plan(content, 3, seed=1)
    go_through(Search(other, Store(tmp_path / "other")))
    assert suggested(other, tmp_path / "other") != whole[:3]


def test_a_suggestion_that_was_cut_off_is_made_again(
    content: dict[str, Any], tmp_path: Path
) -> None:
    plan, cut = search_plan(content, 13), tmp_path / "cut"
    go_through(Search(plan, Store(tmp_path / "whole")))
    with Search(plan, Store(cut)) as search:
        go_through(search, count=11)
        next(search.jobs())
    lines = (cut / JOURNAL).read_bytes().splitlines(keepends=True)
    (cut / JOURNAL).write_bytes(b"".join(lines[:-2]))  # two of its four settings are lost
    go_through(Search(plan, Store(cut)))
    assert suggested(plan, cut) == suggested(plan, tmp_path / "whole")
    assert [t.number for t in read_trials(plan, cut) if t.state == "cut off"] == [11]


def test_a_torn_last_line_of_the_journal_is_dropped(
    content: dict[str, Any], tmp_path: Path
) -> None:
    plan, store = search_plan(content, 4), Store(tmp_path)
    with Search(plan, store) as search:
        for job in search.jobs():
            with (tmp_path / JOURNAL).open("ab") as file:
                file.write(b'{"op_code": 8, "worker_id": "of one that was kill')
            search.record(make_up(job, store, 1.0))
    assert len(frozen(plan, tmp_path)) == 4
    lines = (tmp_path / JOURNAL).read_text().splitlines()
    assert all(json.loads(line) for line in lines)


def test_a_file_that_is_not_a_journal_is_kept_and_named(
    content: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / JOURNAL
    for damage in ("half a line {\n{}\n", '{"op_code": 77}\n', "[1]\n"):
        file.write_text(damage)
        with pytest.raises(RunDirectoryError, match=rf"^{file}: not the journal of a search: "):
            Search(search_plan(content, 2), Store(tmp_path))
        assert file.read_text() == damage


def test_a_trial_that_another_process_asked_for_can_be_reported_to_and_marked(
    content: dict[str, Any], tmp_path: Path
) -> None:
    """Optuna has no public interface for this; what `running_trial` uses may change with Optuna 6.

    If this test fails with a new version, find another way before raising the bound.
    """
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["optional-dependencies"]["search"] == ["optuna>=4.2,<6"]
    plan = search_plan(content, 3)
    with Search(plan, Store(tmp_path)) as search:
        jobs = search.jobs()
        assert next(jobs)
        assert next(jobs)
    storage = open_journal(tmp_path / JOURNAL)
    study = optuna.load_study(study_name=study_name(plan), storage=storage)
    trial = running_trial(study, storage, 1)
    trial.report(2.5, 3)
    trial.set_user_attr("note", "seen")
    first, second = frozen(plan, tmp_path)
    assert (second.number, second.intermediate_values) == (1, {3: 2.5})
    assert second.user_attrs == {"note": "seen"}
    assert second.state.name == "RUNNING"
    assert not first.intermediate_values
    assert not first.user_attrs


def test_a_changed_search_begins_another_study(content: dict[str, Any]) -> None:
    name = study_name(search_plan(content, 5))
    for same in (
        search_plan(content, 9, prune=False),
        search_plan(content, 5, base={"threads": 3}),
    ):
        assert study_name(same) == name
    for other in (
        search_plan(content, 5, seed=3),
        search_plan(content, 5, RATE),
        search_plan(content, 5, base={"num_steps": 12}),
        search_plan(content, 5, outcome="training_perplexity"),
        search_plan(content, 5, seeds=[1]),
    ):
        assert study_name(other) != name


def test_a_search_that_has_not_begun_has_no_trials(content: dict[str, Any], tmp_path: Path) -> None:
    plan = search_plan(content, 2)
    assert read_trials(plan, tmp_path) == []
    assert not (tmp_path / JOURNAL).exists()
    go_through(Search(search_plan(content, 2, seed=1), Store(tmp_path)))
    assert read_trials(plan, tmp_path) == []


@pytest.mark.parametrize("outcome", ["training_perplexity", "tokens_per_second"])
def test_the_decisive_setting_is_most_important(content: dict[str, Any], outcome: str) -> None:
    search = search_settings(search_plan(content, 50, outcome=outcome))
    sign = 1 if outcome == "training_perplexity" else -1
    figures = [
        (
            {"learning_rate": 10 ** (-4 * n / 49), "hidden_size": 8 + n * 17 % 57,
             "dropout": n * 11 % 50 / 60, "cell": ("lstm", "gru")[n % 2]},
            sign * (abs(n - 20) + 0.1 * (n % 2)),
        )
        for n in range(50)
    ]  # fmt: skip
    shares = importances(search, figures)
    assert set(shares) == set(SPACE)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["learning_rate"] > 0.5
    assert importances(search, figures) == shares


def test_each_trial_is_a_variant_in_order(content: dict[str, Any], tmp_path: Path) -> None:
    space = RATE | {"cell": SPACE["cell"], "forget_bias": {"choices": [0.0, 1.0]}}
    plan, store = search_plan(content, 8, space), Store(tmp_path)
    jobs = go_through(Search(plan, store))
    searched = plan_with_trials(plan, tmp_path)
    assert [run.id for run in searched.runs] == [job.id for job in jobs]
    assert searched.settings.seeds == (0,)
    for variant, run, job in zip(searched.variants, searched.runs, jobs, strict=True):
        assert variant.name == run.variant == change_name(variant.change)
        assert list(variant.change) == list(space)
        assert settings_id(searched.variant_settings(variant.name)) == run.id
        outcome = store.outcome(run.id)
        assert outcome is not None
        assert outcome["outcomes"][BEST] == figure(job.settings)
    assert plan_with_trials(searched, tmp_path) == searched


def test_trials_with_one_run_are_one_variant(content: dict[str, Any], tmp_path: Path) -> None:
    plan = search_plan(content, 6, {"cell": {"choices": ["lstm", "gru"]}})
    go_through(Search(plan, Store(tmp_path)), lambda s: 1.0)
    names = [variant.name for variant in plan_with_trials(plan, tmp_path).variants]
    assert sorted(names) == ["cell=gru", "cell=lstm"]


def test_equal_names_get_the_number_of_the_trial(content: dict[str, Any], tmp_path: Path) -> None:
    plan = search_plan(content, 3, {"dropout": {"low": 0.100001, "high": 0.100002}})
    go_through(Search(plan, Store(tmp_path)), lambda s: 1.0)
    searched = plan_with_trials(plan, tmp_path)
    names = [variant.name for variant in searched.variants]
    assert names == ["dropout=0.1", "dropout=0.1 (trial 1)", "dropout=0.1 (trial 2)"]
    assert [run.variant for run in searched.runs] == names


def test_a_search_that_has_not_begun_has_no_variants(
    content: dict[str, Any], tmp_path: Path
) -> None:
    searched = plan_with_trials(search_plan(content, 3), tmp_path)
    assert searched.variants == searched.runs == ()


def test_neither_search_nor_its_report_needs_torch() -> None:
    code = (
        "import rnnlab.execution.search, rnnlab.report.search_section, sys\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
