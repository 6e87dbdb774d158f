"""How notebooks are executed, and that they can be taken along: each page has a link to its own."""

import shutil
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from jupyter_client.connect import ConnectionFileMixin
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
    """Come after myst-nb.

    Sphinx and a notebook's process talk through files where that is possible: a port could be
    taken by another program meanwhile, and others could reach it.
    """
    if sys.platform != "win32":
        ConnectionFileMixin.transport.default_value = "ipc"
    app.connect("builder-inited", keep_out_of_the_site, priority=900)
    app.connect("html-page-context", add_link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
