"""The files of src/rnnlab and what each imports."""

import ast
from pathlib import Path

import rnnlab

SOURCE = Path(rnnlab.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
MODULES = {
    ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__"): file
    for file in FILES
}


def room(file: Path) -> str:
    """Return the top folder or file in src/rnnlab that holds `file`."""
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_names(file: Path) -> set[str]:
    """Return the full names that a file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_modules(file: Path) -> set[str]:
    """Return the modules of rnnlab that a file imports."""
    modules = set()
    for name in imported_names(file):
        while name not in MODULES and "." in name:
            name = name.rpartition(".")[0]
        if name in MODULES:
            modules.add(name)
    return modules - {"rnnlab"}
