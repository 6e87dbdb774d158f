"""Exercises of chapter 2: a network with memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.course.checking import exercise, number_fault
from rnnlab.course.cures import cure_fault

Floats = npt.NDArray[np.float64]

V, H, WINDOW = 28, 128, 16

W_XH: Floats = np.array([[0.5, -0.3], [0.8, 0.2]])
W_HH: Floats = np.array([[0.1, 0.4], [-0.2, 0.7]])
W_HY: Floats = np.array([[1.0, -0.5], [-1.0, 0.5]])
B: Floats = np.array([0.1, -0.1])
C: Floats = np.array([0.0, 0.2])
BEFORE: Floats = np.array([0.2, -0.4])
"""The step by hand; its characters are a and b."""

TASKS = {
    "the language": ("B", "how many answers does a sentence get?"),
    "parts of speech": ("C", "is anything asked while the sentence is still being read?"),
    "the summary": ("D", "could its first word be written after the first word of the page?"),
    "the melody": ("A", "what is there to read after the number?"),
}
"""Each with its way of use, and what to ask oneself."""


def _parameters(biases: int) -> int:
    return H * V + H * H + V * H + biases


@exercise("2.1")
def parameters(answer: Any) -> str:
    """HV + HH + H + VH + V."""
    right = _parameters(H + V)
    return number_fault(
        answer, right,
        {
            _parameters(0): "The biases b and c are parameters, too.",
            _parameters(V): "One of the two biases is missing: b has a number for each unit.",
            _parameters(H): "One of the two biases is missing: c has a number for each character.",
            _parameters(2 * H + V): "This equation has one b. torch's nn.RNN has two, whose sum "
            "is b.",
            right - H * H: "W_hh is missing: each unit reads each unit.",
            right - H * H + H: "W_hh is square: each unit reads each unit.",
            right - V * H - V: "W_hy and c, which give the answer, are missing.",
            right * WINDOW: "The weights are the same at every step.",
        },
        tolerance=1e-9,
    )  # fmt: skip


def _answer_to(a: Floats, squash: Callable[[Floats], Floats] = np.tanh) -> float:
    """The probability of the character a after the sums of the units."""
    z = np.exp(W_HY @ squash(a) + C)
    return float(z[0] / z.sum())


@exercise("2.2")
def second_step(answer: Any) -> str:
    """The state of the first step, and the second column of W_xh."""
    h: Floats = np.tanh(W_XH[:, 0] + W_HH @ BEFORE + B)
    a: Floats = W_XH[:, 1] + W_HH @ h + B
    after: Floats = np.tanh(a)
    logits: Floats = W_HY @ after + C
    without_c: Floats = np.exp(W_HY @ after)
    right = _answer_to(a)
    return number_fault(
        answer, right,
        {
            1 - right: "This is the probability of b.",
            float(logits[0]): "This is the number before softmax.",
            float(np.exp(logits[0])): "Softmax also divides by the sum.",
            _answer_to(W_XH[:, 1] + B): "The state counts: W_hh h is missing.",
            _answer_to(W_XH[:, 1] + W_HH @ BEFORE + B): "This reads b first. Start from the state "
            "that the first step has left.",
            _answer_to(W_XH[:, 0] + W_HH @ h + B): "This reads a once more. b is the second column "
            "of W_xh.",
            _answer_to(W_XH[1] + W_HH @ h + B): "You took a row of W_xh. A character is a column.",
            _answer_to(W_XH[:, 1] + W_HH @ h): "b, the bias, is missing.",
            _answer_to(a, lambda sums: sums): "The tanh is missing.",
            float(without_c[0] / without_c.sum()): "c is missing.",
            _answer_to(W_XH[:, 1] + W_HH.T @ h + B): "You took W_hh by its columns: its rows are "
            "what a unit reads.",
        },
        tolerance=0.001,
    )  # fmt: skip


@exercise("2.3")
def four_ways(answer: Any) -> str:
    """One answer, one for each word, only after the whole page, from a single number."""
    if not isinstance(answer, str):
        return 'Give four letters as a text, such as "AABB".'
    given = answer.upper().replace(" ", "").replace(",", "")
    if len(given) != len(TASKS) or set(given) - set("ABCD"):
        return "Give four letters from A to D, one for each task."
    for letter, (task, (right, question)) in zip(given, TASKS.items(), strict=True):
        if letter != right:
            return f"{task[0].upper()}{task[1:]}: {question}"
    return ""


@exercise("2.4")
def gradient_of_W_xh(answer: Any) -> str:
    """The sum of (1 - h_t^2) dL/dh_t, in the column of the character that is read."""
    if not callable(answer):
        return "Give the function itself: gradient, not gradient(...)."
    rng = np.random.default_rng(0)
    ids = [2, 0, 2, 1, 2]
    hs: Floats = np.tanh(rng.normal(size=(6, 3)))
    dhs: Floats = rng.normal(size=(5, 3))
    try:
        found: Floats = np.asarray(answer(list(ids), hs.copy(), dhs.copy(), 4), float)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        return f"gradient(ids, hs, dhs, V) fails: {type(error).__name__}: {error}"
    if found.shape == (4, 3):
        return "It is turned round: W_xh has a row for each unit, a column for each character."
    if found.shape != (3, 4):
        return f"With 3 units and V = 4 it has the shape {found.shape}, and W_xh has (3, 4)."
    das = (1 - hs[1:] ** 2) * dhs
    if np.allclose(found, _by_column(ids, das)):
        return ""
    last = dict(zip(ids, das, strict=True))
    for wrong, words in (
        (_by_column(ids, dhs), "The derivative of tanh is missing."),
        (_by_column(ids, (1 - hs[:-1] ** 2) * dhs), "hs[0] is the state before anything was read. "
         "Which state has ids[t] led to?"),
        (_by_column(ids, (1 - hs[1:]) ** 2 * dhs), "The derivative of tanh is 1 - h², "
         "not (1 - h)²."),
        (_by_column(ids, (1 - np.tanh(hs[1:]) ** 2) * dhs), "hs are values of tanh already."),
        (_by_column([*last], [*last.values()]), "A character that is read twice counts twice: "
         "add, do not replace."),
        (_by_column(ids, das) / len(ids), "The loss is a sum over the steps, so this is, too."),
        (_by_column(ids, das) * -1, "The sign is wrong: dhs has it already."),
    ):  # fmt: skip
        if np.allclose(found, wrong):
            return words
    return "The shape is right, the numbers are not. Which columns does one step change?"


def _by_column(ids: list[int], das: Any) -> Floats:
    gradient: Floats = np.zeros((3, 4))
    for i, da in zip(ids, das, strict=True):
        gradient[:, i] += da
    return gradient


@exercise("2.5")
def how_far_back(answer: Any) -> str:
    """(1 + 2 + ... + 16) / 16."""
    return number_fault(
        answer, (WINDOW + 1) / 2,
        {
            WINDOW: "So far reaches only the last answer of a window.",
            WINDOW / 2: "Close: the first answer of a window reaches one character, "
            "the second two.",
            (WINDOW - 1) / 2: "The character that was just read counts.",
            WINDOW + 1: "Nothing passes the edge of the window.",
            1: "So far reaches only the first answer of a window.",
            10_000: "So far back the value of the state comes from. The gradient is cut.",
            5_000: "So far back the value of the state comes from. The gradient is cut.",
            625: "So far back the value of the state comes from. The gradient is cut.",
            312.5: "So far back the value of the state comes from. The gradient is cut.",
        },
        tolerance=1e-9,
    )  # fmt: skip


@exercise("2.6")
def hardly_moving(answer: Any) -> str:
    """SGD with the learning rate of Adam."""
    return cure_fault("2.6", answer)
