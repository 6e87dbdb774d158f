"""Illnesses of the text: held-out text that the model has seen in training."""

from rnnlab.data.copies import COPY
from rnnlab.doctor.diagnosis import Finding, MissingEvidence
from rnnlab.doctor.evidence import Evidence


def held_out_copies(evidence: Evidence) -> Finding | None:
    """Find held-out splits of which a large part stands word for word in the training text."""
    copies = evidence.text.copies
    if not copies:
        raise MissingEvidence("nothing was held out (--split)")
    copied = {name: found for name, found in copies.items() if found.decide}
    if not copied:
        return None
    shown = [
        f"{found.copied_share:.0%} of the characters of the {name} split are in copies from the "
        f"training text, {COPY} characters or longer; {found.duplicate_share:.0%} of its lines are "
        "lines of it"
        for name, found in copied.items()
    ]
    advice = (
        "--corpus FILE, without the copies: drop repeated files, pages and paragraphs, so that "
        "what is held out occurs once",
        "rnnlab evaluate RUN --text FILE, with text that is not in the corpus",
    )
    return Finding(
        "held-out text is a copy", "held-out text is a copy of training text", tuple(shown), advice
    )
