"""Asks every rule about a run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rnnlab.doctor.diagnosis import Diagnosis, Finding, NotAtHand
from rnnlab.doctor.evidence import Evidence
from rnnlab.doctor.history import History
from rnnlab.doctor.rules_activity import dead_units, saturated_gates
from rnnlab.doctor.rules_curve import batch_too_large, clipping, diverged, overfitting
from rnnlab.doctor.rules_learning import learning_rate_too_low, stuck_at_unigram
from rnnlab.doctor.rules_regularization import regularization_too_strong

RULES: dict[str, Callable[[Evidence], Finding | None]] = {
    "diverged": diverged,
    "stuck at the unigram level": stuck_at_unigram,
    "clipping every step": clipping,
    "saturated gates": saturated_gates,
    "dead units": dead_units,
    "overfitting": overfitting,
    "regularization too strong": regularization_too_strong,
    "learning rate too low": learning_rate_too_low,
    "batch too large for the text": batch_too_large,
}
"""By illness. The first is asked first: of a run that diverged the curve says nothing more."""


def examine(directory: Path, evidence: Evidence) -> Diagnosis:
    """Ask every rule; one whose evidence is not at hand is left out with the reason."""
    findings = list[Finding]()
    looked_at, not_asked = list[str](), dict[str, str]()
    for illness, rule in RULES.items():
        try:
            finding = rule(evidence)
        except NotAtHand as why:
            not_asked[illness] = str(why)
            continue
        looked_at.append(illness)
        if finding:
            findings.append(finding)
            evidence = replace(evidence, diverged=evidence.diverged or illness == "diverged")
    state = describe_history(evidence.history)
    return Diagnosis(str(directory), state, tuple(findings), tuple(looked_at), not_asked)


def describe_history(history: History) -> str:
    """How far the run is, and what ended it."""
    done = f"{history.steps:,} steps, {history.epochs} epochs, {history.progress:.0%} of the budget"
    if not history.stopped_by:
        return f"{done}; no result yet: it is still going, or was killed"
    return f"{done}; ended by {history.stopped_by}"
