"""A run on a fold goes on as if it had not been stopped, and only with its own fold."""

from pathlib import Path
from typing import Any

import pytest

import rnnlab
from rnnlab.errors import UsageError


def test_a_run_on_a_fold_is_resumed(
    tmp_path: Path, text_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its training text has a seam, at which the state is reset."""
    short: dict[str, Any] = {
        "corpus": str(text_file), "fold": "2/3", "hidden_size": 8, "embedding_size": 4,
        "batch_size": 4, "num_steps": 10, "num_evaluations": 0, "sample_length": 0, "quiet": True,
        "automatic": False, "threads": 1,
    }  # fmt: skip
    whole = rnnlab.train(run_dir=tmp_path / "whole", num_epochs=2, **short)
    rnnlab.train(run_dir=tmp_path / "run", num_epochs=1, **short | {"quiet": False})
    assert " tokens; test: fold 2/3\n" in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"^fold cannot be changed when resuming: .* with '2/3'"):
        rnnlab.train(resume=tmp_path / "run", fold="1/3", num_epochs=2, quiet=True)
    resumed = rnnlab.train(resume=tmp_path / "run", num_epochs=2, quiet=True)
    found, expected = (
        [p.detach().numpy().tobytes() for p in run.model.model.parameters()]
        for run in (resumed, whole)
    )
    assert found == expected
