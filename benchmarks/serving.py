"""How fast `rnnlab serve` answers: time to the first character, characters/s, many clients at once.

    python benchmarks/serving.py runs/book        # a run of H = 256, on an idle machine
    python benchmarks/serving.py runs/book --runs 1000      # how long a list of runs takes

Starts the server as a user would, asks it over 127.0.0.1, and prints medians with their ranges.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

RNNLAB = Path(sys.executable).with_name("rnnlab")


def start(run: Path, *more: str) -> tuple[subprocess.Popen[str], int]:
    """Start a server on any free port; return it and the port."""
    process = subprocess.Popen(
        [RNNLAB, "serve", str(run), "--port", "0", *more], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    for line in process.stdout:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/v1", line):
            return process, int(found[1])
    raise SystemExit("the server did not start")


def stream(port: int, tokens: int, seed: int) -> tuple[float, float, int]:
    """Stream one text; return seconds to its first character and in all, and its characters."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    began, first, characters = time.perf_counter(), 0.0, 0
    body = {"prompt": "The time ", "max_tokens": tokens, "stream": True, "seed": seed}
    connection.request(
        "POST", "/v1/completions", json.dumps(body), {"content-type": "application/json"}
    )
    with connection.getresponse() as answer:
        assert answer.status == 200, answer.read()
        for line in answer:
            if line.startswith(b"data: {"):
                event = json.loads(line[6:])
                characters += len(event["choices"][0]["text"])
                first = first or time.perf_counter() - began
    connection.close()
    return first, time.perf_counter() - began, characters


def write(port: int, tokens: int, seed: int) -> tuple[float, float, int]:
    """As `stream`, as the page writes: with 10 alternatives to each token."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    began, first, characters = time.perf_counter(), 0.0, 0
    body = {"text": f"The time {seed}", "length": tokens, "settings": {"seed": seed}}
    connection.request(
        "POST", "/api/v1/write", json.dumps(body), {"content-type": "application/json"}
    )
    with connection.getresponse() as answer:
        assert answer.status == 200, answer.read()
        for line in answer:
            if line.startswith(b'data: {"tokens"'):
                found = json.loads(line[6:])["tokens"]
                characters += sum(len(token["text"]) for token in found)
                first = first or time.perf_counter() - began
    connection.close()
    return first, time.perf_counter() - began, characters


def list_runs(run: Path, count: int) -> None:
    """Print how long a list of so many copies of a run takes: the first time, and unchanged."""
    names = ("config.toml", "result.json", "metrics.jsonl", "environment.json", "samples.txt")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            copy = Path(folder) / f"run-{number}"
            copy.mkdir()
            for name in names:
                shutil.copy(run / name, copy)
        process, port = start(Path(folder))
        try:
            for when in ("first", "again", "again"):
                began, cpu = time.perf_counter(), cpu_seconds(process)
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
                connection.request("GET", "/api/v1/runs")
                with connection.getresponse() as answer:
                    found = len(json.loads(answer.read())["runs"])
                connection.close()
                print(
                    f"{found:,} runs, {when}: {time.perf_counter() - began:.2f} s, of which "
                    f"{cpu_seconds(process) - cpu:.2f} s of processor time in the server"
                )
        finally:
            process.terminate()
            process.wait()


def cpu_seconds(process: subprocess.Popen[str]) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(process: subprocess.Popen[str]) -> float:
    """Return the memory of a process in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def shown(values: list[float], unit: str, scale: float = 1.0) -> str:
    """Return median and range."""
    low, middle, high = (scale * f(values) for f in (min, median, max))
    return f"{middle:,.1f} {unit} ({low:,.1f} to {high:,.1f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=5_000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--threads", type=int, default=0, help="of the server")
    parser.add_argument("--minutes", type=float, default=0.0, help="keep the clients busy so long")
    parser.add_argument("--runs", type=int, default=0, help="list so many runs, and nothing else")
    args = parser.parse_args()
    if args.runs:
        list_runs(args.run, args.runs)
        return
    process, port = start(args.run, "--threads", str(args.threads))
    try:
        stream(port, 10, 0)
        alone = [stream(port, args.tokens, seed) for seed in range(args.rounds)]
        print("one client, first character", shown([a for a, _, _ in alone], "ms", 1000))
        print("one client", shown([n / s for _, s, n in alone], "characters/s"))
        write(port, 10, 0)
        pages = [write(port, args.tokens, seed) for seed in range(1, args.rounds + 1)]
        print("one page, first character", shown([a for a, _, _ in pages], "ms", 1000))
        print("one page, 10 alternatives", shown([n / s for _, s, n in pages], "characters/s"))
        before = memory(process)
        found = list[tuple[float, float, int]]()
        ends = time.monotonic() + 60 * args.minutes

        def client(number: int) -> None:
            found.append(stream(port, args.tokens, number))
            while time.monotonic() < ends:
                found.append(stream(port, args.tokens, number))

        began = time.perf_counter()
        threads = [threading.Thread(target=client, args=(n,)) for n in range(args.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate = sum(n for _, _, n in found) / (time.perf_counter() - began)
        print(f"{args.clients} clients: {len(found):,} answers, {rate:,.0f} characters/s together")
        print(
            f"{args.clients} clients, first character", shown([a for a, _, _ in found], "ms", 1000)
        )
        print(f"memory {before:,.0f} MB before, {memory(process):,.0f} MB after")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
