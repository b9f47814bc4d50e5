"""A Chromium that is there already, pages that remember what went wrong, and the built book.

These tests run under `make browser`, after `make book`; no other run collects them.
"""

import shutil

import pytest
from browsing import ROOT
from playwright.sync_api import expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
OPTIONS += ["--disable-component-update", "--disable-sync"]
PATIENCE = 60_000  # milliseconds: the machine may be busy

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium():
    """The browser; fails where there is none, for a test that was asked for and skipped would say nothing."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail(f"A browser is needed, one of {', '.join(NAMES)}. On Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """`open_page(url, **options of a context)`: a loaded page, whose `.problems` lists errors and requests outside."""
    contexts = []

    def opened(url, **options):
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.problems = []
        page.on("console", lambda said: said.type == "error" and page.problems.append(said.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("requestfailed", lambda request: page.problems.append(f"failed: {request.url}"))
        page.on("request", lambda request: request.url.startswith("http") and page.problems.append(request.url))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def html():
    """The folder of the built book."""
    folder = ROOT / "_build" / "html"
    if not (folder / "index.html").exists():
        pytest.fail("The book is not built: run `make book` first.")
    return folder
