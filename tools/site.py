"""What the built book needs to be found on the web, added to its pages once Sphinx has written them.

Each page gets a description, its canonical address and a preview picture. The site gets a first page, a page for
addresses that lead nowhere, and a list of its pages for search engines. All addresses follow from `tools.address`.
"""

from __future__ import annotations

import html as markup
import re
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from bs4 import BeautifulSoup, SoupStrainer

from tools import address, previews

SHORTEST, LONGEST = 25, 200  # characters of a description; search engines show fewer still
NOT_CONTENT = ("search.html", "genindex.html", "py-modindex.html", "404.html", "index.html")
HEAD = """\
<link rel="canonical" href="{url}">
<meta name="description" content="{description}">
<meta property="og:type" content="article">
<meta property="og:site_name" content="{book}">
<meta property="og:title" content="{title}">
<meta property="og:description" content="{description}">
<meta property="og:url" content="{url}">
<meta property="og:image" content="{picture}">
<meta property="og:image:width" content="{width}">
<meta property="og:image:height" content="{height}">
<meta property="og:image:alt" content="{alt}">
<meta name="twitter:card" content="summary_large_image">
"""
FIRST_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{book}</title>
{head}<meta http-equiv="refresh" content="0; url={root}.html">
</head>
<body><p><a href="{root}.html">{book}: go to the first page</a>.</p></body>
</html>
"""
# GitHub Pages shows it at whatever address was asked for: its own links start from the base
NOT_FOUND = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>No page here — {book}</title>
<base href="{base}">
<script>
const chosen = localStorage.getItem("mode") || "auto", dark = matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.dataset.theme = chosen === "auto" ? (dark ? "dark" : "light") : chosen;
</script>
<style>
:root {{ color-scheme: light; background: #fff; color: #222; }}
:root[data-theme="dark"] {{ color-scheme: dark; background: #121212; color: #eee; }}
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto 2rem; padding: 0 1rem; }}
input, button {{ font: inherit; padding: 0.3rem 0.6rem; max-width: 100%; }}
a {{ color: #00538a; }}
:root[data-theme="dark"] a {{ color: #8ab4f8; }}
</style>
</head>
<body>
<main>
<h1>There is no page at this address</h1>
<p>It may have got another name, or the link is mistyped.</p>
<form action="search.html" role="search">
<label for="q">Search the book</label><br>
<input id="q" name="q" type="search"> <button>Search</button>
</form>
<p><a href="{root}.html">To the first page of {book}</a></p>
</main>
</body>
</html>
"""


def description(article: BeautifulSoup) -> str:
    """The first paragraph of a page's text, cut after a sentence or a word where it is long; empty without one."""
    for paragraph in article.find_all("p"):
        if paragraph.find("img") or paragraph.find_parent(class_=["admonition", "cell", "sidebar", "citation"]):
            continue
        text = re.sub(r"\\[()\[\]]", "", " ".join(paragraph.get_text().split()))
        if "\\" in text:  # a formula that no reader of TeX alone would read: end before its sentence
            text = text[: text.index("\\")]
            text = text[: max(map(text.rfind, (". ", "? ", "! "))) + 1]
        if len(text) < SHORTEST:
            continue
        if len(text) <= LONGEST:
            return text
        ends = [end.end() for end in re.finditer(r"[.?!](?= )", text[: LONGEST + 1])]
        return text[: ends[-1]] if ends and ends[-1] >= SHORTEST else text[: LONGEST - 2].rsplit(" ", 1)[0] + " …"
    return ""


def pages(html: Path) -> list[Path]:
    """The pages of the book's own text, in the order of their addresses: no redirects, no lists, no source code."""
    found = (page for page in sorted(html.rglob("*.html")) if not page.relative_to(html).as_posix().startswith("_"))
    return [page for page in found if page.name not in NOT_CONTENT and '<article class="bd-article"' in read(page)]


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def once(title: str, book: str) -> str:
    """The title of a page's window, without the name of the book where it is that name already."""
    return book if title.split(" — ")[0].strip() == book else title


def describe(page: Path, html: Path, *, book: str, site: str, fallback: str = "") -> str:
    """Write description, canonical address and preview into one page; returns the tags that went in."""
    text = read(page)
    article = BeautifulSoup(text, "html.parser", parse_only=SoupStrainer("article"))
    picture, alt = previews.of_page(article, page, html)
    heading = article.find("h1")
    name = heading.get_text().removesuffix("#").strip() if heading else book
    values = {
        "url": f"{site}/{page.relative_to(html).as_posix()}",
        "description": description(article) or fallback,
        "title": name,
        "book": book,
        "picture": f"{site}/{picture.relative_to(html).as_posix()}",
        "alt": alt,
        "width": previews.SIZE[0],
        "height": previews.SIZE[1],
    }
    tags = HEAD.format(**{key: markup.escape(str(value)) for key, value in values.items()})
    text = re.sub(
        r"<title>(.*?)</title>",
        lambda found: f"<title>{markup.escape(once(markup.unescape(found[1]), book))}</title>",
        text,
        count=1,
        flags=re.DOTALL,
    )
    page.write_text(text.replace("</head>", f"{tags}</head>", 1), encoding="utf-8")
    return tags


def finish(root: Path, html: Path) -> None:
    """Make the built pages at `html` of the book at `root` a site: see the head of this file."""
    site = address.site(root)
    book = yaml.safe_load(read(root / "_config.yml"))["title"]
    first = yaml.safe_load(read(root / "_toc.yml"))["root"]
    content = pages(html)
    front = html / f"{first}.html"
    tags = describe(front, html, book=book, site=site)
    found = re.search(r'name="description" content="([^"]*)"', tags)
    fallback = markup.unescape(found[1]) if found else ""
    for page in content:
        if page != front:
            describe(page, html, book=book, site=site, fallback=fallback)

    base = urlsplit(site).path + "/"
    (html / "index.html").write_text(FIRST_PAGE.format(book=book, head=tags, root=first), encoding="utf-8")
    (html / "404.html").write_text(NOT_FOUND.format(book=book, base=base, root=first), encoding="utf-8")
    urls = "".join(f"<url><loc>{site}/{page.relative_to(html).as_posix()}</loc></url>\n" for page in content)
    (html / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n',
        encoding="utf-8",
    )
    (html / "robots.txt").write_text(f"User-agent: *\nAllow: /\nSitemap: {site}/sitemap.xml\n", encoding="utf-8")
    (html / ".nojekyll").touch()  # folders that begin with an underscore are served, too
