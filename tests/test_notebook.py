"""What the library shows in a notebook, executed by Jupyter."""

import re
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

TRAIN = """\
import rnnlab
run = rnnlab.train(
    corpus={corpus!r}, hidden_size=16, embedding_size=4, batch_size=4, num_steps=10, num_epochs=3,
    num_evaluations=5, threads=1, run_dir="run",
)
"""
CELLS = [
    'rnnlab.evaluate(run.directory, splits=["test"])',
    "rnnlab.diagnose(run)",
    "run",
    'for piece in run.model.stream("The ", length=5): print(piece, end="|")',
]


@pytest.fixture(scope="module")
def outputs(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """The outputs of each cell."""
    sources = [TRAIN.format(corpus=str(text_file)), *CELLS]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    folder = str(tmp_path_factory.mktemp("notebook"))
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.execute()
    return [cell.outputs for cell in notebook.cells]


def html_of(outputs: list[Any]) -> list[str]:
    return [out["data"]["text/html"] for out in outputs if "text/html" in out.get("data", {})]


def test_training_shows_a_curve_that_is_updated_in_place(outputs: list[list[Any]]) -> None:
    live = [page for page in html_of(outputs[0]) if "<progress" in page]
    assert len(live) == 1
    assert 'value="1.0000"' in live[0]
    assert "bits/character: training" in live[0]
    (points,) = re.findall(r'points="([^"]+)"', live[0])
    assert len(points.split()) >= 5
    assert not any(out.get("name") == "stderr" for out in outputs[0])


def test_results_are_shown_as_text_and_not_as_python_values(outputs: list[list[Any]]) -> None:
    (table,), (diagnosis,), (run,) = (html_of(outputs[n]) for n in (1, 2, 3))
    assert "this model, carried" in table
    assert "Evaluation(" not in table
    assert "looked for" in diagnosis
    assert "Diagnosis(" not in diagnosis
    assert "<svg" in run


def test_text_is_streamed(outputs: list[list[Any]]) -> None:
    (out,) = outputs[4]
    assert len(out["text"].split("|")) == 5 + 1
