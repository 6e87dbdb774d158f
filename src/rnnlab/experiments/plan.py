"""An experiment file becomes a plan: variants times seeds, each with all its settings."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from rnnlab.config import Settings, find_config, read_toml
from rnnlab.errors import UsageError, unknown
from rnnlab.experiments.feasibility import check_claims, measurable_outcomes, why_not
from rnnlab.experiments.settings import (
    ClaimSettings,
    ComparisonSettings,
    DrawSettings,
    ExperimentSettings,
    Range,
    VariantSettings,
    quickened,
)

NOT_IN_THE_ID = ("data_dir", "threads", "device", "mirror", "checkpoint_seconds")
"""Settings that say where a run is computed or shown, not what it is."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a plan: a variant with a seed."""

    variant: str
    seed: int
    settings: Settings

    @cached_property
    def id(self) -> str:
        """The name of its run directory: a hash of all settings that decide what comes out."""
        return settings_id(self.settings)


@dataclass(frozen=True)
class Plan:
    """What an experiment file asks for, all names resolved."""

    name: str
    settings: ExperimentSettings
    variants: tuple[VariantSettings, ...]
    claims: tuple[ClaimSettings, ...]
    base: Settings
    runs: tuple[PlannedRun, ...]
    """Seed by seed, all variants of the first seed first: an early end leaves whole rounds."""
    origin: Path = Path()
    """Folder of the experiment's file, to which the paths of corpora are relative."""

    @property
    def reference(self) -> str:
        """The variant that the others are compared with."""
        return self.settings.reference or (self.variants[0].name if self.variants else "")

    def variant_settings(self, name: str, seed: int = 0) -> Settings:
        """All settings of a variant's run."""
        change = next(v.change for v in self.variants if v.name == name)
        return self.base.changed(f"variant {name!r}", **change, seed=seed)

    @property
    def timing_ids(self) -> dict[str, str]:
        """By variant: what stands for all that its speed depends on but the machine."""
        asked = self.settings
        timing = asked.timing.model_dump(mode="json") if asked.timing else None
        prediction = [asked.phrase_length, *asked.phrases] if asked.phrases else []
        return {
            variant.name: _digits(
                [settings_id(self.variant_settings(variant.name)), timing, prediction]
            )
            for variant in self.variants
        }


def settings_id(settings: Settings) -> str:
    """Twelve hexadecimal digits that stand for the settings of a run as they were asked for.

    SHA-256 of the settings that differ from their default, in JSON, sorted by name, without those
    that only say where a run is computed or shown. Two runs with one id are the same run. A setting
    that a later version adds leaves the ids of earlier runs as they are.
    """
    defaults = Settings().flat()
    asked = {
        name: value
        for name, value in settings.flat().items()
        if name not in NOT_IN_THE_ID and value != defaults[name]
    }
    return _digits(asked)


