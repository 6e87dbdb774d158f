"""What schemathesis makes of /openapi.json: nothing is answered by a fault, all as it is said.

Few cases of each route here. All that it can think of, and 100 by chance for each route with each
of 5 seeds, are more than 10,000:

    RNNLAB_SCHEMATHESIS=5 pytest -n 0 -s tests/web/test_openapi_schemathesis.py     # half an hour
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from served import Served, serving

SEEDS = int(os.environ.get("RNNLAB_SCHEMATHESIS", "0"))
MANY, FEW = 100, 3
"""Cases of each route by chance."""

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance",
)  # fmt: skip
ENDLESS = "/api/v1/events"
"""Never answers to its end."""

NAMES = ("pets", "more/bytes", "more/names", "experiment")
SUPPORT = Path(__file__).parents[1] / "support"


def test_nothing_is_answered_by_a_fault(shelf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    shutil.copytree(shelf, folder, symlinks=True)
    (folder / "experiment").mkdir()
    (folder / "experiment" / "experiment.toml").write_text(
        'question = "?"\nseeds = 2\n[base]\ncorpus = ["a.txt"]\nnum_epochs = 1\n'
        '[grid]\ncell = ["lstm", "gru"]\n'
    )
    with serving(str(folder), cwd=tmp_path) as server:
        cases = sum(passed(server, tmp_path, seed) for seed in range(1, max(1, SEEDS) + 1))
        print(f"\n{cases:,} cases")
        assert cases > (10_000 if SEEDS >= 5 else 50)
        assert server.ask("/health")[0] == 200
        _, printed, errors = server.ended()
        assert (printed, errors) == ("stopped   SIGTERM\n", "")


def passed(server: Served, folder: Path, seed: int) -> int:
    """Let schemathesis ask, and return how many cases have passed, which must be all."""
    phases = "coverage,fuzzing" if SEEDS and seed == 1 else "fuzzing"
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"{server.url}/openapi.json",
            "--checks", ",".join(CHECKS), "--exclude-path", ENDLESS, "--phases", phases,
            "--mode", "all", "--max-examples", str(MANY if SEEDS else FEW), "--seed", str(seed),
            "--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off",
            "--request-timeout", "60", "--no-color",
        ],
        cwd=folder, capture_output=True, text=True, check=False,
        env={
            **os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
            "PYTHONPATH": str(SUPPORT), "RNNLAB_NAMES": ",".join(NAMES),
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"([\d,]+) generated, ([\d,]+) passed", done.stdout)
    assert found, done.stdout
    generated, passed = (int(count.replace(",", "")) for count in found.groups())
    assert generated == passed
    return passed
