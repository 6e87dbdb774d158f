"""Text rules, by name. Each is a pure function from text to text."""

import re
from collections.abc import Callable

_NOT_LETTERS = re.compile("[^A-Za-z]+")


def letters(text: str) -> str:
    """Keep only a-z and single spaces, as d2l does.

    Per line, every run of characters other than A-Z a-z becomes one space, the line is stripped
    and lower-cased; lines are joined with nothing between them.

    Source: Zhang et al., Dive into Deep Learning, section 9.2 "Converting Raw Text into Sequence
    Data".
    """
    lines = text.split("\n")
    return "".join(_NOT_LETTERS.sub(" ", line).strip().lower() for line in lines)


RULES: dict[str, Callable[[str], str]] = {
    "none": lambda text: text,
    "lower": str.lower,
    "letters": letters,
}


def preprocess(text: str, rule: str) -> str:
    """Apply the rule named `rule`."""
    return RULES[rule](text)
