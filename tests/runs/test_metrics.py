"""metrics.jsonl: the number of lines and their content."""

import json
import math
from pathlib import Path

import pytest

from rnnlab.config import DataSettings, TrainingSettings
from rnnlab.data.dataset import Dataset, load_dataset
from rnnlab.lm.train import Milestone, Step
from rnnlab.runs.files import read_metrics
from rnnlab.runs.metrics import MetricsLog


@pytest.fixture
def dataset(text_file: Path) -> Dataset:
    return load_dataset(DataSettings(corpus=(str(text_file),), tokenizer="bpe", bpe_size=300))


def step(number: int, of: int, loss: float = 1.0) -> Step:
    return Step(number, 0, 10 * number, 0.5 * number, number / of, loss, 2.0, number % 2 == 0, 0.1)


def test_lines_are_evenly_spaced_means_over_the_steps_between_them(
    tmp_path: Path, dataset: Dataset
) -> None:
    log = MetricsLog(tmp_path, dataset, TrainingSettings(num_log_lines=4))
    for number in range(1, 101):
        log.step(step(number, of=100, loss=float(number)))
    log.close()
    lines = read_metrics(tmp_path)
    assert [line["step"] for line in lines] == [25, 50, 75, 100]
    assert [line["nats_per_token"] for line in lines] == [13, 38, 63, 88]
    assert lines[0]["perplexity"] == pytest.approx(math.exp(13))
    assert lines[2]["tokens_per_second"] == pytest.approx(20)
    assert lines[1]["clipped_share"] == pytest.approx(13 / 25)


def test_the_last_steps_get_a_line_at_the_end(tmp_path: Path, dataset: Dataset) -> None:
    log = MetricsLog(tmp_path, dataset, TrainingSettings(num_log_lines=2))
    for number in range(1, 70):
        log.step(step(number, of=100))
    log.close()
    assert [line["step"] for line in read_metrics(tmp_path)] == [50, 69]


def test_held_out_bits_are_those_of_a_code_for_all_of_the_text(
    tmp_path: Path, dataset: Dataset
) -> None:
    log = MetricsLog(tmp_path, dataset, TrainingSettings())
    log.held_out(Milestone(7, 2.0, is_best=True))
    (line,) = read_metrics(tmp_path)
    split = dataset.splits["validation"]
    code = 2.0 * (len(split.ids) - 1) + math.log(dataset.tokenizer.size)
    code += sum(
        n * dataset.tokenizer.spelling_nats(part)
        for part, n in dataset.tokenizer.unknown_parts(split.text).items()
    )
    assert line["bits_per_character"] == pytest.approx(code / math.log(2) / len(split.text))
    assert (line["kind"], line["step"], line["is_best"]) == ("held-out", 7, True)


def test_infinite_figures_become_null_and_the_file_stays_json(
    tmp_path: Path, dataset: Dataset
) -> None:
    log = MetricsLog(tmp_path, dataset, TrainingSettings())
    log.step(step(1, of=1, loss=1e6))
    line = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=pytest.fail)
    assert line["perplexity"] is None
