"""Values of a few units over a text."""

import numpy as np
import pytest
from probed_model import TEXT, build

from rnnlab.errors import UsageError
from rnnlab.probes.reading import Reading
from rnnlab.probes.traces import trace
from rnnlab.probes.unit_values import MOST_TOKENS, unit_values


def test_values_are_those_of_the_trace_between_minus_one_and_one():
    reading = Reading.of(build(num_layers=2, hidden_size=5), TEXT)
    traced = trace(reading.first(MOST_TOKENS))
    found = unit_values(reading, [("c", 1, 3), ("h", 0, 2)])
    np.testing.assert_allclose(found.values[0], np.tanh(traced["c"][:, 1, 3]), atol=1e-6)
    np.testing.assert_allclose(found.values[1], traced["h"][:, 0, 2], atol=1e-6)
    assert "".join(found.tokens) == reading.first(MOST_TOKENS).text


def test_no_units_have_no_values():
    reading = Reading.of(build(), TEXT)
    assert unit_values(reading, []).values.shape == (0, min(MOST_TOKENS, len(reading)))


def test_a_unit_that_does_not_exist_is_one_sentence():
    with pytest.raises(UsageError) as caught:
        unit_values(Reading.of(build(hidden_size=5), TEXT), [("c", 0, 5)])
    assert str(caught.value) == (
        "unit c 0 5 does not exist (parts: i, f, g, o, h, c; layers 0 to 0; units 0 to 4)"
    )
