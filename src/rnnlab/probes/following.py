"""What a unit follows: every unit of the state against every feature of a text.

The statistic is |r|, Pearson's correlation; with a feature that is yes or no, it is the
point-biserial one. For each unit the feature is chosen in the first half of the text, and its r is
that of the second half. A unit follows the feature if both hold:

- p is at most 0.05 for the search as a whole, by circular shifts; see `circular_shift`.
- |r| is above what untrained networks reach by chance with their best unit; see `twin_limit`.

Next to it stands what the last few tokens alone tell of the feature, see `ngram_features`.

Legend: N tokens, P parts of the state (h, c), L layers, H hidden size, F features, S shifts.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.lm.evaluate import Floats, ShareCallback, unwatched
from rnnlab.probes.circular_shift import (
    LEVEL,
    Null,
    correlations,
    draw_shifts,
    near_share,
    shifted_maxima,
)
from rnnlab.probes.features import Features
from rnnlab.probes.following_settings import FollowingSettings
from rnnlab.probes.ngram_features import ngram_means
from rnnlab.probes.reading import Reading
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.states import states
from rnnlab.probes.twin import DEFAULT_SEED, untrained_twin
from rnnlab.probes.twin_limit import twin_limit_of_correlations

DEFAULT_SETTINGS = FollowingSettings()
MOST_SHOWN = 5
"""Units in sentences."""


class Found(NamedTuple):
    """One unit and what it follows."""

    part: str
    """Of the state: h or c, whichever follows it more closely."""
    layer: int
    unit: int
    feature: str
    r: float
    p: float
    threshold: float
    twin_r: float
    twin_limit: float
    ngram_r: float


@dataclass(frozen=True)
class Following(ProbeResult):
    """All correlations, and which of them are more than the controls have."""

    name: ClassVar[str] = "following"
    title: ClassVar[str] = "What a unit follows"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "r": ("part", "layer", "unit", "feature"),
        **dict.fromkeys(("chosen", "train_r", "test_r", "p", "follows"), ("part", "layer", "unit")),
        **dict.fromkeys(("thresholds", "twin_r", "twin_limits", "ngram_r"), ("feature",)),
    }

    parts: tuple[str, ...]
    features: tuple[str, ...]
    kinds: tuple[str, ...]
    left_out: dict[str, str]
    """Features that were not looked for, and why."""
    tokens: int
    """In the test half."""
    shifts: int
    longest_context: int
    r: Floats  # (P, L, H, F) in the test half
    chosen: npt.NDArray[np.int64]  # (P, L, H) the feature with the largest |r| in the first half
    train_r: Floats  # (P, L, H) of the chosen feature, in the first half
    test_r: Floats  # (P, L, H) of the chosen feature, in the test half
    p: Floats  # (P, L, H)
    follows: npt.NDArray[np.bool_]  # (P, L, H)
    thresholds: Floats  # (F,) of |r|
    twin_r: Floats  # (F,) the largest |r| of any unit of the untrained networks
    twin_limits: Floats  # (F,) of |r|, for one more of them
    ngram_r: Floats  # (F,) the largest |r| of the n-gram features

    def found(self) -> list[Found]:
        """Return the units that follow a feature, by |r|; of h and c of a unit the closer one."""
        best = np.where(self.follows, np.abs(self.test_r), -1.0)  # (P, L, H)
        part = best.argmax(0)  # (L, H)
        rows = [
            (int(part[layer, unit]), layer, unit)
            for layer, unit in np.argwhere(self.follows.any(0)).tolist()
        ]
        rows.sort(key=lambda row: -best[row])
        return [self._one(*row) for row in rows]

    def _one(self, part: int, layer: int, unit: int) -> Found:
        feature = int(self.chosen[part, layer, unit])
        return Found(
            self.parts[part], layer, unit, self.features[feature],
            float(self.test_r[part, layer, unit]), float(self.p[part, layer, unit]),
            float(self.thresholds[feature]), float(self.twin_r[feature]),
            float(self.twin_limits[feature]), float(self.ngram_r[feature]),
        )  # fmt: skip

    def closest(self) -> dict[str, Found]:
        """Return for each feature that a unit follows the unit that follows it most closely."""
        units = dict[str, Found]()
        for one in self.found():
            units.setdefault(one.feature, one)
        return units

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`."""
        found = self.found()
        if not found:
            return [
                "Nothing found beyond the control: no unit follows a feature more closely than "
                "chance and untrained networks do."
            ]
        units, verb = self.follows[0].size, "follows" if len(found) == 1 else "follow"
        return [
            f"{len(found)} of {units} units {verb} a feature of the text more closely than chance "
            "and untrained networks do.",
            *(self._sentence(one) for one in found[:MOST_SHOWN]),
        ]

    def _sentence(self, one: Found) -> str:
        direction = "" if one.r > 0 else " in reverse"
        aside = (
            f"; but the last {self.longest_context} tokens alone reach {one.ngram_r:.2f}"
            if one.ngram_r >= abs(one.r)
            else f", the last {self.longest_context} tokens alone {one.ngram_r:.2f}"
        )
        return (
            f"Unit {one.unit} of layer {one.layer + 1} ({one.part}) follows "
            f"{one.feature!r}{direction}: r = {one.r:.2f} in text that it was not chosen on; "
            f"chance reaches {one.threshold:.2f}, untrained {one.twin_r:.2f}{aside}."
        )


