"""Memory, a GPU or bfloat16 that this machine lacks is one clear error, never a traceback."""

import subprocess
from pathlib import Path

import pytest
from command_line import RNNLAB, TINY, Cli
from refusal import check

from rnnlab.runs.files import state_files


def test_no_gpu(cli_process: Cli, text_file: Path) -> None:
    check(
        cli_process(
            "train",
            "--corpus",
            str(text_file),
            "--device",
            "cuda",
            env={"CUDA_VISIBLE_DEVICES": ""},
        ),
        1,
        "device 'cuda' is not available: torch sees no GPU here (choices: cpu, auto)",
    )


def test_bfloat16_where_it_is_not_available(cli_process: Cli, text_file: Path) -> None:
    check(
        cli_process(
            "train", "--corpus", str(text_file), "--precision", "bfloat16", "--device", "cpu",
            env={"ONEDNN_MAX_CPU_ISA": "AVX2"}),
        1,
        "precision 'bfloat16' is not available on this cpu: it needs a CPU with AVX-512 "
        "(choices: float32)",
    )  # fmt: skip


def test_a_model_larger_than_memory(cli: Cli, text_file: Path, tmp_path: Path) -> None:
    flags = ["--hidden-size", "65536", "--num-layers", "64", "--run-dir", str(tmp_path / "run")]
    done = cli("train", "--corpus", str(text_file), *flags)
    assert done.returncode == 1
    assert done.stderr.startswith("rnnlab: error: out of memory: ")
    assert done.stderr.endswith(
        "; use a smaller --hidden-size, --batch-size, --num-steps or --length\n"
    )


@pytest.mark.parametrize("megabytes", [1500, 2000], ids=["for a state", "for a step"])
def test_memory_that_runs_out_later(text_file: Path, tmp_path: Path, megabytes: int) -> None:
    run = tmp_path / "run"
    command = f"ulimit -v {megabytes * 1000}; exec {RNNLAB} train --hidden-size 4000 --threads 1"
    done = subprocess.run(
        ["sh", "-c", f"{command} --corpus {text_file} --run-dir {run}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("rnnlab: error: out of memory")
    sizes = "; use a smaller --hidden-size, --batch-size, --num-steps or --length. "
    kept = "The training state of step 0 is kept; go on with rnnlab train --resume "
    left = f"{kept}{run}\n" if state_files(run) else "No training state is left\n"
    assert done.stderr.endswith(sizes + left)


def test_a_loss_beyond_any_perplexity_is_a_divergence(
    cli: Cli, text_file: Path, tmp_path: Path
) -> None:
    flags = [
        "--optimizer",
        "sgd",
        "--learning-rate",
        "1e6",
        "--clip-norm",
        "0",
        "--num-epochs",
        "3",
    ]
    run = str(tmp_path / "run")
    done = cli("train", "--corpus", str(text_file), *TINY, *flags, "--run-dir", run)
    assert done.returncode == 1
    assert done.stderr.startswith("rnnlab: error: training diverged at step ")
    assert "Traceback" not in done.stderr
