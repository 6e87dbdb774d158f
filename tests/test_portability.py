"""Where file locks and flushing of folders are missing, as on Windows, all else still works.

Windows itself has locks, which filelock knows; here they are missing altogether.
"""

import json
import subprocess
import sys
from pathlib import Path

from command_line import TINY, made_up_text

WITHOUT = """
import os, signal, sys
sys.modules["fcntl"] = None
for module, names in ((os, ["O_DIRECTORY", "O_NONBLOCK"]), (signal, ["pthread_sigmask"])):
    for name in names:
        delattr(module, name)
"""

IMPORTING = """
import importlib, pkgutil
import rnnlab
for found in pkgutil.walk_packages(rnnlab.__path__, "rnnlab."):
    # transformers takes seconds to import, and says itself where it runs.
    if found.name not in ("rnnlab.__main__", "rnnlab.huggingface"):
        importlib.import_module(found.name)
        print(found.name)
"""

RUNNING = """
import json
from rnnlab.cli import main
for command in json.loads(sys.argv[1]):
    try:
        main(command)
    except SystemExit as end:
        assert not end.code, command
assert "torch._dynamo" not in sys.modules, "it takes as long to import as torch"
"""


def run(code: str, *args: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", WITHOUT + code, *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_every_module_can_be_imported() -> None:
    done = run(IMPORTING)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 100


def test_a_run_is_trained_resumed_and_evaluated(tmp_path: Path) -> None:
    text, directory = tmp_path / "text.txt", tmp_path / "run"
    text.write_text(made_up_text(200))
    commands = [
        ["train", "--corpus", str(text), *TINY, "--num-epochs", "1", "--run-dir", str(directory)],
        ["train", "--resume", str(directory), "--num-epochs", "2"],
        ["evaluate", str(directory), "--no-baselines"],
        ["generate", str(directory), "--length", "5"],
    ]
    done = run(RUNNING, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    result = json.loads((directory / "result.json").read_text())
    assert result["complete"]
    assert len(result["training"]["resumed_at"]) == 1


def test_a_long_text_is_streamed(tmp_path: Path) -> None:
    code = """
import pooch
from pathlib import Path
from rnnlab.config import DataSettings
from rnnlab.data.dataset import load_dataset
from rnnlab.data.streaming_limits import StreamingLimits
pooch.os_cache = lambda name: Path(sys.argv[2])
data = DataSettings(corpus=(sys.argv[1],))
for _ in range(2):
    print(len(load_dataset(data, limits=StreamingLimits(from_bytes=0)).splits["train"].all_ids))
"""
    text = tmp_path / "text.txt"
    text.write_text("so it goes " * 100)
    done = run(code, str(text), str(tmp_path / "cache"))
    assert (done.returncode, done.stdout) == (0, "990\n990\n"), done.stderr
