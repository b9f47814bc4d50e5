"""A page for addresses that lead nowhere, as GitHub Pages shows it: at any depth, under the book's own folder."""

import http.server
import threading
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tools import address


@pytest.fixture(scope="module")
def published(html):
    """The address of the book in the folder that it is published in; what is not there is answered by 404.html."""
    folder = urlsplit(address.site()).path

    class Pages(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=html)

        def do_GET(self):
            inside = self.path.startswith(f"{folder}/")
            self.path = self.path.removeprefix(folder)
            if inside and (html / urlsplit(self.path).path.strip("/")).exists():
                return super().do_GET()
            self.send_response(404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write((html / "404.html").read_bytes())

        def log_message(self, *said):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{folder}"
        server.shutdown()


@pytest.mark.parametrize("lost", ["nothing", "book/nothing.html", "a/b/c/d.html?x=1"])
def test_a_lost_reader_finds_the_way_back_from_any_depth(open_page, published, lost):
    page = open_page(f"{published}/{lost}")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no page at this address")
    page.get_by_role("link").click()
    page.wait_for_url(f"{published}/book/intro.html")
    expect(page.locator("article h1")).to_contain_text("ManifoldGD, step by step")


def test_a_lost_reader_can_search(open_page, published):
    page = open_page(f"{published}/book/deep/nothing.html")
    page.get_by_label("Search the book").fill("tangent")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(f"{published}/search.html?q=tangent")
    expect(page.locator("#search-results .search-summary")).to_contain_text("found")


def test_the_first_page_leads_into_the_book(open_page, html):
    page = open_page((html / "index.html").as_uri())
    page.wait_for_url((html / "book" / "intro.html").as_uri())
