"""Pages that are there in two languages: each leads to the other."""

from typing import Any

from accessible import CHINESE
from addresses import FOLDER
from docutils import nodes
from sphinx.application import Sphinx

ENGLISH = {"code": "en", "name": "English"}
SIMPLIFIED_CHINESE = {"code": "zh-CN", "name": "简体中文"}


def add_link(
    app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Tell the template the address of a page in the other language, unless the page names it."""
    if name.startswith(CHINESE):
        other, language = FOLDER + name.removeprefix(CHINESE), ENGLISH
    else:
        other, language = CHINESE + name.removeprefix(FOLDER), SIMPLIFIED_CHINESE
    if doctree is not None and other in app.env.found_docs:
        address = app.builder.get_relative_uri(name, other)
        if not any(link.get("refuri") == address for link in doctree.findall(nodes.reference)):
            context["translation"] = {**language, "address": address}


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at each page before it is written."""
    app.connect("html-page-context", add_link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
