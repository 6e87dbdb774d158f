"""Write docs/reference/python-*.md from the docstrings of the public names.

    python docs/make_python_api.py

tests/test_python_api.py checks that the pages are up to date, and runs their examples.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import rnnlab

FOLDER = Path(__file__).with_name("reference")
HEAD = """\
# Python API

Settings are keyword arguments with the names of the flags: `--hidden-size` is `hidden_size`.
`rnnlab train --help` lists them. All errors derive from `rnnlab.RnnlabError`. `import rnnlab` is
fast: torch is imported when a name that needs it is used for the first time.

These pages are made from the docstrings by `python docs/make_python_api.py`.\
"""
PAGES = {
    "python-training": ("Training from Python", ("train", "Run", "Settings", "ensemble")),
    "python-models": (
        "Models in Python", ("load", "generate", "TextModel", "SampleScores", "Classifier"),
    ),
    "python-measuring": ("Measuring from Python", ("evaluate", "diagnose", "probe")),
    "python-experiments": (
        "Experiments from Python",
        (
            "compare", "class_report", "experiment", "new_experiment", "power", "reproduce",
            "rewrite_report",
        ),
    ),
    "python-exchange": (
        "Exchange, cells and engines in Python",
        (
            "export_model", "import_model", "check_cell", "benchmark", "list_engines",
            "list_corpora", "RnnlabError",
        ),
    ),
}  # fmt: skip
"""The title and the names of each page."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def entry(name: str) -> str:
    """The section of one public name."""
    source = textwrap.dedent(inspect.getsource(getattr(rnnlab, name)))
    node = ast.parse(source).body[0]
    if isinstance(node, ast.ClassDef):
        parts = [f"## class {name}", docstring(node), *members(node)]
    else:
        assert isinstance(node, Function)
        parts = [f"## {name}", call(name, node), docstring(node)]
    return "\n\n".join(part for part in parts if part)


def members(node: ast.ClassDef) -> Iterator[str]:
    """The attributes of a class as a list, then a section for each public method."""
    attributes = [
        f"- `{ast.unparse(field.target)}: {ast.unparse(field.annotation)}`{remark(node, place)}"
        for place, field in enumerate(node.body)
        if isinstance(field, ast.AnnAssign) and is_public(ast.unparse(field.target))
    ]
    methods = [part for part in node.body if isinstance(part, Function) and is_public(part.name)]
    for method in methods:
        if is_property(method):
            summary = docstring(method).partition("\n")[0]
            attributes.append(f"- `{method.name}: {returned(method)[4:]}`: {summary}")
    yield "\n".join(attributes)
    for method in methods:
        if not is_property(method) and "overload" not in decorators(method):
            yield f"### {node.name}.{method.name}"
            yield call(f"{node.name}.{method.name}", method)
            yield docstring(method)


def remark(node: ast.ClassDef, place: int) -> str:
    """The string that stands below an attribute and explains it."""
    following = node.body[place + 1 : place + 2]
    if following and isinstance(following[0], ast.Expr):
        value = following[0].value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return ": " + " ".join(value.value.split())
    return ""


def call(name: str, node: Function) -> str:
    """The signature as it stands in the source, without self and cls."""
    arguments = ast.unparse(node.args).removeprefix("self, ").removeprefix("cls, ")
    if arguments in ("self", "cls"):
        arguments = ""
    line = f"{name}({arguments}){returned(node)}"
    if len(line) > 88:
        line = f"{name}(\n    {arguments}\n){returned(node)}"
    return f"```python\n{line}\n```"


def returned(node: Function) -> str:
    """The annotation of what comes back."""
    return f" -> {ast.unparse(node.returns).strip(chr(39))}" if node.returns else ""


def decorators(node: Function) -> list[str]:
    """The names of a function's decorators."""
    return [ast.unparse(decorator) for decorator in node.decorator_list]


def is_property(node: Function) -> bool:
    """Whether a method is read as an attribute."""
    return any(name in ("property", "cached_property") for name in decorators(node))


def docstring(node: ast.ClassDef | Function) -> str:
    """The docstring as Markdown, examples in fences."""
    lines: list[str] = []
    in_code = False
    for line in (ast.get_docstring(node) or "").splitlines():
        if line.lstrip().startswith(">>>") and not in_code:
            lines.append("```pycon")
            in_code = True
        elif in_code and not line.strip():
            lines.append("```")
            in_code = False
        lines.append(line.strip() if in_code else line)
    return "\n".join([*lines, *(["```"] if in_code else [])])


def is_public(name: str) -> bool:
    """Whether users may rely on a name."""
    return not name.startswith("_")


def overview() -> str:
    """The page that names all of them, and says in a line what each is."""
    rows = [
        f"| [{name}]({page}.md#{anchor(name)}) | {summary(name)} |"
        for page, (_, names) in PAGES.items()
        for name in names
    ]
    return "\n".join([HEAD, "", "| name | what it is or does |", "|---|---|", *rows]) + "\n"


def anchor(name: str) -> str:
    """The anchor of the section of a public name."""
    kind = "class-" if inspect.isclass(getattr(rnnlab, name)) else ""
    return f"{kind}{name.lower()}"


def summary(name: str) -> str:
    """The first line of a docstring, as a cell of a table."""
    line = (inspect.getdoc(getattr(rnnlab, name)) or "").partition("\n")[0]
    return line.replace("|", "\\|")


def pages() -> dict[Path, str]:
    """Each page, and what it says."""
    found = {FOLDER / "python-api.md": overview()}
    for page, (title, names) in PAGES.items():
        found[FOLDER / f"{page}.md"] = "\n\n".join([f"# {title}", *map(entry, names)]) + "\n"
    return found


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")
