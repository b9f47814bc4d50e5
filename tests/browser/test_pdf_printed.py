"""The theory pages printed: every formula drawn, links within the file, bookmarks, page numbers."""

import re

import pytest
from browsing import ROOT

from tools import address, pdf

FEW = ["book/intro", "book/04_clustering", "book/notation"]


@pytest.fixture(scope="module")
def printed(chromium, html, tmp_path_factory):
    """A PDF of three pages of the built book, and the HTML that it was printed from."""
    file = tmp_path_factory.mktemp("pdf") / "theory.pdf"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pdf, "theory", lambda root: FEW)
        source = pdf.on_paper(ROOT, html)
    pdf.printed(chromium, source, file)
    return file.read_bytes(), source


def test_a_page_of_theory_is_printed(printed):
    raw, source = printed
    assert raw.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", raw)) > 5
    assert source.count("<article") == 3


def test_there_is_a_bookmark_for_each_heading(printed):
    raw, source = printed
    titles = len(re.findall(rb"/Title[\s(<]", raw)) - 1  # the document has one, too
    assert titles == len(re.findall(r"<h[123]", source))


def test_links_between_pages_stay_in_the_file(printed):
    raw, source = printed
    assert 'href="#book-notation' in source or 'href="#book-04_clustering' in source
    assert b"/Dest" in raw and address.site().encode() in raw


def test_a_formula_or_an_image_that_would_be_missing_is_an_error(chromium, tmp_path):
    mathjax = "<script>window.MathJax = {startup: {promise: Promise.resolve()}}</script>"
    for lacking, said in (('<span class="math">\\(x\\)</span>', "1 formulas"), ('<img src="nowhere.svg">', "1 images")):
        with pytest.raises(RuntimeError, match=said):
            pdf.printed(chromium, f"{mathjax}<article>{lacking}</article>", tmp_path / "theory.pdf")
    assert not (tmp_path / "theory.pdf").exists()


def test_a_tall_figure_keeps_its_shape(chromium, html, tmp_path):
    name = "notebooks/04_cluster"
    page = chromium.new_page(viewport=pdf.VIEW)
    picture = '<img src="data:image/svg+xml,%3Csvg/%3E" style="width: 600px; height: 2400px;">'
    (tmp_path / "paper.html").write_text(
        f"{pdf.head(html, name)}<style>{pdf.STYLE.read_text()}</style><article><figure>{picture}</figure></article>"
    )
    page.emulate_media(media="print")
    page.goto((tmp_path / "paper.html").as_uri())
    image = page.locator("img")
    assert image.evaluate("image => getComputedStyle(image).objectFit") == "contain"
    assert image.bounding_box()["height"] < 450, "a page has room for text, too"
    page.close()


def test_a_wide_table_is_made_to_fit(chromium, tmp_path):
    page = chromium.new_page(viewport=pdf.VIEW)
    cells = "<td>word</td>" * 60
    page.set_content(f"<article><table><tr>{cells}</tr></table><table><tr><td>narrow</td></tr></table></article>")
    wide, narrow = page.locator("table").all()
    before = narrow.bounding_box()["width"]
    assert wide.bounding_box()["width"] > pdf.VIEW["width"]
    page.evaluate(pdf.FIT)
    assert wide.bounding_box()["width"] <= pdf.VIEW["width"] and narrow.bounding_box()["width"] == before
    page.close()
