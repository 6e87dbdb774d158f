"""Which run a training state belongs to, and what may differ when that run is resumed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnlab.config import CHANGEABLE, EARLIER, TEXTS, Settings
from rnnlab.config.validation import format_value
from rnnlab.data.dataset import Dataset
from rnnlab.errors import ChecksumError, UsageError
from rnnlab.files import CHECKSUM, sealed
from rnnlab.lm.training_state import StrictModel
from rnnlab.runs.files import ENVIRONMENT, RUN_CONFIG

BY_CONTENT = (*TEXTS, "data_dir")
"""Settings that say where the text is; the text itself must be the same."""

COMPUTING = ("engine", "device", "precision", "threads")
"""Settings that change nothing but the bits."""

BUILT_WITH = (
    "rnnlab", "commit", "torch", "numpy", "cpu", "instruction_set", "cpu_capability", "gpu",
)  # fmt: skip
"""Entries of `environment` that the bits depend on."""


class RunIdentity(StrictModel):
    """Settings, text and machine of a run."""

    settings: dict[str, dict[str, Any]]
    """By group and name. Another version of rnnlab may have others."""
    corpus_sha256: str
    tokenizer_sha256: str
    environment: dict[str, Any]

    def flat(self) -> dict[str, Any]:
        """Return all settings by name."""
        return {name: value for group in self.settings.values() for name, value in group.items()}


def identify(settings: Settings, dataset: Dataset, environment: Mapping[str, Any]) -> RunIdentity:
    """Return the identity of a run with these settings, text and machine."""
    return RunIdentity(
        settings=settings.model_dump(mode="json"),
        corpus_sha256=dataset.corpus.sha256,
        tokenizer_sha256=sealed(dataset.tokenizer.to_json())[CHECKSUM],
        environment=dict(environment),
    )


def check_same_run(was: RunIdentity, now: RunIdentity, directory: Path) -> None:
    """Check that training may resume.

    Raises UsageError if a setting differs that must not change, or another text is given;
    ChecksumError if the text itself has changed.
    """
    changed = _changes(was, now)
    if kept := [name for name in changed if name not in (*CHANGEABLE, *BY_CONTENT)]:
        name = kept[0]
        before, after = changed[name]
        raise UsageError(
            f"{name} cannot be changed when resuming: {directory} was started with "
            f"{format_value(before)}, {RUN_CONFIG} or the command line says {format_value(after)} "
            f"(can change: {', '.join(CHANGEABLE)})"
        )
    if was.corpus_sha256 != now.corpus_sha256:
        for name in filter(changed.__contains__, TEXTS):
            before, after = changed[name]
            raise UsageError(
                f"{name} {format_value(after)} is not the text of {directory}, "
                f"{format_value(before)}; training can only go on with the text that it began with"
            )
        raise ChecksumError(
            f"the text of {directory} has changed since training began; it can only go on with "
            "the text that it began with"
        )
    if was.tokenizer_sha256 != now.tokenizer_sha256:
        raise ChecksumError(
            f"the text of {directory} gives another vocabulary with this version of rnnlab, "
            f"tokenizers or regex; go on with the versions in {directory / ENVIRONMENT}"
        )


def why_bits_may_differ(was: RunIdentity, now: RunIdentity) -> str:
    """Say how the machine or the versions differ from those before; "" if they do not."""
    changed = _changes(was, now)
    differences = [(name, *changed[name]) for name in COMPUTING if name in changed]
    before, after = was.environment, now.environment
    differences += [(n, before.get(n), after[n]) for n in BUILT_WITH if before.get(n) != after[n]]
    if not differences:
        return ""
    words = ", ".join(f"{name} {new}, was {old}" for name, old, new in differences)
    return f"the bits may differ from those of an uninterrupted run: {words}"


def _changes(was: RunIdentity, now: RunIdentity) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ, by name: their values then and now.

    A setting that an earlier version lacked had the value in `EARLIER`, or else its default.
    """
    defaults = {
        name: value
        for group in Settings().model_dump(mode="json").values()
        for name, value in group.items()
    }
    before = defaults | EARLIER | was.flat()
    return {name: (before[name], v) for name, v in now.flat().items() if before[name] != v}
