"""Every command and the program in the README run as they stand, with smaller budgets."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from forked import Forked

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line) for line in re.findall(r"^\$ rnnlab (.*)$", README, re.MULTILINE)]
SHORTER = {
    "train": [
        *("--budget", "1s", "--corpus-limit", "60000"),
        *("--precision", "float32", "--num-evaluations", "1"),
    ],
    "bench": ["--rounds", "1", "--seconds", "0.1", "--precision", "float32"],
}
DATA = os.environ.get("RNNLAB_DATA") or str(ROOT.parent / "shared" / "data")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    for file in ROOT.glob("experiments/*/experiment.toml"):
        copy = shutil.copytree(file.parent, folder / "experiments" / file.parent.name)
        text = (copy / file.name).read_text(encoding="utf-8")
        shorter = text.replace("max_seconds = 1.0", "max_seconds = 0.2, corpus_limit = 60000")
        (copy / file.name).write_text(shorter, encoding="utf-8")
    return folder


def test_there_are_these_commands() -> None:
    assert [command[0] for command in COMMANDS] == [
        "train", "generate", "evaluate", "doctor", "experiment", "bench",
    ]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(words)[:40])
def test_command(command: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if {"timemachine", "tinyshakespeare"} & set(command) and not Path(DATA).is_dir():
        command = [*command, "--corpus", "python-reference"]
    monkeypatch.setenv("RNNLAB_DATA", DATA)
    done = Forked(*command, *SHORTER.get(command[0], []), cwd=folder).ended()
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_python(folder: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    shorter = program.replace("max_seconds=30", "max_seconds=1, corpus_limit=60_000")
    assert shorter != program
    twice = f"for _ in range(2):\n    exec({shorter!r})"  # as a cell of a notebook
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", twice], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("all parameters") == 2


PAGES = [
    page
    for folder in (ROOT, *map(ROOT.joinpath, ("docs", "benchmarks", "experiments")))
    for page in folder.glob("*.md" if folder == ROOT else "**/*.md")
    if not {"_build", "runs", "templates"} & {*page.parts}
]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as web sites for repositories and MyST make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("https://"):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


SOURCES = [
    file
    for folder in ("src", "tests", "native", "benchmarks", "examples")
    for file in (ROOT / folder).rglob("*.*")
    if file.suffix in (".py", ".h", ".cc", ".js", ".toml")
]


def test_pages_that_sources_name_are_there() -> None:
    named = {
        name
        for file in SOURCES
        for name in re.findall(r"(?:docs|benchmarks)/[\w/-]+\.md", file.read_text(encoding="utf-8"))
    }
    assert len(named) >= 10
    assert not [name for name in named if not (ROOT / name).exists()]
