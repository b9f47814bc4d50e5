"""What is mended in the built pages, on snippets as the theme writes them."""

import pytest
from bs4 import BeautifulSoup

from tools import pages


def mended(text):
    return BeautifulSoup(pages.mend(text), "html.parser")


def test_a_chevron_is_named_after_the_page_above_it():
    page = mended(
        '<ul><li><a href="x">Targets &amp; trees</a><details><summary><span role="presentation"><i></i>'
        '</span></summary><ul><li><a href="y">Lab</a></li></ul></details></li></ul>'
    )
    assert page.summary["aria-label"] == "Pages under Targets & trees"
    assert page.select("[role=presentation]") == []


def test_no_label_differs_from_the_words_on_a_control():
    page = mended(
        '<summary aria-label="Toggle hidden content"><p>Show the solution</p></summary>'
        '<button class="btn search-button-field" aria-label="Search">Search Ctrl+K</button>'
        '<button class="theme-switch-button" aria-label="Color mode"><i class="fa-sun" title="Light"></i></button>'
    )
    assert not page.summary.has_attr("aria-label") and not page.find("button").has_attr("aria-label")
    assert page.select_one(".theme-switch-button")["aria-label"] == "Color mode" and not page.i.has_attr("title")


def test_the_sidebar_is_a_landmark():
    sidebar = mended('<div id="pst-primary-sidebar"><a href="x">The book</a></div>').div
    assert (sidebar["role"], sidebar["aria-label"]) == ("complementary", "Book")


def test_parameters_and_references_are_lists_that_hold():
    page = mended('<dt class="sig">f(<dl><dd>a,</dd><dd>b</dd></dl>)</dt><dl class="py"><dt>g</dt><dd>text</dd></dl>')
    assert str(page.dt) == (
        '<dt class="sig">f(<span><span class="sig-line">a,</span><span class="sig-line">b</span></span>)</dt>'
    )
    assert [element.name for element in page.dl.find_all(True)] == ["dt", "dd"]
    page = mended(
        '<div role="list"><div class="citation" role="doc-biblioentry">A</div></div><div role="doc-biblioentry">B</div>'
    )
    assert [item.get("role") for item in page.find_all("div")] == ["list", "listitem", None]


def test_the_empty_corner_of_a_table_is_no_header():
    row = mended('<table><tr><th class="head"><p></p></th><th class="head"><p>seconds</p></th></tr></table>').tr
    assert [cell.name for cell in row.find_all(["td", "th"])] == ["td", "th"]


def test_the_badge_of_colab_becomes_words():
    page = mended('<a class="reference" href="x"><img alt="Open in Colab" src="https://c/assets/colab-badge.svg"/></a>')
    assert page.img is None and page.a.get_text() == "Open in Colab" and "colab" in page.a["class"]


@pytest.mark.parametrize("folder", ["../_images", "../../_images"])
def test_a_figure_opens_in_full_size_and_keeps_its_text(folder):
    page = mended(f'<figure><img alt="A tree" src="{folder}/tree.svg"/></figure>')
    assert page.a["href"] == page.img["src"] == f"{folder}/tree.svg" and page.img["alt"] == "A tree"
    linked = f'<a href="{folder}/tree.svg"><img alt="A tree" src="{folder}/tree.svg"/></a>'
    assert len(mended(linked).find_all("a")) == 1, "what is linked already stays as it is"


def test_code_and_formulas_stay_as_they_are_and_twice_mended_is_once():
    text = '<pre><span>a &lt; b\n    c</span></pre><span class="math">\\(x &amp;&lt; y\\)</span>'
    text += "<script>if (1 < 2 && 3) {}</script>"
    assert pages.mend(text) == text
    image = '<img alt="A" src="_images/a.svg"/>'
    assert pages.mend(pages.mend(image)) == pages.mend(image)
