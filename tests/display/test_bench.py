"""What `rnnlab bench` prints apart from its tables."""

import subprocess
import sys

import pytest

PROGRAM = """
import rnnlab.display.bench as bench
bench.WORKING_SECONDS = 0
with bench.BenchDisplay(as_json=False) as display:
    display.measuring("lstm 256", 0.5)
    print("a table", flush=True)
"""


@pytest.mark.parametrize("together", [False, True])
def test_progress_stays_out_of_a_file_with_the_tables(*, together: bool) -> None:
    """As after `> file 2>&1`; where standard error goes elsewhere, it shows the progress."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if together else subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout == "a table\n"
    assert done.stderr == (None if together else " 50% lstm 256\n")
