"""Cells are found by name; a file is run only if the user has named it."""

import hashlib
from pathlib import Path

import pytest
from own_cells import MINIMAL, forget_cells, marked, write_cell

from rnnlab.cells import CELLS, find_cell, registry, short_name
from rnnlab.cells.registry import allow, file_of, is_name, is_pinned, names, pin, read_cell_file
from rnnlab.config import ModelSettings
from rnnlab.errors import UsageError


@pytest.fixture(autouse=True)
def as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_cells(monkeypatch)


def test_built_in_cells_are_found_by_name_and_need_no_file() -> None:
    for name, cell in CELLS.items():
        assert pin(name) == short_name(name) == name
        assert find_cell(name) is cell
        assert file_of(name) is None


def test_a_cell_of_a_file_is_named_by_its_class_and_the_checksum_of_the_file(
    tmp_path: Path,
) -> None:
    file = write_cell(tmp_path)
    pinned = pin(f"{file}:Plain")
    assert pinned == f"Plain@{hashlib.sha256(file.read_bytes()).hexdigest()}"
    assert is_pinned(pinned)
    assert short_name(pinned) == short_name(f"{file}:Plain") == "Plain"
    assert pin("plain.py:Plain", tmp_path) == pin(pinned) == pinned
    file.rename(tmp_path / "moved.py")
    assert pin(f"{tmp_path}/moved.py:Plain") == pinned
    assert find_cell(pinned) is find_cell(pinned)
    assert find_cell(pinned).name == pinned
    assert file_of(pinned) == (MINIMAL.encode(), str(file))


def test_pinning_runs_nothing_and_finding_runs_once(tmp_path: Path) -> None:
    content, mark = marked(tmp_path)
    file = write_cell(tmp_path, content)
    pinned = pin(f"{file}:Plain")
    assert not mark.exists()
    file.write_text("raise SystemExit")  # what was read is run, not what is there now
    find_cell(pinned)
    find_cell(pinned)
    assert mark.read_text() == "x"


def test_a_file_that_nobody_has_named_is_not_run(tmp_path: Path) -> None:
    content, mark = marked(tmp_path)
    found = read_cell_file(f"{write_cell(tmp_path, content)}:Plain")
    assert found is not None
    pinned, file = found
    for name in (pinned, f"{file.path}:Plain"):
        with pytest.raises(
            UsageError,
            match=r"^the file of cell Plain is not known here; name it: --cell FILE\.py:Plain$",
        ):
            find_cell(name)
    assert not mark.exists()
    allow(file)
    find_cell(pinned)
    assert mark.exists()


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (None, "Plain", "cell '{0}:Plain': {0} does not exist"),
        ("class Plain(:", "Plain", "{0}: not Python: line 1: invalid syntax"),
        ("x = '\0'", "Plain", "{0}: not Python: source code string cannot contain null bytes"),
        ("1 / 0", "Plain", "{0} cannot be run: line 1: ZeroDivisionError: division by zero"),
        ("import no_such_module", "Plain",
         "{0} cannot be run: line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("exit(3)", "Plain", "{0} cannot be run: line 1: SystemExit: 3"),
        (MINIMAL, "Plane", "{0} has no class 'Plane'; did you mean 'Plain'? (classes: Plain)"),
        ("", "Plain", "{0} has no class 'Plain' (classes: none)"),
        ("class Plain: pass", "Plain", "Plain in {0} is not a subclass of rnnlab.cells.Cell"),
        ("Plain = 3", "Plain", "Plain in {0} is not a subclass of rnnlab.cells.Cell"),
        (MINIMAL.replace("def update", "def upgrade"), "Plain", "Plain in {0} lacks update"),
        (MINIMAL.replace("gates =", "gate ="), "Plain",
         'Plain in {0} has no gates; give them as gates = (Gate("f", 0, 1), ...)'),
        (MINIMAL.replace('(Gate("n", -1, 1),)', '("n",)'), "Plain",
         'Plain in {0} has no gates; give them as gates = (Gate("f", 0, 1), ...)'),
        (MINIMAL.replace("gates =", 'state_names = ("c", "h")\n    gates ='), "Plain",
         "Plain in {0}: state_names must begin with \"h\", not ('c', 'h')"),
        (MINIMAL.replace("gates =", "__init__ = lambda self, size: None\n    gates ="), "Plain",
         "Plain in {0} cannot be made: TypeError: Plain.<lambda>() missing 1 required positional "
         "argument: 'size'"),
    ],
)  # fmt: skip
def test_what_is_not_a_cell_is_refused_in_one_sentence(
    tmp_path: Path, content: str | None, name: str, message: str
) -> None:
    file = tmp_path / "plain.py"
    if content is not None:
        write_cell(tmp_path, content)
    with pytest.raises(UsageError) as refused:
        find_cell(pin(f"{file}:{name}"))
    assert str(refused.value) == message.format(file)


def test_special_files_and_long_ones_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "null.py").symlink_to("/dev/zero")
    with pytest.raises(UsageError, match=r"is not a regular file$"):
        pin(f"{tmp_path}/null.py:Plain")
    write_cell(tmp_path, "#" * 2**20 + "#")
    with pytest.raises(UsageError, match=r"has more than 1,048,576 bytes$"):
        pin(f"{tmp_path}/plain.py:Plain")


def test_an_installed_package_offers_cells_by_entry_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cell(tmp_path, name="package_of_cells.py")
    about = tmp_path / "package_of_cells-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: package-of-cells\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[rnnlab.cells]\nplain = package_of_cells:Plain\nlstm = package_of_cells:Plain\n"
        "broken = package_of_cells:Other\n"
    )
    assert not is_name("plain")
    monkeypatch.syspath_prepend(tmp_path)
    registry._entries.cache_clear()
    try:
        assert names() == [*CELLS, "plain", "broken"]
        assert ModelSettings.from_dict({"cell": "plain"}).cell == "plain"
        assert find_cell(pin("plain")).name == "plain"
        assert find_cell("lstm") is CELLS["lstm"]  # the name is taken
        with pytest.raises(UsageError, match=r"^cell 'broken': package_of_cells:Other cannot be "):
            find_cell("broken")
    finally:
        registry._entries.cache_clear()
