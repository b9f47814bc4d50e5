"""A Sphinx extension: links of labs to the published book become links between the pages that are being built.

A lab names pages in full, for Colab. In the book they would lead a reader without a network nowhere, and Sphinx could
not say that one is dead.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

from tools.address import Address, relative


def make_relative(app: Sphinx, page: str, source: list[str]) -> None:
    """Change the source of a lab, the text of its notebook, before it is parsed; warn of a page that is not there."""
    if page.startswith("notebooks/"):
        address = Address(app.config.html_theme_options["repository_url"])
        files = {name: PurePosixPath(app.env.doc2path(name)).suffix for name in app.env.found_docs}
        source[0], unknown = relative(source[0], address, "notebooks", files)
        for name in unknown:
            logging.getLogger(__name__).warning("the book has no page %s", name, location=page)


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("source-read", make_relative)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
