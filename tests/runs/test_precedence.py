from pathlib import Path

import pytest

from rnnlab.config import Settings
from rnnlab.errors import UsageError
from rnnlab.runs.precedence import starting_settings


def test_without_a_file_settings_start_from_the_defaults() -> None:
    assert starting_settings() == Settings()


def test_a_file_overrides_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("hidden_size = 8\n")
    assert starting_settings(file) == Settings().with_changes(hidden_size=8)


def test_a_resumed_run_overrides_the_defaults(trained: tuple[Path, str]) -> None:
    settings = starting_settings(resume=trained[0])
    assert (settings.model.hidden_size, settings.training.num_epochs) == (32, 4)


@pytest.mark.parametrize("name", ["config", "run_dir"])
def test_resume_excludes_a_file_and_a_directory(name: str, trained: tuple[Path, str]) -> None:
    with pytest.raises(UsageError, match=r"^resume takes settings and directory from the run; "):
        starting_settings(resume=trained[0], **{name: "lab-report"})


@pytest.mark.parametrize("name", ["config", "run_dir", "resume"])
def test_an_empty_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"^{name} is empty; name one, or leave it out$"):
        starting_settings(**{name: ""})
