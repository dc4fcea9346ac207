"""How Sphinx makes the manual: ``make docs``."""

import os
import re

import everloop

project = "everloop"
author = "The everloop authors"
copyright = author
version = release = everloop.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "everloop"
# It is a part of other pages.
exclude_patterns = ["porting/differs.md"]

autodoc_member_order = "bysource"
copybutton_exclude = ".linenos, .gp, .go"

# A build needs no network; with EVERLOOP_DOCS_ONLINE=1 it links to Python's own manual.
intersphinx_mapping = (
    {"python": ("https://docs.python.org/3", None)}
    if os.environ.get("EVERLOOP_DOCS_ONLINE")
    else {}
)


def as_restructured_text(app, what, name, kind, options, lines):
    """Docstrings are written to be read by help(): their marks are no markup."""
    for number, line in enumerate(lines):
        line = line.replace("\\", "\\\\").replace("*", "\\*").replace("|", "\\|")
        line = re.sub(r"(?<![\w`])`([^`]+)`(?!`)", r"``\1``", line)
        line = re.sub(r"_(?=\W|$)", r"\\_", line)
        lines[number] = re.sub(r"^(\w+): ", r"**\1**: ", line)
    # Each argument is a paragraph of its own.
    for number in range(len(lines) - 1, 0, -1):
        if lines[number].startswith("**") and lines[number - 1]:
            lines.insert(number, "")


def setup(app):
    app.connect("autodoc-process-docstring", as_restructured_text)
