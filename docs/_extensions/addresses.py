"""Addresses of pages without docs/, where most of them lie: how-to/doctor.html."""

import json
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder

FOLDER = "docs/"


class SiteBuilder(StandaloneHTMLBuilder):
    """Writes HTML; a page of docs/ lies at the top."""

    def init(self) -> None:
        """Keep the search index that the next build goes on from out of the site."""
        super().init()
        self.searchindex_filename = str(Path(self.doctreedir, "searchindex.js"))

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        """Return the address of a page."""
        return super().get_target_uri(docname.removeprefix(FOLDER), typ)

    def get_output_path(self, page_name: str, /) -> Path:
        """Return the file of a page."""
        return super().get_output_path(page_name.removeprefix(FOLDER))

    def dump_search_index(self) -> None:
        """Write the index that the site's search reads, which has these addresses."""
        super().dump_search_index()
        head, _, content = Path(self.searchindex_filename).read_text("utf-8").partition("(")
        index = json.loads(content.removesuffix(")"))
        index["docnames"] = [name.removeprefix(FOLDER) for name in index["docnames"]]
        Path(self.outdir, "searchindex.js").write_text(f"{head}({json.dumps(index)})", "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Take the place of Sphinx's own builder of HTML."""
    app.add_builder(SiteBuilder, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
