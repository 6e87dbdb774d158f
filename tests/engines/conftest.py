"""Shared by the tests of the compiled kernels."""

import pytest
import torch
from native_oracle import LEVELS


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=LEVELS)
def level(request, monkeypatch):
    monkeypatch.setenv("RNNLAB_ISA", request.param)
    return request.param
