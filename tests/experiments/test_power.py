"""Power: against published tables, scipy's noncentral t, integration, and simulated experiments."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from command_line import Cli
from made_up_comparisons import BITS, PERPLEXITY, compared_on_texts, plan, plan_on_texts
from made_up_comparisons import records as made_up
from scipy import integrate, stats

import rnnlab
from rnnlab.display.power import power_lines
from rnnlab.errors import UsageError
from rnnlab.experiments.archive import update_archive
from rnnlab.experiments.claims import ComparisonSettings
from rnnlab.experiments.plan import make_plan
from rnnlab.experiments.pooling import mean_over_folds
from rnnlab.experiments.power import Design, Spread, design_of, needed, plan_power
from rnnlab.experiments.statistics import detectable_errors, margin_errors
from rnnlab.experiments.verdicts import detectable, judge_claims

SEEDS = Design("seed", 6)


def comparison(**values: Any) -> ComparisonSettings:
    return ComparisonSettings(**{"variant": "v1", "against": "v0", "outcome": BITS, **values})


@pytest.mark.parametrize(
    ("effect", "count"), [(0.2, 199), (0.3, 90), (0.5, 34), (0.8, 15), (1.0, 10), (1.2, 8)]
)
def test_seeds_of_a_paired_t_test_are_those_of_g_power(effect: float, count: int) -> None:
    """Two tails, alpha 0.05, power 0.8, difference between two dependent means."""
    assert needed(comparison(), SEEDS, 0.05, 1.0, effect) == count


@pytest.mark.parametrize("freedom", [1, 2, 3.5, 5, 11, 60])
@pytest.mark.parametrize("level", [0.05, 0.05 / 7])
def test_errors_are_those_of_scipys_noncentral_t(freedom: float, level: float) -> None:
    shift = detectable_errors(freedom, level)
    t = stats.t.isf(level / 2, freedom)
    power = stats.nct.sf(t, freedom, shift)  # the other tail is below 1e-4
    assert power == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize(("freedom", "level"), [(2, 0.05), (5, 0.05), (5, 0.01), (30, 0.05)])
def test_margins_are_those_of_an_integral_over_the_spread(freedom: int, level: float) -> None:
    """P(both one-sided tests reject | s), over the chi distribution of s (Owen 1965)."""
    margin, t = margin_errors(freedom, level), stats.t.isf(level, freedom)

    def both(s: float) -> float:  # s is √freedom times the estimated deviation
        room = margin - t * s / math.sqrt(freedom)
        return max(0.0, 2 * stats.norm.cdf(room) - 1) * stats.chi.pdf(s, freedom)

    power, _ = integrate.quad(both, 0, margin * math.sqrt(freedom) / t, limit=200)
    assert power == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize(
    ("expect", "margin", "truth"),
    [("different", 0.0, 1.0), ("lower", 0.0, -1.0), ("not higher", 1.2, 0.0),
     ("equivalent", 1.2, 0.0)],
)  # fmt: skip
def test_the_seeds_that_are_said_to_be_needed_show_it_in_80_percent(
    expect: str, margin: float, truth: float
) -> None:
    """The house's own verdicts on simulated experiments with so many seeds, and with fewer."""
    count = needed(comparison(expect=expect, margin=margin), SEEDS, 0.05, 1.0, margin or 1.0)
    assert count is not None
    shares = []
    for seeds in (count, count - 3):
        made = plan([{"expect": expect, "margin": margin}], seeds=seeds)
        draws = np.random.default_rng(seeds).normal(truth, 1, (500, seeds)).tolist()
        verdicts = [
            judge_claims(made_up(made, {"v0": {BITS: [0.0] * seeds}, "v1": {BITS: own}}))[0].verdict
            for own in draws
        ]
        shares.append(verdicts.count("supported") / 500)
    assert 0.79 - 3 * 0.018 < shares[0] < 0.9
    assert shares[1] < shares[0]


