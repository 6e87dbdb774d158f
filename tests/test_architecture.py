"""The house: what may import what, what is imported when, what the sources may contain."""

import re
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter

import pytest
from source_tree import FILES, MODULES, imported_modules, room

import rnnlab

ORDER = [
    "errors",
    "console, cells, files, signals",
    "config",
    "data",
    "engines",
    "lm",
    "runs",
    "probes, interop, doctor, bench, experiments",
    "report",
    "execution",
    "display",
    "api",
    "commands",
    "cli",
]
"""Rooms, from left to right; those that stand together do not know each other."""
PLACE = {room: place for place, rooms in enumerate(ORDER) for room in rooms.split(", ")}
OUTSIDE = {"__init__", "__main__"}
"""The public names and the entry point, which stand outside the order."""
LARGEST_SHARE = 0.20
LONGEST_FILE = 330


IMPORTS = {module: imported_modules(file) for module, file in MODULES.items()}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    own = room(MODULES[module])
    if own in OUTSIDE:
        return
    rooms = {room(MODULES[name]) for name in IMPORTS[module]} - {own}
    wrong = {name for name in rooms if name not in PLACE or PLACE[name] >= PLACE[own]}
    assert not wrong, f"{module} imports {wrong}, which do not stand to the left of {own}"


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {module: names - {module} for module, names in IMPORTS.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_the_order_names_every_room() -> None:
    assert {room(file) for file in FILES} - OUTSIDE <= set(PLACE)


def test_no_room_holds_more_than_a_fifth_of_the_code_and_no_file_two_ideas() -> None:
    lines = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    rooms = Counter[str]()
    for file, count in lines.items():
        rooms[room(file)] += count
    assert max(rooms.values()) <= LARGEST_SHARE * rooms.total(), rooms.most_common(3)
    assert not {str(file): count for file, count in lines.items() if count > LONGEST_FILE}


@pytest.mark.parametrize(
    "code",
    [
        "import rnnlab",
        "import rnnlab.cli",
        "import rnnlab.data.dataset",
        "from rnnlab.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from rnnlab.cli import main\ntry: main(['train', '--help'])\nexcept SystemExit: pass",
    ],
)
def test_torch_is_not_imported_before_it_is_needed(code: str) -> None:
    heavy = ("torch", "matplotlib", "scipy")
    check = f"{code}\nimport sys\nassert not [m for m in {heavy} if m in sys.modules]"
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
