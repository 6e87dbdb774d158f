"""Illnesses that show when the last weights read the text: saturated gates, dead units."""

from rnnlab.config import Settings
from rnnlab.doctor.activity import GateActivity, LayerActivity
from rnnlab.doctor.advice import flag, lower_rate, weaker_decay
from rnnlab.doctor.diagnosis import Finding
from rnnlab.doctor.evidence import Evidence

SATURATED_SHARE = 0.9
"""Share of a gate's activations at the ends of its range, over all units and the whole text. In a
healthy network some units stay there, such as a forget gate that keeps a count; after long training
0.78 of all were. Above nine tenths the gate passes almost no gradient and hardly learns."""

DEAD_SHARE = 0.2
"""Share of a layer's units. Relu networks that learned well had up to 0.06: a few units that never
become active do no harm."""

MEMORIZED_SHARE = 0.1
"""Share of the unigram entropy. A network whose loss is lower has memorized the text, and saturated
gates are then the normal sign of that."""


def saturated_gates(evidence: Evidence) -> Finding | None:
    """Find gates that are at an end of their range for nearly all units, nearly all the time."""
    gates = [
        each
        for each in evidence.weights.gates
        if each.low_share + each.high_share >= SATURATED_SHARE and not _is_candidate(each)
    ]
    if not gates or _memorized(evidence):
        return None
    advice = _smaller_weights(evidence.settings)
    if evidence.settings.model.forget_bias > 2:
        bias = flag(evidence.settings, "forget_bias", 1)
        only_forget = {each.gate.name for each in gates} == {"f"}
        advice = [bias] if only_forget else [bias, *advice]
    return Finding(
        "saturated gates", "saturated gates", tuple(map(_describe_gate, gates)), tuple(advice)
    )


def _memorized(evidence: Evidence) -> bool:
    return evidence.end_nats < MEMORIZED_SHARE * evidence.text.unigram_nats


def _is_candidate(activity: GateActivity) -> bool:
    """Whether this is what is written to the state (g, n), which is not a gate.

    A run that learned well had 0.93 of it at -1 or 1. The simple network's h does count: it is the
    only activation that this network has.
    """
    return activity.gate.low < 0 and activity.gate.name != "h"


def dead_units(evidence: Evidence) -> Finding | None:
    """Find layers with many units that keep one value over the whole text."""
    layers = [layer for layer in evidence.weights.layers if layer.dead >= DEAD_SHARE * layer.units]
    if not layers or _memorized(evidence):
        return None
    advice = _smaller_weights(evidence.settings)
    if evidence.settings.model.cell == "rnn-relu":
        advice.append(flag(evidence.settings, "cell", "lstm"))
    return Finding("dead units", "dead units", tuple(map(_describe_layer, layers)), tuple(advice))


def _smaller_weights(settings: Settings) -> list[str]:
    """Return the advice that keeps weights from growing so large."""
    advice = weaker_decay(settings)
    if settings.model.init != "torch":
        advice.append(flag(settings, "init", "torch"))
    if not settings.training.clip_norm:
        advice.append(flag(settings, "clip_norm", 1, "0 is off"))
    advice.append(lower_rate(settings, 3))
    return advice


def _describe_gate(activity: GateActivity) -> str:
    gate = activity.gate
    return (
        f"layer {activity.layer}, {gate.name}: {activity.low_share:.0%} of activations are close "
        f"to {gate.low:g} and {activity.high_share:.0%} close to {gate.high:g}"
    )


def _describe_layer(layer: LayerActivity) -> str:
    words = f"layer {layer.layer}: {layer.dead} of {layer.units} units never change over the text"
    return f"{words}, {layer.silent} of them are always 0" if layer.silent else words
