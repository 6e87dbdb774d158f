"""Illnesses of the text: held-out text that the model has seen in training."""

from rnnlab.data.copies import COPY, MANY, Copies
from rnnlab.doctor.diagnosis import Finding, MissingEvidence
from rnnlab.doctor.evidence import COPIED, Evidence


def held_out_copies(evidence: Evidence) -> Finding | None:
    """Find held-out splits of which a large part stands word for word in the training text."""
    if evidence.settings.data.of_samples:
        raise MissingEvidence("samples are not compared: equal ones are in one split")
    copies = evidence.text.copies
    if not copies:
        raise MissingEvidence("nothing was held out (--split)")
    copied = {name: found for name, found in copies.items() if found.decide}
    if not copied:
        return None
    shown = [_describe(name, found) for name, found in copied.items()]
    what = "files, pages and paragraphs"
    if not any(found.copied_share >= MANY for found in copied.values()):
        what = "lines"
    advice = (
        f"--corpus FILE, without the copies: drop repeated {what}, so that what is held out occurs "
        "once",
        "rnnlab evaluate RUN --text FILE, with text that is not in the corpus",
    )
    return Finding(COPIED, f"{COPIED} of training text", tuple(shown), advice)


def _describe(name: str, found: Copies) -> str:
    if found.copied_share < MANY:
        return (
            f"{found.duplicate_share:.0%} of the lines of the {name} split are also lines of the "
            f"training text, with {found.different_duplicate_share:.0%} of the characters of its "
            "different lines"
        )
    return (
        f"{found.copied_share:.0%} of the characters of the {name} split are in copies from the "
        f"training text, {COPY} characters or longer; {found.duplicate_share:.0%} of its lines are "
        "lines of it"
    )
