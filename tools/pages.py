"""Pages that need no network: a Sphinx extension of the book, named in `_config.yml`."""

from __future__ import annotations

from importlib.metadata import distribution
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

# MathJax in one file that draws formulas as SVG: no fonts, which browsers may refuse to a page opened as a file
MATHJAX = "sphinx-mathjax-offline/static/mathjax/tex-svg.js"


def use_local_mathjax(app: Sphinx, config: Config) -> None:
    """Take MathJax from the package that ships it, and let pages load that copy."""
    path = distribution("sphinx-mathjax-offline").locate_file(MATHJAX)
    config.html_static_path.append(str(path))
    config.mathjax_path = path.name


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the hooks to Sphinx."""
    app.connect("config-inited", use_local_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
