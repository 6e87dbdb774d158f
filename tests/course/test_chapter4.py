"""The checks of chapter 4 accept the right answers, and say what is wrong with the usual others."""

from typing import Any

import numpy as np
import pytest
import torch

from rnnlab.course import judge


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def gru(x: Any, h: Any, W: Any, U: Any, b: Any, d: Any) -> Any:
    H = len(h)
    a, k = W @ x + b, U @ h + d
    r, z = sigmoid(a[:H] + k[:H]), sigmoid(a[H : 2 * H] + k[H : 2 * H])
    n = np.tanh(a[2 * H :] + r * k[2 * H :])
    return (1 - z) * n + z * h


def by_torch(x: Any, h: Any, W: Any, U: Any, b: Any, d: Any) -> Any:
    cell = torch.nn.GRUCell(len(x), len(h)).double()
    parameters = (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)
    with torch.no_grad():
        for parameter, value in zip(parameters, (W, U, b, d), strict=True):
            parameter.copy_(torch.from_numpy(value))
        return cell(torch.from_numpy(x), torch.from_numpy(h)).tolist()


def z_turned_round(x: Any, h: Any, W: Any, U: Any, b: Any, d: Any) -> Any:
    H = len(h)
    new = gru(x, h, W, U, b, d)
    z = sigmoid((W @ x + b + U @ h + d)[H : 2 * H])
    n = (new - z * h) / (1 - z)
    return z * n + (1 - z) * h


def z_first(x: Any, h: Any, W: Any, U: Any, b: Any, d: Any) -> Any:
    H = len(h)
    order = [*range(H, 2 * H), *range(H), *range(2 * H, 3 * H)]
    return gru(x, h, W[order], U[order], b[order], d[order])


