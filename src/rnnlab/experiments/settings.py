"""The keys of an experiment file, each defined once."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from rnnlab.config.validation import SettingsGroup
from rnnlab.experiments.claims import ClaimSettings
from rnnlab.experiments.outcomes import check_outcomes
from rnnlab.experiments.texts import Scope, Texts, fault_of_texts

Scalar = str | int | float | bool

LARGEST_COUNT = 100_000
"""Most seeds, and most variants, of an experiment; a typing error must not exhaust memory."""


def _counted(value: object) -> object:
    """Turn `seeds = 6` into the seeds 0 to 5."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value > LARGEST_COUNT:
            raise ValueError(f"at most {LARGEST_COUNT:,} can be run, not {value:,}")
        return tuple(range(value))
    if isinstance(value, list | tuple):
        return value
    raise PydanticCustomError("seeds", "a number or a list of numbers")


Seed = Annotated[int, Field(ge=0, lt=2**63)]
Seeds = Annotated[tuple[Seed, ...], BeforeValidator(_counted)]


class VariantSettings(SettingsGroup):
    """A variant to be compared: the base settings with some of them changed."""

    name: str = Field(min_length=1, description="name in tables; unique in the file")
    change: dict[str, Any] = Field({}, description="settings that differ from the base")
    group: str = Field("", description="heading under which the report lists it")
    note: str = Field("", description="one line for the report")
    reported: dict[str, float] = Field(
        {}, description="figures that others report for it, by outcome"
    )

    @model_validator(mode="after")
    def _check_reported(self) -> Self:
        check_outcomes(tuple(self.reported))
        return self


