"""The house: what may import what, what is imported when, what the sources may contain."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rnnlab

SOURCE = Path(rnnlab.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
ORDER = ["errors", "config", "data", "cells", "engines", "lm", "lab", "web", "commands", "cli"]


def room(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(file: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "rnnlab" and len(parts) > 1:
                rooms.add(parts[1])
    return rooms


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_go_one_way(file: Path) -> None:
    if room(file) in ("__init__", "__main__"):
        return  # the public names, which stand outside the order
    known = imported_rooms(file) & set(ORDER)
    later = {name for name in known if ORDER.index(name) > ORDER.index(room(file))}
    assert not later, f"{file} imports {later}, which come after {room(file)}"


def test_the_order_names_every_room() -> None:
    assert {room(file) for file in FILES} - {"__init__", "__main__"} <= set(ORDER)


@pytest.mark.parametrize(
    "code",
    [
        "import rnnlab",
        "import rnnlab.cli",
        "import rnnlab.data.corpus, rnnlab.data.batches, rnnlab.data.tokenizer",
        "from rnnlab.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from rnnlab.cli import main\ntry: main(['train', '--help'])\nexcept SystemExit: pass",
    ],
)
def test_torch_is_not_imported_before_it_is_needed(code: str) -> None:
    check = (
        f"{code}\nimport sys\nassert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_public_names_are_sorted_and_exist() -> None:
    assert list(rnnlab.__all__) == sorted(rnnlab.__all__)
    assert all(getattr(rnnlab, name) for name in rnnlab.__all__)
    assert set(rnnlab.__all__) <= set(dir(rnnlab))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rnnlab.nothing  # noqa: B018


def test_no_pickle_is_read_or_written() -> None:
    pattern = re.compile(r"\bpickle\b|(?<!safetensors\.)torch\.(save|load)\(|numpy\.load|np\.load")
    for file in FILES:
        code = "\n".join(line for line in file.read_text().splitlines() if "No pickle" not in line)
        assert not pattern.search(code), file


def test_no_name_says_nothing() -> None:
    assert not [f for f in FILES if re.search(r"utils?|helpers?|misc|common", f.name)]
