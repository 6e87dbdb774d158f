"""The plots of probes that look for something: what is found, next to its controls."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from rnnlab.lm.evaluate import Floats
from rnnlab.probes.decoding import MEASURES, Decoding
from rnnlab.probes.exposure import Exposure
from rnnlab.probes.following import Following
from rnnlab.report.formatting import shortened
from rnnlab.report.scales import Scale, scale_for
from rnnlab.report.svg_plot import BOTTOM, MUTED, TOP, Colours, Picture, Plot, series_colour

FOUND, CONTROL = series_colour(1), series_colour(0)

ROW, NAMES, NAME_LETTERS = 22, 152, 25
"""Height of a row and width of its name, in CSS pixels; letters of a name."""

Bools = npt.NDArray[np.bool_]


def following_plots(result: Following, colours: Colours) -> Iterator[Picture]:
    """Draw the unit that follows each feature most closely, of those that were chosen for it."""
    size, is_found = np.abs(result.test_r), np.zeros(len(result.features), bool)
    best = np.full(len(result.features), np.nan)
    for f in np.unique(result.chosen).tolist():
        chose = result.chosen == f
        is_found[f] = (chose & result.follows).any()
        # A unit that follows a feature comes before one that is closer to it by chance.
        best[f] = size[chose & result.follows if is_found[f] else chose].max()
    plot = _rows(
        "|r| in text that the unit was not chosen on", result.features, best, is_found,
        result.twin_limits, result.ngram_r, colours,
    )  # fmt: skip
    plot.key(_key("a unit", f"the last {result.longest_context} tokens"))
    yield Picture("", plot, "how closely units follow each feature, and what the controls reach")


def decoding_plots(result: Decoding, colours: Colours) -> Iterator[Picture]:
    """Draw the best score of each feature, of any part and layer, by kind of feature."""
    for kind, measure in MEASURES.items():
        own = np.flatnonzero([each == kind for each in result.kinds])
        if not own.size:
            continue
        rank = np.where(result.known, 2 + result.score, result.score)[..., own]
        rank = rank.reshape(-1, len(own))
        place = rank.argmax(0), np.arange(len(own))
        score, control = (
            values[..., own].reshape(rank.shape)[place] for values in (result.score, result.control)
        )
        is_known = np.any(result.known[..., own], (0, 1))
        plot = _rows(
            measure, [result.features[f] for f in own], score, is_known,
            result.twin_limits[own], control, colours,
        )  # fmt: skip
        plot.key(_key("the state", "random labels"))
        label = f"{measure} of decoders for each feature, and what the controls reach"
        yield Picture(kind, plot, label)


def _key(own: str, other: str) -> list[tuple[str, str]]:
    return [
        (f"● {own} (○ not found)", FOUND), ("| limit of untrained", CONTROL), (f"× {other}", MUTED),
    ]  # fmt: skip


def _rows(
    label: str,
    names: Sequence[str],
    values: Floats,
    is_found: Bools,
    limits: Floats,
    others: Floats,
    colours: Colours,
) -> Plot:
    """Draw a row for each feature: the value, what untrained networks reach, another control."""
    order = np.argsort(np.nan_to_num(values, nan=-1.0))  # the largest becomes the highest
    shown = [0.0, 1.0, *(v for v in (*values, *limits, *others) if np.isfinite(v))]
    y = Scale(
        label, -0.6, len(names) - 0.4, names=tuple(shortened(names[f], NAME_LETTERS) for f in order)
    )
    plot = Plot(
        scale_for("", np.maximum(shown, -0.1).tolist()), y,
        TOP + BOTTOM + ROW * len(names), colours, NAMES,
    )  # fmt: skip
    for row, f in enumerate(order):
        own, limit, control = plot.colour(FOUND), plot.colour(CONTROL), plot.colour(MUTED)
        plot.axes.plot(others[f], row, "x", color=control, markersize=5)
        plot.axes.plot(limits[f], row, "|", color=limit, markersize=11, markeredgewidth=2)
        fill = own if is_found[f] else "none"
        plot.axes.plot(values[f], row, "o", color=own, markersize=6, markerfacecolor=fill)
    return plot


def exposure_plots(result: Exposure, colours: Colours) -> Iterator[Picture]:
    """Draw the exposure of each canary over its repetitions, and what chance and memory reach."""
    times = result.repetitions.astype(float)
    ends = [0.0, result.most, *result.exposure.tolist()]
    plot = Plot(
        scale_for("repetitions in the training text", times.tolist(), log=True),
        scale_for("exposure [bits]", ends), colours=colours,
    )  # fmt: skip
    left = plot.pixels(plot.x.low, 0)[0] + 3
    for height, words in ((result.least, "above: remembered"), (result.most, "likeliest of all")):
        if plot.y.low < height < plot.y.high:
            plot.axes.axhline(height, color=plot.colour(MUTED), linewidth=1, dashes=(2, 2))
            plot.text(left, plot.pixels(plot.x.low, height)[1] + 3, words, MUTED)
    for found, marker in ((True, "o"), (False, "x")):
        own = result.found == found
        colour = plot.colour(FOUND if found else CONTROL)
        plot.axes.plot(
            times[own], result.exposure[own], marker, color=colour, markersize=5, alpha=0.7
        )
    plot.key([("● remembered", FOUND), ("× not", CONTROL)])
    yield Picture("", plot, "exposure of canaries over their repetitions")
