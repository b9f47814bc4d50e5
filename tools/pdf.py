"""The theory pages as one PDF, printed from the built book by a Chromium that is there.

The articles of the pages stand one after the other in one file of HTML: so links between them stay links, and Chromium
makes page numbers, and bookmarks from the headings. What a page computes is shown, how it computes is not.
"""

from __future__ import annotations

import html as markup
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import yaml
from bs4 import BeautifulSoup, SoupStrainer, Tag

from tools import address

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STYLE = Path(__file__).with_name("pdf.css")
# What only a screen can use: code and its folds, links of headings, buttons, the list of a page's parts, film controls
ON_SCREEN = "script, .cell_input, details.hide, a.headerlink, button, .toctree-wrapper, .last-verified, .player"
VIEW = {"width": 643, "height": 960}  # pixels of the text on A4: tables are measured at the width that they get
# A table or a formula that is wider than the page is made smaller
FIT = """() => {
  const room = document.querySelector("article").clientWidth;
  for (const wide of document.querySelectorAll("article table, article mjx-container[display='true'], article pre"))
    if (wide.scrollWidth > room) wide.style.zoom = 0.98 * room / wide.scrollWidth;
}"""
PAPER = """<!doctype html>
<html lang="en" data-theme="light" data-mode="light">
<head>
<meta charset="utf-8">
<title>{title}</title>
{head}
<style>{style}</style>
</head>
<body>
<header class="title-page">
<p class="book">{title}</p>
<p>{author}</p>
<p>Theory pages and appendices. The labs, the playground and the newest edition:<br><a href="{site}">{site}</a></p>
<p>Version {version}. Prose and figures: CC BY 4.0. Code: Apache License 2.0.</p>
</header>
<nav><p class="contents">Contents</p>{contents}</nav>
{articles}
</body>
</html>
"""


def theory(root: Path) -> list[str]:
    """Names of the pages that are printed, in the book's order: what explains, no labs, lists of code or quizzes."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    names = [toc["root"]]
    for chapter in [chapter for part in toc["parts"] for chapter in part["chapters"]]:
        names += [chapter["file"], *(section["file"] for section in chapter.get("sections", []))]
    wanted = r"book/(intro|refreshers/\w+|\d\d_\w+|what_the_numbers_say|appendix_\w+|notation|glossary|references)"
    return [name for name in names if re.fullmatch(wanted, name)]


def anchor(name: str, place: str = "") -> str:
    """The name of a place in the one file, where several pages may have a place called the same."""
    return "--".join(filter(None, (name.replace("/", "-"), place)))


def article(html: Path, name: str, names: list[str], site: str) -> Tag:
    """The article of a built page, ready for paper: links lead to places in the file or to the web, folds are open."""
    page = html / f"{name}.html"
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser", parse_only=SoupStrainer("article"))
    found = soup.article
    if found is None:
        raise ValueError(f"page must hold an article; {page} does not. Build the book first: make book.")
    for element in found.select(ON_SCREEN):
        element.decompose()
    for element in found.select("details"):
        element["open"] = ""
    for element in found.select(".dropdown, .toggle"):
        element["class"] = [word for word in element["class"] if word not in ("dropdown", "toggle")]
    for element in found.select("[id]"):
        element["id"] = anchor(name, element["id"])
    for image in found.select("img[src]"):
        if not urlsplit(image["src"]).scheme:
            image["src"] = (page.parent / image["src"]).resolve().as_uri()
            image["loading"] = "eager"  # all of them are wanted at once
    for link in found.select("a[href]"):
        if link.get_text(strip=True) in link["href"]:
            del link["class"]  # its address need not be said twice
        link["href"] = destination(link["href"], name, names, site)
    found["id"] = anchor(name)
    return found


def destination(href: str, name: str, names: list[str], site: str) -> str:
    """Where a link of page `name` leads on paper: into the file if the page it leads to is printed, or to the web."""
    if urlsplit(href).scheme:
        return href
    path, _, place = urljoin(f"/{name}.html", href).partition("#")
    target = path.removeprefix("/").removesuffix(".html")
    return f"#{anchor(target, place)}" if target in names else f"{site}{path}" + (f"#{place}" if place else "")


def head(html: Path, name: str) -> str:
    """Style sheets and MathJax of a built page, by their place in the file system."""
    page = html / f"{name}.html"
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    scripts = [tag for tag in soup.head.select("script") if re.search(r"mathjax|/tex-", str(tag), re.IGNORECASE)]
    kept = [*soup.head.select("link[rel=stylesheet]"), *scripts]
    for tag in kept:
        key = "href" if tag.name == "link" else "src"
        if key in tag.attrs and not urlsplit(tag[key]).scheme:
            tag[key] = (page.parent / tag[key].partition("?")[0]).resolve().as_uri()
    return "\n".join(map(str, kept))


def on_paper(root: Path, html: Path) -> str:
    """The whole document as HTML."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    names, site = theory(root), address.site(root)
    articles = [article(html, name, names, site) for name in names]
    lines = [
        f'<li><a href="#{anchor(name)}">{markup.escape(found.h1.get_text().strip())}</a></li>'
        for name, found in zip(names, articles, strict=True)
    ]
    return PAPER.format(
        title=markup.escape(config["title"]),
        author=markup.escape(config["author"]),
        version=yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))["version"],
        site=site,
        head=head(html, names[0]),
        style=STYLE.read_text(encoding="utf-8"),
        contents=f"<ol>{''.join(lines)}</ol>",
        articles="\n".join(map(str, articles)),
    )


def launch(playwright: Any) -> Any:
    """Start a Chromium that is installed; raises RuntimeError where none is."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise RuntimeError(f"A PDF is printed by a browser, one of {', '.join(BROWSERS)}. apt-get install chromium")
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])


def write(root: Path, html: Path, file: Path) -> Path:
    """Print the theory pages of the book built at `html` into `file`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        printed(browser, on_paper(root, html), file)
        browser.close()
    return file


def printed(browser: Any, document: str, file: Path) -> None:
    """Let a browser print a document of HTML; raises RuntimeError for a formula left as TeX, or an image not found."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "paper.html"
        source.write_text(document, encoding="utf-8")
        page = browser.new_page(viewport=VIEW)
        page.set_default_timeout(180_000)  # milliseconds, for a machine that is busy
        page.emulate_media(media="print", color_scheme="light")
        page.goto(source.as_uri())
        page.wait_for_function("window.MathJax?.startup?.promise")
        page.evaluate("MathJax.startup.promise")
        raw = page.locator(".math:not(:has(mjx-container))").all_inner_texts()
        missing = page.evaluate("[...document.images].filter((one) => !one.naturalWidth).map((one) => one.src)")
        if raw or missing:
            lacks = f"{len(raw)} formulas ({raw[:3]}), {len(missing)} images ({missing[:3]})"
            raise RuntimeError(f"The PDF would lack {lacks}. Build the book again: make book.")
        page.evaluate(FIT)
        page.pdf(path=file, prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
        page.close()
