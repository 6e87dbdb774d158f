"""Processes that are forked after the parent has computed, as multiprocessing does it on Linux."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import multiprocessing, os, sys, threading, time
import rnnlab

def train(engine, threads, name):
    run = rnnlab.train(
        corpus="text.txt", hidden_size=64, batch_size=8, num_steps=20, num_epochs=1,
        threads=threads, engine=engine, run_dir=f"{name}-{engine}", quiet=True, sample_length=0,
    )
    return run.settings.machine.threads

if __name__ == "__main__":
    fork, engines = multiprocessing.get_context("fork"), sys.argv[1:]
    for engine in engines:
        train(engine, 2, "parent")
    with fork.Pool(2) as pool:
        print(pool.starmap(train, [(engine, 0, "pool") for engine in engines]))
    for engine in engines:
        child = fork.Process(target=train, args=(engine, 2, "child"))
        child.start()
        for _ in range(300):
            if os.path.exists(f"child-{engine}/metrics.jsonl") or child.exitcode is not None:
                break
            time.sleep(0.1)
            if os.path.exists(f"child-{engine}/config.toml"):
                time.sleep(1)  # it hangs now, as any use of torch with two threads would
                break
        child.terminate()
        child.join(20)
        print(engine, child.exitcode, flush=True)
        if child.exitcode is None:
            child.kill()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs fork and GNU's OpenMP")
def test_a_forked_process_computes_with_one_thread_and_sigterm_ends_one_that_hangs(
    tmp_path: Path,
) -> None:
    engines = ["builtin", "native"]
    (tmp_path / "text.txt").write_text("the cat sat on the mat. " * 200, encoding="utf-8")
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "program.py", *engines],
        cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "2"},
        stdout=subprocess.PIPE, text=True, timeout=150, check=True,
    )  # fmt: skip
    pool, *ended = done.stdout.splitlines()
    assert pool == "[1, 1]"
    assert ended == [f"{engine} -15" for engine in engines]
