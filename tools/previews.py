"""The picture that a link to a page shows where links are shared: its first figure, on white, 1200 × 630 pixels.

Such previews must be PNG. The figures of the theory pages are SVG, so `make figures` draws those that stand first in a
page a second time, into `book/_static/previews/`; a figure that a lab draws is PNG already, and is set on white by the
build. Pages without a figure show the cover, the method at a glance.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

from bs4 import BeautifulSoup
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

SIZE = (1200, 630)
MARGIN = 30
COVER = "method_at_a_glance"
COVER_TEXT = "The method at a glance: images are encoded, clustered into a tree, and denoised under a pull."
FOLDER = Path("_static") / "previews"


def needed(root: Path) -> set[str]:
    """Names of the SVG figures of which a preview is drawn: the first of each page of theory, and the cover."""
    texts = (page.read_text(encoding="utf-8") for page in (root / "book").rglob("*.md"))
    firsts = (re.search(r"^[`:]{3,}\{(?:figure|image)\} \S*?(\w+)\.svg$", text, re.MULTILINE) for text in texts)
    return {COVER, *(first[1] for first in firsts if first)}


def on_white(picture: Image.Image) -> Image.Image:
    """The picture in the middle of a white sheet of `SIZE`, as large as the margin allows."""
    room = [side - 2 * MARGIN for side in SIZE]
    scale = min(room[0] / picture.width, room[1] / picture.height)
    drawn = picture.convert("RGBA").resize((round(picture.width * scale), round(picture.height * scale)), Image.LANCZOS)
    sheet = Image.new("RGBA", SIZE, "white")
    sheet.alpha_composite(drawn, ((SIZE[0] - drawn.width) // 2, (SIZE[1] - drawn.height) // 2))
    return sheet.convert("RGB").quantize(128)  # a third of the bytes, and none the worse


def draw(figure: Figure, file: Path, *, svg: Path) -> None:
    """Write the preview of a figure of matplotlib, and into it a hash of the SVG that it goes with."""
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=200)
    file.parent.mkdir(parents=True, exist_ok=True)
    belongs = PngInfo()
    belongs.add_text("svg", digest(svg))
    on_white(Image.open(raw)).save(file, optimize=True, pnginfo=belongs)


def digest(svg: Path) -> str:
    """What tells one drawing of a figure from another."""
    return hashlib.sha256(svg.read_bytes()).hexdigest()


def of_page(article: BeautifulSoup, page: Path, html: Path) -> tuple[Path, str]:
    """File and alternative text of a built page's preview; it is written where the page's first figure is PNG."""
    image = article.find("img", src=re.compile(r"_images/"))
    if image:
        source = (page.parent / str(image["src"])).resolve()
        drawn = html / FOLDER / f"{source.stem}.png"
        if source.suffix == ".png":
            drawn.parent.mkdir(parents=True, exist_ok=True)
            on_white(Image.open(source)).save(drawn)
        if drawn.exists():
            return drawn, str(image["alt"])
    return html / FOLDER / f"{COVER}.png", COVER_TEXT
