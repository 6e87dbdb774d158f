"""The page as text: its template, style and program, with what it stores."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rnnlab.report.page.held_out import HeldOut

HERE = Path(__file__).parent

SCRIPTS = (
    "stored_data", "plain_kernel", "wasm_kernel", "network", "ngram", "prediction", "text_rules",
    "tokenizers", "reading", "self_check", "coloured_text", "gates_view", "writing", "main",
)  # fmt: skip
"""The parts of the page's program, in the order in which they stand."""


@dataclass(frozen=True)
class About:
    """What the page says in words."""

    name: str
    summary: str
    held_out: HeldOut
    ngram: str
    """What became of the n-gram model; "": the model has none."""
    first_text: str
    """In the text box when the page opens."""
    hidden_size: int
    layers: int
    vocabulary_size: int
    made: str


def rendered(about: About, model: Mapping[str, Any], stored: Mapping[str, bytes]) -> str:
    """Return the page; all text in it is escaped.

    model: what the program needs to know, for JSON. stored: bytes by the id of their element.

    The program and the style are named by their checksums, so that nothing else is run.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    style = _joined([HERE.parent / "report.css", HERE.parent / "probe.css", HERE / "page.css"])
    script = _joined([HERE / f"{name}.js" for name in SCRIPTS])
    return environment.get_template("page.html.jinja").render(
        about=about, model=model,
        stored={name: base64.b64encode(content).decode() for name, content in stored.items()},
        script=Markup(script), script_hash=_hash(script),
        style=Markup(style), style_hash=_hash(style),
    )  # fmt: skip


def size_in_page(content: bytes) -> int:
    """Return how many bytes of the page these bytes become."""
    return 4 * -(-len(content) // 3)


def _joined(files: list[Path]) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
