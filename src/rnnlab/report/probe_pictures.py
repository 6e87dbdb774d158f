"""The pictures of probes, as <svg> elements and coloured text in the colours of the page."""

from collections.abc import Callable

import numpy as np
from markupsafe import Markup

from rnnlab.probes.ablation import Ablation
from rnnlab.probes.memorisation import Memorisation
from rnnlab.probes.reach import Reach
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.saturation import Saturation
from rnnlab.probes.surprise import Surprise
from rnnlab.probes.timescales import Timescales
from rnnlab.probes.unit_values import UnitValues
from rnnlab.report.scales import Scale, scale_for
from rnnlab.report.svg_plot import INK, MUTED, Plot, series_colour

TRAINED, TWIN = series_colour(1), series_colour(0)
SHOWN_TOKENS = 1_500
"""Of a text that is coloured by surprise."""

MOST_BITS = 8.0
"""Surprise of the darkest colour."""

BINS = 24


def pictures(results: dict[str, ProbeResult], page: str = "probe") -> dict[str, list[Markup]]:
    """Return the pictures of each result that has any; page: begins every id in them."""
    drawn = dict[str, list[Markup]]()
    for name, result in results.items():
        draw = _DRAW.get(type(result))
        if draw is not None:
            drawn[name] = draw(result, f"{page}-{name}")
    return drawn


def _surprise(result: Surprise, name: str) -> list[Markup]:
    """Colour each token by its surprise; its title has the alternatives."""
    spans = [Markup("<span>{}</span>").format(result.tokens[0])]
    for token, bits, likeliest, p in zip(
        result.tokens[1:SHOWN_TOKENS], result.bits, result.alternatives, result.probabilities,
        strict=False,
    ):  # fmt: skip
        expected = ", ".join(
            f"{result.vocabulary[v]!r} {share:.0%}"
            for v, share in zip(likeliest.tolist(), p.tolist(), strict=True)
        )
        share = min(1.0, bits / MOST_BITS)
        spans.append(
            Markup('<span style="--a:{:.2f}" title="{:.1f} bits; expected {}">{}</span>').format(
                share, bits, expected, token
            )
        )
    return [Markup('<p class="letters warm">{}</p>').format(Markup("").join(spans))]


def _units(result: UnitValues, name: str) -> list[Markup]:
    """Colour the text once for each unit: one colour above 0, another below."""
    texts = []
    for (part, layer, unit), values in zip(result.units, result.values, strict=True):
        largest = max(1e-9, float(np.abs(values).max()))
        spans = Markup("").join(
            Markup('<span class="{}" style="--a:{:.2f}">{}</span>').format(
                "up" if value > 0 else "down", abs(value) / largest, token
            )
            for token, value in zip(result.tokens, values.tolist(), strict=True)
        )
        title = f"Unit {unit} of layer {layer + 1} ({part})"
        texts.append(Markup('<h3>{}</h3><p class="letters">{}</p>').format(title, spans))
    return texts


def _timescales(result: Timescales, name: str) -> list[Markup]:
    """Draw the histogram of the times, trained and not."""
    taus = [result.tau.ravel(), result.twin_tau.ravel()]
    both = np.clip(np.concatenate(taus), 0.1, 1e5)
    x = scale_for("τ [tokens]", both.tolist(), log=True)
    edges = np.geomspace(x.low, x.high, BINS + 1)
    counts = [np.histogram(np.clip(tau, x.low, x.high), edges)[0] for tau in taus]
    plot = Plot(x, Scale("units", 0, 1.05 * max(map(max, counts))))
    for values, colour in ((counts[1], TWIN), (counts[0], TRAINED)):
        plot.axes.stairs(values, edges, color=colour, linewidth=1.5)
    return [plot.svg(name, "histogram of the times that units keep what they have")]


def _saturation(result: Saturation, name: str) -> list[Markup]:
    """Draw for each gate its units by the shares of moments at both ends."""
    drawn = []
    for g, gate in enumerate(result.gates):
        plot = Plot(
            Scale("share of moments in the highest tenth", -0.02, 1.02),
            Scale(f"gate {gate}: share in the lowest tenth", -0.02, 1.02), height=240,
        )  # fmt: skip
        for low, high, colour, marker in (
            (result.twin_low, result.twin_high, TWIN, "x"), (result.low, result.high, TRAINED, "o"),
        ):  # fmt: skip
            plot.axes.plot(
                high[:, g].ravel(), low[:, g].ravel(), marker, color=colour, markersize=3,
                alpha=0.7, clip_on=False,
            )  # fmt: skip
        drawn.append(plot.svg(f"{name}-{g}", f"how often gate {gate} of each unit is at an end"))
    return drawn