def _digits(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_plan(file: Path) -> Plan:
    """Read an experiment file; raises UsageError, one line a fault, that begins with the file."""
    folder = file.resolve().parent
    return replace(make_plan(read_toml(file), folder.name, str(file)), origin=folder)


def make_plan(content: Mapping[str, Any], name: str, where: str) -> Plan:
    """Make a plan from a file's content; see `read_plan`."""
    try:
        settings = ExperimentSettings(**content)
        base = _base(settings.base)
        variants = _variants(settings)
        _check_seeds(base, settings)
        made = _made(base, variants)
        if settings.reference and settings.reference not in made:
            raise unknown("reference", settings.reference, made)
        outcomes = measurable_outcomes(settings, list(made.values()) or [base])
        settings = settings.model_copy(update={"outcomes": outcomes})
        check_claims(settings, made)
    except UsageError as error:
        lines = str(error).splitlines()
        raise UsageError("\n".join(f"{where}: {line}" for line in lines)) from None
    if settings.quick:
        make_plan(quickened(content), name, f"{where}: quick")
    runs = tuple(
        PlannedRun(variant, seed, run.changed(seed=seed))
        for seed in settings.seeds
        for variant, run in made.items()
    )
    claims = settings.claim or _default_claims(settings, made)
    return Plan(name, settings, variants, claims, base, runs)


def _base(values: Mapping[str, Any]) -> Settings:
    values = dict(values)
    config = values.pop("config", "")
    if not isinstance(config, str):
        raise UsageError(f"base: config must be text, not {config!r}")
    start = Settings.from_toml(find_config(config)) if config else Settings()
    base = start.changed("base", **values)
    if base.data.corpus == ("auto",):
        raise UsageError("base: corpus = 'auto' is another text on another machine; name a corpus")
    return base


def _check_seeds(base: Settings, settings: ExperimentSettings) -> None:
    if "seed" in settings.base:
        raise UsageError("base: seed belongs in seeds, which every variant is run with")
    training = base.training
    changes = [variant.change for variant in settings.variant] + [dict(settings.grid or {})]
    budgets = ("num_epochs", "max_tokens", "max_seconds")
    if not (training.num_epochs or training.max_tokens or training.max_seconds) and not any(
        name in change for name in budgets for change in changes
    ):
        raise UsageError(f"base: no budget per run; set one of {', '.join(budgets)}")


def _variants(settings: ExperimentSettings) -> tuple[VariantSettings, ...]:
    if settings.grid is not None:
        names = list(settings.grid)
        changes = [
            dict(zip(names, values, strict=True)) for values in product(*settings.grid.values())
        ]
    elif settings.random is not None:
        drawn = {change_name(change): change for change in _draws(settings.random)}
        changes = list(drawn.values())  # what is drawn again is no variant of its own
    else:
        changes = []
    named = tuple(VariantSettings(name=change_name(c), change=c) for c in changes)
    for variant in settings.variant or named:
        if "seed" in variant.change:
            raise UsageError(f"variant {variant.name!r}: seed belongs in seeds")
    return settings.variant or named


def change_name(change: Mapping[str, Any]) -> str:
    """Name a variant by what it changes: `cell=gru, hidden_size=128`."""
    shown = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in change.values())
    return ", ".join(f"{name}={value}" for name, value in zip(change, shown, strict=True))


def _draws(draws: DrawSettings) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(draws.seed)
    for _ in range(draws.count):
        yield {name: _draw(rng, span) for name, span in draws.settings.items()}


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


def _made(base: Settings, variants: Iterable[VariantSettings]) -> dict[str, Settings]:
    """All settings of each variant; raises UsageError, every fault once, and for two that agree."""
    made: dict[str, Settings] = {}
    faults: dict[str, str] = {}
    for variant in variants:
        where = f"variant {variant.name!r}"
        if variant.name in made:
            raise UsageError(f"{where} is there twice")
        try:
            made[variant.name] = base.changed(where, **variant.change)
        except UsageError as error:
            for line in str(error).splitlines():
                faults.setdefault(line.removeprefix(where), line)
    if faults:
        raise UsageError("\n".join(faults.values()))
    first: dict[str, str] = {}
    for name, settings in made.items():
        if (same := first.setdefault(settings_id(settings), name)) != name:
            raise UsageError(
                f"variants {same!r} and {name!r} are the same: no setting differs that decides "
                "what comes out"
            )
    return made


def _default_claims(
    settings: ExperimentSettings, made: Mapping[str, Settings]
) -> tuple[ClaimSettings, ...]:
    """Where a file makes no claim: every variant against the reference, by the first outcome.

    Those that cannot be compared are not.
    """
    reference = settings.reference or next(iter(made), "")
    comparisons = (
        ComparisonSettings(variant=name, against=reference, outcome=settings.outcomes[0])
        for name in made
    )
    return tuple(
        ClaimSettings(comparison=(comparison,))
        for comparison in comparisons
        if not why_not(comparison, settings, made)
    )
