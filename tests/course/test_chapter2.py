"""The checks of chapter 2 accept the right answers, and say what is wrong with the usual others."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rnnlab.course import judge

Floats = npt.NDArray[np.float64]


def gradient(ids: list[int], hs: Floats, dhs: Floats, V: int) -> Floats:
    result = np.zeros((hs.shape[1], V))
    for t, i in enumerate(ids):
        result[:, i] += (1 - hs[t + 1] ** 2) * dhs[t]
    return result


def in_one_product(ids: list[int], hs: Floats, dhs: Floats, V: int) -> list[list[float]]:
    product = ((1 - hs[1:] ** 2) * dhs).T @ np.eye(V)[ids]
    return [[float(value) for value in row] for row in product]


def turned_round(ids: list[int], hs: Floats, dhs: Floats, V: int) -> Floats:
    return gradient(ids, hs, dhs, V).T


def without_tanh(ids: list[int], hs: Floats, dhs: Floats, V: int) -> Floats:
    return dhs.T @ np.eye(V)[ids]


def state_before(ids: list[int], hs: Floats, dhs: Floats, V: int) -> Floats:
    return ((1 - hs[:-1] ** 2) * dhs).T @ np.eye(V)[ids]


def wrong_square(ids: list[int], hs: Floats, dhs: Floats, V: int) -> Floats:
    return ((1 - hs[1:]) ** 2 * dhs).T @ np.eye(V)[ids]


def tanh_twice(ids: list[int], hs: Floats, dhs: Floats, V: int) -> Floats:
    return ((1 - np.tanh(hs[1:]) ** 2) * dhs).T @ np.eye(V)[ids]


def replaced(ids: list[int], hs: Floats, dhs: Floats, V: int) -> Floats:
    result = np.zeros((hs.shape[1], V))
    for t, i in enumerate(ids):
        result[:, i] = (1 - hs[t + 1] ** 2) * dhs[t]
    return result


def mean(ids: list[int], hs: Floats, dhs: Floats, V: int) -> Floats:
    return gradient(ids, hs, dhs, V) / len(ids)


def uphill(ids: list[int], hs: Floats, dhs: Floats, V: int) -> Floats:
    return -gradient(ids, hs, dhs, V)


def of_W_hh(ids: list[int], hs: Floats, dhs: Floats, V: int) -> Floats:
    return ((1 - hs[1:] ** 2) * dhs).T @ hs[:-1]


def last_step(ids: list[int], hs: Floats, dhs: Floats, V: int) -> Floats:
    return gradient(ids[-1:], hs[-2:], dhs[-1:], V)


def too_few(ids: list[int], hs: Floats) -> Floats:
    return hs


def test_the_step_by_hand_goes_on() -> None:
    """What exercise 2.2 asks for, computed here."""
    W_hh = np.array([[0.1, 0.4], [-0.2, 0.7]])
    first = np.tanh([0.5 - 0.14 + 0.1, 0.8 - 0.32 - 0.1])
    second = np.tanh(np.array([-0.3, 0.2]) + W_hh @ first + np.array([0.1, -0.1]))
    a, b = np.exp([second[0] - 0.5 * second[1], 0.5 * second[1] - second[0] + 0.2])
    assert judge("2.2", a / (a + b)).is_right


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("2.1", 23_708), ("2.1", 23_708.0), ("2.1", np.int64(23_708)), ("2.2", 0.381),
        ("2.2", 0.38096), ("2.3", "BCDA"), ("2.3", "b, c, d, a"), ("2.4", gradient),
        ("2.4", in_one_product), ("2.5", 8.5), ("2.5", 17 / 2), ("2.6", {"learning_rate": 1.0}),
        ("2.6", {"optimizer": "adam"}),
    ],
)  # fmt: skip
def test_right_answers(number: str, answer: Any) -> None:
    assert judge(number, answer) == (True, f"{number}: right.")


ILL = "Trained with that, it is as ill as before. "


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("2.1", 23_552, "The biases b and c are parameters, too."),
        ("2.1", 23_580, "One of the two biases is missing: b has a number for each unit."),
        ("2.1", 23_680, "One of the two biases is missing: c has a number for each character."),
        ("2.1", 23_836, "This equation has one b. torch's nn.RNN has two, whose sum is b."),
        ("2.1", 7_324, "W_hh is missing: each unit reads each unit."),
        ("2.1", 20_096, "W_hy and c, which give the answer, are missing."),
        ("2.1", 379_328, "The weights are the same at every step."),
        ("2.2", 0.619, "This is the probability of b."),
        ("2.2", -0.14273, "This is the number before softmax."),
        ("2.2", 0.86699, "Softmax also divides by the sum."),
        ("2.2", 0.33305, "The state counts: W_hh h is missing."),
        ("2.2", 0.3456, "This reads b first. Start from the state that the first step has left."),
        ("2.2", 0.60213, "This reads a once more. b is the second column of W_xh."),
        ("2.2", 0.75597, "You took a row of W_xh. A character is a column."),
        ("2.2", 0.31539, "b, the bias, is missing."),
        ("2.2", 0.37949, "The tanh is missing."),
        ("2.2", 0.42911, "c is missing."),
        ("2.2", 0.24353, "You took W_hh by its columns: its rows are what a unit reads."),
        ("2.2", 0.38, "Close, but rounded too much or slightly off: give at least three digits."),
        ("2.3", "CCDA", "The language: how many answers does a sentence get?"),
        ("2.3", "BDDA", "Parts of speech: is anything asked while the sentence is still being "
         "read?"),
        ("2.3", "BCCA", "The summary: could its first word be written after the first word of "
         "the page?"),
        ("2.3", "BCDD", "The melody: what is there to read after the number?"),
        ("2.3", "BCD", "Give four letters from A to D, one for each task."),
        ("2.3", "BCDE", "Give four letters from A to D, one for each task."),
        ("2.3", 4, 'Give four letters as a text, such as "AABB".'),
        ("2.4", np.zeros((3, 4)), "Give the function itself: gradient, not gradient(...)."),
        ("2.4", turned_round, "It is turned round: W_xh has a row for each unit, a column for "
         "each character."),
        ("2.4", without_tanh, "The derivative of tanh is missing."),
        ("2.4", state_before, "hs[0] is the state before anything was read. Which state has "
         "ids[t] led to?"),
        ("2.4", wrong_square, "The derivative of tanh is 1 - h², not (1 - h)²."),
        ("2.4", tanh_twice, "hs are values of tanh already."),
        ("2.4", replaced, "A character that is read twice counts twice: add, do not replace."),
        ("2.4", mean, "The loss is a sum over the steps, so this is, too."),
        ("2.4", uphill, "The sign is wrong: dhs has it already."),
        ("2.4", of_W_hh, "With 3 units and V = 4 it has the shape (3, 3), and W_xh has (3, 4)."),
        ("2.4", last_step, "The shape is right, the numbers are not. Which columns does one step "
         "change?"),
        ("2.4", too_few, "gradient(ids, hs, dhs, V) fails: TypeError: too_few() takes 2 positional "
         "arguments but 4 were given"),
        ("2.5", 16, "So far reaches only the last answer of a window."),
        ("2.5", 8, "Close: the first answer of a window reaches one character, the second two."),
        ("2.5", 7.5, "The character that was just read counts."),
        ("2.5", 1, "So far reaches only the first answer of a window."),
        ("2.5", 17, "Nothing passes the edge of the window."),
        ("2.5", 10_000, "So far back the value of the state comes from. The gradient is cut."),
        ("2.6", {"hidden_size": 96}, f"{ILL}The number of units is not what stops it from "
         "learning."),
        ("2.6", {"clip_norm": 0.0}, f"{ILL}How large are its gradients? None of them is clipped."),
        ("2.6", {"learning_rate": 0.03}, f"{ILL}You have the right setting, and not yet enough "
         "of it."),
        ("2.6", {"num_steps": 16}, f"{ILL}It does not fail at long paths. It has hardly learned "
         "anything."),
        ("2.6", {"learning_rate": 100.0}, "The old illness is gone, but now the doctor finds: "
         "diverged, saturated gates."),
    ],
)  # fmt: skip
def test_usual_mistakes(number: str, answer: Any, words: str) -> None:
    assert judge(number, answer) == (False, f"{number}: not yet. {words}")
