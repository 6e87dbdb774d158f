"""`rnnlab report` on a class, on runs with a template, and on what is neither."""

import json
import shutil
from pathlib import Path

import pytest
from command_line import Cli
from made_up_runs import made_up_run
from refusal import check


@pytest.fixture(scope="module")
def run(trained: tuple[Path, str]) -> Path:
    return trained[0]


@pytest.fixture
def folder(tmp_path: Path, run: Path) -> Path:
    folder = tmp_path / "class"
    shutil.copytree(run, folder / "ada" / "first")
    shutil.copytree(run, folder / "ben" / "mine")
    made_up_run(folder / "cyd" / "run", 2.1, hidden_size=512)
    return folder


def test_a_class_is_shown_and_its_page_is_written(cli: Cli, folder: Path, run: Path) -> None:
    done = cli("report", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "class  3 students, 3 runs, 2 held-out texts"
    assert lines[-1] == f"page      {folder / 'class.html'}"
    result = json.loads((run / "result.json").read_text())
    record = next(r for r in result["evaluations"] if r["split"] == "test")
    (first,) = [line for line in lines if "ada/first" in line or " 0 " in line][:1]
    shown = " ".join(done.stdout.split())
    assert f"{record['bits_per_character']:.3f}" in shown
    assert f"{result['training']['perplexity']:.3f}" in shown
    assert first.lstrip().startswith("1")
    assert (
        "warning ada/first and ben/mine have the same weights, to the last bit, and took the same "
        "time, to the last digit: they are copies of one run."
    ) in shown
    page = (folder / "class.html").read_text()
    assert "ada" in page
    assert page.count("<table") == 2
    again = cli("report", str(folder))
    assert again.stdout == done.stdout, "the page is not taken for a run"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_foreign_names_in_an_encoding_that_lacks_them(
    cli: Cli, tmp_path: Path, encoding: str
) -> None:
    for name in ("Ελένη", "größer", "中文\x1b[31m"):
        made_up_run(tmp_path / "класс" / name / "run [b]", hidden_size=32)
    done = cli("report", str(tmp_path / "класс"), encoding=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "run [b]" in done.stdout
    assert "\x1b" not in done.stdout
    assert [line for line in done.stdout.splitlines() if line != line.rstrip()] == []


def test_the_page_of_a_class_goes_where_it_is_asked_to(
    cli: Cli, folder: Path, tmp_path: Path
) -> None:
    done = cli("report", str(folder), "--output", str(tmp_path / "page.html"))
    assert done.stdout.endswith(f"page      {tmp_path / 'page.html'}\n")
    assert (tmp_path / "page.html").is_file()
    assert not (folder / "class.html").exists()


def test_a_template_is_filled_and_a_report_is_not_overwritten(
    cli: Cli, run: Path, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "report.md"
    done = cli("report", str(run), "--template", "lab-report", "--output", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    picture = file.with_name("report-curves.svg")
    assert done.stdout == f"{file}\n{picture}\n"
    assert "![Learning curves: validation bits per character](report-curves.svg)" in (
        file.read_text()
    )
    assert picture.read_text().startswith("<svg ")
    check(
        cli("report", str(run), "--template", "lab-report", "--output", str(file)), 2,
        f"{file} exists; give another --output, or delete it first",
    )  # fmt: skip


def test_without_output_the_report_is_printed(cli: Cli, run: Path) -> None:
    done = cli("report", str(run), "--template", "lab-report")
    assert done.stdout.startswith("# Lab report: pets\n")
    assert done.stderr == (
        "rnnlab: note: the picture lab-report-curves.svg is written with --output only\n"
    )


def test_what_is_refused(cli: Cli, run: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "experiment.toml").write_text("")
    for args, words in (
        (["report"], "report needs one folder, not 0; several runs need --template lab-report"),
        (["report", str(run), str(run)],
         "report needs one folder, not 2; several runs need --template lab-report"),
        (["report", str(folder), "--samples"], "--samples needs --template"),
        (["report", str(run)],
         f"{run} is a run directory; give the folder in which the folders of students are, or "
         "--template lab-report"),
        (["report", str(tmp_path / "empty")],
         f"{tmp_path / 'empty'} is neither the folder of an experiment, it has no experiment.toml, "
         "nor that of a class: no folder in it, up to 5 levels deep, is a run directory"),
        (["report", str(tmp_path / "experiment"), "--output", "x.html"],
         "the report of an experiment is in its folder; leave out --output"),
        (["report", str(folder), "--template", "lab-report"],
         f"{folder} is not a run directory: it has no config.toml"),
        (["report", "--template", "lab-report"],
         "a lab report needs one or more run directories"),
        (["report", str(run), "--template", "lab-reprot"],
         "unknown template 'lab-reprot'; did you mean 'lab-report'? (choices: lab-report, FILE)"),
    ):  # fmt: skip
        check(cli(*args), 2, words)
