"""Runs in which an n-gram model joins the network."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import Cli
from interrupted import ended_well, fingerprint, start

import rnnlab
from rnnlab.config import Settings
from rnnlab.files import read_json
from rnnlab.lm.ngram_joining import gate_slices
from rnnlab.lm.ngram_table import NGramTable
from rnnlab.runs.files import read_metrics
from rnnlab.runs.preparation import prepare

ORDER = 4


@pytest.fixture(scope="module")
def joined(small: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a network that learns little, so that the n-grams help."""
    directory = tmp_path_factory.mktemp("joined") / "run"
    settings = small.with_changes(ngram_order=ORDER, num_epochs=1)
    assert ended_well(start(settings, directory))
    return directory


def test_records_have_both_parts_and_both_together(joined: Path) -> None:
    records = read_json(joined / "result.json")["evaluations"]
    assert len(records) == 4
    for record in records:
        parts = record["parts"]
        assert parts.keys() == {"network", "ngram"}
        both = record["bits_per_character"]
        assert both < min(part["bits_per_character"] for part in parts.values()), record["context"]


def test_evaluating_again_gives_the_same_figures(cli: Cli, joined: Path) -> None:
    done = cli("evaluate", str(joined), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    again = json.loads(done.stdout)["evaluations"]
    for record, was in zip(again, read_json(joined / "result.json")["evaluations"], strict=True):
        assert record["bits_per_character"] == was["bits_per_character"]
        assert record["parts"] == was["parts"]
    shown = cli("evaluate", str(joined), "--split", "test").stdout
    assert "this model, carried" in shown
    assert "its network alone" in shown
    assert "its n-gram alone" in shown


def test_the_parts_are_what_the_network_and_the_n_grams_reach(joined: Path) -> None:
    model = rnnlab.load(joined)
    record = read_json(joined / "result.json")["evaluations"][0]
    mixture, model.mixture = model.mixture, None
    text = prepare(rnnlab.Run.open(joined).settings).dataset.splits["validation"].text
    alone = model.score(text)
    assert alone.bits_per_character == pytest.approx(
        record["parts"]["network"]["bits_per_character"]
    )
    assert mixture is not None
    nats = mixture.table.target_nats(model.tokenizer.encode(text)[:, None]).mean()
    assert nats == pytest.approx(record["parts"]["ngram"]["nats_per_token"])


def test_every_way_to_write_uses_the_mixture(joined: Path) -> None:
    model = rnnlab.load(joined)
    ways = ({"temperature": 0}, {"seed": 1}, {"beam_width": 3}, {"top_k": 2})
    texts = [model.generate("The ", length=40, **way) for way in ways]
    assert ["".join(model.stream("The ", length=40, **way)) for way in ways] == [
        text.removeprefix("The ") for text in texts
    ]
    model.mixture = None
    assert all(model.generate("The ", length=40, **way) != text
               for way, text in zip(ways, texts, strict=True))  # fmt: skip


def test_the_gate_is_fitted_where_neither_network_nor_n_grams_have_learned(
    small: Settings,
) -> None:
    ready = prepare(small.with_changes(ngram_order=ORDER))
    ids = ready.dataset.splits["train"].all_ids
    kept = int(len(ids) * 0.05)
    assert gate_slices(len(ids)) == (slice(0, kept),)
    counted = ready.ngrams
    assert counted is not None
    np.testing.assert_array_equal(np.concatenate(counted.kept), ids[:kept])
    np.testing.assert_array_equal(ready.trainer.batches.ids, ids[kept:])
    expected = NGramTable.count(ids[kept:], counted.table.vocabulary_size, ORDER)
    for own, other in zip(counted.table.orders, expected.orders, strict=True):
        np.testing.assert_array_equal(own.counts, other.counts)


def test_sigterm_leaves_joining_to_a_resume(small: Settings, tmp_path: Path) -> None:
    settings = small.with_changes(ngram_order=ORDER)
    whole, directory = tmp_path / "whole", tmp_path / "stopped"
    assert ended_well(start(settings, whole))
    process = start(settings.with_changes(num_epochs=2000, num_log_lines=2000), directory)
    while len(read_metrics(directory)) < 3:
        assert process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    assert not (directory / "checkpoint" / "last" / "ngram.safetensors").exists()
    assert rnnlab.load(directory).mixture is None
    done = rnnlab.Run.open(directory).metrics[-1]["epoch"]
    resumed = settings.with_changes(num_epochs=done + 2, num_log_lines=2000)
    assert ended_well(start(resumed, directory, resume=True))
    assert rnnlab.load(directory).mixture is not None


def test_a_larger_budget_joins_anew(small: Settings, tmp_path: Path) -> None:
    settings = small.with_changes(ngram_order=ORDER)
    assert ended_well(start(settings, tmp_path / "whole"))
    parts = tmp_path / "parts"
    assert ended_well(start(settings.with_changes(num_epochs=1), parts))
    assert ended_well(start(settings, parts, resume=True))
    ours, theirs = (fingerprint(tmp_path / name) for name in ("parts", "whole"))
    for name in ("last", "best"):
        file = f"checkpoint/{name}/ngram.safetensors"
        assert ours.get(file) == theirs.get(file)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--ngram-order", "99"], "ngram_order must be less than or equal to 10, not 99"),
        (["--ngram-order", "-1"], "ngram_order must be greater than or equal to 0, not -1"),
    ],
)
def test_orders_out_of_range(cli: Cli, text_file: Path, flags: list[str], message: str) -> None:
    done = cli("train", "--corpus", str(text_file), *flags)
    assert done.returncode == 2
    assert message in done.stderr
