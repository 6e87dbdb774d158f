"""The rule about held-out text that stands in the training text."""

import pytest
from made_up_evidence import evidence

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


def test_without_held_out_text_nothing_can_be_a_copy() -> None:
    case = evidence()
    object.__setattr__(case, "text_or_why", TextLevels(100, 3.0, 0.2))
    with pytest.raises(MissingEvidence, match="nothing was held out"):
        held_out_copies(case)
