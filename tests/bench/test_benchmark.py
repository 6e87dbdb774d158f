"""The benchmark: what it promises to report, what it compares, what it refuses. No timings."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
import torch.nn.functional as F
from command_line import Cli
from torch import Tensor

from rnnlab.bench import benchmark
from rnnlab.bench.benchmark import BenchWatcher, run_benchmark
from rnnlab.bench.d2l_lstm import D2lLSTM, D2lTrainer, clip_gradients
from rnnlab.bench.plot import bench_figure, check_plot_file
from rnnlab.bench.tasks import Case, items_per_second
from rnnlab.config import BenchSettings, ModelSettings
from rnnlab.display import bench as display
from rnnlab.engines import ENGINES
from rnnlab.errors import UnavailableError, UsageError
from rnnlab.lm.model import LanguageModel

CPU = "cpu"
SMALL = {
    "hidden_size": (16,), "batch_size": (4,), "num_steps": 5, "rounds": 1, "seconds": 0.01,
}  # fmt: skip
SMALL_FLAGS = [
    *("--hidden-size", "16", "--batch-size", "4", "--num-steps", "5"),
    *("--rounds", "1", "--seconds", "0.01"),
]
HERE = [name for name, engine in ENGINES.items() if not engine.fault("lstm", CPU)]

PROMISED = {
    "training": {
        "cell", "engine", "precision", "hidden_size", "batch_size", "num_steps",
        "tokens_per_second", "ratio_to_builtin", "share_of_peak",
    },
    "generation": {"engine", "precision", "hidden_size", "microseconds_per_character"},
}  # fmt: skip
BESIDES = {
    "training": {"tokens_per_second_range"},
    "generation": {"cell", "microseconds_per_character_range"},
}


@pytest.fixture(scope="module")
def measured(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What `rnnlab bench --json` printed, and its plot."""
    plot = tmp_path_factory.mktemp("bench") / "bench.svg"
    done = cli("bench", *SMALL_FLAGS, "--json", "--plot", str(plot))
    assert done.returncode == 0, done.stderr
    assert f"rnnlab: note: plot written to {plot}\n" in done.stderr
    return json.loads(done.stdout), plot


class Notes(BenchWatcher):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(ENGINES["native"]), "fault", lambda *_: "no kernels, as it happens")


# The report.


@pytest.mark.parametrize(("slowest", "note"), [(1.4, ""), (99.0, "a factor of up to 99.0")])
def test_a_busy_machine_is_reported(
    monkeypatch: pytest.MonkeyPatch, slowest: float, note: str
) -> None:
    """One measurement of one engine is slower than the others."""
    speeds = iter([100.0] * 5 + [100.0 / slowest] + [100.0] * 100)
    monkeypatch.setattr(benchmark, "items_per_second", lambda task, seconds: next(speeds))
    notes = Notes()
    settings = SMALL | {"rounds": 5, "engine": ("builtin", "textbook")}
    run_benchmark(BenchSettings(**settings), notes)
    assert len(notes.texts) == (1 if note else 0)
    assert all(note in text and "the machine is busy" in text for text in notes.texts)


def test_json_has_the_promised_keys_and_ranges(measured: tuple[dict[str, Any], Path]) -> None:
    result = measured[0]
    assert result.keys() == {"training", "generation", "machine"}
    for part, promised in PROMISED.items():
        assert [row["engine"] for row in result[part]] == ["literal", *HERE]
        assert all(row.keys() == promised | BESIDES[part] for row in result[part])
    for row in result["training"]:
        low, high = row["tokens_per_second_range"]
        assert low <= row["tokens_per_second"] <= high
        assert row["engine"] != "builtin" or row["ratio_to_builtin"] == 1


def test_share_of_peak_is_a_share_where_there_are_kernels(
    measured: tuple[dict[str, Any], Path],
) -> None:
    result = measured[0]
    peak, level = result["machine"]["peak_gflops"], result["machine"]["instruction_set"]
    assert peak.keys() == {"float32"}
    if "native" in HERE:
        assert peak["float32"] > 0
        assert level
        assert all(0 < row["share_of_peak"] < 1.2 for row in result["training"])
    else:
        assert (peak["float32"], level) == (None, None)
        assert all(row["share_of_peak"] is None for row in result["training"])


def test_operations_per_token_are_those_of_the_matrix_products() -> None:
    H, V = 256, 28
    assert Case("lstm", "float32", H).flop_per_token == 6 * (4 * H * H + V * H)
    assert Case("gru", "float32", H).flop_per_token == 6 * (3 * H * H + V * H)
    assert Case("rnn", "float32", H).flop_per_token == 6 * (H * H + V * H)


def test_plot_is_an_svg_that_needs_no_network(measured: tuple[dict[str, Any], Path]) -> None:
    svg = measured[1].read_text(encoding="utf-8")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert 'href="http' not in svg


def test_the_plot_has_a_facet_for_each_size(measured: tuple[dict[str, Any], Path]) -> None:
    result = json.loads(json.dumps(measured[0]))
    result["training"] += [{**row, "batch_size": 8} for row in result["training"]]
    titles = [axes.get_title(loc="left") for axes in bench_figure(result).axes]
    assert titles == ["lstm, H 16, B 4, T 5", "lstm, H 16, B 8, T 5", "lstm, H 16"]


def test_rows_are_printed_without_json(cli: Cli) -> None:
    done = cli("bench", *SMALL_FLAGS, "--engine", "builtin")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert sum(line[:3] == ["lstm", "builtin", "float32"] for line in lines) == 2


def test_a_task_runs_at_least_once() -> None:
    assert items_per_second(iter([1.0, 2.0]), 1e-9) > 0


# The engines that are compared.


