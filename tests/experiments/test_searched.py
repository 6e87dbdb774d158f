"""A search's trials as variants."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from made_up_search import BEST, RATE, SPACE, figure, go_through, search_plan

from rnnlab.execution.search import Search
from rnnlab.experiments.plan import change_name, settings_id
from rnnlab.experiments.searched import searched_plan
from rnnlab.experiments.store import Store


def test_variants_are_the_trials_in_their_order(content: dict[str, Any], tmp_path: Path) -> None:
    space = RATE | {"cell": SPACE["cell"], "forget_bias": {"choices": [0.0, 1.0]}}
    plan, store = search_plan(content, 8, space), Store(tmp_path)
    jobs = go_through(Search(plan, store))
    searched = searched_plan(plan, tmp_path)
    assert [run.id for run in searched.runs] == [job.id for job in jobs]
    assert searched.settings.seeds == (0,)
    for variant, run, job in zip(searched.variants, searched.runs, jobs, strict=True):
        assert variant.name == run.variant == change_name(variant.change)
        assert list(variant.change) == list(space)
        assert settings_id(searched.variant_settings(variant.name)) == run.id
        outcome = store.outcome(run.id)
        assert outcome is not None
        assert outcome["outcomes"][BEST] == figure(job.settings)
    assert searched_plan(searched, tmp_path) == searched


def test_trials_with_one_run_are_one_variant(content: dict[str, Any], tmp_path: Path) -> None:
    plan = search_plan(content, 6, {"cell": {"choices": ["lstm", "gru"]}})
    go_through(Search(plan, Store(tmp_path)), lambda s: 1.0)
    names = [variant.name for variant in searched_plan(plan, tmp_path).variants]
    assert sorted(names) == ["cell=gru", "cell=lstm"]


def test_names_that_would_be_the_same_are_told_apart(
    content: dict[str, Any], tmp_path: Path
) -> None:
    plan = search_plan(content, 3, {"dropout": {"low": 0.100001, "high": 0.100002}})
    go_through(Search(plan, Store(tmp_path)), lambda s: 1.0)
    searched = searched_plan(plan, tmp_path)
    names = [variant.name for variant in searched.variants]
    assert names == ["dropout=0.1", "dropout=0.1 (trial 1)", "dropout=0.1 (trial 2)"]
    assert [run.variant for run in searched.runs] == names


def test_before_it_has_begun_there_are_none(content: dict[str, Any], tmp_path: Path) -> None:
    searched = searched_plan(search_plan(content, 3), tmp_path)
    assert searched.variants == searched.runs == ()


def test_neither_search_nor_its_report_needs_torch() -> None:
    code = (
        "import rnnlab.execution.search, rnnlab.report.search_section, sys\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
