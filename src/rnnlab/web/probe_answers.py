"""What is answered about the inside of a network; `rnnlab.web.probing` has the routes."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from rnnlab.cells import CELLS, short_name
from rnnlab.errors import RnnlabError, UsageError, unknown
from rnnlab.lm.evaluate import ShareCallback
from rnnlab.lm.text_model import TextModel
from rnnlab.probes import PROBES
from rnnlab.probes.holding import held_model, means
from rnnlab.probes.matches import Chosen, chosen_units, matches
from rnnlab.probes.portrait import run_probes
from rnnlab.probes.reading import Reading
from rnnlab.probes.steps import check_layer, steps
from rnnlab.probes.traces import quantities, traces
from rnnlab.web.packing import Kept, packed
from rnnlab.web.probe_bodies import HeldBody, MatchesBody, ProbeBody, ReadBody, StepsBody
from rnnlab.web.probed_texts import Probed, ProbedTexts
from rnnlab.web.shelf import Shelf

MOST_PLACES = 200
"""Places that are shown."""

CONTEXT = 40
"""Characters that are shown on each side of a place."""

TRACES = "traces"

Values = npt.NDArray[np.float16]


class ProbeAnswers:
    """Answers, of which the last ones are kept."""

    def __init__(self, shelf: Shelf) -> None:
        self.texts, self._kept = ProbedTexts(shelf), Kept()

    def about(self, name: str) -> dict[str, Any]:
        """Return what there is to look at: the cell, its quantities, and held-out texts.

        Raises as `Shelf.load`; texts that are not available are left out, with the reason.
        """
        whole, model, _ = self.texts.load(name)
        try:
            splits, why = self.texts.held_out(name), ""
        except RnnlabError as error:
            splits, why = {}, str(error)
        return {
            "model": whole,
            **_network(model),
            "splits": {split: len(text) for split, text in splits.items()},
            "left_out": why,
        }

    def probe(self, body: ProbeBody, progress: ShareCallback) -> bytes:
        """Return the values of a quantity, or what a probe finds; see `rnnlab.web.packing`.

        Raises UsageError for an unknown name, as `ProbedTexts.find` and `run_probes`.
        """
        if body.what not in (TRACES, *PROBES):
            raise unknown("probe", body.what, (TRACES, *PROBES))
        probed = self.texts.find(body)
        if body.what == TRACES:
            quantity, values = self._values(probed, body.quantity, body.layer, progress)
            header = {"quantity": quantity, "layer": body.layer, **_about(probed)}
            return packed(header, {"values": values}, {"values": ("token", "unit")})
        key = (*_key(probed), body.what)
        if kept := self._kept.get(key):
            return kept
        results, _ = run_probes(
            probed.subject, [body.what], watch=lambda name, share: progress(share)
        )
        result = results[body.what]
        answer = packed({**result.facts(), **_about(probed)}, result.arrays(), result.axes)
        self._kept.put(key, answer)
        return answer

    def steps(self, body: StepsBody, progress: ShareCallback) -> bytes:
        """Return the numbers of some steps in float32. Raises as `steps`."""
        probed = self.texts.find(body)
        found = steps(probed.reading, body.layer, body.first, body.count, progress)
        H = probed.reading.model.network.settings.hidden_size
        for unit in body.units:
            if not 0 <= unit < H:
                raise UsageError(f"units must be 0 to {H - 1}, not {unit}")
        chosen = list(body.units or range(H))
        arrays = {name: own[..., chosen] for name, own in found.arrays().items()}
        header = {**found.facts(), "units": chosen, **_about(probed, with_tokens=False)}
        return packed(header, arrays, found.axes, exact=True)

    def matches(self, body: MatchesBody, progress: ShareCallback) -> dict[str, Any]:
        """Return the places where the same units are on. Raises as `chosen_units` and `matches`."""
        probed = self.texts.find(body)
        quantity, values = self._values(
            probed, body.quantity, body.layer, lambda share: progress(0.3 * share)
        )
        rules: dict[str, Any] = {"bounded": body.bounded}
        chosen = chosen_units(
            values, body.begin, body.end, body.threshold, both_sides=body.both_sides, **rules
        )
        if body.units:
            chosen = _only(chosen, body.units)
        searched, left_out = self._searched(body, probed)
        _, all_values = self._values(
            searched, quantity, body.layer, lambda share: progress(0.3 + 0.3 * share)
        )
        found = matches(
            all_values, chosen, body.threshold, least=body.least, left_out=left_out,
            progress=lambda share: progress(0.6 + 0.4 * share), **rules,
        )  # fmt: skip
        low, high = found.interval
        places = zip(found.begins.tolist(), found.ends.tolist(), strict=True)
        return {
            **found.facts(), "model": probed.subject.name, "searched": searched.subject.text,
            "quantity": quantity, "layer": body.layer, "signs": chosen.signs,
            "count": len(found.begins), "expected": float(found.by_chance.mean()), "low": low,
            "high": high, "p": found.p,
            "places": [
                {"begin": begin, "end": end, **_context(searched.reading, begin, end)}
                for (begin, end), _ in zip(places, range(MOST_PLACES), strict=False)
            ],
        }  # fmt: skip

    def held(self, body: HeldBody, progress: ShareCallback) -> bytes:
        """Return what each token costs with units switched off and without, in bits.

        Raises as `held_model`.
        """
        probed = self.texts.find(body)
        reading = probed.reading
        average = means(reading, lambda share: progress(0.3 * share))
        values = body.values(average)
        model = held_model(reading.model, values)
        whole, held = (
            own.score_prepared(reading.text, progress=lambda share: progress(0.5))
            for own in (reading.model, model)
        )
        bits = {
            name: score.target_nats / np.log(2)
            for name, score in (("whole_bits", whole), ("held_bits", held))
        }
        units = [
            {"layer": layer, "unit": unit, "value": value}
            for (layer, unit), value in values.items()
        ]
        header = {
            "held": units, "bits_per_character": whole.bits_per_character,
            "bits_per_character_held": held.bits_per_character, **_about(probed),
        }  # fmt: skip
        return packed(header, bits, dict.fromkeys(bits, ("target",)))

    def _values(
        self, probed: Probed, quantity: str, layer: int, progress: ShareCallback
    ) -> tuple[str, Values]:
        """Return the name of a quantity, and its values (N, H) in a layer.

        Raises UsageError for a quantity or a layer that does not exist.
        """
        reading = probed.reading
        names = quantities(reading.model.model)
        quantity = quantity or "h"
        if quantity not in names:
            raise unknown("quantity", quantity, names)
        check_layer(reading, layer)
        key = (*_key(probed), quantity, layer)
        if (kept := self._kept.get(key)) is None:
            with np.errstate(over="ignore"):  # beyond float16 is infinite
                parts = [
                    part[quantity][:, layer].astype(np.float16)
                    for part in traces(reading, progress)
                ]
            kept = np.concatenate(parts).tobytes()
            self._kept.put(key, kept)
        return quantity, np.frombuffer(kept, np.float16).reshape(len(reading), -1)

    def _searched(self, body: MatchesBody, probed: Probed) -> tuple[Probed, tuple[int, int] | None]:
        """Return the text that is searched, and the tokens in it that were chosen.

        A model that has no held-out text searches the text in which they were chosen.
        """
        try:
            split, _ = self.texts.whole(body.model, body.searched)
        except RnnlabError:
            if body.searched:
                raise
            return probed, (body.begin, body.end)
        whole = ReadBody(model=body.model, split=split, characters=body.searched_characters)
        found = self.texts.find(whole, body.searched_characters)
        if split != probed.split:
            return found, None
        ends = probed.reading.ends.tolist()
        first = probed.offset + (ends[body.begin - 1] if body.begin else 0)
        last = probed.offset + ends[body.end - 1]
        own = found.reading.ends.tolist()
        return found, (bisect_right(own, first), bisect_right(own, last - 1) + 1)


def _only(chosen: Chosen, units: tuple[int, ...]) -> Chosen:
    """Return some of the chosen units; raises UsageError for one that is not among them."""
    for unit in units:
        if unit not in chosen.units:
            raise UsageError(f"units: {unit} is not on at all of the chosen tokens")
    kept = [
        (unit, sign) for unit, sign in zip(chosen.units, chosen.signs, strict=True) if unit in units
    ]
    return Chosen(tuple(u for u, _ in kept), tuple(s for _, s in kept), chosen.length)


def _context(reading: Reading, begin: int, end: int) -> dict[str, str]:
    """Return the text of the tokens begin .. end - 1, and what is before and after it."""
    first = int(reading.ends[begin - 1]) if begin else 0
    last, text = int(reading.ends[end - 1]), reading.text
    return {
        "left": text[max(0, first - CONTEXT) : first], "match": text[first:last],
        "right": text[last : last + CONTEXT],
    }  # fmt: skip


def _key(probed: Probed) -> tuple[Hashable, ...]:
    """Return what the answers about a model and a text are kept by."""
    text = hashlib.sha256(probed.reading.text.encode()).digest()
    return probed.subject.name, probed.stamp, text


def _about(probed: Probed, *, with_tokens: bool = True) -> dict[str, Any]:
    """Return what is said of the model and the text."""
    reading = probed.reading
    about = {
        "model": probed.subject.name, "text": probed.subject.text, "split": probed.split,
        "offset": probed.offset, "unknown": reading.unknown, **_network(reading.model),
    }  # fmt: skip
    return about | ({"tokens": reading.tokens} if with_tokens else {})


def _network(model: TextModel) -> dict[str, Any]:
    """Return what is said of a network: its cell, and the range of each of its quantities."""
    settings, cell = model.network.settings, model.model.recurrent.cell
    ranges = {gate.name: (gate.low, gate.high) for gate in cell.gates}
    if settings.cell in CELLS:
        ranges = {"h": (-1.0, 1.0)} | ranges
    return {
        "cell": short_name(settings.cell), "layers": settings.num_layers,
        "hidden_size": settings.hidden_size, "is_own_cell": settings.cell not in CELLS,
        "is_of_samples": model.network.start is not None,
        "quantities": [
            {"name": name, "range": ranges.get(name)} for name in quantities(model.model)
        ],
    }  # fmt: skip
