"""What a comparison shows, in sentences."""

from collections.abc import Sequence

from rnnlab.comparison.contender import Contender
from rnnlab.comparison.groups import Group
from rnnlab.comparison.leads import Gap, Tested
from rnnlab.console import counted, listed
from rnnlab.experiments.statistics import LEVEL
from rnnlab.experiments.wording import p_words
from rnnlab.lm.code_length import LEAST_CHARACTERS

ADVICE = "rnnlab compare ... --text FILE measures all on one text"


def describe(gap: Gap, characters: int, *, corrected: bool) -> list[str]:
    """Say how far a group is from the one it is compared with: over the text, and over seeds.

    corrected: whether p values are adjusted for several comparisons.
    """
    sentences = []
    if gap.over_text is None:
        side = "below" if gap.difference < 0 else "above"
        sentences.append(
            f"It may be chance: {gap.name} is {_bits(abs(gap.difference))} {side} {gap.against}, "
            f"and {counted(characters, 'character')} are too few for an interval over the text; it "
            f"needs {LEAST_CHARACTERS:,}."
        )
    else:
        sentences.append(_sentence(gap, gap.over_text, "", "on this text", "", corrected))
    if gap.over_seeds is not None:
        found = gap.over_seeds
        how = f", {counted(found.paired, 'pair')} of seeds" if found.paired else (
            f", {found.seeds[0]} and {found.seeds[1]} seeds, not paired"
        )  # fmt: skip
        words = _sentence(gap, found.tested, "Over seeds, ", "over seeds", how, corrected)
        if min(found.seeds) == 2:
            words += (
                " With two seeds the test relies entirely on the assumption that figures are "
                "normally distributed."
            )
        sentences.append(words)
    elif gap.untested:
        sentences.append(f"Not tested over seeds: {gap.untested}.")
    return sentences


def what_one_seed_says(groups: Sequence[Group]) -> str:
    """Say what a comparison of single models cannot show; "" if all groups have several seeds."""
    alone = [group.name for group in groups if len(group.members) == 1]
    if not alone:
        return ""
    if len(alone) < len(groups):
        names = listed(alone)
        are = "are single models" if len(alone) > 1 else "is a single model"
        return f"{names} {are}: what is said of one holds for it, and not for its settings."
    return (
        "Each is a single model: the figures compare these models, and say nothing about their "
        "settings, since other seeds may reverse the order; rnnlab experiment new --from tests "
        "that."
    )


def why_texts_differ(contenders: Sequence[Contender]) -> str:
    """Say that models were not measured on the same text; "" if they were."""
    without = [c.name for c in contenders if c.text is None]
    if without:
        return (
            f"Nothing was held out from {listed(without)}: figures of held-out text are left out; "
            f"{ADVICE}."
        )
    by_text: dict[str, list[Contender]] = {}
    for contender in contenders:
        assert contender.text is not None
        by_text.setdefault(contender.text.content, []).append(contender)
    if len(by_text) == 1:
        return ""
    words = [
        f"{listed([c.name for c in own])}: {own[0].text.name if own[0].text else ''}, "
        f"{counted(len(text), 'character')}"
        for text, own in by_text.items()
    ]
    return (
        f"The models were measured on different texts, so figures of held-out text are left out "
        f"({'; '.join(words)}); {ADVICE}."
    )


def _sentence(gap: Gap, found: Tested, start: str, here: str, how: str, corrected: bool) -> str:
    side = "less" if found.difference < 0 else "more"
    low, high = (found.low, found.high) if side == "more" else (-found.high, -found.low)
    by = f"{_bits(abs(found.difference))} {side}"
    adjusted = "Holm-adjusted " if corrected else ""
    evidence = f"(95%: {low:z.3f} to {high:z.3f}{how}, {adjusted}{p_words(found.adjusted_p)})"
    if found.adjusted_p > LEVEL:
        after = " after Holm's correction" if found.p <= LEVEL else ""
        return (
            f"No difference is shown {here}{after}: {gap.name} has {by} than {gap.against} "
            f"{evidence}."
        )
    better = "better" if side == "less" else "worse"
    return f"{start}{gap.name} predicts the text {better} than {gap.against}: {by} {evidence}."


def _bits(value: float) -> str:
    return f"{value:.3f} bits/character"
