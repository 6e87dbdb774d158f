"""The template of a lab report: its tables have the figures of the runs, read by hand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import Cli
from markdown_it import MarkdownIt

from rnnlab.course.lab_report import SHIPPED, LabReport, lab_report
from rnnlab.errors import UsageError


@pytest.fixture(scope="module")
def runs(
    cli: Cli, train_flags: list[str], trained: tuple[Path, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Path]:  # fmt: skip
    other = tmp_path_factory.mktemp("runs") / "gru"
    flags = [*train_flags, "--cell", "gru", "--num-epochs", "1", "--dropout", "0.1"]
    assert cli("train", *flags, "--run-dir", str(other)).returncode == 0
    return [trained[0], other]


@pytest.fixture(scope="module")
def report(runs: list[Path]) -> LabReport:
    return lab_report(*runs, picture="curves.svg")


@pytest.fixture(scope="module")
def tables(report: LabReport) -> list[dict[str, list[str]]]:
    """Each table as its rows by their first cell."""
    return tables_in(report.markdown)


def tables_in(markdown: str) -> list[dict[str, list[str]]]:
    """As CommonMark with tables reads them."""
    found: list[dict[str, list[str]]] = []
    row: list[str] = []
    for token in MarkdownIt().enable("table").parse(markdown):
        if token.type == "table_open":
            found.append({})
        elif token.type == "tr_open":
            row = []
        elif token.type == "inline" and token.level >= 4:
            row.append(token.content)
        elif token.type == "tr_close":
            found[-1][row[0]] = row[1:]
    return found


def result(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "result.json").read_text())
    return found


def record(run: Path) -> dict[str, Any]:
    (found,) = [
        each
        for each in result(run)["evaluations"]
        if (each["split"], each["context"]) == ("test", "carried")
    ]
    assert isinstance(found, dict)
    return found


def test_settings_that_were_chosen_are_told(tables: list[dict[str, list[str]]]) -> None:
    settings = tables[0]
    assert settings["setting"] == ["pets", "gru"]
    assert settings["cell"] == ["lstm", "gru"]
    assert settings["num_epochs"] == ["4", "1"]
    assert settings["dropout"] == ["0", "0.1"]
    assert settings["hidden_size"] == ["32", "32"]
    assert settings["corpus"] == ["pets.txt", "pets.txt"]
    assert "weight_dropout" not in settings
    assert "sample_length" not in settings


def test_results_are_those_of_the_runs(
    runs: list[Path], tables: list[dict[str, list[str]]]
) -> None:
    results = tables[1]
    training = [result(run)["training"] for run in runs]
    assert results["training perplexity"] == [f"{own['perplexity']:.3f}" for own in training]
    assert results["training [s]"] == [f"{own['seconds']:.1f}" for own in training]
    assert results["tokens/s"] == [f"{own['tokens_per_second']:,.0f}" for own in training]
    assert results["tokens trained on"] == [f"{own['tokens']:,}" for own in training]
    assert results["held-out perplexity"] == [f"{record(run)['perplexity']:.3f}" for run in runs]
    measured = [cell.partition(" ")[0] for cell in results["held-out bits/character"]]
    assert measured == [f"{record(run)['bits_per_character']:.3f}" for run in runs]
    assert results["parameters"] == [f"{result(run)['model']['parameters']:,}" for run in runs]


def test_held_out_figures_have_their_protocol_and_baselines(
    runs: list[Path], tables: list[dict[str, list[str]]]
) -> None:
    for run, name in zip(runs, ("pets", "gru"), strict=True):
        own = record(run)
        assert tables[2][name] == [
            "pets.txt, test split", f"{own['characters']:,}", "carried", "best",
            f"{own['bits_per_character']:.3f}", f"{own['perplexity']:.3f}",
            f"{result(run)['training']['perplexity']:.3f}",
        ]  # fmt: skip
        titles, figures = tables[3][""], tables[3][name]
        found = dict(zip(titles, figures, strict=True))
        assert found["this run"] == f"{own['bits_per_character']:.3f}"
        bits = {title: each["bits_per_character"] for title, each in own["baselines"].items()}
        assert found["unigram"] == f"{bits['unigram']:.3f}"
        order = own["baselines"]["ngram"]["order"]
        assert found[f"{order}-gram, Kneser-Ney"] == f"{bits['ngram']:.3f}"
        assert len(found) == 1 + len(bits)


def test_the_sections_are_there_and_the_picture_is_shown(
    runs: list[Path], report: LabReport
) -> None:
    headings = re.findall(r"^#+ (.*)$", report.markdown, re.MULTILINE)
    assert headings == [
        "Lab report: pets, gru", "Aim", "Method", "Results", "Learning curves", "Discussion",
        "Conclusion",
    ]  # fmt: skip
    assert "![Learning curves: validation bits per character](curves.svg)" in report.markdown
    assert report.curves.startswith("<svg ")
    more = record(runs[1])["bits_per_character"] - record(runs[0])["bits_per_character"]
    assert f"gru is {more:.3f} bits/character above pets" in " ".join(report.markdown.split())
    assert "- The doctor on gru: " in report.markdown
    assert "- Machine: " in report.markdown


def test_samples_are_those_of_the_model(runs: list[Path]) -> None:
    import rnnlab

    markdown = lab_report(runs[1], samples=True).markdown
    phrases = markdown.partition("gru:\n\n```text\n")[2].partition("\n```")[0].splitlines()
    assert len(phrases) == 10
    model = rnnlab.load(runs[1])
    written = model.generate("time traveller", length=100, temperature=0)
    assert phrases[0] == written.replace("\n", "⏎")


def test_a_template_of_one_s_own(runs: list[Path], tmp_path: Path) -> None:
    file = tmp_path / "mine.md.jinja"
    file.write_text("{{ count }} runs: {{ names | join(' and ') }}\n\n{{ baselines }}")
    markdown = lab_report(*runs, template=file).markdown
    assert markdown.startswith("2 runs: pets and gru\n\n|")
    assert tables_in(markdown)[0][""][0] == "this run"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{{ nothing }}", r"'nothing' is undefined \(known: baselines, count, curves, doctor, "),
        ("text\n{% for %}", r"line 2: "),
        ("{{ ''.__class__.__mro__ }}", r"access to attribute '__class__' of 'str' object is "
         "unsafe"),
        ("{{ names.append('x') }}", r"access to attribute 'append' of 'list' object is unsafe"),
        ("{{ 1 / 0 }}", "division by zero"),
    ],
)  # fmt: skip
def test_a_template_that_cannot_be_filled(
    runs: list[Path], tmp_path: Path, content: str, words: str
) -> None:
    file = tmp_path / "mine.md"
    file.write_text(content)
    with pytest.raises(UsageError, match=rf"^template {re.escape(str(file))}: .*{words}"):
        lab_report(runs[1], template=file)


def test_templates_that_are_none(runs: list[Path], tmp_path: Path) -> None:
    assert SHIPPED == ["lab-report"]
    (tmp_path / "bytes.md").write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"^template .*bytes\.md cannot be read: "):
        lab_report(runs[0], template=tmp_path / "bytes.md")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=r"^unknown template '.*folder'"):
        lab_report(runs[0], template=tmp_path / "folder")
