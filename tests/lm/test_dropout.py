"""Dropout: how much is zeroed, how the rest is scaled, what flows back."""

import pytest
import torch

from rnnlab.lm.dropout import dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_a_share_p_is_zeroed_and_the_rest_scaled_so_that_the_mean_stays(p, dtype):
    torch.manual_seed(0)
    x = torch.full((200, 500), 2.0, dtype=dtype)
    y = dropout(x, p, training=True)
    zeroed = (y == 0).double().mean().item()
    assert zeroed == pytest.approx(p, abs=5 * (p * (1 - p) / x.numel()) ** 0.5)
    assert y.max().item() == y[y != 0].min().item() == pytest.approx(2 / (1 - p), rel=1e-6)
    assert y.dtype == torch.promote_types(dtype, torch.float32)


def test_elements_are_dropped_independently_and_anew_each_time():
    torch.manual_seed(0)
    x = torch.ones(300, 300)
    one, other = (dropout(x, 0.5, training=True) == 0 for _ in range(2))
    for a, b in ((one, other), (one[1:], one[:-1]), (one[:, 1:], one[:, :-1])):
        assert (a & b).double().mean().item() == pytest.approx(0.25, abs=0.01)


def test_the_gradient_is_scaled_where_the_value_was_and_zero_elsewhere():
    x = torch.randn(50, 50, requires_grad=True)
    y = dropout(x, 0.3, training=True)
    y.sum().backward()
    assert torch.allclose(x.grad, (y != 0) / 0.7)


def test_nothing_happens_in_evaluation_or_at_zero():
    x = torch.randn(3)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x
