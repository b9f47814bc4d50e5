"""Pages for everyone, with or without a network: a Sphinx extension of the book, named in `_config.yml`.

It lets pages load MathJax from this very book, and mends in every built page what the theme leaves undone for readers
who listen, or use a keyboard. Whether it is enough is asked by `tests/browser/test_everyone.py`.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bs4 import BeautifulSoup

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

# MathJax in one file that draws formulas as SVG: no fonts, which browsers may refuse to a page opened as a file
MATHJAX = "sphinx-mathjax-offline/static/mathjax/tex-svg.js"


def use_local_mathjax(app: Sphinx, config: Config) -> None:
    """Take MathJax from the package that ships it, and let pages load that copy."""
    path = Path(str(distribution("sphinx-mathjax-offline").locate_file(MATHJAX)))
    config.html_static_path.append(str(path))
    config.mathjax_path = path.name


def name_controls(page: BeautifulSoup) -> None:
    """Give a name to what can be pressed, and let no name differ from the words that stand there."""
    for chevron in page.select("li > details > summary"):
        above = chevron.find_parent("li").find("a", recursive=False)
        if above and not chevron.get_text(strip=True):
            chevron["aria-label"] = f"Pages under {above.get_text(' ', strip=True)}"
            del chevron.span["role"]
    for labelled in page.select("summary[aria-label='Toggle hidden content'], button.search-button-field"):
        del labelled["aria-label"]  # its own words say it better
    for icon in page.select("i[class*='fa-'][title]"):
        del icon["title"]  # it would become a word of the button's that its label lacks


def name_regions(page: BeautifulSoup) -> None:
    """Make a landmark of the sidebar, which holds the name of the book and the search beside the contents."""
    for sidebar in page.select("#pst-primary-sidebar"):
        sidebar["role"], sidebar["aria-label"] = "complementary", "Book"


def mend_lists(page: BeautifulSoup) -> None:
    """Let lists be lists: of references; and lines of parameters, which have no terms, be lines."""
    for parameters in page.select(".sig dl"):
        for line in parameters.find_all("dd", recursive=False):
            line.name, line["class"] = "span", "sig-line"
        parameters.name = "span"
    for reference in page.select("[role='doc-biblioentry']"):
        if reference.find_parent(role="list"):
            reference["role"] = "listitem"
        else:
            del reference["role"]


def mend_tables(page: BeautifulSoup) -> None:
    """Let the empty corner of a table be a cell: a header must have words."""
    for corner in page.select("th"):
        if not corner.get_text(strip=True) and not corner.find("img"):
            corner.name = "td"


def write_badges(page: BeautifulSoup) -> None:
    """Write Colab's badge out, which is a picture on another host; `book.css` makes a button of it."""
    for badge in page.select("a > img[src*='colab-badge']"):
        badge.parent["class"] = [*badge.parent.get("class", []), "colab"]
        badge.replace_with(badge["alt"])


def link_figures(page: BeautifulSoup) -> None:
    """Link each figure to its picture, where it can be seen in full size."""
    for picture in page.select("img[src*='_images/']"):
        if not picture.find_parent("a"):
            picture.wrap(page.new_tag("a", attrs={"class": "image-reference", "href": picture["src"]}))


MENDED = (name_controls, name_regions, mend_lists, mend_tables, write_badges, link_figures)


def mend(text: str) -> str:
    """A page with all of it mended."""
    page = BeautifulSoup(text, "html.parser")
    for part in MENDED:
        part(page)
    return str(page)


def mend_pages(app: Sphinx, exception: Exception | None) -> None:
    """Mend every page of the book that was built."""
    if exception or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*.html")):
        if "_static" not in path.relative_to(app.outdir).parts:
            path.write_text(mend(path.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the hooks to Sphinx."""
    app.connect("config-inited", use_local_mathjax)
    app.connect("build-finished", mend_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
