"""Device, number format, threads: what is chosen, and what is refused."""

import pytest
import torch

from rnnlab.config import ComputeSettings
from rnnlab.engines import ENGINES
from rnnlab.errors import UnavailableError
from rnnlab.lm.compute import Compute, autocast, check_precision, choose_device

CPU = "cpu"


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_without_a_gpu_the_cpu_is_chosen(name):
    assert choose_device(name) == CPU


def test_auto_chooses_a_gpu_that_torch_sees(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == "cuda"
    assert choose_device("cpu") == CPU


@pytest.mark.usefixtures("no_gpu")
def test_cuda_asked_for_by_name_is_refused_without_a_gpu():
    with pytest.raises(UnavailableError) as caught:
        choose_device("cuda")
    assert str(caught.value) == (
        "device 'cuda' is not available: torch sees no GPU here (choices: cpu, auto)"
    )


def test_bfloat16_is_refused_on_a_cpu_without_it(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    with pytest.raises(UnavailableError) as caught:
        check_precision("bfloat16", CPU)
    assert str(caught.value) == (
        "precision 'bfloat16' is not available on this cpu: it needs a CPU with AVX-512 "
        "(choices: float32)"
    )
    check_precision("float32", CPU)


def test_bfloat16_is_accepted_on_a_cpu_with_it(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    check_precision("bfloat16", CPU)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_autocast_decides_the_type_of_matrix_products_alone(precision):
    layer, x = torch.nn.Linear(3, 2), torch.randn(4, 3)
    with autocast(precision, CPU):
        assert layer(x).dtype == getattr(torch, precision)
        assert (x + x).dtype == torch.float32
    assert layer.weight.dtype == torch.float32
    assert layer(x).dtype == torch.float32


@pytest.mark.usefixtures("no_gpu")
def test_choosing_resolves_device_and_engine_and_keeps_the_number_of_threads():
    before = torch.get_num_threads()
    compute = Compute.choose(ComputeSettings(engine="textbook", threads=before + 1), "lstm")
    assert compute == Compute(ENGINES["textbook"], CPU, "float32", "asked for", before + 1)
    assert torch.get_num_threads() == before
    with compute.using_threads():
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.usefixtures("no_gpu")
def test_a_missing_device_is_refused_before_anything_is_changed():
    before = torch.get_num_threads()
    with pytest.raises(UnavailableError, match="device 'cuda'"):
        Compute.choose(ComputeSettings(device="cuda", threads=before + 1), "lstm")
    assert torch.get_num_threads() == before
