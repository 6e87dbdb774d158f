"""Makes a plan of an experiment file: a run for each variant and seed, with all its settings."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from rnnlab.cells import short_name
from rnnlab.config import Settings, find_config, read_toml
from rnnlab.errors import UsageError, unknown
from rnnlab.experiments.cell_files import with_pinned_cells
from rnnlab.experiments.claims import ClaimSettings, ComparisonSettings
from rnnlab.experiments.feasibility import (
    check_claims,
    check_settings_have_effect,
    measurable_outcomes,
    reason_not_comparable,
)
from rnnlab.experiments.settings import ExperimentSettings, Range, VariantSettings, apply_quick
from rnnlab.experiments.texts import FEWEST, SEEDS_APART, Scope, TextSettings, fold_texts
from rnnlab.runs.effects import check_effects

NOT_IN_THE_ID = ("data_dir", "threads", "device", "mirror", "checkpoint_seconds")
"""Settings that decide where a run is computed or shown, not its result."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a plan: a variant with a seed, on a text if there are several."""

    variant: str
    seed: int
    """As the file has it; on other texts than the first another one is set, see `SEEDS_APART`."""
    settings: Settings
    text: str = ""

    @property
    def name(self) -> str:
        """For people."""
        where = f", {self.text}" if self.text else ""
        return f"{self.variant}{where}, seed {self.seed}"

    @cached_property
    def id(self) -> str:
        """The name of its run directory: a hash of all settings that decide its result."""
        return settings_id(self.settings)


@dataclass(frozen=True)
class Plan:
    """What an experiment file asks for, with all names resolved."""

    name: str
    settings: ExperimentSettings
    variants: tuple[VariantSettings, ...]
    claims: tuple[ClaimSettings, ...]
    base: Settings
    runs: tuple[PlannedRun, ...]
    """Ordered by seed, so that an experiment that ends early has all variants of some seeds."""
    texts: tuple[TextSettings, ...] = ()
    """Texts or folds, if there are several."""
    bases: Mapping[str, Settings] = field(default_factory=dict)
    """`base` on each text, by its name; `base` itself is that on the first."""
    origin: Path = Path()
    """Folder of the experiment's file, to which the paths of corpora are relative."""

    @property
    def reference(self) -> str:
        """The variant that the others are compared with."""
        return self.settings.reference or (self.variants[0].name if self.variants else "")

    @property
    def scope(self) -> Scope:
        """What verdicts are about; "" if there is one text."""
        if not self.texts:
            return ""
        return self.settings.about or (
            "texts like these" if len(self.texts) >= FEWEST else "these texts"
        )

    def on_text(self, name: str) -> "Plan":
        """Return the part of the plan that is on one of its texts, as a plan of one text."""
        runs = tuple(replace(run, text="") for run in self.runs if run.text == name)
        settings = self.settings.model_copy(update={"texts": (), "folds": 0, "about": ""})
        base = self.bases[name]
        return replace(self, settings=settings, base=base, runs=runs, texts=(), bases={})

    def check_settings_have_effect(self, where: str) -> None:
        """Raise UsageError for settings of the file that change nothing."""
        asked = self.settings
        variants = () if asked.random or asked.search else self.variants
        by_text = [
            {run.variant: run.settings for run in self.runs if run.text == name}
            for name in [text.name for text in self.texts] or [""]
        ]
        try:
            check_settings_have_effect(asked.model_copy(update={"variant": variants}), by_text)
            for text in self.texts:
                check_effects(self.bases[text.name], text.change, f"text {text.name!r}")
        except UsageError as error:
            lines = str(error).splitlines()
            raise UsageError("\n".join(f"{where}: {line}" for line in lines)) from None

    def variant_settings(self, name: str, seed: int = 0) -> Settings:
        """Return all settings of a variant's run."""
        change = next(v.change for v in self.variants if v.name == name)
        return self.base.with_changes(f"variant {name!r}", **change, seed=seed)

    @property
    def timing_ids(self) -> dict[str, str]:
        """By variant, a hash of all that its speed depends on, except the machine."""
        asked = self.settings
        timing = asked.timing.model_dump(mode="json") if asked.timing else None
        prediction = [asked.phrase_length, *asked.phrases] if asked.phrases else []
        return {
            variant.name: short_hash(
                [settings_id(self.variant_settings(variant.name)), timing, prediction]
            )
            for variant in self.variants
        }


