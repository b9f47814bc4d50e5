"""Slides: a deck for each chapter, made from `slides/*.md` and the figures of the book.

A deck is one HTML file that needs nothing else: figures and formulas lie inside it, and no line of it asks a network.
In the source a slide begins at `## `, holds one figure, formula or question, and ends with `Note:` for the speaker.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from markdown_it import MarkdownIt
from matplotlib import mathtext
from matplotlib.font_manager import FontProperties
from mdit_py_plugins.dollarmath import dollarmath_plugin

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Slide:
    """What one slide shows, in Markdown, and what the speaker may say to it."""

    title: str
    body: str
    note: str = ""


@dataclass(frozen=True)
class Deck:
    """The slides of a chapter, and the file they were read from."""

    path: Path
    title: str
    slides: tuple[Slide, ...]


def read(path: Path) -> Deck:
    """Read a deck: a line `# ` with its title, then slides from `## ` to `## `."""
    head, *rest = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    slides = []
    for text in rest:
        title, _, body = text.partition("\n")
        body, _, note = body.partition("\nNote:")
        slides.append(Slide(title.strip(), body.strip(), note.strip()))
    return Deck(path, head.strip().removeprefix("# ").strip(), tuple(slides))


def decks(root: Path) -> list[Deck]:
    """The decks of `root/slides` in the order of their chapters."""
    return [read(path) for path in sorted((root / "slides").glob("[0-9]*.md"))]


def figures(text: str) -> list[str]:
    """The files of the pictures in a slide, as they stand in its source."""
    return re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", text)


def in_the_page(content: bytes) -> str:
    """An SVG as an address that holds all of it."""
    return "data:image/svg+xml;base64," + base64.b64encode(content).decode()


def formula(tex: str, *, displayed: bool = False) -> str:
    """A formula as a picture, drawn by matplotlib; its TeX is the text for those who cannot see it."""
    drawn, size = io.BytesIO(), 9  # the letters of a formula are small beside those of a text
    drawing = tex.replace(r"\frac", r"\dfrac") if displayed else tex
    with matplotlib.rc_context({"mathtext.fontset": "cm", "svg.fonttype": "path", "svg.hashsalt": "slides"}):
        depth = mathtext.math_to_image(f"${drawing}$", drawn, format="svg", prop=FontProperties(size=size))
    width = float(re.search(rb'<svg[^>]* width="([\d.]+)pt"', drawn.getvalue())[1])  # type: ignore[index]
    look = f"width: {width / size:.2f}em; vertical-align: {-depth / size:.2f}em"
    picture = f'<img class="formula" style="{look}" alt="{html.escape(tex)}" src="{in_the_page(drawn.getvalue())}">'
    return f'<p class="displayed">{picture}</p>' if displayed else picture


def renderer(folder: Path) -> MarkdownIt:
    """From Markdown to HTML, with formulas drawn and pictures of `folder` put in the page."""
    markdown = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, double_inline=True)

    def image(renderer: Any, tokens: Sequence[Any], place: int, options: Any, env: Any) -> str:
        token = tokens[place]
        source = in_the_page((folder / str(token.attrs["src"])).read_bytes())
        return f'<img class="figure" alt="{html.escape(token.content)}" src="{source}">'

    def inline(renderer: Any, tokens: Sequence[Any], place: int, options: Any, env: Any) -> str:
        return formula(tokens[place].content.strip())

    def display(renderer: Any, tokens: Sequence[Any], place: int, options: Any, env: Any) -> str:
        return formula(tokens[place].content.strip(), displayed=True)

    markdown.add_render_rule("image", image)
    markdown.add_render_rule("math_inline", inline)
    markdown.add_render_rule("math_inline_double", display)
    markdown.add_render_rule("math_block", display)
    return markdown


def as_html(deck: Deck) -> str:
    """A deck as one page."""
    markdown = renderer(deck.path.parent)
    sections = []
    for number, slide in enumerate(deck.slides, start=1):
        note = f'<aside class="note">{markdown.render(slide.note)}</aside>' if slide.note else ""
        title, level = markdown.renderInline(slide.title), 1 if number == 1 else 2
        sections.append(
            f'<section id="{number}" aria-label="slide {number} of {len(deck.slides)}">\n<h{level}>{title}</h{level}>\n'
            f'<div class="body">\n{markdown.render(slide.body)}</div>\n{note}\n'
            f"<footer><span>{html.escape(deck.title)}</span> <span>{number} / {len(deck.slides)}</span></footer>\n"
            "</section>"
        )
    body = "\n".join(["<main>", *sections, "</main>"])
    return page(deck.title, body, script=(HERE / "deck.js").read_text(encoding="utf-8"))


def page(title: str, body: str, *, script: str = "") -> str:
    """A page of its own, with the style of the decks."""
    style = (HERE / "deck.css").read_text(encoding="utf-8")
    running = f"<script>\n{script}</script>\n" if script else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\n{running}</body>\n"
        "</html>\n"
    )


def write(root: Path, folder: Path) -> list[Path]:
    """Write a page for each deck of `root`, and one that lists them; return the decks' pages."""
    folder.mkdir(parents=True, exist_ok=True)
    found, written = decks(root), []
    for deck in found:
        written.append(folder / f"{deck.path.stem}.html")
        written[-1].write_text(as_html(deck), encoding="utf-8")
    listed = "\n".join(
        f'<li><a href="{path.name}">{html.escape(deck.title)}</a></li>'
        for deck, path in zip(found, written, strict=True)
    )
    keys = "In a deck: arrows turn, N shows the notes, F fills the screen. Printed, each slide is a page."
    start = f'<main class="list">\n<h1>Slides</h1>\n<ol>\n{listed}\n</ol>\n<p>{keys}</p>\n</main>'
    (folder / "index.html").write_text(page("Slides", start), encoding="utf-8")
    return written
