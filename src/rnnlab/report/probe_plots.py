"""The plots of probes, each defined once: for the page, and as files for papers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rnnlab.lm.evaluate import Floats
from rnnlab.probes.ablation import Ablation
from rnnlab.probes.decoding import Decoding
from rnnlab.probes.exposure import Exposure
from rnnlab.probes.following import Following
from rnnlab.probes.memorisation import Memorisation
from rnnlab.probes.reach import Reach
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.saturation import Saturation
from rnnlab.probes.timescales import Timescales
from rnnlab.report.formatting import shortened
from rnnlab.report.probe_search_plots import decoding_plots, exposure_plots, following_plots
from rnnlab.report.scales import Scale, scale_for
from rnnlab.report.svg_plot import INK, MUTED, Colours, Picture, Plot, series_colour

TRAINED, OTHER, TWIN = series_colour(1), series_colour(2), series_colour(0)
"""A network, a second one, and what is its control."""
DASHES: tuple[tuple[float, ...], ...] = ((), (3.5, 1.5))
"""Of a network and a second one: colour is not the only difference."""

STROKES = ("━", "╍")
"""Pieces of their lines, for a key."""

CONTROL_KEY = [("━ trained", TRAINED), ("━ untrained", TWIN)]
BINS = 24


def plots(result: ProbeResult, colours: Colours = None) -> list[Picture]:
    """Return the plots of a result; none if it has no picture or one of coloured text."""
    draw = _DRAW.get(type(result))
    return [] if draw is None else list(draw(result, colours))


def plots_of_both(
    one: Mapping[str, ProbeResult],
    other: Mapping[str, ProbeResult],
    names: tuple[str, str],
    colours: Colours = None,
) -> dict[str, list[Picture]]:
    """Return by probe the plots that show two networks at once: timescales and reach."""
    found = dict[str, list[Picture]]()
    for probe, draw in _DRAW_BOTH.items():
        if probe in one and probe in other:
            key = [
                (f"{STROKES[n]} {shortened(name)}", colour)
                for n, (name, colour) in enumerate(zip(names, (TRAINED, OTHER), strict=True))
            ]
            found[probe] = list(draw([one[probe], other[probe]], key, colours))
    return found


def _timescales(result: Timescales, colours: Colours) -> Iterator[Picture]:
    """Draw the histogram of the times, trained and not."""
    plot = _histogram([result.twin_tau, result.tau], (TWIN, TRAINED), colours)
    plot.key(CONTROL_KEY)
    yield Picture("", plot, "histogram of the times that units keep what they have")


def _timescales_of_both(
    results: Sequence[Timescales], key: list[tuple[str, str]], colours: Colours
) -> Iterator[Picture]:
    # Networks of other sizes have other numbers of units.
    plot = _histogram(
        [result.tau for result in results], (TRAINED, OTHER), colours, share=True, dashes=DASHES
    )
    plot.key(key)
    yield Picture(
        "", plot, "histogram of the times that units of both networks keep what they have"
    )


def _histogram(
    times: Sequence[Floats],
    drawn_in: Sequence[str],
    colours: Colours,
    *,
    share: bool = False,
    dashes: Sequence[tuple[float, ...]] = ((), ()),
) -> Plot:
    """Draw the numbers of units by their time, or the shares of all units."""
    taus = [tau.ravel() for tau in times]
    x = scale_for("τ [tokens]", np.clip(np.concatenate(taus), 0.1, 1e5).tolist(), log=True)
    edges = np.geomspace(x.low, x.high, BINS + 1)
    counts = [
        np.histogram(np.clip(tau, x.low, x.high), edges)[0] / (len(tau) if share else 1)
        for tau in taus
    ]
    label = "share of units" if share else "units"
    plot = Plot(x, Scale(label, 0, 1.05 * float(max(map(max, counts)))), colours=colours)
    for values, colour, dash in zip(counts, drawn_in, dashes, strict=True):
        plot.axes.stairs(
            values, edges, color=plot.colour(colour), linewidth=1.5, linestyle=(0, dash or None)
        )
    return plot


def _saturation(result: Saturation, colours: Colours) -> Iterator[Picture]:
    """Draw for each gate its units by the shares of moments at both ends."""
    for g, gate in enumerate(result.gates):
        plot = Plot(
            Scale("share of moments in the highest tenth", -0.02, 1.02),
            Scale(f"gate {gate}: share in the lowest tenth", -0.02, 1.02), 240, colours,
        )  # fmt: skip
        for low, high, colour, marker in (
            (result.twin_low, result.twin_high, TWIN, "x"), (result.low, result.high, TRAINED, "o"),
        ):  # fmt: skip
            plot.axes.plot(
                high[:, g].ravel(), low[:, g].ravel(), marker, color=plot.colour(colour),
                markersize=3, alpha=0.7, clip_on=False,
            )  # fmt: skip
        plot.key([("● trained", TRAINED), ("× untrained", TWIN)])
        yield Picture(gate, plot, f"how often gate {gate} of each unit is at an end")


def _ablation(result: Ablation, colours: Colours) -> Iterator[Picture]:
    """Draw each unit by its variance and its cost, with the controls."""
    costs = np.concatenate([result.at_mean.ravel(), result.control_cost.ravel()])
    variances = np.concatenate([result.variance.ravel(), result.control_variance.ravel()])
    plot = Plot(
        scale_for("variance of the memory", np.maximum(variances, 1e-6).tolist(), log=True),
        scale_for("cost of switching off [bits/character]", costs.tolist()), colours=colours,
    )  # fmt: skip
    plot.axes.plot(
        np.maximum(result.variance, 1e-6).ravel(), result.at_mean.ravel(), "o",
        color=plot.colour(TRAINED), markersize=3,
    )  # fmt: skip
    plot.axes.plot(
        result.control_variance.ravel(), result.control_cost.ravel(), "x",
        color=plot.colour(TWIN), markersize=5,
    )  # fmt: skip
    plot.key([("● units", TRAINED), ("× random directions", TWIN)])
    yield Picture("", plot, "cost of switching off each unit against the variance of its memory")


def _reach(result: Reach, colours: Colours) -> Iterator[Picture]:
    """Draw the gradient over the lag, trained and not, and the cost of a short context."""
    lines = [
        (result.lags, result.untrained_gradient, TWIN),
        (result.lags, result.gradient, TRAINED),
    ]
    gradient = _gradients(lines, [result.num_steps], colours)
    gradient.key(CONTROL_KEY)
    yield Picture("gradient", gradient, "norm of the gradient over the lag")
    context = _contexts([result], (TRAINED,), colours)
    yield Picture("context", context, "cost of a short context")


def _reach_of_both(
    results: Sequence[Reach], key: list[tuple[str, str]], colours: Colours
) -> Iterator[Picture]:
    lines = [
        (result.lags, result.gradient, colour)
        for result, colour in zip(results, (TRAINED, OTHER), strict=True)
    ]
    steps = {result.num_steps for result in results}
    gradient = _gradients(lines, sorted(filter(None, steps)), colours, DASHES)
    gradient.key(key)
    yield Picture("gradient", gradient, "norm of the gradients of both networks over the lag")
    context = _contexts(results, (TRAINED, OTHER), colours)
    context.key(key)
    yield Picture("context", context, "cost of a short context for both networks")


def _gradients(
    lines: Sequence[tuple[Any, Floats, str]],
    num_steps: Sequence[int | None],
    colours: Colours,
    dashes: Sequence[tuple[float, ...]] = ((), ()),
) -> Plot:
    """Draw norms over lags, and where gradients were cut off in training."""
    norms = np.concatenate([values for _, values, _ in lines])
    shown = np.maximum(norms, max(norms.max() * 1e-10, 1e-300))
    x = scale_for("lag k [tokens]", np.concatenate([lags for lags, *_ in lines]).tolist(), log=True)
    plot = Plot(
        x, scale_for("‖∂ ln p(x_t) / ∂ e_(t-k)‖", shown.tolist(), log=True), colours=colours
    )
    for (lags, values, colour), dash in zip(lines, dashes, strict=True):
        plot.axes.plot(
            lags, plot.y.near(np.maximum(values, 1e-300)), color=plot.colour(colour),
            linewidth=1.5, linestyle=(0, dash or None),
        )  # fmt: skip
    for steps in num_steps:
        if steps and x.low < steps < x.high:
            plot.axes.axvline(steps, color=plot.colour(MUTED), linewidth=1, dashes=(2, 2))
            left, _ = plot.pixels(steps, plot.y.low)
            plot.text(left - 3, 50, "truncation", MUTED, "end")
    return plot


def _contexts(results: Sequence[Reach], drawn_in: Sequence[str], colours: Colours) -> Plot:
    """Draw what short contexts cost, with intervals."""
    ends = [0.0, *(end for each in results for end in [*each.low.tolist(), *each.high.tolist()])]
    seen = [k for each in results for k in each.contexts.tolist()]
    plot = Plot(
        scale_for("tokens seen", seen, log=True),
        scale_for("bits/character more than with all of them", ends), colours=colours,
    )  # fmt: skip
    plot.axes.axhline(0, color=plot.colour(MUTED), linewidth=0.8)
    for result, drawn, dash, marker in zip(results, drawn_in, DASHES, "os", strict=False):
        colour = plot.colour(drawn)
        plot.axes.vlines(result.contexts, result.low, result.high, colors=colour, linewidth=1)
        plot.axes.plot(
            result.contexts, result.excess, marker, color=colour, markersize=4, linewidth=1.5,
            linestyle=(0, dash or None),
        )  # fmt: skip
    return plot


def _memorisation(result: Memorisation, colours: Colours) -> Iterator[Picture]:
    """Draw which share of places has a copied passage of a length and more."""
    tails = result.counts[:, ::-1].cumsum(1)[:, ::-1] / result.counts.sum(1, keepdims=True)
    length = np.arange(tails.shape[1])
    least = float(tails[tails > 0].min())
    plot = Plot(
        scale_for("characters", length.tolist()),
        scale_for("share of places with so long a passage", [least, 1.0], log=True),
        colours=colours,
    )
    for index, (source, tail) in enumerate(zip(result.sources, tails, strict=True), start=1):
        seen = tail > 0
        colour = plot.colour(series_colour(index))
        plot.axes.plot(length[seen], tail[seen], color=colour, linewidth=1.5)
        left, up = plot.pixels(float(length[seen][-1]), float(tail[seen][-1]))
        plot.text(left + 3, up, source, INK)
    yield Picture("", plot, "lengths of passages that stand in the training text")


_DRAW: dict[type[ProbeResult], Callable[..., Iterator[Picture]]] = {
    Timescales: _timescales, Saturation: _saturation, Ablation: _ablation, Reach: _reach,
    Memorisation: _memorisation, Following: following_plots, Decoding: decoding_plots,
    Exposure: exposure_plots,
}  # fmt: skip
_DRAW_BOTH: dict[str, Callable[..., Iterator[Picture]]] = {
    "timescales": _timescales_of_both, "reach": _reach_of_both,
}  # fmt: skip
