"""Precedence of a run's settings; each source overrides those above it:

1. the defaults;
2. a settings file or a recipe, or the run that is resumed;
3. changes: the flags of `rnnlab train`, the keywords of `rnnlab.train`.

Needs no torch unless a run is resumed.
"""

import re
from collections.abc import Container
from pathlib import Path

from rnnlab.config import Settings, find_config
from rnnlab.errors import UsageError

Name = str | Path | None


def starting_settings(config: Name = None, run_dir: Name = None, resume: Name = None) -> Settings:
    """Return the settings that changes are applied to.

    config: TOML file, or name of a recipe; what it leaves out keeps its default.
    resume: run directory; it decides the settings and the directory, so it excludes the others.

    Raises UsageError if they are combined wrongly or do not exist, or if one is an empty string: a
    shell variable that is not set must not start a new run.
    """
    for name, value in {"config": config, "run_dir": run_dir, "resume": resume}.items():
        if value == "":
            raise UsageError(f"{name} is empty; name one, or leave it out")
    if resume is None:
        return Settings() if config is None else Settings.from_toml(find_config(str(config)))
    if config is not None or run_dir is not None:
        raise UsageError(
            "resume takes settings and directory from the run; leave out config and run_dir"
        )
    from rnnlab.runs.resume import settings_to_resume

    return settings_to_resume(Path(resume))


UNITS = {"s": 1, "m": 60, "h": 3600}


def budget_setting(budget: str, given: Container[str] = ()) -> dict[str, float]:
    """Return max_seconds for a budget such as 30s, 3m, 1.5h.

    Raises UsageError for another text, or if max_seconds is among the `given` settings.
    """
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget, re.ASCII)
    if not parts or not float(parts[1]):
        raise UsageError(f"budget: {budget!r} is not a time such as 30s, 3m or 1h")
    if "max_seconds" in given:
        raise UsageError("budget and max_seconds say the same; give one of them")
    return {"max_seconds": float(parts[1]) * UNITS[parts[2]]}
