"""The theory pages printed: every formula drawn, links within the file, bookmarks, page numbers."""

import re

import pytest
from browsing import ROOT

from tools import pdf

FEW = ["book/intro", "book/04_clustering", "book/notation"]


@pytest.fixture(scope="module")
def printed(html, tmp_path_factory):
    """A PDF of three pages of the built book, and the HTML that it was printed from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pdf, "theory", lambda root: FEW)
        file = pdf.write(ROOT, html, tmp_path_factory.mktemp("pdf") / "theory.pdf")
    return file.read_bytes(), file.with_suffix(".html").read_text()


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
    assert b"/Dest" in raw and b"https://manifoldgd.github.io" in raw


def test_a_formula_that_was_not_drawn_is_an_error(html, tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "theory", lambda root: ["book/notation"])
    monkeypatch.setattr(pdf, "head", lambda *page: "<script>window.MathJax = {startup: {promise: 1}}</script>")
    with pytest.raises(RuntimeError, match=r"would lack \d+ formulas"):
        pdf.write(ROOT, html, tmp_path / "theory.pdf")
