"""How Sphinx makes the site: `make docs`.

Its sources are this folder and the Markdown that lies next to what it tells of, in benchmarks/ and
experiments/. So Sphinx reads from the root of the repository, and a link from page to page is the
same in the repository and on the site.
"""

import sys
from pathlib import Path

from rnnlab import __version__

sys.path.insert(0, str(Path(__file__).with_name("_extensions")))

project = "rnnlab"
copyright = "the authors of rnnlab, Apache-2.0"
version = release = __version__
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "CONTRIBUTING.md",
    "benchmarks/*.md",
    "experiments/*.md",
    "experiments/*/RESULT.md",
]
exclude_patterns = [
    *(".*", "runs", "data", "src", "tests", "native", "build", "dist", "docs/_*"),
    *("experiments/*/runs", "experiments/*/quick", "benchmarks/templates"),
]
extensions = [
    *("myst_nb", "accessible", "addresses", "generated", "mathml", "notebooks", "source_pages"),
    "translations",
    "versions",
]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_update_mathjax = False
smartquotes = False  # would make another sign of --

nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).with_name("_build") / "notebooks")
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_output_stderr = "warn"  # a chapter has nothing to say there
nb_ipywidgets_js = {}  # would be loaded from another host

html_theme = "furo"
html_title = f"rnnlab {version}"
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_domain_indices = html_use_index = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_sidebars = {
    "**": [
        f"sidebar/{part}.html"
        for part in (
            "brand", "search", "scroll-start", "navigation", "versions", "scroll-end",
        )
    ]
}  # fmt: skip
templates_path = ["_templates"]
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
