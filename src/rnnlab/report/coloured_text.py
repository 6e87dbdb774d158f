"""Texts of which each token has a colour: HTML only, since a browser breaks their lines."""

from collections.abc import Iterable

import numpy as np
from markupsafe import Markup

from rnnlab.probes.comparison import Comparison
from rnnlab.probes.surprise import Surprise
from rnnlab.probes.unit_values import UnitValues

SHOWN_TOKENS = 1_500
"""Of a text."""

MOST_BITS = 8.0
"""Surprise of the darkest colour."""

MOST_DIFFERENCE = 4.0
"""Bits by which one network is ahead at the darkest colour."""


def surprise_text(result: Surprise) -> Markup:
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
        spans.append(
            Markup('<span style="--a:{:.2f}" title="{:.1f} bits; expected {}">{}</span>').format(
                min(1.0, bits / MOST_BITS), bits, expected, token
            )
        )
    return _text(spans, "warm")


def unit_texts(result: UnitValues) -> list[tuple[str, Markup]]:
    """Colour the text once for each unit, above 0 and below, and return each with its title."""
    texts = []
    for (part, layer, unit), values in zip(result.units, result.values, strict=True):
        largest = max(1e-9, float(np.abs(values).max()))
        spans = (
            Markup('<span class="{}" style="--a:{:.2f}">{}</span>').format(
                "up" if value > 0 else "down", abs(value) / largest, token
            )
            for token, value in zip(result.tokens, values.tolist(), strict=True)
        )
        texts.append((f"Unit {unit} of layer {layer + 1} ({part})", _text(spans)))
    return texts


def comparison_text(result: Comparison) -> Markup:
    """Colour each piece by which network expected it more; its title has the bits of both."""
    spans = [Markup("<span>{}</span>").format(result.given)]
    for piece, one, other in zip(
        result.pieces[:SHOWN_TOKENS], result.bits, result.other_bits, strict=False
    ):
        spans.append(
            Markup(
                '<span class="{}" style="--a:{:.2f}" title="{}: {:.1f} bits; {}: {:.1f}">{}</span>'
            ).format(
                "down" if other > one else "up", min(1.0, abs(other - one) / MOST_DIFFERENCE),
                result.names[0], one, result.names[1], other, piece,
            )
        )  # fmt: skip
    return _text(spans)


def _text(spans: Iterable[Markup], kind: str = "") -> Markup:
    name = f"letters {kind}".strip()
    return Markup('<p class="{}">{}</p>').format(name, Markup("").join(spans))
