"""Every page of the built book: without a network, in both themes, on a phone and on a screen.

Formulas are drawn, nothing is asked of another host, the console is silent. No page scrolls sideways, what
scrolls inside one says so, and axe-core objects to nothing.
"""

import re

import pytest
from browsing import ROOT
from playwright.sync_api import expect
from reader import accessibility, wrongs

from tools.build_book import MOVED

HTML = ROOT / "_build" / "html"
LEAD_ON = {"index.html", *(f"{old}.html" for old in MOVED)}  # at once, which test_addresses.py shows


def pages():
    """The built pages by name; without a book there is one to fail for."""
    built = (path.relative_to(HTML) for path in HTML.rglob("*.html"))
    return sorted(path.as_posix() for path in built if path.as_posix() not in LEAD_ON and "_static" not in path.parts)


SCREENS = [(1280, "light"), (380, "light"), (380, "dark"), (1280, "dark")]


@pytest.mark.parametrize("name", pages() or ["book/intro.html"])
def test_a_page_serves_everyone(open_page, html, name):
    page = open_page((html / name).as_uri(), offline=True)
    assert {screen: found for screen in SCREENS if (found := wrongs(page, *screen))} == {}
    assert page.problems == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_code_is_legible_whatever_its_words(open_page, html, theme):
    style = (html / "_static" / "pygments.css").read_text(encoding="utf-8")
    kinds = sorted(set(re.findall(r"\.highlight \.(\w+)", style)) - {"hll"})
    page = open_page((html / "book" / "api.html").as_uri(), color_scheme=theme)
    words = " ".join(f'<span class="{kind}">{kind}</span>' for kind in kinds)
    code = f'<h1>Code</h1><div class="highlight"><pre>{words}</pre></div>'
    page.evaluate("html => { document.querySelector('article').innerHTML = html; }", code)
    assert len(kinds) > 50 and accessibility(page) == []


# --- and what the keyboard, the mouse and paper make of a page --------------------------------------------------------


def test_what_scrolls_is_reached_and_moved_by_keyboard_and_fades_where_it_goes_on(open_page, html):
    page = open_page((html / "notebooks" / "06_guide.html").as_uri(), viewport={"width": 380, "height": 800})
    code = page.get_by_role("region", name="Code 3, scrolls sideways")
    expect(code).to_have_class("more-after")
    code.focus()
    page.keyboard.press("ArrowRight")
    expect(code).to_have_class("more-after more-before")
    assert code.evaluate("box => box.scrollLeft") > 0
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.get_by_role("region", name="scrolls sideways")).to_have_count(0)


def test_a_figure_opens_in_full_size(open_page, html):
    page = open_page((html / "book" / "04_clustering.html").as_uri())
    page.locator("#fig-tree img").click()
    page.wait_for_url("**/_images/tree.svg")


def test_a_page_goes_to_paper_whole_light_and_with_sharp_figures(open_page, html):
    page = open_page((html / "book" / "04_clustering.html").as_uri(), offline=True, color_scheme="dark")
    page.evaluate("() => MathJax.startup.promise.then(() => null)")
    page.evaluate("addEventListener('beforeprint', () => { window.printed = document.documentElement.dataset.theme; })")
    pdf = page.pdf()
    assert page.evaluate("window.printed") == "light"
    assert b"/Subtype /Image" not in pdf, "figures and formulas are drawn, not painted"
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.emulate_media(media="print")
    expect(page.locator("article h1")).to_be_visible()
    for name in ("#pst-primary-sidebar", "#pst-secondary-sidebar", ".bd-header-article", ".prev-next-footer"):
        expect(page.locator(name)).to_be_hidden()
    assert page.evaluate("document.querySelector('.bd-article').getBoundingClientRect().left") == 0


# --- the questions can be answered with no ---------------------------------------------------------------------------

FAULTY = """<!doctype html><html lang="en"><title>A page</title><main><article><h1>A page</h1>
<img src="https://example.org/badge.svg" alt="badge"><button></button>
<img src="_images/tree.svg" alt="A tree"><span class="math">\\(x\\)</span>
<pre style="overflow: auto">LONG LONG LONG</pre>
<div class="highlight"><pre style="white-space: normal; width: 9em">LONG</pre></div>
<p style="width: 2000px; color: #aaa">wide</p></article></main><script>nothing.at.all</script>""".replace(
    "LONG", 40 * "x "
)


def test_a_faulty_page_is_found_out(open_page, tmp_path):
    (tmp_path / "page.html").write_text(FAULTY, encoding="utf-8")
    page = open_page((tmp_path / "page.html").as_uri(), offline=True)
    told = "\n".join(wrongs(page, 1280))
    for words in (
        "of 1 formulas 0 are drawn",
        "the page is 2",
        "scrolls sideways and does not say so: <pre",
        "code is wider than its column: x x",
        "does not open in full size, or has no text",
        "button-name: <button>",
        "color-contrast: <p",
    ):
        assert words in told
    assert "https://example.org/badge.svg" in page.problems
    assert any("nothing is not defined" in problem for problem in page.problems)
