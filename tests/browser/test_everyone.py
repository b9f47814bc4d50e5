"""Every page of the built book: without a network, in both themes, on a phone and on a screen.

Formulas are drawn, nothing is asked of another host, the console is silent; no page scrolls sideways, what scrolls inside
it says so, and axe-core has nothing to object.
"""

import pytest
from browsing import ROOT
from reader import wrongs

from tools.build_book import MOVED

HTML = ROOT / "_build" / "html"
LEAD_ON = {"index.html", *(f"{old}.html" for old in MOVED)}  # at once, which test_addresses.py shows


def pages():
    """The built pages by name; without a book there is one to fail for."""
    built = (path.relative_to(HTML) for path in HTML.rglob("*.html"))
    return sorted(path.as_posix() for path in built if path.as_posix() not in LEAD_ON and "_static" not in path.parts)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", pages() or ["book/intro.html"])
def test_a_page_serves_everyone(open_page, html, name, theme):
    page = open_page((html / name).as_uri(), offline=True, color_scheme=theme)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert {width: found for width in (1280, 380) if (found := wrongs(page, width))} == {}
    assert page.problems == []
