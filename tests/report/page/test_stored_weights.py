"""Numbers become bytes and come back as they should, whatever they are."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rnnlab.errors import UsageError
from rnnlab.report.page.stored_weights import StoredWeights, stored_weights

MATRICES = arrays(
    np.float32, st.tuples(st.integers(1, 5), st.integers(1, 6)),
    elements=st.floats(-100, 100, width=32),
)  # fmt: skip


def read_back(stored: StoredWeights) -> dict[str, npt.NDArray[np.float32]]:
    """What a reader of the bytes finds, number by number."""
    found = {}
    for about in stored.tensors:
        size, begin = int(np.prod(about["shape"])), about["begin"]
        kind = {"float16": "<f2", "float32": "<f4", "int8": "i1"}[about["type"]]
        numbers = np.frombuffer(stored.content, kind, size, begin).reshape(about["shape"])
        if about["type"] == "int8":
            scales = np.frombuffer(stored.content, "<f4", about["shape"][0], about["scales"])
            numbers = numbers * scales[:, None]
        found[about["name"]] = numbers.astype(np.float32)
    return found


@given(MATRICES, st.sampled_from(["float16", "int8"]))
def test_the_bytes_are_the_rounded_numbers(matrix: npt.NDArray[np.float32], weights: str) -> None:
    stored = stored_weights({"one": matrix, "bias": matrix[0], "two": -matrix}, weights)
    found = read_back(stored)
    assert found.keys() == stored.arrays.keys() == {"one", "bias", "two"}
    for name, array in stored.arrays.items():
        assert array.dtype == np.float32
        assert np.array_equal(found[name], array)


@given(MATRICES)
def test_numbers_move_by_half_a_step_at_most(matrix: npt.NDArray[np.float32]) -> None:
    whole = stored_weights({"one": matrix, "bias": matrix[0]}, "int8").arrays
    steps = np.abs(matrix).max(1, keepdims=True) / 127
    assert (np.abs(whole["one"] - matrix) <= steps * 0.501 + 2e-36).all()
    assert np.array_equal(whole["bias"], matrix[0]), "biases keep their numbers"
    half = stored_weights({"one": matrix}, "float16").arrays["one"]
    assert (np.abs(half - matrix) <= np.abs(matrix) * 2**-11 + 2**-25).all()


def test_a_number_that_is_too_large_for_float16() -> None:
    arrays = {"output.bias": np.array([0, -70_000], np.float32)}
    with pytest.raises(UsageError) as caught:
        stored_weights(arrays, "float16")
    assert str(caught.value) == (
        "output.bias has 70,000, and float16 ends at 65,504; use --weights int8"
    )
    assert stored_weights(arrays, "int8").arrays["output.bias"][1] == -70_000
