"""The plots of searches show what was found, and each control, for every feature."""

import numpy as np
import pytest

from rnnlab.probes.decoding import Decoding
from rnnlab.probes.exposure import Exposure
from rnnlab.probes.following import Following
from rnnlab.report.probe_plots import plots

FEATURES = ("in quotes", "line position", "a feature with a name of many letters")


def marks(plot, marker):
    """Return by feature where the marks of a kind are, and whether they are filled."""
    names = plot.y.names
    found = {}
    for line in plot.axes.get_lines():
        if line.get_marker() == marker and line.get_linestyle() in ("-", "None"):
            (x,), (row,) = line.get_data()
            found[names[int(row)]] = float(x), line.get_markerfacecolor() != "none"
    return found


def following():
    test_r = np.array([[[0.2, -0.9, 0.4, 0.3]]])  # one part, one layer, four units
    return Following(
        parts=("h",), features=FEATURES, kinds=("binary", "number", "binary"), left_out={},
        tokens=100, shifts=10, longest_context=3, r=np.zeros((1, 1, 4, 3)),
        chosen=np.array([[[0, 1, 1, 1]]]), train_r=test_r, test_r=test_r, p=np.ones((1, 1, 4)),
        follows=np.array([[[False, False, True, True]]]), thresholds=np.zeros(3),
        twin_r=np.zeros(3), twin_limits=np.array([0.25, 0.35, 0.45]),
        ngram_r=np.array([0.5, 0.6, 0.7]),
    )  # fmt: skip


def test_a_unit_that_follows_comes_before_one_that_is_closer_by_chance():
    (picture,) = plots(following())
    own = marks(picture.plot, "o")
    cut = "a feature with a name of…"
    assert own["in quotes"] == (0.2, False)
    assert own["line position"] == (0.4, True)
    assert np.isnan(own[cut][0])  # no unit was chosen for it
    assert marks(picture.plot, "|").keys() == {"in quotes", "line position", cut}
    assert [marks(picture.plot, "|")[name][0] for name in ("in quotes", cut)] == [0.25, 0.45]
    assert [marks(picture.plot, "x")[name][0] for name in ("in quotes", cut)] == [0.5, 0.7]
    assert picture.plot.y.names == (cut, "in quotes", "line position")  # from below


def test_decoders_of_each_kind_with_the_control_of_the_same_state():
    score = np.array([[[0.6, 0.1, 0.9], [0.7, 0.5, 0.8]]])  # one part, two layers
    control = np.array([[[0.51, 0.01, 0.53], [0.52, 0.02, 0.54]]])
    known = np.array([[[True, False, False], [False, False, True]]])
    result = Decoding(
        parts=("h",), features=FEATURES, kinds=("binary", "number", "binary"), left_out={},
        tokens=100, shifts=10, context=3, score=score, control=control,
        twin_score=np.zeros(3), twin_limits=np.array([0.55, 0.3, 0.65]), r=score, p=score,
        known=known, thresholds=np.zeros(3),
    )  # fmt: skip
    binary, number = plots(result)
    assert (binary.part, number.part) == ("binary", "number")
    cut = "a feature with a name of…"
    assert marks(binary.plot, "o") == {"in quotes": (0.6, True), cut: (0.8, True)}
    assert {k: v[0] for k, v in marks(binary.plot, "x").items()} == {"in quotes": 0.51, cut: 0.54}
    assert {k: v[0] for k, v in marks(binary.plot, "|").items()} == {"in quotes": 0.55, cut: 0.65}
    assert marks(number.plot, "o") == {"line position": (0.5, False)}
    assert marks(number.plot, "x")["line position"][0] == 0.02


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_canaries_and_files(tmp_path, kind):
    result = Exposure(
        lines=("a", "b", "c"), repetitions=np.array([1, 4, 16]), bits=np.ones(3),
        exposure=np.array([2.0, 7.0, 10.0]), found=np.array([False, True, True]),
        possible=1024, tried=1024, with_ngram=False,
    )  # fmt: skip
    (picture,) = plots(result)
    drawn = {
        line.get_marker(): line.get_xydata().tolist()
        for line in picture.plot.axes.get_lines()
        if line.get_marker() in ("o", "x")
    }
    assert drawn == {"o": [[4, 7], [16, 10]], "x": [[1, 2]]}
    heights = sorted(
        line.get_ydata()[0] for line in picture.plot.axes.get_lines() if line.is_dashed()
    )
    np.testing.assert_allclose(heights, [np.log2(3 / 0.05), 10.0])
    picture.plot.save(tmp_path / f"exposure.{kind}")
    assert (tmp_path / f"exposure.{kind}").stat().st_size > 1_000
