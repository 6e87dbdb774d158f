"""The architecture: what may import what and when, and what sources, tests and docs may contain."""

import ast
import re
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest
from source_tree import FILES, MODULES, SOURCE, imported_modules, room

import rnnlab

ORDER = [
    "errors",
    "console, cores, cells, files, patterns, signals",
    "config",
    "data",
    "engines",
    "lm",
    "runs",
    "probes, interop, doctor, bench, experiments",
    "comparison",
    "report, huggingface",
    "execution",
    "display",
    "api",
    "web, course",
    "commands, llm_plugin",
    "cli",
]
"""Rooms from left to right; those on one line do not import each other."""
PLACE = {room: place for place, rooms in enumerate(ORDER) for room in rooms.split(", ")}
OUTSIDE = {"__init__", "__main__"}
"""The public names and the entry point are outside the order."""
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


def test_every_folder_of_code_says_what_lives_there() -> None:
    """Without __init__.py its modules would not be found by those who walk the package."""
    for folder in {file.parent for file in FILES}:
        tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), folder


def test_every_folder_of_code_is_found_as_a_package_with_its_names() -> None:
    """An editable install has to know the __init__.py of folders in which there is also data."""
    for folder in {file.parent for file in FILES}:
        name = ".".join(("rnnlab", *folder.relative_to(SOURCE).parts))
        spec = find_spec(name)
        assert spec is not None, name
        assert spec.origin == str(folder / "__init__.py"), name


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


STEP = """
import sys
import rnnlab
from rnnlab.config import Settings
from rnnlab.lm.model import LanguageModel
from rnnlab.lm.optimizers import OPTIMIZERS
rnnlab.train
settings = Settings()
model = LanguageModel(settings.model, 5)
for make in OPTIMIZERS.values():
    optimizer = make(list(model.parameters()), settings.training, 0.1)
    model.output.bias.sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
"""


def test_the_library_imports_neither_what_draws_nor_what_compiles_for_a_step() -> None:
    late = "{'matplotlib', 'scipy.stats', 'torch._dynamo'}"
    check = f"{STEP}\nassert not {{*sys.modules}} & {late}"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_public_names_are_sorted_and_exist() -> None:
    assert list(rnnlab.__all__) == sorted(rnnlab.__all__)
    assert all(getattr(rnnlab, name) for name in rnnlab.__all__)
    assert set(rnnlab.__all__) <= set(dir(rnnlab))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rnnlab.nothing  # noqa: B018


def test_no_pickle_is_read_or_written() -> None:
    """Of other programs' files torch reads tensors and plain containers only."""
    tensors_only = r"file, map_location=\"cpu\", weights_only=True\)"
    pattern = re.compile(
        rf"\bpickle\b|(?<!safetensors\.)torch\.(save\(|load\((?!{tensors_only}))"
        r"|numpy\.load|np\.load"
    )
    for file in FILES:
        code = "\n".join(line for line in file.read_text().splitlines() if "No pickle" not in line)
        assert not pattern.search(code), file


def test_no_name_says_nothing() -> None:
    assert not [f for f in FILES if re.search(r"utils?|helpers?|misc|common", f.name)]


TESTS = Path(__file__).parent


def is_test_of(test: Path) -> bool:
    """Whether `lm/test_model_init.py` is named after lm/model.py, `web/test_write_page.py` after
    the script of that page, or `cells/test_cells.py` after its room."""
    folder, name = SOURCE / test.relative_to(TESTS).parent, test.stem.removeprefix("test_")
    modules = [*folder.glob("*.py"), *folder.rglob("*.js")]
    named = {folder.name, *(module.stem for module in modules)}
    return any(f"{name}_".startswith(f"{module}_") for module in named)


def test_test_files_are_named_after_the_modules_they_test() -> None:
    """Tests that cross rooms are at the top of tests/."""
    files = [file for file in TESTS.rglob("test_*.py") if file.parent != TESTS]
    assert not [str(file.relative_to(TESTS)) for file in files if not is_test_of(file)]


OWN = {"self", "cls"}
PUBLIC_WITH_UNDERSCORE = {"_replace", "_asdict", "_fields", "_make", "_exit", "_native"}
"""Documented names of named tuples and of os, and our own kernels."""
NO_PUBLIC_WAY = {
    "_is_mkldnn_bf16_supported": "torch does not tell otherwise what oneDNN can do",
    "_parser": "re does not tell otherwise how it reads an expression",
    "_compiler": "re does not otherwise take a part of an expression",
    "_update_model_kwargs_for_generation": "transformers has no other way to keep a state",
}


def private_names(file: Path) -> set[str]:
    """Return the private names of other modules and objects that a file uses."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str | None] = []
        if isinstance(node, ast.Attribute):
            is_own = isinstance(node.value, ast.Name) and node.value.id in OWN
            names = [] if is_own else [node.attr]
        elif isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [part for alias in node.names for part in alias.name.split(".")]
        elif isinstance(node, ast.Call):
            names = [keyword.arg for keyword in node.keywords]
        found |= {name for name in names if name and re.match(r"_[^_]", name)}
    return found - PUBLIC_WITH_UNDERSCORE - set(NO_PUBLIC_WAY)


@pytest.mark.parametrize("module", MODULES)
def test_no_private_names_of_others_are_used(module: str) -> None:
    assert not private_names(MODULES[module])


ODD_ENGLISH = re.compile(
    r"(?<![Tt]here )\b(?:is|are) no (?!longer\b|more\b|less\b|better\b|worse\b|faster\b)\w+"
    r"|\bbeside\b|\b1 (?:epochs|seeds|runs|steps|updates)\b"
)
"""Say "is not a", "next to", and "1 epoch"."""


def test_sentences_are_plain_english() -> None:
    root = TESTS.parent
    files = [*FILES, *(root / "native").glob("*.*"), *root.glob("*.md"), *root.glob("docs/**/*.md")]
    found = {
        f"{file.relative_to(root)}: {match[0]}"
        for file in files
        for match in ODD_ENGLISH.finditer(file.read_text(encoding="utf-8"))
    }
    assert not found