def other_candidate(candidate: Any) -> Any:
    """A step whose n is something else: candidate(a_n, r, h, U_n, d_n)."""

    def step(x: Any, h: Any, W: Any, U: Any, b: Any, d: Any) -> Any:
        H = len(h)
        a, k = W @ x + b, U @ h + d
        r, z = sigmoid(a[:H] + k[:H]), sigmoid(a[H : 2 * H] + k[H : 2 * H])
        return (1 - z) * candidate(a[2 * H :], r, h, U[2 * H :], d[2 * H :]) + z * h

    return step


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("4.1", 24064), ("4.1", 4 * 64 * (28 + 64 + 2)),
        ("4.1", sum(p.numel() for p in torch.nn.LSTM(28, 64).parameters())),
        ("4.2", 0.9**20), ("4.2", 0.1216), ("4.2", np.float64(0.122)),
        ("4.3", gru), ("4.3", by_torch),
        ("4.4", {"f": 1, "i": 0}), ("4.4", {"i": 0.0, "F": 1.0}), ("4.4", [("f", 1), ("i", 0)]),
        ("4.5", "forget_bias"), ("4.5", "--forget-bias"), ("4.5", "forget_bias = 30"),
        ("4.5", "Forget bias"),
    ],
)  # fmt: skip
def test_right_answers(number: str, answer: Any) -> None:
    assert judge(number, answer) == (True, f"{number}: right.")


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("4.1", 23808, "torch keeps two biases for each row."),
        ("4.1", 23552, "The biases are parameters, too."),
        ("4.1", 6016, "This is one block. Three gates and the candidate have one each."),
        ("4.1", 18048, "This is a GRU. The candidate has weights like the three gates."),
        ("4.1", 7680, "The matrices that read h are missing."),
        ("4.1", 16896, "The matrices that read x are missing."),
        ("4.1", 10528, "A block has a row for each unit, not for each character."),
        ("4.1", 24063, "It is too small."),
        ("4.1", "24064", "Give a number, not a text in quotation marks."),
        ("4.2", 0.8784, "This is the share that is lost."),
        ("4.2", 0.1351, "Count again: the gate multiplies at each of the twenty."),
        ("4.2", 0.1094, "Count again: the gate multiplies at each of the twenty."),
        ("4.2", 0.1, "This is what one character takes away."),
        ("4.2", 0.9, "This is left after one character."),
        ("4.2", 18, "A share is at most 1. The gates multiply each other."),
        ("4.2", -1, "The gate takes a tenth of what is left, not of what was there in the "
         "beginning."),
        ("4.2", 1e-20, "0.9 is the share that is kept, not the share that is lost."),
        ("4.2", 0, "A product of numbers above 0 is above 0."),
        ("4.2", 12.16, "As a share, between 0 and 1."),
        ("4.3", 0.5, "Give the function itself: gru, not gru(...)."),
        ("4.3", z_turned_round, "z and 1 - z have changed places: here z is the share of the old "
         "h."),
        ("4.3", z_first, "r and z have changed places: the blocks are in the order r, z, n."),
        ("4.3", other_candidate(lambda a, r, h, U, d: np.tanh(a + U @ (r * h) + d)),
         "r multiplies h before the matrix does. Here it multiplies U_n h + d_n."),
        ("4.3", other_candidate(lambda a, r, h, U, d: np.tanh(a + r * (U @ h) + d)),
         "d_n is outside of the brackets that r multiplies."),
        ("4.3", other_candidate(lambda a, r, h, U, d: np.tanh(a + U @ h + d)),
         "The candidate does not use r."),
        ("4.3", other_candidate(lambda a, r, h, U, d: sigmoid(a + r * (U @ h + d))),
         "The candidate n lies between -1 and 1: it is a tanh."),
        ("4.3", other_candidate(lambda a, r, h, U, d: np.tanh(a)),
         "It returns an h, but not that of the four equations. Compare r and z first, then n."),
        ("4.3", lambda x, h, W, U, b, d: (h, 0 * h),
         "It must return the new h, of shape (2,), and not (2, 2)."),
        ("4.3", lambda x, h: h, "Called as gru(x, h, W, U, b, d) with NumPy arrays, it fails: "
         "TypeError: <lambda>() takes 2 positional arguments but 6 were given"),
        ("4.4", "f = 1", 'Give a dict of gates and numbers, such as {"o": 0.5}.'),
        ("4.4", {"z": 1}, "There is no gate 'z': they are i, f, g and o."),
        ("4.4", {"f": 1, "i": 0, "o": 1}, "o decides what is shown of c. Does c depend on it?"),
        ("4.4", {"i": 0}, "One gate decides what of the old c is kept."),
        ("4.4", {"f": 0, "i": 1}, "With f = 0, what is left of c after a hundred characters?"),
        ("4.4", {"f": 0.9, "i": 0}, "With f = 0.9, what is left of c after a hundred characters?"),
        ("4.4", {"f": 1}, "The old is kept, but something new is added at each character."),
        ("4.4", {"f": 1, "i": 1}, "With i = 1, something new is added at each character."),
        ("4.4", {"f": 1, "g": 0}, "g is what is new, and it changes with the text. Which gate "
         "keeps it out?"),
        ("4.4", {"f": 1, "i": 0, "g": 0}, "With this i, does it matter what g is?"),
        ("4.5", "init", "Xavier's weights are of a usual size."),
        ("4.5", "weight_decay", "A decay of 0.01 takes little from the weights."),
        ("4.5", "clip_norm = 0.5", "Clipping at 0.5 makes steps shorter, and AdamW does not mind."),
        ("4.5", "learning_rate", "The chapter's own network had the same learning rate."),
        ("4.5", "max_tokens", "A short training is not an illness. What does the doctor say of "
         "the gates?"),
        ("4.5", "saturated gates", "That is the illness. Which setting of the recipe causes it?"),
        ("4.5", 30, 'Name a setting of the recipe, such as "init".'),
    ],
)  # fmt: skip
def test_usual_mistakes(number: str, answer: Any, words: str) -> None:
    assert judge(number, answer) == (False, f"{number}: not yet. {words}")
