"""One server for all tests of this folder: a run with an n-gram model, and models of all kinds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import TINY, Cli, made_up_text
from forked import Forked
from served import Served, random_model, serving

from rnnlab.data.tokenizer import BpeTokenizer, ByteTokenizer, CharTokenizer


@pytest.fixture(scope="session")
def shelf(cli: Cli, text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs and models, and what must not be reached from it."""
    root = tmp_path_factory.mktemp("served")
    folder = root / "runs"
    done = cli(
        "train", "--corpus", str(text_file), *TINY, "--ngram-order", "3", "--num-epochs", "1",
        "--run-dir", str(folder / "pets"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    letters = CharTokenizer(" abcdefghijklmnopqrstuvwxyz")
    random_model(folder / "more" / "letters", letters, preprocessing="letters")
    random_model(folder / "more" / "bytes", ByteTokenizer())
    random_model(folder / "more" / "bpe", BpeTokenizer.train(made_up_text(50), 300))
    random_model(folder / "more" / "names", CharTokenizer("\nabcdef"), 1, unit="lines")
    random_model(folder / "more" / "documents", CharTokenizer("\n\vabcdef"), 1, unit="documents")
    outside = random_model(root / "outside", ByteTokenizer())
    (folder / "linked").symlink_to(outside)
    inside = random_model(folder / "sly", ByteTokenizer())
    (inside / "model.safetensors").unlink()
    (inside / "model.safetensors").symlink_to(outside / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def server(shelf: Path) -> Iterator[Served]:
    with serving(str(shelf)) as own:
        yield own


@pytest.fixture(scope="session")
def of_experiments(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an experiment that has been run, and with one that has not."""
    root = tmp_path_factory.mktemp("experiments") / "lab"
    for name, question in (("cells", "Does a GRU learn more?"), ("idle", "Is <b> bold?")):
        (root / name).mkdir(parents=True)
        (root / name / "experiment.toml").write_text(
            f'title = "Which cell"\nquestion = "{question}"\nseeds = 2\n'
            f'[base]\ncorpus = ["{text_file}"]\nhidden_size = 16\nembedding_size = 4\n'
            "batch_size = 4\nnum_steps = 10\nnum_epochs = 1\nsample_length = 0\n"
            '[grid]\ncell = ["lstm", "gru"]\n'
        )
    done = Forked("experiment", str(root / "cells")).ended()
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="session")
def experiments(of_experiments: Path) -> Iterator[Served]:
    with serving(str(of_experiments)) as own:
        yield own
