"""Numbers and names as the report writes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rnnlab.experiments.wording import largest_shown

MOST = 1000
"""An interval that reaches up by more than this factor says only that."""


def number(value: float, digits: int) -> str:
    """A figure with its decimals and thousands separators: 142,600 or 2.049."""
    largest, power = largest_shown(digits)
    if abs(value) >= largest:
        return f"> {power}" if value > 0 else f"< -{power}"
    return f"{value:z,.{digits}f}"


def factor_words(factor: float) -> str:
    """Half an interval of a ratio: 1.023 as ± 2.3%; above a tenth, not symmetric, as ×/÷ 1.31."""
    if factor > MOST:
        return f"×/÷ > {MOST:,}"
    if factor > 1.1:
        return f"×/÷ {factor:.3g}"
    percent = 100 * (factor - 1)
    return f"± {percent:.1f}%" if percent >= 0.1 else f"± {percent:.1g}%"


def counted(count: int, what: str) -> str:
    """`1 run`, `2 runs`, `1,200 runs`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def sentence(words: str) -> str:
    """The same with a capital at its beginning."""
    return words[:1].upper() + words[1:]


def span(values: Sequence[int]) -> str:
    """Whole numbers in order: `0 to 5`, or `0, 2, 7` where some are left out."""
    ordered = sorted(values)
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(map(str, ordered))


def setting(value: Any) -> str:
    """A setting's value, without quotes unless it is empty."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return " ".join(setting(item) for item in value) or "none"
    return str(value) or '""'


def assigned(values: Mapping[str, Any]) -> str:
    """`cell = gru, hidden_size = 128`."""
    return ", ".join(f"{name} = {setting(value)}" for name, value in values.items())
