"""Write docs/python-api.md from the docstrings of the public names.

    python docs/make_python_api.py

tests/test_python_api.py checks that the page is up to date, and runs its examples.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import rnnlab

PAGE = Path(__file__).with_name("python-api.md")

HEAD = """\
# Python API

Settings are keyword arguments with the names of the flags: `--hidden-size` is `hidden_size`.
`rnnlab train --help` lists them. All errors derive from `rnnlab.RnnlabError`. `import rnnlab` is
fast: torch is imported when a name that needs it is used for the first time.

This page is made from the docstrings by `python docs/make_python_api.py`.\
"""

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


def page() -> str:
    """The whole page."""
    return "\n\n".join([HEAD, *map(entry, rnnlab.__all__)]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
