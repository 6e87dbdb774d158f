"""docs/reference/python-*.md say what the docstrings say, and their examples run."""

import doctest
import importlib.util
import sys
from pathlib import Path

import pytest

import rnnlab

ROOT = Path(__file__).parents[1]


def test_the_pages_are_up_to_date() -> None:
    specification = importlib.util.spec_from_file_location("make", ROOT / "docs/make_python_api.py")
    assert specification is not None
    assert specification.loader is not None
    maker = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(maker)
    for file, text in maker.pages().items():
        assert file.read_text(encoding="utf-8") == text, "run `python docs/make_python_api.py`"
    named = [name for _, names in maker.PAGES.values() for name in names]
    assert sorted(named) == sorted(rnnlab.__all__)


def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    finder = doctest.DocTestFinder()
    train_first = sorted(rnnlab.__all__, key=lambda name: name != "train")  # others use its run
    for name in train_first:
        thing = getattr(rnnlab, name)
        module = sys.modules[thing.__module__]
        for test in finder.find(thing, name, module=module, globs={"rnnlab": rnnlab}):
            runner.run(test)
    assert runner.summarize(verbose=False).attempted >= 10
    assert not runner.summarize(verbose=False).failed
