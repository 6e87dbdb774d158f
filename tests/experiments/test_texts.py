"""Experiments on several texts or folds: their plans, runs, records and verdicts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from command_line import Cli
from made_up_comparisons import BITS, PERPLEXITY, compared_on_texts, plan_on_texts, records_on_texts
from scipy import stats

import rnnlab
from rnnlab.errors import UsageError
from rnnlab.experiments.archive import collect_records
from rnnlab.experiments.evidence import over_texts
from rnnlab.experiments.plan import Plan, make_plan, read_plan
from rnnlab.experiments.settings import apply_quick
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.report.explanations import warning

TWO = ["timemachine", {"name": "Python", "change": {"corpus": "python-reference"}}]
VARIANTS = [{"name": "LSTM"}, {"name": "GRU", "change": {"cell": "gru"}}]


def content(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "question": "?", "seeds": 2, "base": {"num_epochs": 1}, "variant": VARIANTS,
    }  # fmt: skip
    return {k: v for k, v in (base | changes).items() if v is not None}


def planned(**changes: Any) -> Plan:
    return make_plan(content(**changes), "small", "experiment.toml")


def test_every_variant_runs_on_every_text_with_every_seed() -> None:
    plan = planned(texts=TWO)
    assert [run.name for run in plan.runs[:4]] == [
        "LSTM, timemachine, seed 0", "GRU, timemachine, seed 0",
        "LSTM, Python, seed 0", "GRU, Python, seed 0",
    ]  # fmt: skip
    assert len({run.id for run in plan.runs}) == len(plan.runs) == 8
    assert [run.settings.data.corpus for run in plan.runs[1:3]] == [
        ("timemachine",), ("python-reference",),
    ]  # fmt: skip
    assert plan.scope == "these texts"
    more = [
        *TWO,
        {"name": "letters", "change": {"corpus": "timemachine", "split": (0.5, 0.2, 0.3)}},
    ]
    plan = planned(texts=more)
    assert plan.scope == "texts like these"
    assert plan.on_text("letters").base.data.split == (0.5, 0.2, 0.3)
    assert plan.on_text("Python").base.data.split == (0.9, 0.05, 0.05)
    assert planned(texts=more, about="these texts").scope == "these texts"


def test_no_two_texts_share_a_seed_and_a_text_keeps_its_runs_when_another_is_added() -> None:
    """All variants have the same seeds on a text, since they are paired by them."""
    plan = planned(folds=3, base={"corpus": "timemachine", "num_epochs": 1}, seeds=[4, 7])
    seeds = {name.name: set() for name in plan.texts}
    for run in plan.runs:
        seeds[run.text].add(run.settings.training.seed)
    assert [len(own) for own in seeds.values()] == [2, 2, 2]
    assert len(set.union(*seeds.values())) == 6
    first = {run.id for run in planned(texts=TWO).runs}
    more = [*TWO, {"name": "short", "change": {"corpus": "timemachine", "corpus_limit": 9999}}]
    assert first < {run.id for run in planned(texts=more).runs}
    alone = planned(base={"corpus": "timemachine", "num_epochs": 1})
    assert {run.id for run in alone.runs} < first, "the first text has the runs that it has alone"


def test_grids_and_random_draws_run_on_texts() -> None:
    grid = planned(texts=TWO, variant=None, grid={"cell": ["lstm", "gru"]})
    assert len(grid.runs) == 8
    assert len(grid.claims) == 1
    random = {"count": 3, "settings": {"dropout": {"low": 0.0, "high": 0.5}}}
    assert len(planned(texts=TWO, variant=None, random=random).runs) == 12


def test_quick_may_have_other_texts() -> None:
    quick = apply_quick(content(folds=5, quick={"folds": 3, "seeds": 1, "num_epochs": 1}))
    assert (quick["folds"], quick["seeds"], quick["base"]) == (3, 1, {"num_epochs": 1})


SEARCH = {"settings": {"dropout": {"low": 0.0, "high": 0.5}}}
ONE = {"corpus": "timemachine", "num_epochs": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"texts": TWO, "folds": 3}, "an experiment has texts or folds, not both"),
        ({"texts": TWO[:1]}, "texts needs at least two; a single one is the corpus of base"),
        ({"folds": 2, "base": ONE}, "folds must be at least 3, not 2"),
        ({"about": "these texts", "base": ONE}, "about needs texts or folds"),
        ({"texts": TWO, "about": "texts like these"}, "about = 'texts like these' needs at least 3 "
         "texts, not 2: how much texts differ cannot be seen from fewer"),
        ({"texts": TWO, "variant": None, "search": SEARCH, "seeds": 1}, "a search cannot have "
         "texts: it chooses settings on one text"),
        ({"folds": 3, "base": ONE, "timing": {}}, "[timing] cannot be combined with folds: speed "
         "is measured on one text, in an experiment of its own"),
        ({"texts": TWO, "seeds": [100_000]}, "with texts or folds seeds must be below 100,000, not "
         "100000: so much is added from one text to the next"),
        ({"texts": [TWO[0], TWO[0]]}, "text 'timemachine' occurs twice"),
        ({"texts": TWO, "base": ONE}, "base: corpus has no effect: every text sets it"),
        ({"folds": 3, "base": ONE | {"fold": "1/2"}}, "base: fold has no effect: folds sets it"),
        ({"folds": 3, "base": ONE, "variant": [{"name": "a", "change": {"fold": "1/2"}}]},
         "folds and variant 'a' both set fold"),
        ({"texts": [*TWO, {"name": "x", "change": {"seed": 3}}]}, "text 'x': seed belongs in "
         "seeds"),
        ({"texts": [*TWO, {"name": "x", "change": {"corpse": "y"}}]}, "text 'x': unknown setting "
         "'corpse'; did you mean 'corpus'?"),
        ({"texts": [*TWO, {"name": "x", "change": {"corpus": "timemachine"}}]}, "texts "
         "'timemachine' and 'x' are the same: no setting differs that decides the result"),
    ],
)  # fmt: skip
def test_what_cannot_be_combined(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        planned(**changes)
    assert str(refused.value) == f"experiment.toml: {message}"


def figures(gaps: list[float], seeds: int = 3, noise: float = 0.01) -> np.ndarray:
    """(2 variants, texts, seeds): v1 differs from v0 by a gap on each text."""
    rng = np.random.default_rng(0)
    found = 2.0 + rng.normal(0, 0.3, (1, len(gaps), 1)) + rng.normal(0, 0.05, (1, len(gaps), seeds))
    return np.concatenate(
        [found, found + np.array(gaps)[:, None] + rng.normal(0, noise, found.shape)]
    )


def test_the_sentence_says_what_the_verdict_is_about() -> None:
    values = figures([-0.3, -0.25, -0.35, -0.2])
    differences = values[1] - values[0]
    (result,) = compared_on_texts(plan_on_texts([{"expect": "lower"}], 4, 3), values)
    oracle = stats.ttest_1samp(differences.mean(1), 0)
    assert result.p_value == pytest.approx(oracle.pvalue)
    assert result.interval == pytest.approx(tuple(oracle.confidence_interval()))
    assert ", 4 texts, 12 pairs, effect size" in result.sentence
    assert result.sentence.endswith(
        f"p = {oracle.pvalue:.2g}). On texts like these: lower, as claimed."
    )
    assert [name for name, _ in result.on_texts] == ["t0", "t1", "t2", "t3"]
    for (_, on), own in zip(result.on_texts, differences, strict=True):
        alone = stats.ttest_1samp(own, 0)
        assert (on.p_value, on.pairs) == (pytest.approx(alone.pvalue), 3)
        assert on.adjusted_p >= on.p_value
    (result,) = compared_on_texts(plan_on_texts([{}], 4, 3, about="these texts"), values)
    assert result.sentence.endswith("On these texts: shown to be lower.")
    (result,) = compared_on_texts(plan_on_texts([{}], 0, 3, folds=4), values)
    assert result.sentence.endswith("On text like this: shown to be lower.")
    assert "4 folds, 12 pairs" in result.sentence


def test_texts_that_disagree() -> None:
    """Certain on each, and on their mean: of these texts. Nothing is said about others."""
    values = figures([-0.5, -0.4, 0.1, 0.2])
    (these,) = compared_on_texts(plan_on_texts([{}], 4, 3, about="these texts"), values)
    assert these.verdict == "supported"
    assert [on.verdict for _, on in these.on_texts] == ["supported"] * 4
    (others,) = compared_on_texts(plan_on_texts([{}], 4, 3), values)
    assert others.verdict == "not shown"
    assert (
        "On texts like these: no difference is shown. With this spread, 80% of" in others.sentence
    )


def test_margins_count_on_all_texts_together() -> None:
    values = figures([0.01, -0.01, 0.02, 0.0])
    for about in ("these texts", "texts like these"):
        claims = [
            {"expect": "equivalent", "margin": 0.1}, {"expect": "not higher", "margin": 0.1},
            {"expect": "higher", "margin": 0.1},
        ]  # fmt: skip
        made = plan_on_texts(claims, 4, 3, about=about)
        found = [result.verdict for result in compared_on_texts(made, values)]
        assert found == ["supported", "supported", "contradicted"]


def test_one_seed_on_each_text_is_enough_for_others_but_not_for_these() -> None:
    values = figures([-0.3, -0.25, -0.35, -0.2], seeds=1)
    (others,) = compared_on_texts(plan_on_texts([{}], 4, 1), values)
    assert others.verdict == "supported"
    (these,) = compared_on_texts(plan_on_texts([{}], 4, 1, about="these texts"), values)
    assert these.sentence.endswith("One seed on a text is not enough for a test about these texts.")
    assert these.verdict == "not shown"


def test_missing_runs_are_named_with_their_text_and_few_texts_are_not_tested() -> None:
    values = figures([-0.3, -0.25, -0.35, -0.2])
    values[1, 1, 2] = np.nan
    values[1, 3] = np.nan
    made = plan_on_texts([{}], 4, 3)
    (result,) = compared_on_texts(made, values)
    assert result.sentence.endswith(
        "t1: 1 of 3 seeds left out: 'v1' was not run; t3: 'v1' was not run (all 3 seeds)."
    )
    assert "3 texts, 8 pairs" in result.sentence
    values[1, 2] = np.nan
    (result,) = compared_on_texts(made, values)
    assert "Figures of 2 texts are not enough for a test, which needs 3." in result.sentence
    values[:] = np.nan
    (result,) = compared_on_texts(made, values)
    assert "cannot be compared with v0: t0: 'v1' was not run" in result.sentence


def test_a_run_that_diverged_on_one_text_leaves_nothing_tested() -> None:
    values = figures([-0.3, -0.25, -0.35, -0.2])
    values[1, 2, 1] = np.nan
    found = records_on_texts(plan_on_texts([{"expect": "lower"}], 4, 3), values)
    runs = [
        replace(run, status="diverged") if run.status == "missing" else run for run in found.runs
    ]
    (claim,) = judge_claims(replace(found, runs=runs))
    assert claim.verdict == "not shown"
    assert "On texts like these: not tested: runs diverged" in claim.compared[0].sentence
    assert "t2: 1 of 3 seeds left out: 'v1' diverged" in claim.compared[0].sentence


def test_figures_of_a_variant_are_means_over_the_texts_by_seed() -> None:
    values = np.exp(figures([0.1, 0.2, 0.3]))
    values[1, 0, 1] = np.nan
    found = records_on_texts(plan_on_texts([{}], 3, 3), values, PERPLEXITY)
    means = stats.gmean(values, axis=1)
    assert found.values("v0", PERPLEXITY) == pytest.approx(dict(enumerate(means[0])))
    assert found.values("v1", PERPLEXITY) == pytest.approx({0: means[1, 0], 2: means[1, 2]})
    evidence = over_texts(found, found.plan.claims[0].comparison[0])
    assert evidence.own is None


def test_more_texts_after_a_verdict_are_another_look(tmp_path: Path) -> None:
    made = plan_on_texts([{}], 4, 3)
    found = records_on_texts(made, figures([0.1, 0.2, 0.3, 0.4]))
    looked = type(found)(made, found.runs, looks=[9, 12])
    assert warning(looked).startswith(
        "More than one look: verdicts were made with 9 runs of each variant, then with 12. The "
        "error rate of 5% holds only if the number of texts and seeds is fixed in advance."
    )


TINY = {
    "hidden_size": 8, "embedding_size": 4, "batch_size": 4, "num_steps": 10, "num_evaluations": 1,
    "sample_length": 0, "num_epochs": 1,
}  # fmt: skip


def run(cli: Cli, folder: Path, **changes: Any) -> tuple[str, str]:
    file = folder / "experiment.toml"
    file.write_text(tomli_w.dumps(content(**changes)))
    done = cli("experiment", str(file))
    assert done.returncode == 0, done.stderr
    return done.stdout, (folder / "report.md").read_text(encoding="utf-8")


def test_an_experiment_on_folds_from_its_file_to_its_report(
    tmp_path: Path, text_file: Path, cli: Cli
) -> None:
    """The runs, a second start, the records without runs/, and one run evaluated by itself."""
    base = {**TINY, "corpus": str(text_file)}
    out, report = run(cli, tmp_path, folds=3, seeds=1, base=base)
    assert "2 variants x 3 folds x 1 seed = 6 runs" in out
    assert "2 variants, 3 folds, 1 seed each; 6 runs: 6 finished." in report
    assert "On text like this: " in " ".join(report.split())
    assert "| fold 2/3 " in report
    stored = json.loads((tmp_path / "records.json").read_text())["runs"]
    assert sorted({each["text"] for each in stored}) == ["fold 1/3", "fold 2/3", "fold 3/3"]
    plan = read_plan(tmp_path / "experiment.toml")
    middle = next(run for run in plan.runs if run.text == "fold 2/3")
    directory = tmp_path / "runs" / middle.id
    again = rnnlab.evaluate(directory, splits="test", checkpoint="last", baselines=False)[0]
    held_out = next(each for each in stored if each["id"] == middle.id)["outcomes"][BITS]
    carried = next(each for each in again if each.context == "carried")
    assert carried.bits_per_character == pytest.approx(held_out, rel=1e-6)
    kept = collect_records(plan, tmp_path)
    for name in ("runs", "report.md"):
        (tmp_path / name).rename(tmp_path / f"no-{name}")
    cli("report", str(tmp_path))
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == report
    assert judge_claims(collect_records(plan, tmp_path)) == judge_claims(kept)
