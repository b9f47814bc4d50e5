"""tools.pdf: articles of the theory made ready for paper; `tests/browser/test_pdf_printed.py` prints them."""

import pytest
from bs4 import BeautifulSoup
from notebook_rules import ROOT

from tools import pdf

SITE = "https://someone.github.io/a-book"
BODY = """<article class="bd-article"><section id="top"><h1>Title<a class="headerlink" href="#top">#</a></h1>
<p><a class="reference internal" href="02_b.html#part">b</a> <a href="../notebooks/01_a.html">lab</a>
<a href="#top">up</a>
<a class="reference external" href="https://elsewhere">out</a> <a class="external" href="https://u">https://u</a></p>
<div class="cell"><div class="cell_input">code</div><details class="admonition hide above-input">code</details>
<div class="cell_output">result<script>js</script></div></div><details><summary>Q</summary>A</details>
<div class="dropdown admonition">open</div><img src="../_images/a.svg" alt="A"></section></article>"""


@pytest.fixture
def a_page(tmp_path):
    """The folder of a built book with one page of theory."""
    (tmp_path / "book").mkdir()
    links = '<link rel="stylesheet" href="../_static/a.css?v=1"><script src="../_static/tex-svg.js?v=2"></script>'
    other = '<script src="../_static/search.js"></script><script>window.MathJax = {}</script>'
    (tmp_path / "book" / "01_a.html").write_text(f"<html><head>{links}{other}</head><body>{BODY}</body></html>")
    return tmp_path


def test_theory_is_printed_in_the_books_order_and_nothing_else():
    names = pdf.theory(ROOT)
    assert names[0] == "book/intro" and names[-1] == "book/references"
    chapters = [name for name in names if name[5:7].isdigit()]
    assert chapters == sorted(path.relative_to(ROOT).with_suffix("").as_posix() for path in ROOT.glob("book/[0-9]*.md"))
    assert {"book/notation", "book/appendix_trees", "book/refreshers/pca"} <= set(names)
    assert not {"book/playground", "book/api", "notebooks/01_question", "book/questions/chapter_01"} & set(names)


def test_an_article_becomes_paper(a_page):
    found = pdf.article(a_page, "book/01_a", ["book/01_a", "book/02_b"], SITE)
    text = " ".join(found.get_text().split())
    assert "code" not in text and "js" not in text and "#" not in text
    assert "result" in text and "open" in text and found.h1.get_text() == "Title"
    assert found.details.has_attr("open") and "dropdown" not in str(found)
    assert found["id"] == "book-01_a" and found.section["id"] == "book-01_a--top"
    assert found.img["src"] == (a_page / "_images" / "a.svg").as_uri()
    links = {link.get_text(): link["href"] for link in found.select("a")}
    assert links["b"] == "#book-02_b--part" and links["up"] == "#book-01_a--top"
    assert links["lab"] == f"{SITE}/notebooks/01_a.html" and links["out"] == "https://elsewhere"
    assert [link.get_text() for link in found.select("a.external")] == ["out"], "an address is not said twice"


def test_a_page_without_an_article_is_refused(a_page):
    (a_page / "book" / "02_b.html").write_text("<p>moved</p>")
    with pytest.raises(ValueError, match=r"must hold an article; .*02_b\.html does not"):
        pdf.article(a_page, "book/02_b", [], SITE)


def test_style_and_mathjax_are_taken_by_their_place(a_page):
    soup = BeautifulSoup(pdf.head(a_page, "book/01_a"), "html.parser")
    static = a_page / "_static"
    assert soup.link["href"] == (static / "a.css").as_uri()
    assert [script.get("src") for script in soup.select("script")] == [(static / "tex-svg.js").as_uri(), None]


def test_the_document_has_a_title_page_and_contents(a_page, monkeypatch):
    monkeypatch.setattr(pdf, "theory", lambda root: ["book/01_a"])
    soup = BeautifulSoup(pdf.on_paper(ROOT, a_page), "html.parser")
    assert soup.title.get_text() == soup.select_one(".title-page .book").get_text() == "ManifoldGD, step by step"
    assert soup.nav.li.a["href"] == "#book-01_a" and soup.nav.li.get_text() == "Title"
    assert len(soup.select("article")) == 1 and "@page" in soup.style.get_text()
    assert soup.html["data-theme"] == "light"


def test_without_a_browser_the_command_says_what_it_takes(monkeypatch):
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="printed by a browser, one of chromium"):
        pdf.launch(None)