@pytest.mark.parametrize("about", ["these texts", "texts like these"])
def test_on_texts_too(about: str) -> None:
    """The difference that is said to be shown with 80% is, by verdicts about texts."""
    made = plan_on_texts([{"expect": "different"}], texts=5, seeds=3, about=about)
    settings = made.claims[0].comparison[0]
    design = design_of(made, settings)
    assert (design.unit, design.texts) == (("seed", 5) if about == "these texts" else ("text", 0))
    rng = np.random.default_rng(3)
    within, between = 1.0, 0.0 if about == "these texts" else 2.0
    deviation = within if about == "these texts" else math.hypot(between, within / math.sqrt(3))
    mean = design.mean(design.count, deviation)
    assert mean.freedom == (6 if about == "these texts" else 4)
    shift = detectable(settings, mean, 0.05)
    figures = np.zeros((400, 2, 5, 3))
    figures[:, 1] = rng.normal(0, within, (400, 5, 3)) + rng.normal(0, between, (400, 5, 1)) + shift
    shown = sum(compared_on_texts(made, own)[0].verdict == "supported" for own in figures)
    assert abs(shown / 400 - 0.8) < 3 * 0.02


def test_folds_have_the_error_of_the_corrected_test() -> None:
    made = plan_on_texts([{}], texts=5, seeds=1, folds=5, base={
        "corpus": "python-reference", "num_epochs": 1, "split": (0.8, 0.2, 0.0),
    })  # fmt: skip
    design = design_of(made, made.claims[0].comparison[0])
    assert (design.unit, design.count, design.train_share) == ("fold", 5, pytest.approx(0.8))
    means = [0.3, -0.1, 0.2, 0.5, -0.4]
    expected = mean_over_folds([[mean] for mean in means], 1 / (4 * 0.8))
    found = design.mean(5, float(np.std(means, ddof=1)))
    assert (found.error, found.freedom) == (pytest.approx(expected.error), 4)


def test_a_spread_from_few_pairs_may_be_too_small() -> None:
    """In 80% of samples the careful one is above the true one."""
    samples = np.random.default_rng(0).normal(0, 1, (4000, 4))
    careful = [Spread(float(np.std(own, ddof=1)), "", 3).careful for own in samples]
    assert np.mean(np.array(careful) > 1) == pytest.approx(0.8, abs=0.02)
    assert Spread(2.0, "as given").careful == 2.0


CONTENT: dict[str, Any] = {
    "question": "?", "seeds": 6, "base": {"corpus": "python-reference", "num_epochs": 1},
    "variant": [{"name": "LSTM"}, {"name": "GRU", "change": {"cell": "gru"}}],
    "quick": {"seeds": 3},
    "claim": [
        {"text": "As well as.", "comparison": [{
            "variant": "GRU", "against": "LSTM", "outcome": BITS, "expect": "not higher",
            "margin": 0.02,
        }]},
        {"text": "Faster.", "comparison": [{
            "variant": "GRU", "against": "LSTM", "outcome": PERPLEXITY, "expect": "lower",
        }]},
    ],
}  # fmt: skip