def _ablation(result: Ablation, name: str) -> list[Markup]:
    """Draw each unit by its variance and its cost, with the controls."""
    costs = np.concatenate([result.at_mean.ravel(), result.control_cost.ravel()])
    variances = np.concatenate([result.variance.ravel(), result.control_variance.ravel()])
    plot = Plot(
        scale_for("variance of the memory", np.maximum(variances, 1e-6).tolist(), log=True),
        scale_for("cost of switching off [bits/character]", costs.tolist()),
    )
    plot.axes.plot(
        np.maximum(result.variance, 1e-6).ravel(), result.at_mean.ravel(), "o", color=TRAINED,
        markersize=3,
    )  # fmt: skip
    plot.axes.plot(
        result.control_variance.ravel(), result.control_cost.ravel(), "x", color=TWIN, markersize=5,
    )  # fmt: skip
    return [plot.svg(name, "cost of switching off each unit against the variance of its memory")]


def _reach(result: Reach, name: str) -> list[Markup]:
    """Draw the gradient over the lag, trained and not, and the cost of a short context."""
    norms = np.concatenate([result.gradient, result.untrained_gradient])
    shown = np.maximum(norms, max(norms.max() * 1e-10, 1e-300))
    x = scale_for("lag k [tokens]", result.lags.tolist(), log=True)
    plot = Plot(x, scale_for("‖∂ ln p(x_t) / ∂ e_(t-k)‖", shown.tolist(), log=True))
    for values, colour in ((result.untrained_gradient, TWIN), (result.gradient, TRAINED)):
        plot.axes.plot(
            result.lags, plot.y.near(np.maximum(values, 1e-300)), color=colour, linewidth=1.5
        )
    if result.num_steps and x.low < result.num_steps < x.high:
        plot.axes.axvline(result.num_steps, color=MUTED, linewidth=1, dashes=(2, 2))
        left, _ = plot.pixels(result.num_steps, plot.y.low)
        plot.text(left - 3, 50, "truncation", MUTED, "end")
    drawn = [plot.svg(f"{name}-gradient", "norm of the gradient over the lag")]
    ends = [*result.low.tolist(), *result.high.tolist(), 0.0]
    context = Plot(
        scale_for("tokens seen", result.contexts.tolist(), log=True),
        scale_for("bits/character more than with all of them", ends),
    )
    context.axes.axhline(0, color=MUTED, linewidth=0.8)
    for k, low, high in zip(result.contexts, result.low, result.high, strict=True):
        context.axes.plot([k, k], [low, high], color=TRAINED, linewidth=1)
    context.axes.plot(
        result.contexts, result.excess, "o-", color=TRAINED, markersize=4, linewidth=1.5
    )
    return [*drawn, context.svg(f"{name}-context", "cost of a short context")]


def _memorisation(result: Memorisation, name: str) -> list[Markup]:
    """Draw which share of places has a copied passage of a length and more."""
    tails = result.counts[:, ::-1].cumsum(1)[:, ::-1] / result.counts.sum(1, keepdims=True)
    length = np.arange(tails.shape[1])
    least = float(tails[tails > 0].min())
    plot = Plot(
        scale_for("characters", length.tolist()),
        scale_for("share of places with so long a passage", [least, 1.0], log=True),
    )
    for index, (source, tail) in enumerate(zip(result.sources, tails, strict=True), start=1):
        seen = tail > 0
        plot.axes.plot(length[seen], tail[seen], color=series_colour(index), linewidth=1.5)
        left, up = plot.pixels(float(length[seen][-1]), float(tail[seen][-1]))
        plot.text(left + 3, up, source, INK)
    return [plot.svg(name, "lengths of passages that stand in the training text")]


_DRAW: dict[type[ProbeResult], Callable[..., list[Markup]]] = {
    Surprise: _surprise, UnitValues: _units, Timescales: _timescales, Saturation: _saturation,
    Ablation: _ablation, Reach: _reach, Memorisation: _memorisation,
}  # fmt: skip