class Range(SettingsGroup):
    """The values of a setting: low to high, or a list of choices."""

    low: int | float | None = None
    high: int | float | None = None
    log: bool = Field(False, description="draw the logarithm evenly, not the value")
    choices: tuple[Scalar, ...] = ()

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        bounds = (self.low is not None) + (self.high is not None)
        if bool(self.choices) == bool(bounds) or bounds == 1:
            raise ValueError("a range needs low and high, or choices")
        if self.low is not None and self.high is not None:
            if self.low >= self.high:
                raise ValueError(f"low must be below high, not {self.low:g} and {self.high:g}")
            if self.log and self.low <= 0:
                raise ValueError(f"log needs low above 0, not {self.low:g}")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high; 0 and 0 for a list of choices."""
        return self.low or 0, self.high or 0

    @property
    def whole(self) -> bool:
        """Whether both bounds are whole numbers; then only whole numbers are drawn."""
        return all(isinstance(bound, int) for bound in (self.low, self.high))


class DrawSettings(SettingsGroup):
    """Variants drawn at random (Bergstra and Bengio 2012), or chosen one after the other."""

    settings: dict[str, Range] = Field(
        min_length=1, description="settings to draw, with their ranges"
    )
    count: int = Field(20, ge=1, le=LARGEST_COUNT, description="variants drawn")
    seed: int = Field(0, ge=0, description="of the draws")


class SearchSettings(DrawSettings):
    """A search by Optuna: tree-structured Parzen estimator; hopeless runs are ended early."""

    count: int = Field(50, ge=1, le=LARGEST_COUNT, description="trials of all processes together")
    outcome: str = Field("validation_bits_per_character", description="outcome to optimise")
    prune: bool = Field(
        True, description="end runs that are worse than the median at the same evaluation"
    )

    @model_validator(mode="after")
    def _check_outcome(self) -> Self:
        check_outcomes((self.outcome,))
        return self


class TimingSettings(SettingsGroup):
    """Speed, measured separately: one variant after the other, in rounds, after all runs."""

    rounds: int = Field(7, ge=1, description="measurements of each variant")
    seconds: float = Field(1.0, gt=0, description="length of one measurement of training [s]")
    threads: int = Field(0, ge=0, description="CPU threads, 0: one a usable core")


class ExecutionSettings(SettingsGroup):
    """Where the runs of an experiment are made; does not change their results."""

    executor: Literal["local", "ray"] = Field(
        "local", description="processes on this machine, or a Ray cluster"
    )
    workers: int = Field(
        0, ge=0, le=4096, description="runs at a time, 0: as many as the usable cores allow"
    )
    run_threads: int = Field(1, ge=1, le=4096, description="CPU threads per run")
    address: str = Field(
        "",
        description="ray: HOST:PORT of the cluster's head; empty: start a cluster on this machine",
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.address and self.executor != "ray":
            raise ValueError("address needs executor = 'ray'")
        return self


class ExperimentSettings(SettingsGroup):
    """A question, the runs that answer it, and the claims to test."""

    question: str = Field(description="what the experiment is to find out")
    title: str = Field("", description="of the report; default: the folder's name")
    source: str = Field("", description="where the reported figures come from")
    note: str = Field("", description="what a reader must know about the protocol")
    base: dict[str, Any] = Field(
        {}, description="settings of all runs; config = a recipe or file to start from"
    )
    quick: dict[str, Any] = Field(
        {},
        description="what --quick changes: seeds, texts, folds, timing (a table), any base setting",
    )
    seeds: Seeds = Field(tuple(range(6)), description="a number, or a list of seeds")
    texts: Texts = Field(
        (),
        description="every variant is trained and tested on each: names of corpora, or tables of "
        "name and change",
    )
    folds: int = Field(
        0, ge=0, le=1000, description="parts of the text, each of which is the test text once"
    )
    about: Scope = Field(
        "",
        description="what verdicts are about: 'these texts' or 'texts like these'; default: the "
        "latter, from three texts on",
    )
    variant: tuple[VariantSettings, ...] = ()
    grid: dict[str, tuple[Scalar | list[Any], ...]] | None = Field(
        None, description="every combination of these values is a variant"
    )
    random: DrawSettings | None = None
    search: SearchSettings | None = None
    reference: str = Field(
        "", description="variant that the others are compared with; default: the first"
    )
    outcomes: tuple[str, ...] = Field(
        (
            "held_out_bits_per_character",
            "training_perplexity",
            "tokens_per_second",
            "training_seconds",
        ),
        min_length=1,
        description="columns of the report; without claims, variants are compared by the first",
    )
    claim: tuple[ClaimSettings, ...] = ()
    phrases: tuple[str, ...] = Field(
        (), description="texts to continue greedily with the last weights"
    )
    phrase_length: int = Field(100, ge=1, description="length of each continuation [tokens]")
    gradient_flow: bool = Field(
        False, description="measure the gradient through time before and after training"
    )
    timing: TimingSettings | None = None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        check_outcomes(self.outcomes)
        if not self.question.strip():
            raise ValueError("question is empty; say what the experiment is to find out")
        if not self.seeds:
            raise ValueError("seeds must be a number of at least 1, or a list of seeds")
        kinds = ("variant", "grid", "random", "search")
        given = [name for name in kinds if getattr(self, name) not in (None, ())]
        if len(given) != 1:
            raise ValueError(
                "an experiment needs exactly one of [[variant]], [grid], [random] and [search], "
                f"not {' and '.join(given) or 'none'}"
            )
        if self.grid is not None:
            if (size := math.prod(map(len, self.grid.values()))) > LARGEST_COUNT:
                raise ValueError(
                    f"[grid] makes {size:,} variants; at most {LARGEST_COUNT:,} can be run"
                )
            empty = [name for name, values in self.grid.items() if not values]
            if empty or not self.grid:
                where = f"{empty[0]} has no values" if empty else "it names no setting"
                raise ValueError(f"the grid is empty: {where}")
            for name, listed in self.grid.items():
                for at, value in enumerate(listed):
                    if value in listed[:at]:
                        raise ValueError(f"grid: {name} has {value!r} twice")
        names = tuple(variant.name for variant in self.variant)
        texts = tuple(text.name for text in self.texts)
        for what, values in (("variant", names), ("text", texts), ("seed", self.seeds)):
            twice = [value for value, count in Counter(values).items() if count > 1]
            if twice:
                raise ValueError(f"{what} {twice[0]!r} occurs twice")
        if fault := fault_of_texts(self.texts, self.folds, self.about, self.seeds):
            raise ValueError(fault)
        if self.texts or self.folds:
            what = "texts" if self.texts else "folds"
            if self.search:
                raise ValueError(f"a search cannot have {what}: it chooses settings on one text")
            if self.timing:
                raise ValueError(
                    f"[timing] cannot be combined with {what}: speed is measured on one text, in "
                    "an experiment of its own"
                )
        if self.search and self.claim:
            raise ValueError("a search cannot have claims: its runs are not independent")
        if self.search and "seeds" in self.model_fields_set and len(self.seeds) > 1:
            raise ValueError("a search runs each suggestion with one seed; give only one")
        return self


def apply_quick(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an experiment's content with its `quick` table applied and removed.

    Content that is not valid is returned unchanged, for `ExperimentSettings` to refuse.
    """
    changed = dict(values)
    if not all(isinstance(values.get(key, {}), dict) for key in ("quick", "base", "timing")):
        return changed
    quick = dict(changed.pop("quick", {}))
    changed |= {key: quick.pop(key) for key in ("seeds", "texts", "folds", "about") if key in quick}
    if "timing" in quick:
        timing = quick.pop("timing")
        is_table = isinstance(timing, dict)
        changed["timing"] = {**changed.get("timing", {}), **timing} if is_table else timing
    changed["base"] = {**changed.get("base", {}), **quick}
    return changed
