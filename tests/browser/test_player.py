"""The player of the animations, on a page that holds one film and is opened as a file."""

import shutil

import pytest
from browsing import ROOT
from playwright.sync_api import expect

from tools import animations

STATIC = ROOT / "book" / "_static"
FILM = animations.read(STATIC / "animations")["luck"]
LAST = len(FILM["lines"]) - 1
PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="player.css">
<script src="animations/films.js"></script><script src="player.js"></script>
<figure id="film-luck"><a href="animations/luck.png"><img src="animations/luck.png" alt="A funnel"></a></figure>"""


@pytest.fixture
def play(open_page, tmp_path):
    """`play(**options)`: the page of one film."""

    def opened(**options):
        shutil.copytree(STATIC, tmp_path / "static", dirs_exist_ok=True)
        page = tmp_path / "static" / "page.html"
        page.write_text(PAGE, encoding="utf-8")
        return open_page(page.as_uri(), **options)

    return opened


def parts(page):
    """Button, slider, line, screen and still."""
    names = (".film-button", ".film-slider", ".film-line", ".film-screen", "a > img")
    return [page.locator(name) for name in names]


def test_nothing_moves_before_somebody_asks(play):
    page = play()
    button, slider, line, screen, still = parts(page)
    page.wait_for_timeout(3 * FILM["milliseconds"])
    expect(button).to_have_text("▶ Play")
    expect(slider).to_have_value(str(LAST))
    expect(line).to_have_text(FILM["lines"][LAST])
    expect(still).to_be_visible()
    expect(screen).to_be_hidden()
    assert page.problems == []


def test_it_plays_from_the_beginning_stops_when_asked_and_at_the_end(play):
    page = play()
    page.clock.install(time=0)
    page.clock.pause_at(1000)  # from here on time passes when the test says so, however busy the machine is
    button, slider, line, screen, still = parts(page)
    button.press("Enter")
    expect(button).to_have_text("❚❚ Pause")
    page.clock.run_for(2 * FILM["milliseconds"])
    expect(slider).to_have_value("2")
    button.press("Enter")
    expect(button).to_have_text("▶ Play")
    page.clock.run_for(3 * FILM["milliseconds"])
    expect(slider).to_have_value("2")
    expect(screen).to_be_visible()
    expect(still).to_be_hidden()
    button.press("Enter")
    page.clock.run_for((LAST + 1) * FILM["milliseconds"])
    expect(slider).to_have_value(str(LAST))
    expect(button).to_have_text("▶ Play")
    expect(line).to_have_text(FILM["lines"][LAST])
    assert page.problems == []


def test_the_slider_shows_any_frame_by_keyboard_and_says_it(play):
    page = play()
    button, slider, line, screen, _ = parts(page)
    slider.press("Home")
    for _ in range(7):
        slider.press("ArrowRight")
    expect(line).to_have_text(FILM["lines"][7])
    expect(slider).to_have_attribute("aria-valuetext", f"8 of {LAST + 1}: {FILM['lines'][7]}")
    assert screen.evaluate("(one) => one.style.backgroundPosition") == "20% 20%", "second row and column of six"
    expect(button).to_have_text("▶ Play")


def test_who_wants_no_motion_gets_one_frame_at_a_time(play):
    page = play(reduced_motion="reduce")
    button, slider, *_ = parts(page)
    expect(button).to_have_text("Next frame")
    button.click()
    page.wait_for_timeout(3 * FILM["milliseconds"])
    expect(slider).to_have_value("0")


def test_print_shows_the_still_whatever_was_played(play):
    page = play()
    button, slider, _, screen, still = parts(page)
    slider.press("Home")
    expect(screen).to_be_visible()
    page.emulate_media(media="print")
    for hidden in (screen, button, slider):
        expect(hidden).to_be_hidden()
    expect(still).to_be_visible()


def test_without_scripts_the_still_is_there(play):
    page = play(java_script_enabled=False)
    button, *_, still = parts(page)
    expect(still).to_be_visible()
    expect(button).to_have_count(0)