def write(folder: Path, spread: float = 0.0, **changes: Any) -> Path:
    """Write an experiment; with a spread, also records of its runs with differences ± spread."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {**CONTENT, **changes}
    file = folder / "experiment.toml"
    file.write_text(tomli_w.dumps(content))
    if spread:
        made = make_plan(content, "made-up", "experiment.toml")
        signs = [(-1) ** seed * spread for seed in made.settings.seeds]
        values = {"LSTM": [2.0] * len(signs), "GRU": [2.0 + sign for sign in signs]}
        figures = {n: {BITS: v, PERPLEXITY: list(np.exp(v))} for n, v in values.items()}
        found = made_up(made, figures)
        ids = {(run.variant, run.seed): run.id for run in made.runs}
        runs = [vars(run) | {"id": ids[run.variant, run.seed]} for run in found.runs]
        update_archive(type(found)(made, [type(found.runs[0])(**run) for run in runs]), folder)
    return file


def test_the_spread_comes_from_the_first_that_knows_it(tmp_path: Path) -> None:
    write(tmp_path / "pilot", 0.3, seeds=4)
    file = write(tmp_path / "main")

    def source(**options: Any) -> str:
        spread = plan_power(file, **options).claims[0].comparisons[0].spread
        return f"{spread.deviation:.3f} {spread.source}" if spread else "none"

    pilot = str(tmp_path / "pilot")
    assert source() == "none"
    write(tmp_path / "main" / "quick", 0.2, seeds=3)
    quick = "from 3 pairs of the quick version, whose runs may vary otherwise"
    assert source() == f"0.231 {quick}"
    write(tmp_path / "main", 0.1)
    assert source() == "0.110 from 6 pairs of this experiment so far"
    assert source(pilot=pilot) == f"0.346 from 4 pairs of {pilot}"
    assert source(sd=0.05, pilot=pilot) == "0.050 as given"


def test_a_pilot_with_other_variants_gives_its_largest_spread(tmp_path: Path) -> None:
    write(tmp_path / "pilot", 0.3)
    other = [{"name": "LSTM"}, {"name": "RNN", "change": {"cell": "rnn"}}]
    claim = [{"comparison": [{"variant": "RNN", "against": "LSTM", "outcome": BITS}]}]
    file = write(tmp_path / "main", variant=other, claim=claim)
    spread = plan_power(file, pilot=str(tmp_path / "pilot")).claims[0].comparisons[0].spread
    assert spread is not None
    assert spread.source == f"from 6 pairs of {tmp_path / 'pilot'}, GRU against LSTM"


def test_what_the_command_prints(tmp_path: Path, cli: Cli) -> None:
    file = write(tmp_path, 0.01)
    done = cli("power", str(file), "--difference", "1.02")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "2 comparisons, each tested at 2.5% (5% / 2, the first and hardest step of Holm's); shown "
        "means: by 80% of such experiments",
        "",
        "As well as.",
        "  GRU against LSTM, held-out bits/character, last weights: not higher by more than 0.02",
        "    standard deviation 0.011 from 6 pairs of this experiment so far",
        "    6 seeds: two equal variants are shown to be so with a margin of 0.019",
        "    the margin of 0.02 needs 6 seeds, up to 9 if the spread is larger than it seems",
        "",
        "Faster.",
        "  GRU against LSTM, training perplexity: lower",
        "    standard deviation of logarithms 0.011 from 6 pairs of this experiment so far",
        "    6 seeds: the smallest true ratio that is shown is 1.019",
        "    the difference of 1.02 needs 6 seeds, up to 9 if the spread is larger than it seems",
    ]


def test_without_a_spread_there_is_a_table(tmp_path: Path) -> None:
    lines = power_lines(rnnlab.power(write(tmp_path, claim=CONTENT["claim"][:1])))
    assert "    6 seeds; how much the paired differences vary is not known" in lines
    table = [re.split(r"  +", line.strip()) for line in lines[-3:]]
    assert table == [
        ["difference or margin", "0.5", "0.8", "1", "1.5", "2", "3"],
        ["to show a difference", "34", "15", "10", "6", "5", "4"],
        ["to show equivalence", "36", "15", "11", "6", "4", "3"],
    ]


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"sd": -1.0}, "power: sd must be a number above 0, not -1"),
        ({}, {"difference": 0.9}, f"power: {PERPLEXITY} is compared by ratio: difference must be a "
         "ratio above 1, not 0.9"),
        ({"claim": [], "variant": [{"name": "LSTM"}]}, {}, "{file}: nothing to test: its variants "
         "are not compared"),
        ({"claim": [], "variant": [], "quick": {}, "seeds": 1, "search": {
            "settings": {"dropout": {"low": 0.0, "high": 0.5}}}},
         {}, "{file}: nothing to test: a search has no claims"),
    ],
)  # fmt: skip
def test_what_cannot_be_planned(
    tmp_path: Path, changes: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    file = write(tmp_path, **changes)
    with pytest.raises(UsageError) as refused:
        rnnlab.power(file, **options)
    assert str(refused.value) == message.format(file=file)
