"""How notebooks are executed, and that they can be taken along: each page has a link to its own."""

import base64
import json
import logging
import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

LEFT_OUT = "remove-cell"

LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>[^]]*)\]\((?P<file>[\w./-]+\.(?:md|svg))(?P<anchor>#[\w-]+)?\)"
)
"""A link to another page, or a picture from a file of its own."""


def folder(app: Sphinx) -> Path:
    """Return where notebooks are written, with what their cells have printed."""
    return Path(app.doctreedir, "notebooks")


def keep_out_of_the_site(app: Sphinx) -> None:
    """Write them next to what Sphinx keeps for the next build, and not next to the site."""
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=str(folder(app)))


def keep_kernels_quiet(folder: Path) -> None:
    """Leave out what kernels and their client say of each start; their errors stay."""
    profile = folder / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    settings = 'c = get_config()\nc.IPKernelApp.log_level = "ERROR"\n'
    (profile / "ipython_kernel_config.py").write_text(settings, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(folder)
    logging.getLogger("traitlets").setLevel(logging.WARNING)


def add_link(
    app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Write the notebook of a page next to it, and tell the template its name.

    Cells that the page leaves out, which only check its figures, are left out there, too. Pictures
    are put in, and links to pages become their names, as a notebook is read far from the site.
    """
    notebook = folder(app) / f"{name}.ipynb"
    if doctree is not None and notebook.is_file():
        context["notebook"] = notebook.name
        page = Path(app.builder.get_output_path(name))
        page.parent.mkdir(parents=True, exist_ok=True)
        content = json.loads(notebook.read_text(encoding="utf-8"))
        content["cells"] = [
            cell for cell in content["cells"] if LEFT_OUT not in cell["metadata"].get("tags", [])
        ]
        for cell in content["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = self_contained("".join(cell["source"]), Path(app.srcdir, name))
        page.with_name(notebook.name).write_text(json.dumps(content, indent=1), encoding="utf-8")


def self_contained(text: str, page: Path) -> str:
    """Return the text of a cell without links to files; page: the file that it is from.

    A picture becomes a data URL: JupyterLab shows no SVG that is an attachment (issue 10464).
    """

    def replaced(found: re.Match[str]) -> str:
        file = page.parent / found["file"]
        if found["image"]:
            content = base64.b64encode(file.read_bytes()).decode()
            return f"![{found['text']}](data:image/svg+xml;base64,{content})"
        address = file.with_suffix(".html").name + (found["anchor"] or "")
        return f"{found['text']} ({address})"

    return LINK.sub(replaced, text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Come after myst-nb."""
    quiet = "ignore:IProgress not found"  # of tqdm, which knows of notebooks' widgets
    # Threads of torch spin while they wait for each other: on a busy machine, ten times as long.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), quiet]))
    keep_kernels_quiet(Path(app.doctreedir, "ipython"))
    app.connect("builder-inited", keep_out_of_the_site, priority=900)
    app.connect("html-page-context", add_link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
