"""The playground in the built book: opened from a file, by keyboard, on a phone, in both themes, without JavaScript."""

import re

import pytest
from playwright.sync_api import expect

STILL = {"reduced_motion": "reduce"}  # playing then leads to the end at once


@pytest.fixture
def play(open_page, html):
    """`play(**options)`: the page, and how to read its live values."""

    def opened(**options):
        page = open_page((html / "book" / "playground.html").as_uri(), **(STILL | options))
        expect(page.locator('[data-value="taken"]')).to_have_text("0 of 50")
        return page

    return opened


def value(page, name):
    """A live value, once the page has had a frame to work it out."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator(f'[data-value="{name}"]').inner_text()


def to_the_end(page):
    page.get_by_role("button", name="Play").click()
    expect(page.locator('[data-value="share"]')).to_have_text("0.00")
    return float(value(page, "curve")), float(value(page, "target"))


def move(page, name, key, times=1):
    """Press a key on a slider, which reports its new value."""
    slider = page.get_by_role("slider", name=name)
    slider.focus()
    for _ in range(times):
        page.keyboard.press(key)
    return slider.get_attribute("aria-valuetext")


def test_it_works_from_a_file_without_an_error_or_a_request(play):
    page = play()
    assert page.url.startswith("file://")
    to_the_end(page)
    assert page.problems == []


@pytest.mark.parametrize(
    ("name", "key", "said"),
    [
        ("Strength", "ArrowRight", "0.35"),
        ("Softness", "End", "1.0 (manifold)"),
        ("Guide above noise share", "PageUp", "0.10"),
        ("Steps", "ArrowLeft", "25"),
    ],
)
def test_every_slider_moves_by_keyboard_and_the_live_values_change(play, name, key, said):
    page = play()
    before = to_the_end(page)
    assert move(page, name, key) == said
    after = float(value(page, "curve")), float(value(page, "target"))
    assert after != before


def test_neighbours_count_only_where_something_is_cut_from_the_pull(play):
    page = play()
    to_the_end(page)
    slider = page.get_by_role("slider", name="Neighbours")
    expect(slider).to_be_disabled()
    move(page, "Softness", "End")
    expect(slider).to_be_enabled()
    before = value(page, "target")
    assert move(page, "Neighbours", "End") == "60"
    assert value(page, "target") != before
    page.get_by_label("the particles share them out").check()
    expect(slider).to_be_disabled()
    expect(page.get_by_role("slider", name="Softness")).to_be_disabled()


def test_a_target_moves_by_arrow_keys_and_by_dragging(play):
    page = play()
    before = to_the_end(page)
    star = page.get_by_role("button", name="Target")
    place = star.get_attribute("aria-label")
    star.focus()
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    by_key, label = value(page, "target"), star.get_attribute("aria-label")
    assert float(by_key) != before[1] and label != place
    box = star.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 80, box["y"] + 60, steps=4)
    page.mouse.up()
    assert value(page, "target") != by_key and star.get_attribute("aria-label") != label
    assert value(page, "taken") == "50 of 50", "a change counts from the first step on"


def test_the_buttons_play_step_go_back_and_draw_anew(play):
    page = play(reduced_motion="no-preference")
    page.get_by_role("button", name="One step").click()
    assert value(page, "taken") == "1 of 50"
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()
    assert 1 <= int(value(page, "taken").split()[0]) < 50, "it can be stopped on its way"
    page.get_by_role("button", name="Play").click()
    expect(page.locator('[data-value="taken"]')).to_have_text("50 of 50")
    expect(page.get_by_role("status")).to_contain_text("Step 50 of 50: mean distance to the curve 0.")
    before = value(page, "target")
    page.get_by_role("button", name="Other noise").click()
    assert value(page, "target") != before
    page.get_by_role("button", name="Back to noise").click()
    assert value(page, "taken") == "0 of 50"


def test_the_page_tells_what_its_three_experiments_show(play, html):
    told = re.sub(r"<[^>]+>", "", (html / "book" / "playground.html").read_text(encoding="utf-8"))
    told = " ".join(told.split())
    page = play()
    move(page, "Strength", "Home")
    off, _ = to_the_end(page)
    assert f"at a mean distance of {off:.2f}." in told
    move(page, "Steps", "Home")
    assert float(value(page, "target")) < 0.05, "one step leads to the mean of all points, the first target"

    move(page, "Steps", "End")
    move(page, "Steps", "ArrowLeft")
    assert move(page, "Strength", "ArrowRight", 6) == "0.30"
    assert f"the mean distance to the curve is {float(value(page, 'curve')):.2f}. Where will they end" in told
    assert move(page, "Guide above noise share", "ArrowRight", 10) == "0.50"
    assert f"The distance is {float(value(page, 'curve')):.2f} again" in told

    move(page, "Strength", "End")
    page.get_by_label("each particle has its own").check()
    own_target = float(value(page, "target"))
    page.get_by_label("the particles share them out").check()
    assert f"mean distance to it is {own_target:.2f}. Let the particles" in told
    assert f"share the targets out: {float(value(page, 'target')):.2f}." in told


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1280])
def test_nothing_scrolls_sideways_and_the_particles_are_seen(play, width, theme):
    page = play(viewport={"width": width, "height": 800}, color_scheme=theme)
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    wide, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= room
    expect(page.locator(".playground-still")).to_be_hidden()
    seen = page.evaluate("""() => {
        const canvas = document.querySelector("#playground canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const amber = (i) => data[i + 3] > 150 && data[i] > data[i + 2] + 80;
        return Array.from({ length: data.length / 4 }, (_, i) => 4 * i).filter(amber).length / (data.length / 4);
    }""")
    assert 0.005 < seen < 0.2


def test_without_javascript_a_still_picture_stands_there(open_page, html):
    page = open_page((html / "book" / "playground.html").as_uri(), java_script_enabled=False)
    expect(page.locator(".playground-still img")).to_be_visible()
    expect(page.get_by_text("for browsers without JavaScript")).to_be_visible()
    assert page.locator("#playground").inner_text() == ""
