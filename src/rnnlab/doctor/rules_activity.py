"""Illnesses that show while the last weights read the text: saturated gates, dead units."""

from rnnlab.config import Settings
from rnnlab.doctor.advice import calmer_rate, flag, weaker_decay
from rnnlab.doctor.diagnosis import Finding
from rnnlab.doctor.evidence import Evidence
from rnnlab.doctor.weights import GateActivity, LayerActivity

SATURATED = 0.9
"""Share of a gate's activations at the ends of its range, over all units and the text. Some units
of a healthy network are there all the time, a forget gate that keeps a count for one, and after
long training 0.78 of all were; beyond nine tenths the gate passes no gradient and hardly learns."""

DEAD_SHARE = 0.2
"""Share of a layer's units. Up to 0.06 were seen in relu networks that learned well: a few that
never came alive cost nothing."""


MEMORIZED = 0.1
"""Of the unigram entropy. Who has learned the text to less has what it needs: gates at their ends
are then what a text known by heart looks like."""


def saturated_gates(evidence: Evidence) -> Finding | None:
    """A gate of some layer is at an end of its range for nearly all units and all the time."""
    gates = [
        each
        for each in evidence.weights.gates
        if each.low_share + each.high_share >= SATURATED and not _is_candidate(each)
    ]
    if not gates or _memorized(evidence):
        return None
    advice = _calmer(evidence.settings)
    if evidence.settings.model.forget_bias > 2:
        bias = flag(evidence.settings, "forget_bias", 1)
        only_forget = {each.gate.name for each in gates} == {"f"}
        advice = [bias] if only_forget else [bias, *advice]
    return Finding(
        "saturated gates", "saturated gates", tuple(map(_gate_in_words, gates)), tuple(advice)
    )


def _memorized(evidence: Evidence) -> bool:
    return evidence.end_nats < MEMORIZED * evidence.text.unigram_nats


def _is_candidate(activity: GateActivity) -> bool:
    """What is written to the state (g, n) is no gate: 0.93 of it at -1 or 1 was seen in a run that
    learned well. The simple network's h is all that it has, and counts."""
    return activity.gate.low < 0 and activity.gate.name != "h"


def dead_units(evidence: Evidence) -> Finding | None:
    """Units of some layer keep one value over the whole text: they tell the network nothing."""
    layers = [layer for layer in evidence.weights.layers if layer.dead >= DEAD_SHARE * layer.units]
    if not layers or _memorized(evidence):
        return None
    advice = _calmer(evidence.settings)
    if evidence.settings.model.cell == "rnn-relu":
        advice.append(flag(evidence.settings, "cell", "lstm"))
    return Finding("dead units", "dead units", tuple(map(_layer_in_words, layers)), tuple(advice))


def _calmer(settings: Settings) -> list[str]:
    """What keeps weights from growing so large."""
    advice = weaker_decay(settings)
    if settings.model.init != "torch":
        advice.append(flag(settings, "init", "torch"))
    if not settings.training.clip_norm:
        advice.append(flag(settings, "clip_norm", 1, "0 is off"))
    advice.append(calmer_rate(settings, 3))
    return advice


def _gate_in_words(activity: GateActivity) -> str:
    gate = activity.gate
    return (
        f"layer {activity.layer}, {gate.name}: {activity.low_share:.0%} of activations are close "
        f"to {gate.low:g} and {activity.high_share:.0%} close to {gate.high:g}"
    )


def _layer_in_words(layer: LayerActivity) -> str:
    words = f"layer {layer.layer}: {layer.dead} of {layer.units} units never change over the text"
    return f"{words}, {layer.silent} of them are 0 all along" if layer.silent else words