def test_the_engines_in_the_settings_are_compared_with_builtin() -> None:
    result = run_benchmark(BenchSettings(engine=("textbook",), **SMALL))
    assert [row["engine"] for row in result["generation"]] == ["textbook", "builtin"]


def test_an_unavailable_engine_is_left_out_with_a_note_unless_named(without_kernels: None) -> None:
    notes = Notes()
    result = run_benchmark(BenchSettings(cell=("gru",), **SMALL), notes)
    assert [row["engine"] for row in result["training"]] == ["textbook", "builtin"]
    assert notes.texts == ["engine 'native' is left out: no kernels, as it happens"]
    assert [row["share_of_peak"] for row in result["training"]] == [None, None]
    assert result["machine"]["peak_gflops"] == {"float32": None}
    with pytest.raises(UnavailableError, match="engine 'native' cannot run here: no kernels, as"):
        run_benchmark(BenchSettings(engine=("native",), **SMALL))


def test_d2ls_lstm_has_no_other_cell() -> None:
    with pytest.raises(UnavailableError, match="written-out LSTM has no cell 'gru'"):
        run_benchmark(BenchSettings(engine=("literal",), cell=("lstm", "gru"), **SMALL))


def test_an_unknown_engine_is_refused_and_the_nearest_name_suggested() -> None:
    with pytest.raises(UsageError, match="unknown engine 'nativ'; did you mean 'native'"):
        run_benchmark(BenchSettings(engine=("nativ",), **SMALL))


def test_a_plot_that_cannot_be_written_is_refused_before_anything_is_measured(cli: Cli) -> None:
    done = cli("bench", "--plot", "nowhere/bench.svg")
    assert done.returncode == 2
    assert "there is no folder 'nowhere'" in done.stderr
    with pytest.raises(UsageError, match=r"'plot.txt' must end in one of \.svg, \.pdf, \.png"):
        check_plot_file("plot.txt")


# d2l's LSTM computes what the engines compute.


def models(hidden_size: int = 6, vocabulary: int = 5) -> tuple[D2lLSTM, LanguageModel]:
    """Both in float64, with the same weights."""
    torch.manual_seed(0)
    settings = ModelSettings(cell="lstm", hidden_size=hidden_size, input="one-hot")
    model = LanguageModel(settings, vocabulary).double()
    scratch = D2lLSTM(vocabulary, hidden_size).double()
    with torch.no_grad():
        for name, value in by_gate(model).items():
            getattr(scratch, name).copy_(value)
    return scratch, model


def by_gate(model: LanguageModel, *, gradients: bool = False) -> dict[str, Tensor]:
    """The model's weights or gradients under the names of d2l's LSTM."""

    def of(parameter: Tensor) -> Tensor:
        return parameter if not gradients else parameter.grad

    (weights,) = model.recurrent.weights()
    named = {"W_hq": of(model.output.weight).T, "b_q": of(model.output.bias)}
    W_ih, W_hh, b_ih, b_hh = (of(weight).chunk(4) for weight in weights)
    for k, gate in enumerate("ifco"):
        named[f"W_x{gate}"], named[f"W_h{gate}"] = W_ih[k].T, W_hh[k].T
        # Both biases of torch stand for the one written out: values add up, gradients are equal.
        named[f"b_{gate}"] = b_ih[k] if gradients else b_ih[k] + b_hh[k]
    return named


def test_d2ls_lstm_has_the_loss_and_gradients_of_the_textbook() -> None:
    scratch, model = models()
    ids, targets = torch.randint(0, 5, (2, 7, 3))
    H, C = torch.randn(2, 3, 6, dtype=torch.float64)
    logits, ((h, c),) = model(ids, ((H, C),), ENGINES["textbook"])
    wanted = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    wanted.backward()
    trainer = D2lTrainer(scratch, 0.0, 1e9, "float32")
    found, state = trainer.step(ids, targets, (H, C))
    assert found == pytest.approx(wanted.item(), rel=1e-12)
    torch.testing.assert_close(state, (h, c), rtol=1e-12, atol=1e-14)
    for name, gradient in by_gate(model, gradients=True).items():
        torch.testing.assert_close(getattr(scratch, name).grad, gradient, rtol=1e-10, atol=1e-13)


def test_d2ls_clipping_equals_torchs() -> None:
    scratch, _ = models()
    for parameter in scratch.parameters():
        parameter.grad = torch.randn_like(parameter)
    before = [parameter.grad.clone() for parameter in scratch.parameters()]
    torch.nn.utils.clip_grad_norm_(scratch.parameters(), 1.0)
    wanted = [parameter.grad for parameter in scratch.parameters()]
    for parameter, gradient in zip(scratch.parameters(), before, strict=True):
        parameter.grad = gradient
    clip_gradients(scratch, 1.0)
    found = [parameter.grad for parameter in scratch.parameters()]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-9)


def test_d2ls_prediction_is_the_models_greedy_text() -> None:
    scratch, model = models()
    state, ids, wanted = model.zero_state(1), torch.tensor([[1]]), []
    for _ in range(20):
        logits, state = model(ids, state, ENGINES["textbook"])
        ids = logits.argmax(-1)
        wanted.append(int(ids))
    assert scratch.predict(1, 20) == wanted


def test_progress_without_a_terminal_is_told_in_lines(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "WORKING_SECONDS", 0.0)
    done = cli("bench", *SMALL_FLAGS, "--engine", "native")
    told = done.stderr.splitlines()
    assert told[0] == "  0% training, lstm float32 H 16 B 4: builtin, warming up"
    assert told[-1].endswith("% generation, lstm float32 H 16: builtin, round 1 of 1")
    assert len(told) == 2 * (2 + 1 + 2), "warming up and one round, of two engines and the peak"
