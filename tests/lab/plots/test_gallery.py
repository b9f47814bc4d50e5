import base64
import io
import re

import numpy as np
import pytest
from matplotlib import pyplot as plt

from mgd_helpers.lab.plots import show_gallery, sliders


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    for name in sliders.FRONT_ENDS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def images(randn):
    return randn(9, 1, 4, 4).clamp(-1, 1)


def judge(rows):
    return f"worth {sum(rows)}"


CHOICES = {"first": [0, 1], "last": [7, 8]}


@pytest.fixture
def live(monkeypatch, images):
    """A gallery of two wanted images, its buttons by the row that they stand for, its presets, and its line."""
    monkeypatch.setenv(sliders.FRONT_ENDS[0], "there")
    gallery = show_gallery(images, judge, choices=CHOICES, wanted=2, limit=6)
    _, presets, line, grid = gallery.box.children
    rows = [int(re.search(r"\d+", toggle.description)[0]) for toggle in grid.children]
    return gallery, dict(zip(rows, grid.children, strict=True)), presets.children, line


def test_where_nobody_sits_every_choice_is_a_strip_with_its_worth(images):
    gallery = show_gallery(images, judge, choices=CHOICES)
    assert gallery.box is None and gallery.chosen == [0, 1] and gallery.text == "2 of 10 chosen: worth 1"
    assert [axis.get_title(loc="left") for axis in gallery.figure.axes] == ["first: worth 1", "last: worth 15"]
    shown = gallery.figure.axes[1].images[0].get_array()
    np.testing.assert_array_equal(shown, np.concatenate([images[7, 0], images[8, 0]], axis=1))


def test_before_a_front_end_a_click_chooses_and_is_judged(live):
    gallery, toggles, _, line = live
    assert gallery.figure is None and gallery.chosen == [0, 1] and "worth 1" in line.value
    toggles[0].value = False
    assert gallery.chosen == [1] and "1 of 2 chosen: worth 1" in line.value and 'role="alert"' in line.value
    toggles[8].value = True
    assert gallery.chosen == [1, 8] and "worth 9" in line.value
    assert toggles[8].description == "image 8, chosen" and toggles[0].description == "image 0, not chosen"


def test_more_than_wanted_and_none_are_not_judged(live):
    gallery, toggles, presets, line = live
    toggles[7].value = True
    assert gallery.chosen == [0, 1, 7] and "3 of 2 chosen: choose fewer." in line.value
    presets[-1].click()
    assert gallery.chosen == [] and not any(toggle.value for toggle in toggles.values())
    assert "0 of 2 chosen: choose more." in line.value


def test_a_fixed_choice_takes_the_place_of_what_was_clicked(monkeypatch, live):
    gallery, toggles, presets, _ = live
    judged = []
    monkeypatch.setattr(gallery, "judge", lambda rows: judged.append(rows) or "")
    toggles[1].value = False
    presets[1].click()
    assert gallery.chosen == [7, 8] and [row for row, toggle in toggles.items() if toggle.value] == [7, 8]
    assert judged == [[0], [7, 8]], "once for a click, and once for a choice"


def test_the_buttons_show_all_choices_and_further_images_in_their_order(live, images):
    gallery, toggles, _, _ = live
    assert list(toggles) == [0, 1, 2, 3, 7, 8]
    style = gallery.box.children[0].value
    picture = plt.imread(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", style)[1])))
    assert picture.shape[:2] == (4, 24)
    for place, row in enumerate(toggles):
        known = plt.get_cmap("gray_r")((images[row, 0].numpy() + 1) / 2)
        np.testing.assert_allclose(picture[:, 4 * place : 4 * place + 4], known, atol=0.01)
        assert f".place-{place} {{ background-position-x: {20 * place:.4f}%; }}" in style
        assert f"place-{place}" in toggles[row]._dom_classes


@pytest.mark.parametrize("choices", [{}, {"none": []}, {"far": [0, 9]}, {"below": [-1]}])
def test_choices_that_are_none_are_refused(images, choices):
    with pytest.raises(ValueError, match="choices must name rows of the 9 images"):
        show_gallery(images, judge, choices=choices)
