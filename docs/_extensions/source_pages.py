"""Files that pages link to and that are not pages: sources are shown, in the site's own frame.

A report of an experiment is a page of HTML already, which lies next to the one in Markdown; it is
copied. Other files can be downloaded, as Sphinx does.
"""

import shutil
from collections.abc import Iterator
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

LANGUAGES = {
    ".py": "python", ".toml": "toml", ".cc": "cpp", ".h": "cpp", ".c": "c", ".json": "json",
    ".md": "markdown", ".sh": "bash",
}  # fmt: skip
FOLDER = "source/"


def link(app: Sphinx, doctree: nodes.document) -> None:
    """Let links to sources lead to their pages."""
    env = app.env
    for node in [*doctree.findall(addnodes.pending_xref)]:
        target = f"{node['reftarget']}.md"
        if node["refdomain"] == "doc" and node["reftarget"] not in env.found_docs:
            page = Path(app.srcdir, target).with_suffix(".html")
            name = str(Path(target).with_suffix(".html")) if page.is_file() else target
            copied = addnodes.download_reference("", "", *node.children, reftarget=f"/{name}")
            node.replace_self(copied)
    for node in [*doctree.findall(addnodes.download_reference)]:
        name, file = env.relfn2path(node["reftarget"], env.docname)
        if Path(name).suffix in {*LANGUAGES, ".html"} and Path(file).is_file():
            own = app.builder.get_target_uri(env.docname).count("/")
            address = f"{'../' * own}{FOLDER}{name.removesuffix('.html')}.html"
            page = nodes.reference("", "", *node.children, refuri=address, internal=True)
            node.replace_self(page)
            shown(app).setdefault(env.docname, set()).add(name)


def shown(app: Sphinx) -> dict[str, set[str]]:
    """Return the sources that each page links to."""
    if not hasattr(app.env, "rnnlab_sources"):
        app.env.rnnlab_sources = {}
    return app.env.rnnlab_sources


def forget(app: Sphinx, env: object, docname: str) -> None:
    """Forget the sources of a page that is read again."""
    shown(app).pop(docname, None)


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, str], str]]:
    """Make the pages of all sources, and copy what is a page."""
    for name in sorted(set().union(*shown(app).values())):
        if name.endswith(".html"):
            copy = Path(app.outdir, FOLDER, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(app.srcdir, name), copy)
            continue
        text = Path(app.srcdir, name).read_text(encoding="utf-8")
        code = app.builder.highlighter.highlight_block(text, LANGUAGES[Path(name).suffix])
        body = f"<h1><code>{escape(name)}</code></h1>\n{code}"
        yield f"{FOLDER}{name}", {"title": name, "body": body}, "page.html"


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at links after a page was read, and write the pages at the end."""
    app.connect("doctree-read", link, priority=400)  # before Sphinx collects what to copy
    app.connect("env-purge-doc", forget)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
