"""tools.slides: twelve slides a chapter, each with something to look at, and pages that need no network."""

import base64
import re

import pytest
from notebook_rules import ROOT

from tools import clocks, slides
from tools.__main__ import main

DECKS = slides.decks(ROOT)
SLIDES = [pytest.param(deck, slide, id=f"{deck.path.stem}: {slide.title}") for deck in DECKS for slide in deck.slides]
PICTURE = r"!\[([^\]]*)\]\([^)]*\)"


def complaints(slide, folder):
    """What is wrong with a slide: no title, nothing to look at, too many words, a figure that is not the book's."""
    shown = re.sub(PICTURE, " ", f"{slide.title}\n{slide.body}")
    found = [] if slide.title else ["no title"]
    if clocks.words(shown) > 40:
        found.append(f"{clocks.words(shown)} words")
    if not (slides.figures(slide.body) or "$$" in slide.body or "?" in shown):
        found.append("neither figure nor formula nor question")
    found += ["nothing for the speaker"] if not slide.note else []
    for file in slides.figures(slide.body):
        path = (folder / file).resolve()
        if not path.is_file() or path.parent != ROOT / "book" / "figures":
            found.append(f"{file} is no figure of the book")
    return found + [f"alt text: {alt}" for alt in re.findall(PICTURE, slide.body) if not 40 <= len(alt) <= 250]


def test_every_chapter_has_a_deck_of_twelve():
    assert [deck.path.stem[:2] for deck in DECKS] == [f"{chapter:02}" for chapter in range(1, 11)]
    assert {deck.title.split(" · ")[0] for deck in DECKS} == {str(chapter) for chapter in range(1, 11)}
    assert {deck.path.stem: len(deck.slides) for deck in DECKS if len(deck.slides) != 12} == {}
    pages = {page.stem for page in (ROOT / "book").glob("[0-9]*.md")}
    assert pages <= {deck.path.stem for deck in DECKS}, "a deck is called as its page"


@pytest.mark.parametrize(("deck", "slide"), SLIDES)
def test_a_slide_has_something_to_look_at_and_few_words(deck, slide):
    assert complaints(slide, deck.path.parent) == []


def test_no_two_slides_of_a_deck_share_a_title():
    assert [deck.title for deck in DECKS if len({slide.title for slide in deck.slides}) < len(deck.slides)] == []


def test_the_checks_above_can_complain():
    talk = slides.Slide("", "word " * 41, "")
    assert complaints(talk, ROOT / "slides") == [
        "no title",
        "41 words",
        "neither figure nor formula nor question",
        "nothing for the speaker",
    ]
    strange = slides.Slide("Look", "![short](../README.md)", "A note.")
    assert complaints(strange, ROOT / "slides") == ["../README.md is no figure of the book", "alt text: short"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    return [path.read_text(encoding="utf-8") for path in [*slides.write(ROOT, folder), folder / "index.html"]]


def test_a_page_holds_all_that_it_shows(written):
    for text in written:
        assert "://" not in text, "an address of another place"
        assert re.findall(r'(?:src|href)="(?!data:image/svg\+xml;base64,|\w+\.html")', text) == []
        for content in re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', text):
            assert not re.search(rb'href="(?!#|data:)', base64.b64decode(content))
    assert all(f'href="{deck.path.stem}.html"' in written[-1] for deck in DECKS)


def test_every_slide_is_a_section_with_title_and_number(written):
    for deck, text in zip(DECKS, written[:-1], strict=True):
        assert re.findall(r'<section id="(\d+)"', text) == [str(number) for number in range(1, 13)]
        assert text.count("<h2>") + 1 == text.count('<aside class="note">') == 12
        assert f"<span>{deck.title}</span> <span>12 / 12</span>" in text
        assert "$" not in re.sub(r"<script>.*</script>|<[^>]*>", "", text, flags=re.DOTALL), "a formula not drawn"


def test_a_formula_is_a_picture_with_its_source_as_text():
    drawn = slides.formula(r"\frac{a}{b}", displayed=True)
    assert 'alt="\\frac{a}{b}"' in drawn and drawn.startswith('<p class="displayed"><img')
    inline = slides.formula("a < b")
    assert 'alt="a &lt; b"' in inline and inline.startswith("<img")
    with pytest.raises(ValueError, match="nonsense"):
        slides.formula(r"\nonsense")


def test_a_deck_is_read_from_its_headings(tmp_path):
    source = tmp_path / "01_x.md"
    source.write_text("# 1 · X\n\n## First\n\nWhy $a$?\n\nNote: Say so.\n\n## Second\n\n$$ b $$\n")
    deck = slides.read(source)
    assert deck == slides.Deck(
        source, "1 · X", (slides.Slide("First", "Why $a$?", "Say so."), slides.Slide("Second", "$$ b $$"))
    )
    page = slides.as_html(deck)
    assert page.count('class="formula"') == 2 and page.count('class="displayed"') == 1
    assert '<aside class="note"><p>Say so.</p>' in page


def test_the_command_says_where_the_decks_lie(tmp_path, capsys):
    assert main(["slides", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"10 decks: {tmp_path / 'index.html'}\n"
    assert len(list(tmp_path.glob("*.html"))) == 11
