"""The site, from the same Markdown files: python -m sphinx -W -b html docs docs/_build/html

What GitHub does by itself and Sphinx does not is done in `beside.py`.
"""

import sys
from importlib import metadata
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

project = "minirnn"
root_doc = "README"
language = "en"  # with en_GB the search stumbles over a missing plural (Sphinx 9.0)
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinxext.opengraph",
    "beside",
]
exclude_patterns = ["_build", "site", "results", "lesson"]
source_suffix = {".md": "markdown"}

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True

# One file that holds MathJax and its letters, from a package on PyPI: the pages fetch nothing.
mathjax_path = "tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "furo"
html_title = "minirnn"
html_static_path = [
    "site/static",
    str(
        metadata.distribution("sphinx-mathjax-offline").locate_file(
            "sphinx-mathjax-offline/static/mathjax/tex-svg.js"
        )
    ),
]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sections.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_css_files = ["site.css"]
html_favicon = "site/static/favicon.svg"
# Not of the column beside it, nor of what a program prints.
copybutton_selector = "article div[class^=highlight-]:not(.highlight-text) pre"
copybutton_exclude = ".linenos, .gp, .go"  # prompts, and what they answer
html_js_files = [("site.js", {"defer": "defer"})]
templates_path = ["site/templates"]
ogp_site_name = "minirnn"
ogp_social_cards = {"enable": False}
ogp_description_length = 160
html_copy_source = False
html_show_copyright = False
html_use_index = False
html_show_search_summary = False  # it would fetch the pages, which a page on the disk may not
highlight_language = "none"  # of a block that does not name its own
pygments_style = "a11y-high-contrast-light"  # from accessible-pygments, which furo brings along
pygments_dark_style = "github-dark"
