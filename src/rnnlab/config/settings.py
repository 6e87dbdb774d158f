"""All settings of a run together: by name, to and from TOML, from recipes."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import tomli_w
from pydantic import Field

from rnnlab.config.groups import DataSettings, ModelSettings, TrainingSettings
from rnnlab.config.machine import MachineSettings
from rnnlab.config.validation import SettingsGroup
from rnnlab.errors import UsageError, suggest

RECIPES = Path(__file__).parents[1] / "recipes"

CHOSEN = (
    "batch_size", "num_steps", "hidden_size", "embedding_size", "input_dropout", "dropout",
    "output_scale", "ngram_order", "num_epochs", "learning_rate", "beta1",
    "beta2", "weight_decay", "schedule", "precision",
)  # fmt: skip
"""Settings that `rnnlab train` chooses if they are not given; see `rnnlab.runs.automatic`."""

CHANGEABLE = (
    "num_epochs", "max_tokens", "max_seconds", "learning_rate", "schedule", "warmup", "clip_norm",
    "num_evaluations", "patience", "num_log_lines", "sample_prefix", "sample_length",
    "sample_temperature", "engine", "device", "precision", "threads", "checkpoint_seconds",
    "mirror",
)  # fmt: skip
"""Settings that may have another value when training resumes."""

TEXTS = ("corpus", "validation_corpus", "test_corpus")
"""Settings that name texts."""

EARLIER: dict[str, Any] = {"max_vocabulary": 0}
"""The values that earlier versions had for data settings that their runs and models do not name."""


class Settings(SettingsGroup):
    """All settings of a training run."""

    data: DataSettings = Field(default_factory=DataSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    machine: MachineSettings = Field(default_factory=MachineSettings)

    groups: ClassVar[dict[str, type[SettingsGroup]]] = {
        "data": DataSettings,
        "model": ModelSettings,
        "training": TrainingSettings,
        "machine": MachineSettings,
    }
    """Messages leave them out, because setting names are unique over all of them."""

    @classmethod
    def names(cls) -> list[str]:
        """Every setting's name, in the order of the groups."""
        return [name for group in cls.groups.values() for name in group.model_fields]

    @classmethod
    def from_flat(cls, values: Mapping[str, Any], where: str = "settings") -> Self:
        """Build from one flat mapping; raise UsageError, each line beginning with `where`."""
        return cls().with_changes(where, **values)

    def with_changes(
        self, where: str = "settings", known: Iterable[str] = (), /, **values: Any
    ) -> Self:
        """Return a copy with some settings replaced; their groups are checked again.

        known: what else may be meant by an unknown name.
        """
        names = self.names()
        for name in values:
            if name not in names:
                hint = suggest(name, [*names, *known])
                raise UsageError(f"{where}: unknown setting {name!r}{hint}")
        merged: dict[str, Any] = {}
        for group, model in self.groups.items():
            own = {name: value for name, value in values.items() if name in model.model_fields}
            before = getattr(self, group)
            merged[group] = dict(before) | own if own else before
        return self.from_dict(merged, where)

    @property
    def validation_context(self) -> str:
        """The context rule of evaluations during training; samples have one, for all is carried."""
        return "carried" if self.data.of_samples else self.training.validation_context

    def flat(self) -> dict[str, Any]:
        """All settings as one flat mapping."""
        return {name: value for group in self.groups for name, value in getattr(self, group)}

    def to_toml(self) -> str:
        """Return all settings as TOML that `from_toml` reads, with a comment before each group."""
        parts = []
        for name, group in self.groups.items():
            values = getattr(self, name).model_dump(mode="json")
            parts.append(f"# {(group.__doc__ or '').splitlines()[0]}\n{tomli_w.dumps(values)}")
        return "\n".join(parts)

    @classmethod
    def from_toml(cls, file: Path, missing: Mapping[str, Any] | None = None) -> Self:
        """Read settings from a TOML file; what it leaves out has the value in `missing`, or else
        its default.
        """
        return cls.from_flat({**(missing or {}), **read_toml(file)}, str(file))


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file, with or without a byte order mark.

    Raises UsageError if it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: not TOML: the file is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        rule = str(error).partition("; use sys.")[0]  # advice for Python programmers
        is_text = file.suffix not in (".toml", "")
        hint = "; a text to train on is given as corpus" if is_text else ""
        raise UsageError(f"{file}: not TOML: {rule}{hint}") from None


def find_config(name: str) -> Path:
    """Find a settings file by its path, or a recipe of rnnlab by its name."""
    if Path(name).is_file():
        return Path(name)
    recipe = RECIPES / f"{name}.toml"
    if "/" not in name and recipe.is_file():
        return recipe
    choices = sorted(path.stem for path in RECIPES.glob("*.toml"))
    raise UsageError(
        f"config: {name!r} is neither a file nor a recipe{suggest(name, choices)} "
        f"(recipes: {', '.join(choices)})"
    )
