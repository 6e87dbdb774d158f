"""How notebooks are executed, and that they can be taken along: each page has a link to its own."""

import os
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


def folder(app: Sphinx) -> Path:
    """Return where notebooks are written, with what their cells have printed."""
    return Path(app.doctreedir, "notebooks")


def keep_out_of_the_site(app: Sphinx) -> None:
    """Write them next to what Sphinx keeps for the next build, and not next to the site."""
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=str(folder(app)))


def add_link(
    app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Copy the notebook of a page next to it, and tell the template its name."""
    notebook = folder(app) / f"{name}.ipynb"
    if doctree is not None and notebook.is_file():
        context["notebook"] = notebook.name
        page = Path(app.builder.get_output_path(name))
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(notebook, page.with_name(notebook.name))


def setup(app: Sphinx) -> dict[str, bool]:
    """Come after myst-nb."""
    quiet = "ignore:IProgress not found"  # of tqdm, which knows of notebooks' widgets
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), quiet]))
    app.connect("builder-inited", keep_out_of_the_site, priority=900)
    app.connect("html-page-context", add_link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
