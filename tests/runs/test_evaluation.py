"""What evaluation reads of a text too long for memory, and what its records say of it."""

from pathlib import Path

import pooch
import pytest
import torch

from rnnlab.config import DataSettings, ModelSettings
from rnnlab.data.dataset import load_dataset
from rnnlab.data.prepared_text import read_beginning
from rnnlab.data.streaming_limits import STREAMING_LIMITS, StreamingLimits
from rnnlab.engines import ENGINES
from rnnlab.lm.compute import Compute
from rnnlab.lm.evaluate import Evaluation
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.text_model import TextModel
from rnnlab.runs.evaluation import dataset_baselines, evaluate_splits

WORDS = "the time traveller for so it will be convenient to speak of him "
TEXT = "".join(WORDS[i % 60 :] + f"{i}\n" for i in range(200))
FEW = StreamingLimits(0, 100, evaluated_characters=300, end_characters=1000)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)


def evaluated(
    tmp_path: Path, text: str, limits: StreamingLimits, **split: object
) -> list[Evaluation]:
    file = tmp_path / "text.txt"
    file.write_text(text)
    dataset = load_dataset(DataSettings(corpus=(str(file),), **split), limits=limits)
    torch.manual_seed(0)
    network = LanguageModel(ModelSettings(hidden_size=8), dataset.tokenizer.size)
    model = TextModel(network, dataset.tokenizer, "none", Compute(ENGINES["builtin"]))
    return evaluate_splits(
        model, dataset, dataset.held_out, ["carried", "windows:64"],
        checkpoint="last", baselines=dataset_baselines(dataset),
    )  # fmt: skip


def test_only_the_beginning_of_a_long_split_is_evaluated(tmp_path: Path) -> None:
    sizes = (len(TEXT) - 1200, 400, 800)
    long = evaluated(tmp_path, TEXT, FEW, split=sizes)
    assert [(record.split, record.split_characters) for record in long] == [
        ("validation", 400), ("validation", 400), ("test", 800), ("test", 800),
    ]  # fmt: skip
    assert {record.characters for record in long} == {300}
    # The same as a text that is no longer than what is read of it, in memory.
    train = TEXT[: sizes[0]]
    start = TEXT[sizes[0] :]
    short = evaluated(
        tmp_path,
        train + start[:300] + start[400:700],
        STREAMING_LIMITS,
        split=(len(train), 300, 300),
    )
    assert {record.split_characters for record in short} == {300}
    for one, other in zip(long, short, strict=True):
        assert one.nats_per_token == other.nats_per_token
        assert {b["train_characters"] for b in one.baselines.values()} == {1000}
        assert {b["train_characters"] for b in other.baselines.values()} == {len(train)}


@pytest.mark.parametrize("rule", ["none", "letters"])
def test_read_beginning_returns_the_beginning_and_the_full_length(
    rule: str, tmp_path: Path
) -> None:
    file = tmp_path / "text.txt"
    file.write_text(TEXT)
    source, text, characters = read_beginning(str(file), "strict", rule)
    assert characters == len(text)
    assert read_beginning(str(file), "strict", rule, FEW)[1:] == (text[:300], characters)
    of_file = read_beginning(str(file), "strict", rule, FEW)[0]
    assert (of_file.name, of_file.sha256) == (source.name, source.sha256)
