"""The recipes of "break it" make a model ill in the way that the check of the exercise expects."""

import re
from pathlib import Path
from typing import Any

import pytest

import rnnlab
from rnnlab.course import book

COURSE = Path(__file__).parents[2] / "docs" / "course"
RECIPES = {
    "4-the-lstm.md": ("SETTINGS", ["saturated gates"]),
    "5-the-lab-report-reproduced.md": ("SMALL", ["held-out text is a copy"]),
}
"""Of each chapter: the settings that its recipe goes out from, and the first finding."""


@pytest.mark.parametrize("chapter", RECIPES)
def test_a_recipe_makes_ill(chapter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (COURSE / chapter).read_text(encoding="utf-8")
    name, illnesses = RECIPES[chapter]
    settings = re.search(
        rf"^{name} = dict\(.*?\)(?:  # fmt: skip)?$", text, re.MULTILINE | re.DOTALL
    )
    recipe = re.findall(
        r"^```python\n(run = rnnlab\.train\([^`]*\*\*\w+\s+\| [^`]*)```$", text, re.MULTILINE
    )
    assert settings
    assert len(recipe) == 1
    (whole,) = book(60_000)
    names: dict[str, Any] = {"rnnlab": rnnlab, "text": whole, "train": whole[:5_000]}
    exec(f"{settings[0]}\n{recipe[0]}", names)
    found = [finding.illness for finding in rnnlab.diagnose(names["run"]).findings]
    assert found[: len(illnesses)] == illnesses
