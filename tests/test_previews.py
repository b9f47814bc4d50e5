"""tools.previews: pictures of pages, for where links are shared."""

import matplotlib.pyplot as plt
import pytest
from bs4 import BeautifulSoup
from notebook_rules import ROOT
from PIL import Image

from tools import figures, previews

FOLDER = ROOT / "book" / previews.FOLDER


def test_the_first_figure_of_every_page_has_a_preview_and_no_other_has():
    drawn = {file.stem for file in FOLDER.iterdir()}
    assert drawn == previews.needed(ROOT) and drawn <= set(figures.FIGURES), "run `make figures`"


@pytest.mark.parametrize("file", sorted(FOLDER.iterdir()), ids=lambda file: file.stem)
def test_a_preview_has_the_size_that_sites_ask_for_and_is_small(file):
    picture = Image.open(file)
    svg = ROOT / "book" / "figures" / f"{file.stem}.svg"
    assert picture.text["svg"] == previews.digest(svg), "drawn from another figure: run `make figures`"
    assert picture.size == (1200, 630) and file.stat().st_size < 100_000
    assert len(picture.convert("RGB").getcolors(200)) > 3, "empty"


@pytest.mark.parametrize("size", [(100, 100), (2400, 300), (30, 900)])
def test_a_picture_is_set_on_white_in_its_proportions(size):
    sheet = previews.on_white(Image.new("RGB", size, "red")).convert("RGB")
    assert sheet.size == previews.SIZE and sheet.getpixel((0, 0)) == (255, 255, 255)
    left, top, right, bottom = sheet.convert("L").point(lambda value: 255 * (value < 200)).getbbox()
    assert (right - left) / (bottom - top) == pytest.approx(size[0] / size[1], rel=0.05)
    assert min(left, top) == previews.MARGIN, "as large as the margin allows"
    assert abs(left + right - 1200) <= 1 and abs(top + bottom - 630) <= 1, "in the middle"


def test_make_figures_draws_the_previews(tmp_path, monkeypatch):
    def drawn():
        figure = plt.figure(figsize=(4, 3))
        figure.text(0.5, 0.5, "X")
        return figure

    monkeypatch.setattr(figures, "FIGURES", {"first": drawn, "second": drawn})
    figures.write(tmp_path / "svg", previews_in=tmp_path / "png", previews_of={"first"})
    assert [file.name for file in (tmp_path / "png").iterdir()] == ["first.png"]
    before = Image.open(tmp_path / "png" / "first.png").text["svg"]
    assert before == previews.digest(tmp_path / "svg" / "first.svg")
    (tmp_path / "svg" / "first.svg").write_text("another drawing")
    assert before != previews.digest(tmp_path / "svg" / "first.svg")
    assert {file.name for file in (tmp_path / "svg").iterdir()} == {"first.svg", "second.svg"}


def of(body, tmp_path):
    return previews.of_page(BeautifulSoup(body, "html.parser"), tmp_path / "book" / "page.html", tmp_path)


def test_a_page_shows_its_first_figure_or_the_cover(tmp_path):
    (tmp_path / "_static" / "previews").mkdir(parents=True)
    (tmp_path / "_images").mkdir()
    (tmp_path / "_static" / "previews" / "tree.png").touch()
    Image.new("RGB", (9, 9)).save(tmp_path / "_images" / "lab.png")
    cover = (tmp_path / "_static" / "previews" / "method_at_a_glance.png", previews.COVER_TEXT)
    assert of("<p>No figure</p>", tmp_path) == cover
    assert of('<img src="../_images/unknown.svg" alt="U">', tmp_path) == cover
    assert of('<img src="x.svg"><img src="../_images/tree.svg" alt="T">', tmp_path)[0].name == "tree.png"
    file, alt = of('<img src="../_images/lab.png" alt="L"><img src="../_images/tree.svg" alt="T">', tmp_path)
    assert (file.name, alt, Image.open(file).size) == ("lab.png", "L", previews.SIZE)