def settings_id(settings: Settings) -> str:
    """Return the id of a run: a hash of its settings, 12 hexadecimal digits.

    SHA-256 of the settings that differ from their defaults, as JSON sorted by name, without those
    that only decide where a run is computed or shown. Two runs with the same id are the same run.
    The ids stay the same if a later version adds a setting.
    """
    defaults = Settings().flat()
    asked = {
        name: value
        for name, value in settings.flat().items()
        if name not in NOT_IN_THE_ID and value != defaults[name]
    }
    return short_hash(asked)


def short_hash(value: object) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of a value's JSON."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_plan(file: Path) -> Plan:
    """Read an experiment file, without running the file of a cell.

    Raises UsageError with a line for each error.
    """
    folder = file.resolve().parent
    content, _ = with_pinned_cells(read_toml(file), folder, str(file))
    return replace(make_plan(content, folder.name, str(file)), origin=folder)


def make_plan(content: Mapping[str, Any], name: str, where: str) -> Plan:
    """Make a plan from a file's content; see `read_plan`."""
    try:
        settings = ExperimentSettings.from_dict(content)
        texts = settings.texts or fold_texts(settings.folds)
        variants = _variants(settings)
        _check_texts(texts, variants, settings)
        bases = {text.name: _base(settings.base, text) for text in texts} or {
            "": _base(settings.base)
        }
        base = next(iter(bases.values()))
        _check_seeds(base, settings)
        by_text = {text: _settings_by_variant(b, variants) for text, b in bases.items()}
        by_variant = next(iter(by_text.values()))
        _check_different(bases, "texts")
        if settings.reference and settings.reference not in by_variant:
            raise unknown("reference", settings.reference, by_variant)
        every = [run for runs in by_text.values() for run in runs.values()]
        outcomes = measurable_outcomes(settings, every or [base])
        settings = settings.model_copy(update={"outcomes": outcomes})
        for runs_on_text in by_text.values():
            check_claims(settings, runs_on_text)
    except UsageError as error:
        lines = str(error).splitlines()
        raise UsageError("\n".join(f"{where}: {line}" for line in lines)) from None
    if settings.quick:
        make_plan(apply_quick(content), name, f"{where}: quick")
    runs = tuple(
        PlannedRun(variant, seed, run.with_changes(seed=seed + number * SEEDS_APART), text)
        for seed in settings.seeds
        for number, (text, own) in enumerate(by_text.items())
        for variant, run in own.items()
    )
    claims = settings.claim or _default_claims(settings, list(by_text.values()))
    return Plan(name, settings, variants, claims, base, runs, texts, bases)


def _check_texts(
    texts: Sequence[TextSettings],
    variants: Sequence[VariantSettings],
    settings: ExperimentSettings,
) -> None:
    """Raise UsageError for settings that are given both by a text and by something else."""
    for text in texts:
        if "seed" in text.change:
            raise UsageError(f"text {text.name!r}: seed belongs in seeds")
        for variant in variants:
            if both := [name for name in text.change if name in variant.change]:
                what = "folds" if settings.folds else f"text {text.name!r}"
                raise UsageError(f"{what} and variant {variant.name!r} both set {both[0]}")
    for name in texts[0].change if texts else ():
        if name in settings.base and all(name in text.change for text in texts):
            by = "folds" if settings.folds else "every text"
            raise UsageError(f"base: {name} has no effect: {by} sets it")


