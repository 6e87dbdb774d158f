"""Both files of a report."""

import subprocess
import sys
from pathlib import Path

from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.records import Records
from rnnlab.report.pages import write_report

SUPPORT = Path(__file__).parents[1] / "support"


def test_both_files_are_written_and_replace_older_ones(
    records: Records, verdicts: list[ClaimVerdict], written: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text("old")
    html, markdown = write_report(records, verdicts, tmp_path)
    assert (html, markdown) == (tmp_path / "report.html", tmp_path / "report.md")
    assert sorted(tmp_path.iterdir()) == [html, markdown]
    for own, other in zip((html, markdown), written, strict=True):
        assert own.read_bytes() == other.read_bytes(), "the same records give the same bytes"


def test_a_report_needs_no_torch_and_no_window(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(SUPPORT)!r})
from pathlib import Path
from made_up_records import made_up_plan, made_up_records
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.report.pages import write_report
records = made_up_records(made_up_plan(seeds=2), points=5)
write_report(records, judge_claims(records), Path({str(tmp_path)!r}))
assert not {{"torch", "matplotlib.pyplot", "tkinter"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").is_file()
