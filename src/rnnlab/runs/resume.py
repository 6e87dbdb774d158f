"""Settings of a run that goes on: what must stay, what may change at the price of the bits."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rnnlab.config import Settings
from rnnlab.config.settings import read_toml
from rnnlab.config.validation import shown_value
from rnnlab.data.dataset import Dataset
from rnnlab.errors import ChecksumError, ModelFolderError, RunDirectoryError, UsageError, plainly
from rnnlab.files import CHECKSUM, sealed, write_atomically
from rnnlab.runs.files import RUN_CONFIG, settings_of_run, state_files, state_folder
from rnnlab.runs.saved_state import SavedState, newest_state
from rnnlab.runs.state_facts import check_facts

CHANGEABLE = (
    "num_epochs", "max_tokens", "max_seconds", "learning_rate", "schedule", "warmup", "clip_norm",
    "num_evaluations", "patience", "num_log_lines", "sample_prefix", "sample_length",
    "sample_temperature", "engine", "device", "precision", "threads", "checkpoint_seconds",
    "mirror",
)  # fmt: skip
"""Settings that a run may go on with another value of."""

BY_CONTENT = ("corpus", "data_dir")
"""Settings that say where a text is; what counts is that it is the same text."""

COMPUTING = ("engine", "device", "precision", "threads")
"""Settings that bits depend on, though nothing else does."""

BUILT_WITH = (
    "rnnlab", "commit", "torch", "numpy", "cpu", "instruction_set", "cpu_capability", "gpu",
)  # fmt: skip
"""What else bits depend on, of `environment`."""


WRITTEN_ANEW = "delete it to have it written anew from the training state"
"""What to do about a damaged `RUN_CONFIG`."""


def settings_to_resume(directory: Path) -> Settings:
    """Return a run's settings, from `RUN_CONFIG` or, if that is lost, from the newest state.

    Raises UsageError or RunDirectoryError where neither says it, ModelFolderError where the state
    is none of this version of rnnlab.
    """
    states = state_files(directory)
    if states and not (directory / RUN_CONFIG).exists():
        return Settings.from_flat(_recorded(directory, newest_state(directory)), str(states[0]))
    try:
        return settings_of_run(directory)
    except UsageError as error:
        if not states:
            raise
        raise UsageError(f"{error}; {WRITTEN_ANEW}") from None


def mend_settings(directory: Path, state: SavedState, settings: Settings) -> None:
    """Write `RUN_CONFIG` where it is lost; raises RunDirectoryError where a part of it is."""
    file = directory / RUN_CONFIG
    if not file.exists():
        write_atomically(file, settings.to_toml().encode())
    check_settings(directory, state)


def check_settings(directory: Path, state: SavedState) -> None:
    """Raise RunDirectoryError if `RUN_CONFIG` has lost a setting: its default would be taken."""
    file = directory / RUN_CONFIG
    there = read_toml(file)
    if lost := [name for name in _recorded(directory, state) if name not in there]:
        raise RunDirectoryError(f"{file}: damaged, it has no {lost[0]}; {WRITTEN_ANEW}")


def _recorded(directory: Path, state: SavedState) -> dict[str, Any]:
    """All settings by name, as the state says them."""
    try:
        check_facts(state.facts)
    except ValueError as error:
        raise foreign_state(directory, error) from None
    return dict(_flat(state.facts["about"]["settings"]))


def foreign_state(directory: Path, error: Exception) -> ModelFolderError:
    """What to raise for a run whose state says what no state says."""
    return ModelFolderError(
        f"{state_folder(directory)}: no training state as this version of rnnlab writes it: "
        f"{plainly(error)}"
    )


def about(settings: Settings, dataset: Dataset, environment: Mapping[str, Any]) -> dict[str, Any]:
    """What a training state says of the run that it is of."""
    return {
        "settings": settings.model_dump(mode="json"),
        "corpus_sha256": dataset.corpus.sha256,
        "tokenizer_sha256": sealed(dataset.tokenizer.to_json())[CHECKSUM],
        "environment": dict(environment),
    }


def check_same_run(was: Mapping[str, Any], now: Mapping[str, Any], directory: Path) -> None:
    """Compare what `about` said then and says now.

    Raises UsageError for a setting that cannot change, the text among them, and ChecksumError for
    one that has changed where it is.
    """
    changed = _changes(was, now)
    if kept := [name for name in changed if name not in (*CHANGEABLE, *BY_CONTENT)]:
        name = kept[0]
        before, after = changed[name]
        raise UsageError(
            f"{name} cannot change when training goes on: {directory} began with "
            f"{shown_value(before)}, {RUN_CONFIG} or the command line says {shown_value(after)} "
            f"(can change: {', '.join(CHANGEABLE)})"
        )
    if was["corpus_sha256"] != now["corpus_sha256"]:
        if "corpus" in changed:
            before, after = changed["corpus"]
            raise UsageError(
                f"corpus {shown_value(after)} is another text than that of {directory}, "
                f"{shown_value(before)}; training can only go on with the text that it began with"
            )
        raise ChecksumError(
            f"the text of {directory} has changed since training began; it can only go on with "
            "the text that it began with"
        )
    if was["tokenizer_sha256"] != now["tokenizer_sha256"]:
        raise ChecksumError(
            f"the text of {directory} gives another vocabulary with this version of the "
            f"tokenizers library; go on with the version in {directory / 'environment.json'}"
        )


def bits_may_differ(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say in what the machine differs from the one before; "" where it does not."""
    changed = _changes(was, now)
    differences = [(name, *changed[name]) for name in COMPUTING if name in changed]
    before, after = was["environment"], now["environment"]
    differences += [(n, before.get(n), after[n]) for n in BUILT_WITH if before.get(n) != after[n]]
    if not differences:
        return ""
    words = ", ".join(f"{name} {new}, was {old}" for name, old, new in differences)
    return f"the bits may differ from those of a run never interrupted: {words}"


def _changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Settings that differ, by name: their values then and now.

    What an earlier version had no setting for is taken to have been as it is by default.
    """
    before, after = (dict(_flat(each["settings"])) for each in (was, now))
    before = dict(_flat(Settings().model_dump(mode="json"))) | before
    return {name: (before[name], value) for name, value in after.items() if before[name] != value}


def _flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for group in settings.values():
        yield from group.items()
