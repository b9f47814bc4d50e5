"""tools.site: descriptions, titles, canonical addresses, first page, page for lost addresses, list of pages."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from bs4 import BeautifulSoup
from notebook_rules import ROOT
from PIL import Image

from tools import build_book, previews, site

PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title} &#8212; A book</title></head>
<body><article class="bd-article"><section><h1>{title}<a class="headerlink">#</a></h1>{body}</section></article></body>
</html>
"""
SITE = "https://someone.github.io/a-book"


@pytest.fixture
def a_book(tmp_path):
    """Root and built pages of a book with a first page, a lab with a figure, a redirect, source code and a list."""
    (tmp_path / "_config.yml").write_text("title: A book\nrepository: {url: https://github.com/someone/a-book}\n")
    (tmp_path / "_toc.yml").write_text("root: book/intro\n")
    html = tmp_path / "html"
    for folder in ("book", "notebooks", "_images", "_modules", "_static/previews"):
        (html / folder).mkdir(parents=True)
    Image.new("RGB", (300, 200), "red").save(html / "_images" / "red.png")
    picture = '<figure><img alt="Something red" src="../_images/red.png"></figure>'
    texts = {
        "book/intro": ("A book", "<p>This book is on a thing that is <em>less</em> than well known.</p>"),
        "notebooks/01_lab": ("Lab &amp; more", f"<p>You do what nobody did before you.</p>{picture}"),
        "book/empty": ("Empty", "<p>Short.</p>"),
        "_modules/code": ("Code", "<p>Source code that is no page of the book.</p>"),
        "genindex": ("Index", "<p>A list that is no page of the book.</p>"),
    }
    for name, (title, body) in texts.items():
        (html / f"{name}.html").write_text(PAGE.format(title=title, body=body))
    (html / "book" / "old.html").write_text(build_book.REDIRECT.format(new="intro.html"))
    return tmp_path, html


def tags(page):
    """Title, canonical address and meta tags of a page, by name."""
    head = BeautifulSoup(page.read_text(), "html.parser").head
    found = {tag.get("name") or tag.get("property"): tag["content"] for tag in head.find_all("meta", content=True)}
    return found | {"title": head.title.get_text(), "canonical": head.find("link", rel="canonical")["href"]}


def test_every_page_says_what_it_is_where_it_lies_and_how_it_looks(a_book):
    root, html = a_book
    site.finish(root, html)
    lab = tags(html / "notebooks" / "01_lab.html")
    assert lab["title"] == "Lab & more — A book" and lab["og:title"] == "Lab & more"
    assert lab["canonical"] == lab["og:url"] == f"{SITE}/notebooks/01_lab.html"
    assert lab["description"] == lab["og:description"] == "You do what nobody did before you."
    assert lab["og:image"] == f"{SITE}/_static/previews/red.png" and lab["og:image:alt"] == "Something red"
    assert Image.open(html / "_static" / "previews" / "red.png").size == previews.SIZE
    empty = tags(html / "book" / "empty.html")
    assert empty["description"] == "This book is on a thing that is less than well known.", "that of the book"
    assert empty["og:image"] == f"{SITE}/_static/previews/method_at_a_glance.png"


def test_the_books_name_stands_once_in_a_title(a_book):
    root, html = a_book
    site.finish(root, html)
    assert tags(html / "book" / "intro.html")["title"] == tags(html / "index.html")["title"] == "A book"


def test_the_list_of_pages_has_the_books_own_and_no_other(a_book):
    root, html = a_book
    site.finish(root, html)
    names = ElementTree.parse(html / "sitemap.xml").getroot().iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")
    assert [name.text for name in names] == [
        f"{SITE}/{name}.html" for name in ("book/empty", "book/intro", "notebooks/01_lab")
    ]
    assert (html / "robots.txt").read_text().endswith(f"Sitemap: {SITE}/sitemap.xml\n")
    assert "canonical" not in (html / "_modules" / "code.html").read_text()
    assert (html / "book" / "old.html").read_text() == build_book.REDIRECT.format(new="intro.html")


def test_first_page_and_lost_addresses_lead_into_the_book(a_book):
    root, html = a_book
    site.finish(root, html)
    front, lost = (BeautifulSoup((html / name).read_text(), "html.parser") for name in ("index.html", "404.html"))
    assert front.find("meta", attrs={"http-equiv": "refresh"})["content"] == "0; url=book/intro.html"
    assert front.a["href"] == "book/intro.html" == lost.a["href"]
    assert lost.base["href"] == "/a-book/", "whatever address was asked for"
    assert lost.form["action"] == "search.html" and lost.form.input["name"] == "q"
    assert front.html["lang"] == lost.html["lang"] == "en"


LONG = "One sentence of this length. Another one? " * 6


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('<p>Too short.</p><p><img alt="" src="x"></p><p>This one is long enough to say something.</p>', "This one is"),
        (
            '<div class="admonition"><p>A box says more than is wanted.</p></div><p>But this paragraph is it.</p>',
            "But this",
        ),
        (
            r"<p>A sentence of plain words. Then a formula, <span>\(\lambda\)</span>.</p>",
            "A sentence of plain words.",
        ),
        (r"<p>A letter alone, <span>\(x\)</span>, can be read by all.</p>", "A letter alone, x, can be read by all."),
        (f"<p>{LONG}</p>", LONG[: LONG.rindex("One", 0, 200)].strip()),
        (f"<p>{'word ' * 60}</p>", "word word"),
        ("<p>None.</p>", ""),
    ],
)
def test_a_description_is_a_first_paragraph_that_can_be_read(text, wanted):
    said = site.description(BeautifulSoup(text, "html.parser"))
    assert said.startswith(wanted) and bool(said) == bool(wanted) and len(said) <= site.LONGEST
    assert "\\" not in said and (not said or said[-1] in ".?…")


def test_old_titles_are_kept():
    assert site.once("A page — A book", "A book") == "A page — A book"
    assert site.once("A book — A book", "A book") == "A book"


def test_the_first_page_of_this_book_is_the_one_that_was_tested_here():
    assert re.search(r"^root: book/intro$", (ROOT / "_toc.yml").read_text(), re.MULTILINE)
