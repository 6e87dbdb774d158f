"""What the whole state knows: linear decoders from h or c of a layer to every feature of a text.

A logistic regression for yes or no, scored by balanced accuracy (chance 0.5), and a ridge
regression for numbers, scored by R² (chance 0). They are fitted on the first half of the text and
scored on the second, with a gap between. A state knows a feature if all three hold:

- p is at most 0.05 for the search as a whole: r of the decoder's output and the feature, against
  circular shifts of the feature; see `circular_shift`.
- It is selective: the score is ahead of that of a control, whose labels are drawn at random, one
  for each context of a few tokens. What is above it is not due to the decoder's own memory.
- It is above what untrained networks reach by chance, from the part and layer where each of them
  does best; see `twin_limit`.

Source: Hewitt and Liang 2019, arXiv:1909.03368, section 2 (control tasks, selectivity).

Legend: N tokens, P parts of the state (h, c), L layers, H hidden size, F features.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.data.tokenizer import Ids
from rnnlab.lm.evaluate import Floats, ShareCallback, unwatched
from rnnlab.probes.circular_shift import (
    LEVEL,
    Null,
    correlations,
    draw_shifts,
    near_share,
    shifted_maxima,
)
from rnnlab.probes.decoding_settings import DecodingSettings
from rnnlab.probes.features import Features
from rnnlab.probes.ngram_features import contexts
from rnnlab.probes.reading import Reading
from rnnlab.probes.result import ProbeResult
from rnnlab.probes.states import Halves, states
from rnnlab.probes.twin import DEFAULT_SEED, untrained_twin
from rnnlab.probes.twin_limit import twin_limit

if TYPE_CHECKING:
    from rnnlab.probes.linear_decoders import Decoder

DEFAULT_SETTINGS = DecodingSettings()
MEASURES = {"binary": "balanced accuracy", "number": "R²"}


class Known(NamedTuple):
    """One feature that a state knows."""

    feature: str
    part: str
    layer: int
    measure: str
    score: float
    control: float
    twin_score: float
    """The best of any part and layer of an untrained network."""
    twin_limit: float
    p: float


@dataclass(frozen=True)
class Decoding(ProbeResult):
    """Scores of all decoders, and which of them are more than the controls have."""

    name: ClassVar[str] = "decoding"
    title: ClassVar[str] = "What the whole state knows"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        **dict.fromkeys(
            ("score", "control", "r", "p", "known"),
            ("part", "layer", "feature"),
        ),
        **dict.fromkeys(("thresholds", "twin_score", "twin_limits"), ("feature",)),
    }

    parts: tuple[str, ...]
    features: tuple[str, ...]
    kinds: tuple[str, ...]
    left_out: dict[str, str]
    """Features that were not looked for, and why."""
    tokens: int
    """In the half that the decoders are scored on."""
    shifts: int
    context: int
    score: Floats  # (P, L, F) balanced accuracy, or R²
    control: Floats  # (P, L, F) with random labels
    twin_score: Floats  # (F,) the best of any part and layer of the untrained networks
    twin_limits: Floats  # (F,) of the score, for one more of them
    r: Floats  # (P, L, F) of the decoder's output and the feature
    p: Floats  # (P, L, F)
    known: npt.NDArray[np.bool_]  # (P, L, F)
    thresholds: Floats  # (F,) of r

    @property
    def selectivity(self) -> Floats:
        """Return how far each score is ahead of that with random labels, (P, L, F)."""
        return self.score - self.control

    def found(self) -> list[Known]:
        """Return the features that a state knows, by how far they are ahead of the twin.

        Of several parts and layers the one with the highest score.
        """
        rows = []
        for f in np.flatnonzero(self.known.any((0, 1))).tolist():
            scores = np.where(self.known[..., f], self.score[..., f], -np.inf)
            part, layer = divmod(int(scores.argmax()), scores.shape[1])
            rows.append(
                Known(
                    self.features[f], self.parts[part], layer, MEASURES[self.kinds[f]],
                    float(self.score[part, layer, f]), float(self.control[part, layer, f]),
                    float(self.twin_score[f]), float(self.twin_limits[f]),
                    float(self.p[part, layer, f]),
                )
            )  # fmt: skip
        return sorted(rows, key=lambda row: row.twin_score - row.score)

    def sentences(self) -> list[str]:
        """See `ProbeResult.sentences`."""
        found = self.found()
        if not found:
            return [
                "Nothing found beyond the control: no feature can be read from the state better "
                "than random labels and from an untrained network."
            ]
        return [
            f"{one.feature!r} can be read from {one.part} of layer {one.layer + 1}: "
            f"{one.measure} {one.score:.2f}; random labels {one.control:.2f}, "
            f"untrained {one.twin_score:.2f}."
            for one in found
        ]


def decoding(
    reading: Reading,
    settings: DecodingSettings = DEFAULT_SETTINGS,
    seed: int = DEFAULT_SEED,
    progress: ShareCallback = unwatched,
    features: Features | None = None,
) -> Decoding:
    """Look for what the state after each token of a text knows.

    seed: of the run, for the untrained twins. features: of the text, if they are made already.

    Raises UnavailableError without scikit-learn, UsageError for features that are not possible,
    CorpusError for a text that is too short, DivergenceError if a state is NaN or infinite.
    """
    from rnnlab.probes.linear_decoders import Decoder

    reading, features, halves = settings.read(reading, features)
    y = features.matrix()
    random = control_values(reading.ids, y, settings.context, settings.seed)

    def fit(model: Reading, values: Floats, begin: float, end: float) -> tuple[Floats, Floats]:
        return _fit_all(
            Decoder, states(model), values, features.kinds, halves, settings,
            lambda share: progress(begin + (end - begin) * share),
        )  # fmt: skip

    score, output = fit(reading, y, 0, 1 / (2 + settings.twins))
    control, _ = fit(reading, random, 1 / (2 + settings.twins), 2 / (2 + settings.twins))
    twin_best = np.empty((settings.twins, len(features)))
    for number in range(settings.twins):
        twin = replace(reading, model=untrained_twin(reading.model, seed + number))
        begin, share = 2 / (2 + settings.twins), 1 / (2 + settings.twins)
        scores, _ = fit(twin, y, begin + number * share, begin + (number + 1) * share)
        twin_best[number] = scores.max((0, 1))

    tested = y[halves.test]
    shifts = draw_shifts(len(tested), settings.shifts, settings.least_shift, settings.seed)
    places = np.arange(len(features))
    # Each feature's own decoders, of all parts and layers.
    outputs = [output[..., f].reshape(-1, len(tested)).T for f in places]
    r = np.stack([correlations(outputs[f], tested[:, [f]])[:, 0] for f in places], axis=1)
    least = settings.least_shift
    near = [near_share(outputs[f], tested[:, [f]], least)[:, 0] for f in places]
    maxima = [shifted_maxima(outputs[f], tested[:, [f]], shifts) for f in places]
    null = Null.of(np.concatenate(maxima, axis=1), np.abs(r).max(0))
    progress(1.0)

    r = r.reshape(score.shape)
    p = null.p_values(r, np.broadcast_to(places, r.shape), np.stack(near, axis=1).reshape(r.shape))
    # Best R² are skewed: the limit for 2.5% is exceeded by 3% of untrained networks.
    limits = twin_limit(twin_best, LEVEL / 2)
    ahead = (score - control > settings.lead) & (score > limits)
    return Decoding(
        parts=reading.model.model.recurrent.cell.state_names,
        features=features.names, kinds=features.kinds, left_out=features.left_out,
        tokens=len(tested), shifts=settings.shifts, context=settings.context,
        score=score, control=control,
        twin_score=twin_best.max(0), twin_limits=limits, r=r, p=p,
        known=(p <= LEVEL) & (r > 0) & ahead, thresholds=null.thresholds,
    )  # fmt: skip


def control_values(ids: Ids, features: Floats, context: int, seed: int) -> Floats:
    """Return the control's labels (N, F): for each context one value of each feature (N, F).

    It is drawn from all values of the feature, so that both have the same shares of them.
    """
    *_, groups = contexts(ids, context)
    random = np.random.default_rng(seed)
    drawn = random.integers(len(ids), size=(int(groups.max()) + 1, features.shape[1]))
    return np.take_along_axis(features, drawn[groups], axis=0)


def _fit_all(
    kind_of_decoder: type["Decoder"],
    values: npt.NDArray[Any],
    y: Floats,
    kinds: tuple[str, ...],
    halves: Halves,
    settings: DecodingSettings,
    progress: ShareCallback,
) -> tuple[Floats, Floats]:
    """Return scores (P, L, F) and outputs (P, L, M, F) of decoders from states (N, P, L, H)."""
    _, P, L, _ = values.shape
    scores = np.empty((P, L, len(kinds)))
    outputs = np.empty((P, L, len(y[halves.test]), len(kinds)))
    for place, (part, layer) in enumerate(np.ndindex(P, L)):
        x = values[:, part, layer]
        decoder = kind_of_decoder(
            x[halves.train], x[halves.test], settings.penalty, settings.most_iterations
        )
        for f, kind in enumerate(kinds):
            tested = decoder.fit(kind, y[halves.train, f], y[halves.test, f])
            scores[part, layer, f], outputs[part, layer, :, f] = tested
            progress((place * len(kinds) + f + 1) / (P * L * len(kinds)))
    return scores, outputs
