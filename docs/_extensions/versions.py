"""Versions of the site next to each other: html/0.1.0/, html/0.2.0/, ... each with its list.

The list is one file for all of them, html/versions.js, which is written whenever one is built. So
those that were built before show those that came later.
"""

import json
from pathlib import Path

from packaging.version import InvalidVersion, Version
from sphinx.application import Sphinx

FIRST = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>rnnlab</title>
<meta http-equiv="refresh" content="0; url={newest}/index.html">
<a href="{newest}/index.html">rnnlab {newest}</a>
</html>
"""


def built(folder: Path) -> list[str]:
    """Return the versions in a folder, newest first."""
    found = {}
    for page in folder.glob("*/index.html"):
        try:
            found[Version(page.parent.name)] = page.parent.name
        except InvalidVersion:
            continue
    return [found[version] for version in sorted(found, reverse=True)]


def write_list(app: Sphinx, error: Exception | None) -> None:
    """Write the list, and a first page that leads to the newest."""
    folder = Path(app.outdir).parent
    if error or Path(app.outdir).name != app.config.version:
        return
    names = built(folder)
    folder.joinpath("versions.js").write_text(f"siteVersions = {json.dumps(names)};\n", "utf-8")
    folder.joinpath("index.html").write_text(FIRST.format(newest=names[0]), "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the list when all pages are written."""
    app.connect("build-finished", write_list)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
