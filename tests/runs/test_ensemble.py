"""Several networks as one."""

import json

import numpy as np
import pytest
import torch
from command_line import Cli
from native_oracle import needs_kernels

import rnnlab
from rnnlab.cells import CELLS
from rnnlab.config import ModelSettings
from rnnlab.engines import ENGINES
from rnnlab.errors import UsageError
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import target_nats
from rnnlab.lm.model import LanguageModel
from rnnlab.runs.ensemble import joined_network

TEXT = "the quick brown fox jumps over the lazy dog\n" * 60
SMALL = {"num_epochs": 2, "num_evaluations": 0, "batch_size": 4, "num_steps": 8, "quiet": True}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "options",
    [
        {"embedding_size": 5},
        {"input": "one-hot", "num_layers": 2},
        {"embedding_size": 7, "tie_weights": True, "num_layers": 3},
    ],
    ids=["embedding", "one-hot", "tied"],
)
def test_its_logits_are_the_mean_of_the_members(cell, options):
    members = []
    for seed in range(3):
        size = 7 if options.get("tie_weights") else 6 + seed
        settings = ModelSettings(cell=cell, hidden_size=size, **options)
        members.append(LanguageModel(settings, 11, seed).double().eval())
    joined = joined_network(members).double().eval()
    # LanguageModel has float32; what is lost on the way is put back.
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 11, (9, 2)))
    for name, parameter in joined.named_parameters():
        assert parameter.dtype == torch.float64, name
    engine = ENGINES["textbook"]
    expected = torch.stack([m(ids, m.zero_state(2), engine)[0] for m in members]).mean(0)
    found, _ = joined(ids, joined.zero_state(2), engine)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


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


@needs_kernels
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("sizes", [(16, 32, 16), (5, 33, 70), (1, 1)], ids=str)
def test_native_leaves_out_what_is_zero_and_nothing_else(cell, sizes):
    """Whole texts, with blocks of weights that begin and end anywhere."""
    members = [
        LanguageModel(
            ModelSettings(cell=cell, hidden_size=H, embedding_size=4, num_layers=2), 11, H
        )
        for H in sizes
    ]
    joined = joined_network(members)
    joined.recurrent.weight_hh_l1.data[:, 3:] = 0
    joined.recurrent.weight_hh_l1.data[-1:, :1] = 0.3
    ids = np.random.default_rng(0).integers(0, 11, 300)
    nats = [
        target_nats(joined, Compute(ENGINES[name], threads=2), ids, context)
        for name in ("native", "textbook")
        for context in ("carried", "windows:64")
    ]
    np.testing.assert_allclose(nats[0], nats[2], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(nats[1], nats[3], rtol=1e-4, atol=1e-5)
