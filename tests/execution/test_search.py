"""Which process runs which trial of a search, and what is recorded."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from made_up_search import BEST, RATE, SPACE, frozen, go_through, make_up, search_plan, told

from rnnlab.errors import UsageError
from rnnlab.execution.executor import RunEvent
from rnnlab.execution.search import Search
from rnnlab.experiments.optuna_study import JOURNAL, Journal, read_trials
from rnnlab.experiments.store import OUTCOME, Store


def test_a_finished_search_continues_if_count_grows(
    content: dict[str, Any], tmp_path: Path
) -> None:
    store = Store(tmp_path)
    first = go_through(Search(search_plan(content, 5), store))
    assert go_through(Search(search_plan(content, 5), store)) == []
    more = go_through(Search(search_plan(content, 8, prune=False), store))
    assert len(first + more) == 8
    assert len({job.id for job in first + more}) == 8
    assert len(go_through(Search(search_plan(content, 5, seed=3), store))) == 5


def test_jobs_are_those_of_the_plan(content: dict[str, Any], tmp_path: Path) -> None:
    plan = search_plan(content | {"phrases": ["The"]}, 1, seeds=[4])
    (job,) = go_through(Search(plan, Store(tmp_path), threads=3))
    (trial,) = read_trials(plan, tmp_path)
    run = trial.run(plan)
    assert job.id == run.id
    assert job.settings == run.settings.with_changes(threads=3)
    assert job.settings.training.seed == 4
    assert job.phrases == ("The",)
    assert job.trial is not None
    assert (job.trial.journal, job.trial.number) == (tmp_path / JOURNAL, 0)
    # Evaluations during training do not predict speed, so no run is pruned.
    for other in (
        search_plan(content, 1, outcome="tokens_per_second"),
        search_plan(content, 1, seed=1, prune=False),
    ):
        assert next(Search(other, Store(tmp_path)).jobs()).trial is None


def test_settings_with_an_earlier_run_are_not_run_again(
    content: dict[str, Any], tmp_path: Path
) -> None:
    space = {"cell": {"choices": ["lstm", "gru"]}, "num_layers": {"low": 1, "high": 2}}
    plan = search_plan(content, 12, space)
    jobs = go_through(Search(plan, Store(tmp_path)), lambda s: float(s.model.num_layers))
    assert len({job.id for job in jobs}) == len(jobs) <= 4
    trials = frozen(plan, tmp_path)
    assert len(trials) == 12
    assert all(trial.value == trial.params["num_layers"] for trial in trials)


def test_trials_with_equal_settings_share_a_run_in_progress(
    content: dict[str, Any], tmp_path: Path
) -> None:
    plan = search_plan(content, 6, {"cell": {"choices": ["lstm", "gru"]}})
    with Search(plan, Store(tmp_path)) as search:
        jobs = list(search.jobs())
        assert sorted(job.settings.model.cell for job in jobs) == ["gru", "lstm"]
        for job in jobs:
            search.record(make_up(job, search.store, 2.0))
    assert [trial.value for trial in frozen(plan, tmp_path)] == [2.0] * 6


def test_inconsistent_settings_are_skipped(content: dict[str, Any], tmp_path: Path) -> None:
    space = RATE | {"cell": SPACE["cell"], "forget_bias": {"choices": [0.0, 1.0, 2.0]}}
    plan = search_plan(content, 25, space)
    jobs = go_through(Search(plan, Store(tmp_path)), lambda s: -s.training.learning_rate)
    assert len(jobs) == 25
    refused = [trial for trial in read_trials(plan, tmp_path) if trial.state == "refused"]
    assert 0 < len(refused) < 25
    assert all(trial.change["forget_bias"] for trial in refused)
    assert refused[0].reason == (
        f"trial {refused[0].number}: forget_bias needs cell = 'lstm'; 'gru' has no forget gate"
    )


def test_a_search_with_only_inconsistent_settings_ends(
    content: dict[str, Any], tmp_path: Path
) -> None:
    space = {"forget_bias": {"low": 1.0, "high": 2.0}}
    plan = search_plan(content, 5, space, {"cell": "gru"})
    with pytest.raises(
        UsageError,
        match=r"^search: 100 suggestions in a row break the rules of the settings; the last: "
        r"trial 99: forget_bias needs cell = 'lstm'; 'gru' has no forget gate$",
    ):
        next(Search(plan, Store(tmp_path)).jobs())


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"hiden_size": {"low": 1, "high": 2}}, "unknown setting 'hiden_size'; did you mean 'hid"),
        ({"seed": {"low": 1, "high": 2}}, "seed belongs in seeds"),
        ({"num_evaluations": {"low": 1, "high": 2}}, "num_evaluations belongs in base"),
        (
            {"cell": {"choices": ["lstm", "rnm"]}},
            "cell must be 'rnn', 'rnn-relu', 'gru', 'lstm' or",
        ),
        ({"dropout": {"low": 0.0, "high": 1.5}}, "dropout must be less than 1, not 1.5"),
    ],
)
def test_an_invalid_space_is_refused(
    content: dict[str, Any], tmp_path: Path, space: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=f"^search: .*{message}"):
        Search(search_plan(content, 5, space), Store(tmp_path))
    assert not (tmp_path / JOURNAL).exists()


def test_an_outcome_that_runs_do_not_measure_is_refused(
    content: dict[str, Any], tmp_path: Path
) -> None:
    search = Search(search_plan(content, 5, outcome="training_perplexity"), Store(tmp_path))
    job = next(search.jobs())
    with pytest.raises(
        UsageError,
        match="^search: outcome 'training_perplexity' is not measured by these runs, for example "
        rf"{job.id} \(choices: {BEST}, tokens_per_second\)$",
    ):
        search.record(make_up(job, search.store, 1.0))


def test_a_failed_run_is_tried_again_only_by_the_next_start(
    content: dict[str, Any], tmp_path: Path
) -> None:
    plan, store = search_plan(content, 4), Store(tmp_path)
    jobs = []
    with Search(plan, store) as search:
        for job in search.jobs():
            jobs.append(job)
            failed = len(jobs) == 2
            search.record(RunEvent(job, "failed") if failed else make_up(job, store, 1.0))
    assert len(jobs) == 4
    states = [trial.state for trial in read_trials(plan, tmp_path)]
    assert states == ["ended", "open", "ended", "ended"]
    again = go_through(Search(plan, store))
    assert [job.id for job in again] == [jobs[1].id]
    assert len(frozen(plan, tmp_path)) == 4


def test_a_figure_that_was_not_recorded_is_recorded_later(
    content: dict[str, Any], tmp_path: Path
) -> None:
    plan, store = search_plan(content, 3), Store(tmp_path)
    with Search(plan, store) as search:
        for job in search.jobs():
            make_up(job, store, 1.5)
    assert go_through(Search(plan, store)) == []
    assert [trial.value for trial in frozen(plan, tmp_path)] == [1.5] * 3


def test_an_infinite_figure_is_none(content: dict[str, Any], tmp_path: Path) -> None:
    plan = search_plan(content, 2)
    go_through(Search(plan, Store(tmp_path)), lambda s: float("inf"))
    assert [trial.state.name for trial in frozen(plan, tmp_path)] == ["PRUNED"] * 2


def test_trials_of_another_process_are_skipped(content: dict[str, Any], tmp_path: Path) -> None:
    plan, store = search_plan(content, 5), Store(tmp_path)
    with Search(plan, store) as one:
        first = [next(one.jobs()) for _ in range(3)]
        second = go_through(Search(plan, store))
        assert len(second) == 2
        assert not {job.id for job in first} & {job.id for job in second}
        assert list(one.jobs()) == []
        make_up(first[0], store, 1.0)
    left = go_through(Search(plan, store))
    assert {job.id for job in left} == {job.id for job in first[1:]}


def test_a_search_cut_off_after_any_write_ends_like_an_undisturbed_one(
    content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = search_plan(content, 3, RATE | {"cell": SPACE["cell"]})
    go_through(Search(plan, Store(tmp_path / "whole")))
    whole = told(plan, tmp_path / "whole")
    write, left = Journal.append_logs, 0

    def write_some(self: Journal, logs: list[dict[str, Any]]) -> None:
        nonlocal left
        write(self, logs)
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "append_logs", write_some)
    for writes in range(1, 20):
        folder = tmp_path / str(writes)
        left = writes
        with suppress(KeyboardInterrupt):
            go_through(Search(plan, Store(folder)))
        if left:
            break
        go_through(Search(plan, Store(folder)))
        assert told(plan, folder) == whole
        assert len(list((folder / "runs").glob(f"*/{OUTCOME}"))) == 3
    assert writes > 12
