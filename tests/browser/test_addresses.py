"""Old addresses lead to the new pages, and the search finds the chapter, on the web and in files."""

import http.server
import threading
from functools import partial

import pytest
from playwright.sync_api import expect

from tools.build_book import MOVED


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder; nothing is logged, and the icon that browsers ask every site for is empty."""

    def log_message(self, *said):
        pass

    def do_GET(self):
        if self.path == "/favicon.ico":
            self.send_response(204)
            return self.end_headers()
        return super().do_GET()


@pytest.fixture(scope="module")
def site(html):
    """The address of the book, served as on the web: from a file, browsers refuse what a search reads."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=html)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_an_old_address_leads_to_the_new_page_and_keeps_the_place_in_it(open_page, html, old, new):
    page = open_page((html / f"{old}.html").as_uri() + "#there")
    page.wait_for_url((html / f"{new}.html").as_uri() + "#there")
    expect(page.locator("article h1").first).to_be_visible()


def test_without_javascript_the_redirect_works_as_well(open_page, html):
    old, new = next(iter(MOVED.items()))
    page = open_page((html / f"{old}.html").as_uri(), java_script_enabled=False)
    page.wait_for_url((html / f"{new}.html").as_uri())


def found(page, folder):
    """The first three pages that the search names."""
    expect(page.locator("#search-results .search-summary")).to_contain_text("found")
    links = page.locator("#search-results li a").evaluate_all("links => links.map((link) => link.href)")
    return [address.removeprefix(f"{folder}/").split("#")[0].split("?")[0] for address in links][:3]


def test_a_search_for_diffusion_model_finds_the_chapter(open_page, site):
    page = open_page(f"{site}/search.html?q=diffusion+model")
    assert "book/02_noise.html" in found(page, site)
    expect(page.locator("#search-results .context").first).to_be_visible()
    assert [problem for problem in page.problems if not problem.startswith(site)] == []


def test_so_does_a_search_in_files_without_a_network(open_page, html):
    page = open_page(html.as_uri() + "/search.html?q=diffusion+model", offline=True)
    assert "book/02_noise.html" in found(page, html.as_uri())
    assert page.problems == []
