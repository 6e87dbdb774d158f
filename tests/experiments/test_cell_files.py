"""Cells of files in an experiment: pinned when it is planned, never run by planning."""

from pathlib import Path
from typing import Any

import pytest
import tomli_w
from own_cells import MINIMAL, forget_cells, marked, write_cell

from rnnlab.cells.registry import file_of, pin
from rnnlab.errors import UsageError
from rnnlab.experiments.cell_files import with_pinned_cells
from rnnlab.experiments.folder import open_existing, open_folder
from rnnlab.experiments.plan import Plan, read_plan

CELL = "cells/plain.py:Plain"


@pytest.fixture(autouse=True)
def as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_cells(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "cells").mkdir()
    content, _ = marked(tmp_path)
    write_cell(tmp_path / "cells", content)
    content = {
        "question": "Is it as good?", "seeds": 2, "base": {"corpus": "text.txt", "num_epochs": 1},
        "grid": {"cell": ["rnn", CELL]},
    }  # fmt: skip
    file = tmp_path / "experiment.toml"
    file.write_text(tomli_w.dumps(content))
    return file


def test_cells_are_pinned_wherever_settings_can_stand(tmp_path: Path) -> None:
    write_cell(tmp_path)
    name = "plain.py:Plain"
    now = pin(name, tmp_path)

    def content(cell: str) -> dict[str, Any]:
        return {
            "question": name,
            "base": {"cell": cell, "sample_prefix": name}, "quick": {"cell": cell},
            "variant": [{"name": name, "change": {"cell": cell}}, {"name": "other"}],
            "grid": {"cell": ["lstm", cell, 3]},
            "search": {"settings": {"cell": {"choices": ["lstm", cell]}}},
            "random": {"settings": {"cell": 3}},
        }  # fmt: skip

    found, files = with_pinned_cells(content(name), tmp_path, "file")
    assert found == content(now)
    assert {path for _, path in files} == {str(tmp_path / "plain.py")}
    assert with_pinned_cells(content(now), tmp_path, "file") == (content(now), [])


def ids(plan: Plan) -> dict[str, str]:
    return {run.variant: run.id for run in plan.runs if run.seed == 0}


def test_a_runs_id_depends_on_what_the_file_holds_and_not_on_where_it_lies(file: Path) -> None:
    before = ids(read_plan(file))
    assert list(before) == ["cell=rnn", "cell=Plain"]
    folder = file.parent
    (folder / "cells" / "plain.py").rename(folder / "plain.py")
    file.write_text(file.read_text().replace(CELL, "plain.py:Plain"))
    assert ids(read_plan(file)) == before
    write_cell(folder, MINIMAL)
    after = ids(read_plan(file))
    assert after["cell=rnn"] == before["cell=rnn"]
    assert after["cell=Plain"] != before["cell=Plain"]


def test_planning_runs_nothing_and_a_report_does_not_even_allow_it(
    file: Path, tmp_path: Path
) -> None:
    cell = open_existing(tmp_path).runs[1].settings.model.cell
    assert file_of(cell) is None
    plan, _ = open_folder(file)
    assert plan.runs[1].settings.model.cell == cell
    assert file_of(cell) is not None
    assert not (tmp_path / "has run").exists()


def test_another_folder_gets_copies_from_which_it_can_be_run_again(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, folder = open_folder(file, str(tmp_path / "elsewhere"))
    original = (tmp_path / "cells" / "plain.py").read_bytes()
    (tmp_path / "cells" / "plain.py").unlink()
    forget_cells(monkeypatch)
    again, _ = open_folder(folder / "experiment.toml")
    assert ids(again) == ids(plan)
    kept = file_of(again.runs[1].settings.model.cell)
    assert kept is not None
    assert kept.content == original
    (copy,) = (folder / "cells").iterdir()
    copy.write_text("raise SystemExit")
    forget_cells(monkeypatch)
    again, _ = open_folder(folder / "experiment.toml")
    assert file_of(again.runs[1].settings.model.cell) is None


def test_a_file_that_is_missing_or_not_python_is_named_with_the_experiment(file: Path) -> None:
    cell = file.parent / "cells" / "plain.py"
    cell.write_text("class")
    with pytest.raises(UsageError, match=rf"^{file}: {cell}: not Python: line 1: invalid syntax$"):
        read_plan(file)
    cell.unlink()
    with pytest.raises(UsageError, match=f"^{file}: cell '{CELL}': {cell} does not exist$"):
        read_plan(file)
