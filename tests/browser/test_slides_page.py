"""The slides in a browser: keys turn them, nothing hangs over an edge, no network is asked, print has all."""

import pytest
from browsing import ROOT
from reader import accessibility

from tools import slides


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return slides.write(ROOT, tmp_path_factory.mktemp("slides"))


def shown(page):
    return page.evaluate("[...document.querySelectorAll('section')].filter(s => s.offsetHeight).map(s => s.id).join()")


def test_keys_turn_the_slides(pages, open_page):
    page = open_page(pages[0].as_uri(), viewport={"width": 1280, "height": 720})
    assert shown(page) == "1"
    turns = [("ArrowRight", 2), ("PageDown", 3), ("Space", 4), ("ArrowLeft", 3), ("End", 12), ("ArrowRight", 12)]
    for key, place in [*turns, ("Home", 1), ("ArrowUp", 1), ("ArrowDown", 2)]:
        page.keyboard.press(key)
        assert shown(page) == str(place)
    assert page.url.endswith("#2")
    assert not page.locator("section.shown .note").is_visible()
    page.keyboard.press("n")
    assert page.locator("section.shown .note").is_visible()
    page.goto(page.url.replace("#2", "#7"))
    assert shown(page) == "7"
    assert page.problems == []


OVER = """() => [...document.querySelectorAll('section')].flatMap(section => {
  document.querySelectorAll('section').forEach(s => s.classList.toggle('shown', s === section));
  const edge = section.getBoundingClientRect(), end = section.querySelector('footer').getBoundingClientRect();
  return [...section.querySelectorAll('h1, h2, .body > *, .body img, .note')].filter(part => {
    const box = part.getBoundingClientRect();
    return box.right > edge.right + 1 || (box.height && box.bottom > end.top + 1);
  }).map(part => `${section.id}: ${part.tagName}`);
})"""


@pytest.mark.parametrize("notes", [False, True], ids=["alone", "with notes"])
def test_nothing_hangs_over_the_edge(pages, open_page, notes):
    for path in pages:
        page = open_page(path.as_uri(), viewport={"width": 1280, "height": 720})
        if notes:
            page.keyboard.press("n")
        assert page.evaluate(OVER) == [], path.name
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        assert page.problems == []


def test_a_phone_scrolls_no_slide_sideways(pages, open_page):
    page = open_page(pages[1].as_uri(), viewport={"width": 380, "height": 800})
    for _ in range(12):
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        assert page.evaluate("[...document.querySelectorAll('.shown img')].every(i => i.offsetWidth <= 380)")
        page.keyboard.press("ArrowRight")


def test_without_a_script_all_slides_stand_below_each_other(pages, open_page):
    page = open_page(pages[0].as_uri(), java_script_enabled=False)
    assert page.locator("section").count() == 12
    assert all(page.locator("section").nth(number).is_visible() for number in range(12))


@pytest.mark.parametrize("width", [380, 1280])
def test_the_slides_have_nothing_that_axe_objects_to(pages, open_page, width):
    for path in [*pages, pages[0].with_name("index.html")]:
        page = open_page(path.as_uri(), offline=True, viewport={"width": width, "height": 800})
        page.evaluate("document.body.classList.remove('running')")  # all slides below each other, not one at a time
        page.evaluate("document.body.classList.add('notes')")
        assert accessibility(page) == [], path.name
        assert page.problems == []


def test_print_gives_a_page_a_slide(pages, open_page):
    page = open_page(pages[2].as_uri())
    content = page.pdf(prefer_css_page_size=True)
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") == 12
