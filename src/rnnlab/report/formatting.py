"""Numbers, counts and settings as the report writes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rnnlab.cells import is_pinned
from rnnlab.console import listed as listed
from rnnlab.experiments.wording import largest_shown

LARGEST_FACTOR = 1000
"""Of an interval; if it is wider, that is all that is said."""

NAME_LETTERS = 18
"""Of the name of a network in a key; longer ones are cut."""


def number(value: float, digits: int) -> str:
    """Return a figure with its decimals and thousands separators: 142,600 or 2.049."""
    largest, power = largest_shown(digits)
    if abs(value) >= largest:
        return f"> {power}" if value > 0 else f"< -{power}"
    return f"{value:z,.{digits}f}"


def factor_words(factor: float) -> str:
    """Return half an interval of a ratio: 1.023 as ± 2.3%; above 1.1, not symmetric, ×/÷ 1.31."""
    if factor > LARGEST_FACTOR:
        return f"×/÷ > {LARGEST_FACTOR:,}"
    if factor > 1.1:
        return f"×/÷ {factor:.3g}"
    percent = 100 * (factor - 1)
    return f"± {percent:.1f}%" if percent >= 0.1 else f"± {percent:.1g}%"


def shortened(name: str, letters: int = NAME_LETTERS) -> str:
    """Return a name that fits into so many letters: of a key or the head of a table."""
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def sentence(words: str) -> str:
    """Return the words with a capital at the beginning."""
    return words[:1].upper() + words[1:]


def span(values: Sequence[int]) -> str:
    """Return whole numbers in order: `0 to 5`, or `0, 2, 7` if they are not consecutive."""
    ordered = sorted(values)
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(map(str, ordered))


SHOWN_CHECKSUM = 8
"""Hexadecimal digits."""


def setting(value: Any) -> str:
    """Return a setting's value: in quotes if it is empty, the checksum of a cell's file cut."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return " ".join(setting(item) for item in value) or "none"
    if is_pinned(text := str(value)):
        name, _, checksum = text.partition("@")
        return f"{name}@{checksum[:SHOWN_CHECKSUM]}…"
    return text or '""'


def assigned(values: Mapping[str, Any]) -> str:
    """Return `cell = gru, hidden_size = 128`."""
    return ", ".join(f"{name} = {setting(value)}" for name, value in values.items())
