"""The checks of chapter 3 accept the right answers, and say what is wrong with the usual others."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rnnlab.course import judge

Floats = npt.NDArray[np.float64]


def norm(gradients: list[Floats]) -> Any:
    return np.sqrt(sum((g**2).sum() for g in gradients))


def clip(gradients: list[Floats], theta: float) -> list[Floats]:
    found = norm(gradients)
    return [g * theta / found for g in gradients] if found > theta else gradients


def in_place(gradients: list[Floats], theta: float) -> tuple[Floats, ...]:
    factor = min(
        1.0, theta / (float(np.linalg.norm(np.hstack([*map(np.ravel, gradients)]))) + 1e-9)
    )
    for g in gradients:
        g *= factor
    return tuple(gradients)


def one_by_one(gradients: list[Floats], theta: float) -> list[Floats]:
    return [g * min(1, theta / np.sqrt((g**2).sum())) for g in gradients]


def by_value(gradients: list[Floats], theta: float) -> list[Floats]:
    return [np.clip(g, -theta, theta) for g in gradients]


def by_sum(gradients: list[Floats], theta: float) -> list[Floats]:
    return [g * theta / sum(np.abs(other).sum() for other in gradients) for g in gradients]


def without_root(gradients: list[Floats], theta: float) -> list[Floats]:
    return [g * theta / norm(gradients) ** 2 for g in gradients]


def by_largest(gradients: list[Floats], theta: float) -> list[Floats]:
    return [g * theta / max(np.abs(other).max() for other in gradients) for g in gradients]


def always(gradients: list[Floats], theta: float) -> list[Floats]:
    return [g * theta / norm(gradients) for g in gradients]


def divides_by_zero(gradients: list[Floats], theta: float) -> list[Floats]:
    return [g / norm(gradients) * min(norm(gradients), theta) for g in gradients]


def to_one(gradients: list[Floats], theta: float) -> list[Floats]:
    return [g / norm(gradients) if norm(gradients) > theta else g for g in gradients]


def turned_round(gradients: list[Floats], theta: float) -> list[Floats]:
    return gradients if norm(gradients) > theta else always(gradients, theta)


def nothing_returned(gradients: list[Floats], theta: float) -> None:
    in_place(gradients, theta)


def one_vector(gradients: list[Floats], theta: float) -> list[Floats]:
    return [np.hstack([g.ravel() for g in clip(gradients, theta)])]


def mean_square(gradients: list[Floats], theta: float) -> list[Floats]:
    root = np.sqrt(np.hstack([(g**2).ravel() for g in gradients]).mean())
    return [g * min(1, theta / root) for g in gradients]


def of_one_array(gradient: list[Floats]) -> Floats:
    return gradient[0]


def test_the_solutions_are_what_the_equations_give() -> None:
    assert 0.9**66 < 0.001 < 0.9**65
    assert norm([np.array([3.0, 4.0]), np.array([12.0])]) == 13


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("3.1", 66), ("3.1", 66.0), ("3.2", 0.231), ("3.2", 3 / 13), ("3.3", clip),
        ("3.3", in_place), ("3.4", "AE"), ("3.4", "e, a"), ("3.5", {"clip_norm": 1.0}),
        ("3.5", {"clip_norm": 0}), ("3.6", {"clip_norm": 1.0}), ("3.6", {"init": "torch"}),
        ("3.6", {"cell": "rnn"}),
    ],
)  # fmt: skip
def test_right_answers(number: str, answer: Any) -> None:
    assert judge(number, answer) == (True, f"{number}: right.")


ILL = "Trained with that, it is as ill as before. "


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("3.1", 65, "Slightly more than a thousandth is left then."),
        ("3.1", 65.56, "There are only whole steps. After which of them is less left?"),
        ("3.1", 67, "It was less already one step before."),
        ("3.1", 10, "A tenth of what is left goes at each step, not a tenth of what there was."),
        ("3.1", 3, "What is left is 0.9 of it, not 0.1."),
        ("3.1", 7, "This is the logarithm of 1,000. Divide it by that of 1/0.9."),
        ("3.1", 70, "The logarithm of 1/0.9 is a little more than 0.1."),
        ("3.1", 1000, "It is too large."),
        ("3.2", 0.6, "This clips each matrix for itself. The norm is that of all gradients "
         "together."),
        ("3.2", 1, "This clips each number. Then the direction of the step would change."),
        ("3.2", 0.158, "This divides by the sum of the numbers. The norm is the root of the sum of "
         "their squares."),
        ("3.2", 0.01775, "The root is missing."),
        ("3.2", 0.25, "This divides by the largest number. The norm counts all of them."),
        ("3.2", 13, "This is the norm. What becomes of the 3?"),
        ("3.2", 3, "The norm is above 1, so it cannot stay."),
        ("3.2", 0.923, "This is what becomes of the 12."),
        ("3.3", [1.0], "Give the function itself: clip, not clip(...)."),
        ("3.3", one_by_one, "It clips each array for itself. The norm is that of all together."),
        ("3.3", by_value, "It clips each number, which changes the direction of the step."),
        ("3.3", by_sum, "It divides by the sum of the absolute values."),
        ("3.3", without_root, "It divides by the square of the norm."),
        ("3.3", by_largest, "It divides by the largest number."),
        ("3.3", always, "Gradients whose norm is below theta must stay as they are."),
        ("3.3", divides_by_zero, "If all gradients are 0, they must stay so. Does it divide by 0?"),
        ("3.3", to_one, "The norm must become theta, not 1."),
        ("3.3", turned_round, "Nothing has changed, though the norm is above theta."),
        ("3.3", nothing_returned, "It must return as many arrays as it gets, of the same shapes."),
        ("3.3", one_vector, "It must return as many arrays as it gets, of the same shapes."),
        ("3.3", mean_square, "The norm of all together is 1.732 then, and theta is 1.0."),
        ("3.3", of_one_array, "clip(gradients, theta) fails: TypeError: of_one_array() takes 1 "
         "positional argument but 2 were given"),
        ("3.4", "A", "That is true, and it is not all."),
        ("3.4", "E", "That is true, and it is not all."),
        ("3.4", "ABE", "B: which other factor does each step have, and can it be small?"),
        ("3.4", "AC", "C: what does clipping do to a gradient that is too short?"),
        ("3.4", "ADE", "D: do some weights get another factor than others?"),
        ("3.4", "", "Choose among the letters A to E."),
        ("3.4", ["A", "E"], 'Give letters, such as "BD".'),
        ("3.5", {"clip_norm": 0.01}, f"{ILL}Compare it with the usual norm of the gradients: it is "
         "still smaller."),
        ("3.5", {"learning_rate": 100.0}, f"{ILL}All steps still have the same length, whatever "
         "the gradient says."),
        ("3.5", {"cell": "lstm"}, f"{ILL}The gradients of other cells are clipped all the same."),
        ("3.5", {"num_steps": 8}, f"{ILL}The gradients of shorter texts are clipped all the same."),
        ("3.5", {"optimizer": "adam"}, "The old illness is gone, but now the doctor finds: "
         "diverged, saturated gates."),
        ("3.6", {"learning_rate": 0.1}, f"{ILL}The first gradient is so large that this step is "
         "still too long."),
        ("3.6", {"clip_norm": 1000.0}, f"{ILL}This lets through a norm that is too large."),
        ("3.6", {"optimizer": "adam"}, f"{ILL}With this learning rate its steps are long, too."),
        ("3.6", {"hidden_size": 128}, f"{ILL}What grows from step to step grows with any number "
         "of units."),
        ("3.6", {"num_steps": 64}, f"{ILL}There are still enough factors above 1."),
        ("3.6", {"learning_rate": 0.01}, "The old illness is gone, but now the doctor finds: "
         "learning rate too low."),
    ],
)  # fmt: skip
def test_usual_mistakes(number: str, answer: Any, words: str) -> None:
    assert judge(number, answer) == (False, f"{number}: not yet. {words}")
