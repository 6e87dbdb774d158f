"""What is true of a text at each token: the features that units may follow and states may know.

They are features of characters; a token has those of its last complete character, so that they
mean the same for characters, bytes, words and BPE.

Legend: N tokens, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from rnnlab.errors import UsageError
from rnnlab.lm.evaluate import Floats
from rnnlab.probes.feature_settings import FeatureSettings
from rnnlab.probes.reading import Reading
from rnnlab.probes.text_features import PerCharacter, text_features
from rnnlab.probes.user_features import inside_matches, labels_of_file, last_characters

DEFAULT_SETTINGS = FeatureSettings()

RAREST = 0.01
"""Share of the tokens."""


@dataclass(frozen=True)
class Feature:
    """One feature of a text."""

    name: str
    values: Floats  # (N,)
    kind: Literal["binary", "number"]
    """binary: 0 or 1."""

    @classmethod
    def of(cls, name: str, values: PerCharacter) -> "Feature":
        """Make a feature of values (N,), yes or no if they are of type bool."""
        kind: Literal["binary", "number"] = "binary" if values.dtype == bool else "number"
        return cls(name, values.astype(np.float64), kind)

    @property
    def is_constant(self) -> bool:
        """Whether all values are the same."""
        return bool((self.values == self.values[0]).all())

    def changes(self, part: slice) -> int:
        """Count how often the value changes from one token of a part to the next."""
        return int(np.count_nonzero(np.diff(self.values[part])))


@dataclass(frozen=True)
class Features:
    """All features of a text that can be looked for in it."""

    all: tuple[Feature, ...]
    left_out: dict[str, str]
    """Features that cannot be looked for, and why."""

    def __len__(self) -> int:
        return len(self.all)

    @property
    def names(self) -> tuple[str, ...]:
        """Return their names."""
        return tuple(feature.name for feature in self.all)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return their kinds."""
        return tuple(feature.kind for feature in self.all)

    def matrix(self) -> Floats:
        """Return all values (N, F)."""
        return np.stack([feature.values for feature in self.all], axis=1)

    def first(self, tokens: int) -> "Features":
        """Return the features of the first tokens of the text, whichever vary among them."""
        cut = [Feature(f.name, f.values[:tokens], f.kind) for f in self.all]
        return _sorted_out(cut, self.left_out)

    def changing(self, parts: Sequence[slice], least: int) -> "Features":
        """Return those that change at least so often in each part of the text.

        What changes a few times resembles any other thing that changes a few times. One that is
        yes or no must be either of them in RAREST of each part, or it would be another name for
        the few places where it is not. Raises UsageError if nothing is left.
        """
        kept, left_out = list[Feature](), dict(self.left_out)
        for feature in self.all:
            changes = min(feature.changes(part) for part in parts)
            shares = [feature.values[part].mean() for part in parts]
            rarest = min(min(share, 1 - share) for share in shares)
            if changes < least:
                left_out[feature.name] = f"changes in a half: {changes}; it needs {least}"
            elif feature.kind == "binary" and rarest < RAREST:
                often = "true" if max(shares) > 0.5 else "false"
                left_out[feature.name] = f"it is {often} in {1 - rarest:.1%} of a half"
            else:
                kept.append(feature)
        if not kept:
            raise UsageError(
                f"nothing in the text changes {least} times in each half; there is nothing to "
                "look for"
            )
        return Features(tuple(kept), left_out)


def features_of(reading: Reading, settings: FeatureSettings = DEFAULT_SETTINGS) -> Features:
    """Return the features of a text; see `text_features` for the rules of the built-in ones.

    Built-in features that are constant, or the same as another one, are left out and named.

    Raises UsageError if a feature that the user gave is constant, has the name of another or
    cannot be made; see `user_features`.
    """
    last, text = last_characters(reading), reading.text
    built_in = {name: values[last] for name, values in text_features(text, settings).items()}
    given = dict[str, PerCharacter]()
    for word in settings.after:
        given[f"after {word!r}"] = built_in.pop(f"after {word!r}")
    for name, pattern in settings.patterns.items():
        found = inside_matches(text, name, pattern, settings.pattern_seconds)
        _add(given, {name: found[last]}, built_in)
    for name, file in settings.label_files.items():
        _add(given, labels_of_file(reading, name, Path(file)), built_in)
    for name, values in given.items():
        if Feature.of(name, values).is_constant:
            raise UsageError(
                f"feature {name!r} has the value {float(values[0]):g} at all {len(reading):,} "
                "tokens of the text; a feature must vary"
            )
    own = [Feature.of(name, values) for name, values in given.items()]
    found_in_text = [Feature.of(name, values) for name, values in built_in.items()]
    return _sorted_out([*own, *found_in_text], {})


def check_length(features: Features, tokens: int) -> None:
    """Raise UsageError if the features are those of a text of another length."""
    for feature in features.all:
        if len(feature.values) != tokens:
            raise UsageError(
                f"feature {feature.name!r} has {len(feature.values):,} values; the text has "
                f"{tokens:,} tokens"
            )


def _add(
    given: dict[str, PerCharacter],
    new: dict[str, PerCharacter],
    built_in: dict[str, PerCharacter],
) -> None:
    for name, values in new.items():
        if name in given or name in built_in:
            raise UsageError(f"two features have the name {name!r}; give one of them another")
        given[name] = values


def _sorted_out(features: Sequence[Feature], left_out: dict[str, str]) -> Features:
    """Leave out what is constant, or the same as an earlier one."""
    kept, left_out, seen = list[Feature](), dict(left_out), dict[bytes, str]()
    for feature in features:
        same = seen.setdefault(feature.values.tobytes(), feature.name)
        if feature.is_constant:
            left_out[feature.name] = f"it is {feature.values[0]:g} in the whole text"
        elif same != feature.name:
            left_out[feature.name] = f"it is the same as {same!r}"
        else:
            kept.append(feature)
    return Features(tuple(kept), left_out)
