"""Which features of a text are looked for, next to those that every text has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rnnlab.errors import UsageError


@dataclass(frozen=True)
class FeatureSettings:
    """The user's features; names are those under which the results show them."""

    after: tuple[str, ...] = ()
    """Words: for each of them, whether the text is in the word that follows it."""
    patterns: Mapping[str, str] = field(default_factory=dict)
    """Name and regular expression: whether a character is inside one of its matches."""
    label_files: Mapping[str, str | Path] = field(default_factory=dict)
    """Name and file: one label a line, as many as the text has tokens, or characters."""
    separator: str = ""
    """Of the columns of a line; "": found in the text, if it looks like a table."""
    pattern_seconds: float = 5.0
    """The longest time for all matches of one regular expression."""

    def __post_init__(self) -> None:
        """Raise UsageError for a value that is not possible."""
        if not self.pattern_seconds > 0:
            raise UsageError(f"pattern_seconds must be above 0, not {self.pattern_seconds}")
        if len(self.separator) > 1 or self.separator == "\n":
            raise UsageError(
                f"a separator is one character and not a line break, not {self.separator!r}"
            )
        for word in self.after:
            if not word.strip():
                raise UsageError(f"a word that a feature stands after must not be empty: {word!r}")