def following(
    reading: Reading,
    settings: FollowingSettings = DEFAULT_SETTINGS,
    seed: int = DEFAULT_SEED,
    progress: ShareCallback = unwatched,
    features: Features | None = None,
) -> Following:
    """Look for what each unit follows in a text.

    seed: of the run, for the untrained twins. features: of the text, if they are made already.

    Raises UsageError for features that are not possible, CorpusError for a text that is too short,
    DivergenceError if a state is NaN or infinite.
    """
    reading, features, halves = settings.read(reading, features)
    y = features.matrix()  # (N, F)

    own = states(reading, lambda share: progress(0.2 * share))
    axes = own.shape[1:]
    train, test = (
        correlations(own[half].reshape(-1, np.prod(axes)), y[half]) for half in halves
    )  # (P · L · H, F)
    ours = own[halves.test].reshape(-1, np.prod(axes))
    del own
    shifts = draw_shifts(len(ours), settings.shifts, settings.least_shift, settings.seed)
    maxima = shifted_maxima(ours, y[halves.test], shifts, lambda share: progress(0.2 + share / 2))
    null = Null.of(maxima, np.abs(test).max(0))
    twin_best = np.empty((settings.twins, len(features)))
    for number in range(settings.twins):
        # Untrained networks forget soon: the gap before the test half is enough to warm up.
        begin = halves.test.start - settings.least_shift
        twin = replace(
            reading, model=untrained_twin(reading.model, seed + number), ids=reading.ids[begin:],
            ends=reading.ends[begin:],
        )  # fmt: skip
        theirs = states(twin)[settings.least_shift :].reshape(len(ours), -1)
        twin_best[number] = np.abs(correlations(theirs, y[halves.test])).max(0)
        progress(0.7 + 0.3 * (number + 1) / settings.twins)

    chosen = np.abs(train).argmax(1)
    each = np.arange(len(chosen))
    train_r, test_r = train[each, chosen], test[each, chosen]
    near = near_share(ours, y[halves.test], settings.least_shift)
    p = null.p_values(test_r, chosen, near[each, chosen])
    twin_limits = twin_limit_of_correlations(twin_best)
    ahead = np.abs(test_r) > twin_limits[chosen]
    # A correlation that has changed its sign is another one than that which was chosen.
    follows = (p <= LEVEL) & ahead & (train_r * test_r > 0)
    means = ngram_means(reading.ids, y, halves.train, settings.longest_context)
    return Following(
        parts=reading.model.model.recurrent.cell.state_names,
        features=features.names, kinds=features.kinds, left_out=features.left_out,
        tokens=len(ours), shifts=settings.shifts, longest_context=settings.longest_context,
        r=test.reshape(*axes, -1),
        chosen=chosen.reshape(axes), train_r=train_r.reshape(axes), test_r=test_r.reshape(axes),
        p=p.reshape(axes), follows=follows.reshape(axes),
        thresholds=null.thresholds, twin_r=twin_best.max(0), twin_limits=twin_limits,
        ngram_r=_best(means[:, halves.test], y[halves.test]),
    )  # fmt: skip


def _best(predictions: Floats, y: Floats) -> Floats:
    """Return the largest |r| of the predictions (K, N, F), each of its own feature of y: (F,)."""
    return np.array(
        [np.abs(correlations(predictions[:, :, f].T, y[:, [f]])).max() for f in range(y.shape[1])]
    )
