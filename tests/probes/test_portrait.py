"""Several probes of one network: what is refused, and what is left out."""

import pytest
from probed_model import TEXT, build

from rnnlab.errors import DivergenceError, UsageError
from rnnlab.probes import PORTRAIT
from rnnlab.probes.portrait import run_probes
from rnnlab.probes.reading import Reading
from rnnlab.probes.subject import Subject


def subject(**settings) -> Subject:
    return Subject("net", "a text", Reading.of(build(**settings), TEXT * 2))


@pytest.mark.parametrize("probe", PORTRAIT)
def test_a_network_that_has_diverged_is_refused(probe):
    diverged = subject()
    for parameter in diverged.reading.model.model.recurrent.parameters():
        parameter.data[0] = float("nan")
    with pytest.raises(DivergenceError) as caught:
        run_probes(diverged, [probe])
    assert str(caught.value) == "the model's output is NaN or infinite; its weights are unusable"


def test_what_a_cell_does_not_allow_is_left_out_with_the_reason():
    relu = subject(cell="rnn-relu")
    for parameter in relu.reading.model.model.recurrent.parameters():
        parameter.data.mul_(0.2)  # so that it does not diverge
    names = ["timescales", "saturation", "surprise"]
    results, left_out = run_probes(relu, names, strict=False)
    assert set(results) == {"surprise"}
    assert left_out == {
        "timescales": "cell 'rnn-relu' has no gate that keeps; timescales need one (cells: lstm, "
        "gru)",
        "saturation": "cell 'rnn-relu' has no gate with two ends; saturation needs one (cells: "
        "lstm, gru, rnn)",
    }
    with pytest.raises(UsageError, match="has no gate that keeps"):
        run_probes(relu, ["timescales"])
