"""Several networks as one."""

import json
from dataclasses import replace

import numpy as np
import pytest
from command_line import Cli

import rnnlab
from rnnlab.errors import UsageError

TEXT = "the quick brown fox jumps over the lazy dog\n" * 60
SMALL = {"num_epochs": 2, "num_evaluations": 0, "batch_size": 4, "num_steps": 8, "quiet": True}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    (folder / "text.txt").write_text(TEXT)
    for seed in (1, 2):
        rnnlab.train(
            corpus=str(folder / "text.txt"), run_dir=folder / f"s{seed}", seed=seed,
            hidden_size=7 + seed, embedding_size=4, ngram_order=3, automatic=False, **SMALL,
        )  # fmt: skip
    return folder


def test_the_command_writes_a_model_folder_that_all_others_take(seeds, cli: Cli):
    folder = seeds / "both"
    done = cli("ensemble", str(seeds / "s1"), str(seeds / "s2"), "--output", str(folder))
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert shown.splitlines() == [
        "ensemble  2 networks as one of 17 units, 2,590 parameters, zero from one to another",
        "n-gram    order 3, with a gate of its own",
        f"saved     {folder}; measure it with rnnlab evaluate {folder}",
    ]
    record = json.loads(cli("evaluate", str(folder), "--split", "test", "--json").stdout)[
        "evaluations"
    ][0]
    assert {"network", "ngram"} == {*record["parts"]}
    both, first = rnnlab.load(folder), rnnlab.load(seeds / "s1")
    assert both.about["members"] == 2
    assert not np.array_equal(both.mixture.gate, first.mixture.gate)
    assert both.mixture.table.size == first.mixture.table.size
    three = rnnlab.ensemble([folder, seeds / "s1"])
    assert three.about["members"] == 3
    assert len(three.generate("the ", length=5)) == 9
    again = cli("ensemble", str(seeds / "s1"), str(seeds / "s2"), "--output", str(folder))
    assert again.returncode == 2
    said = " ".join(again.stderr.split())
    assert f"--output {folder} exists; choose another folder, or delete it first" in said


def test_members_must_fit_together(seeds, tmp_path):
    with pytest.raises(UsageError, match="an ensemble has at least two members, not 1"):
        rnnlab.ensemble([seeds / "s1"])
    for options, odd in {
        "cell": ({"cell": "gru"}, "cell"),
        "split": ({"split": (0.8, 0.1, 0.1)}, "split of the text"),
        "text": ({"corpus": "python-reference", "corpus_limit": 3_000}, "tokenizer"),
    }.values():
        given = {"corpus": str(seeds / "text.txt"), "hidden_size": 4, "embedding_size": 4}
        other = rnnlab.train(
            run_dir=tmp_path / odd.replace(" ", "-"), automatic=False, **SMALL | given | options
        )
        with pytest.raises(
            UsageError, match=f"member 2 does not fit the first: it has another {odd};"
        ):
            rnnlab.ensemble([seeds / "s1", other.directory])


def test_all_members_have_n_grams_or_none_has(seeds):
    models = [rnnlab.load(seeds / name) for name in ("s1", "s2")]
    for lacking, other in ((1, 2), (2, 1)):
        own = [replace(m, mixture=None) if n == lacking else m for n, m in enumerate(models, 1)]
        with pytest.raises(UsageError, match=f"member {lacking} lacks an n-gram .* {other} has;"):
            rnnlab.ensemble(own)


def test_the_gate_needs_the_text(seeds, tmp_path):
    moved = tmp_path / "elsewhere.txt"
    (seeds / "text.txt").rename(moved)
    try:
        with pytest.raises(
            UsageError, match="the gate of the n-gram model needs the members' own text"
        ):
            rnnlab.ensemble([seeds / "s1", seeds / "s2"])
        assert rnnlab.ensemble([seeds / "s1", seeds / "s2"], corpus=moved).mixture
    finally:
        moved.rename(seeds / "text.txt")


def test_a_run_that_is_given_twice_is_refused(cli: Cli, seeds, tmp_path):
    done = cli("ensemble", str(seeds / "s1"), f"{seeds / 's1'}/", "--output", str(tmp_path / "two"))
    why = f"{seeds / 's1'} is given twice; the members of an ensemble are different"
    assert (done.returncode, done.stderr) == (2, f"rnnlab: error: {why}\n")
    assert not (tmp_path / "two").exists()