def _base(values: Mapping[str, Any], text: TextSettings | None = None) -> Settings:
    values = dict(values)
    config = values.pop("config", "")
    if not isinstance(config, str):
        raise UsageError(f"base: config must be text, not {config!r}")
    start = Settings.from_toml(find_config(config)) if config else Settings()
    base = start.with_changes("base", **values)
    if text:
        base = base.with_changes(f"text {text.name!r}", **text.change)
    if base.data.corpus == ("auto",):
        raise UsageError("base: corpus = 'auto' depends on the machine; name a corpus")
    return base


def _check_seeds(base: Settings, settings: ExperimentSettings) -> None:
    if "seed" in settings.base:
        raise UsageError("base: set seeds at the top of the file, not seed")
    changes = [base.training.model_dump(exclude_defaults=True), settings.grid or {}]
    changes += [variant.change for variant in settings.variant]
    budgets = ("num_epochs", "max_tokens", "max_seconds")
    if not any(name in change for name in budgets for change in changes):
        raise UsageError(f"base: no budget per run; set one of {', '.join(budgets)}")


def _variants(settings: ExperimentSettings) -> tuple[VariantSettings, ...]:
    if settings.grid is not None:
        grid = settings.grid
        changes = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    elif settings.random is not None:
        rng, space = np.random.default_rng(settings.random.seed), settings.random.settings
        drawn = [
            {name: _draw(rng, span) for name, span in space.items()}
            for _ in range(settings.random.count)
        ]
        changes = list({change_name(change): change for change in drawn}.values())  # each once
    else:
        changes = []
    named = tuple(VariantSettings(name=change_name(c), change=c) for c in changes)
    for variant in settings.variant or named:
        if "seed" in variant.change:
            raise UsageError(f"variant {variant.name!r}: seed belongs in seeds")
    return settings.variant or named


def change_name(change: Mapping[str, Any]) -> str:
    """Name a variant by what it changes: `cell=gru, hidden_size=128`."""
    shown = (f"{v:.4g}" if isinstance(v, float) else short_name(str(v)) for v in change.values())
    return ", ".join(f"{name}={value}" for name, value in zip(change, shown, strict=True))


def _draw(rng: np.random.Generator, span: Range) -> Any:
    if span.choices:
        return span.choices[int(rng.integers(len(span.choices)))]
    low, high = span.bounds
    if span.log:
        value = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        return round(value) if span.whole else value
    if span.whole:
        return int(rng.integers(int(low), int(high) + 1))
    return float(rng.uniform(low, high))


def _settings_by_variant(
    base: Settings, variants: Iterable[VariantSettings]
) -> dict[str, Settings]:
    """Return all settings of each variant; raise UsageError for faults and duplicates."""
    by_variant: dict[str, Settings] = {}
    faults: dict[str, str] = {}
    for variant in variants:
        where = f"variant {variant.name!r}"
        if variant.name in by_variant:
            raise UsageError(f"{where} occurs twice")
        try:
            by_variant[variant.name] = base.with_changes(where, **variant.change)
        except UsageError as error:
            for line in str(error).splitlines():
                faults.setdefault(line.removeprefix(where), line)
    if faults:
        raise UsageError("\n".join(faults.values()))
    _check_different(by_variant, "variants")
    return by_variant


def _check_different(named: Mapping[str, Settings], what: str) -> None:
    """Raise UsageError if two of the variants or texts are the same."""
    first: dict[str, str] = {}
    for name, settings in named.items():
        if (same := first.setdefault(settings_id(settings), name)) != name:
            raise UsageError(
                f"{what} {same!r} and {name!r} are the same: no setting differs that decides "
                "the result"
            )


def _default_claims(
    settings: ExperimentSettings, by_text: Sequence[Mapping[str, Settings]]
) -> tuple[ClaimSettings, ...]:
    """Compare the first outcome of each variant with the reference's, where that is possible."""
    by_variant = by_text[0]
    reference = settings.reference or next(iter(by_variant), "")
    comparisons = (
        ComparisonSettings(variant=name, against=reference, outcome=settings.outcomes[0])
        for name in by_variant
    )
    return tuple(
        ClaimSettings(comparison=(comparison,))
        for comparison in comparisons
        if not any(reason_not_comparable(comparison, settings, own) for own in by_text)
    )
