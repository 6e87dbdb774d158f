"""The texts of an experiment: every variant is trained and tested on each of them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from rnnlab.config.validation import SettingsGroup

FEWEST = 3
"""Texts, or folds, from which something about others can be concluded."""

SEEDS_APART = 100_000
"""What is added to all seeds from one text to the next. If all folds had the same seeds, a lucky
seed would be lucky on all of them, and no spread would show it."""

Scope = Literal["", "these texts", "texts like these"]
"""What verdicts are about."""


class TextSettings(SettingsGroup):
    """A text: the base settings with those changed that say what is learned and held out."""

    name: str = Field(min_length=1, description="name in tables; unique in the file")
    change: dict[str, Any] = Field(
        min_length=1, description="settings of this text, such as corpus, unit or split"
    )


def _named(value: object) -> object:
    """Turn the name of a corpus into a text."""
    return {"name": value, "change": {"corpus": value}} if isinstance(value, str) else value


Texts = tuple[Annotated[TextSettings, BeforeValidator(_named)], ...]


def fold_texts(count: int) -> tuple[TextSettings, ...]:
    """Return each fold of one text as a text of its own."""
    folds = [f"{number}/{count}" for number in range(1, count + 1)]
    return tuple(TextSettings(name=f"fold {fold}", change={"fold": fold}) for fold in folds)


def fault_of_texts(
    texts: Sequence[TextSettings], folds: int, about: Scope, seeds: Sequence[int]
) -> str:
    """Say which rule of texts is broken; empty if none is."""
    if (texts or folds) and max(seeds, default=0) >= SEEDS_APART:
        return (
            f"with texts or folds seeds must be below {SEEDS_APART:,}, not {max(seeds)}: so much "
            "is added from one text to the next"
        )
    if texts and folds:
        return "an experiment has texts or folds, not both"
    if len(texts) == 1:
        return "texts needs at least two; a single one is the corpus of base"
    if folds and folds < FEWEST:
        return f"folds must be at least {FEWEST}, not {folds}"
    if about and not (texts or folds):
        return "about needs texts or folds"
    if about == "texts like these" and texts and len(texts) < FEWEST:
        return (
            f"about = 'texts like these' needs at least {FEWEST} texts, not {len(texts)}: how much "
            "texts differ cannot be seen from fewer"
        )
    return ""
