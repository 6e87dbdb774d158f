"""The rule about held-out text that stands in the training text."""

from pathlib import Path

import pytest
from made_up_evidence import evidence

from rnnlab.data.copies import Copies
from rnnlab.doctor.diagnose import examine
from rnnlab.doctor.diagnosis import MissingEvidence
from rnnlab.doctor.rules_text import held_out_copies
from rnnlab.doctor.text_levels import TextLevels


def test_much_copied_text_is_a_finding_with_its_share() -> None:
    finding = held_out_copies(evidence(copied=0.34))
    assert finding is not None
    assert finding.illness == "held-out text is a copy"
    assert finding.evidence == (
        "34% of the characters of the test split are in copies from the training text, 50 "
        "characters or longer; 0% of its lines are lines of it",
    )
    assert held_out_copies(evidence(copied=0.09)) is None


def test_duplicate_lines_that_are_shorter_than_a_copy_are_a_finding() -> None:
    case = evidence()
    copies = {"test": Copies(500, 0.0, 100, 0.59, 9000, 80, 0.5)}
    object.__setattr__(case, "text_or_why", TextLevels(100, 3.0, 0.2, copies))
    finding = held_out_copies(case)
    assert finding is not None
    assert finding.evidence == (
        "59% of the lines of the test split are also lines of the training text, with 50% of the "
        "characters of its different lines",
    )
    assert finding.advice[0].startswith("--corpus FILE, without the copies: drop repeated lines, ")


def test_a_run_may_also_be_too_short() -> None:
    """The verdict in two lines tells both, the copies first."""
    case = evidence(held_out=(3.0, 2.5, 2.2, 2.1), reached=3.0, num_epochs=3, copied=0.34)
    diagnosis = examine(Path("run"), case)
    assert diagnosis.in_brief() == (
        "held-out text is a copy of training text; training too short",
        "try in a new run --corpus FILE, without the copies; then with --resume --num-epochs 12 "
        "(now 3); more: rnnlab doctor run",
    )


def test_without_held_out_text_nothing_can_be_a_copy() -> None:
    case = evidence()
    object.__setattr__(case, "text_or_why", TextLevels(100, 3.0, 0.2))
    with pytest.raises(MissingEvidence, match="nothing was held out"):
        held_out_copies(case)
