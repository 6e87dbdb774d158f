"""Ctrl-C and SIGTERM, each as GNU timeout sends it: to the process, and then to its group."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command_line import RNNLAB, TINY, Cli
from forked import Forked


def begin(*args: str) -> subprocess.Popen[str]:
    """Start a command that minds Ctrl-C, also where the tests run in the background."""
    return subprocess.Popen(
        [RNNLAB, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def wait_until_it_minds_signals(process: subprocess.Popen[str]) -> None:
    """Linux tells which signals it catches; Python itself catches only Ctrl-C."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.is_file():
        time.sleep(0.5)
        return
    bit = 1 << (signal.SIGTERM - 1)
    while not int(re.findall(r"SigCgt:\s*(\w+)", status.read_text())[0], 16) & bit:
        assert process.poll() is None
        time.sleep(0.01)


def send_twice(
    process: subprocess.Popen[str] | Forked, sign: signal.Signals, gap: float = 0.002
) -> None:
    process.send_signal(sign)
    time.sleep(gap)
    process.send_signal(sign)


@pytest.mark.parametrize(("sign", "evaluations"), [(signal.SIGINT, 4), (signal.SIGTERM, 0)])
def test_ctrl_c_ends_cleanly_with_everything_saved(
    cli: Cli, text_file: Path, tmp_path: Path, sign: signal.Signals, evaluations: int
) -> None:
    """What follows training is done after Ctrl-C; whoever sends SIGTERM does not wait for it.

    No evaluations in training: one that Ctrl-C cut off would be due, and the run not complete.
    """
    run = tmp_path / "run"
    process = Forked(
        "train", "--corpus", str(text_file), *TINY, "--max-seconds", "600",
        "--num-evaluations", "0", "--num-log-lines", "60000", "--run-dir", str(run),
    )  # fmt: skip
    for _ in range(6000):
        if (run / "metrics.jsonl").is_file():
            break
        time.sleep(0.01)
    send_twice(process, sign)
    done = process.ended()
    assert (done.returncode, done.stderr) == (128 + sign, "")
    again = "          evaluating the held-out text; Ctrl-C again skips it\n"
    assert (
        f"stopped   {sign.name}\n          go on with rnnlab train --resume {run}\n"
        f"{again if evaluations else ''}" in done.stdout
    )
    assert (again in done.stdout) is ("\ndoctor    " in done.stdout) is bool(evaluations)
    result = json.loads((run / "result.json").read_text())
    assert result["training"]["stopped_by"] == sign.name
    assert len(result["evaluations"]) == evaluations
    assert result["complete"] is bool(evaluations)
    assert cli("generate", str(run), "--prefix", "The").returncode == 0


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_writing_ends_with_one_line(trained: tuple[Path, str], sign: signal.Signals) -> None:
    process = Forked("generate", str(trained[0]), "--prefix", "The", "--length", "3000000")
    assert process.stdout.read(10)
    send_twice(process, sign)
    done = process.ended()
    assert (done.returncode, done.stderr) == (
        128 + sign,
        f"rnnlab: error: interrupted by {sign.name}\n",
    )


@pytest.mark.parametrize(
    ("sign", "gap", "waits"),
    [
        (signal.SIGINT, 0.0, (0.0, 0.6)),
        (signal.SIGINT, 0.2, (0.2, 1.4)),
        (signal.SIGTERM, 0.0, (0.6, 1.2)),
        (signal.SIGTERM, 0.2, (0.2, 0.8)),
    ],
)
def test_no_moment_shows_a_traceback(
    trained: tuple[Path, str], sign: signal.Signals, gap: float, waits: tuple[float, ...]
) -> None:
    """While it loads, works and ends; a second signal after the echo ends the process at once."""
    ended = []
    for wait in waits:
        process = begin("doctor", str(trained[0]))
        wait_until_it_minds_signals(process)
        time.sleep(wait)
        send_twice(process, sign, gap)
        errors = process.communicate(timeout=60)[1]
        ended.append((process.returncode, errors))
    for number in range(4):
        loaded = Forked("doctor", str(trained[0]))
        time.sleep(number * 0.1 + gap / 4)
        send_twice(loaded, sign, gap)
        done = loaded.ended()
        ended.append((done.returncode, done.stderr))
    for code, errors in ended:
        assert errors in ("", f"rnnlab: error: interrupted by {sign.name}\n")
        assert code in (0, 128 + sign, -sign)
