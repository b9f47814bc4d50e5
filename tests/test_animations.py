"""tools.animations: frames, lines and stills agree, and show what their captions say."""

import itertools
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from tools import animations
from tools.__main__ import ROOT
from tools.animations import luck, noise, sets
from tools.animations.film import Film

STATIC = ROOT / "book" / "_static"
FOLDER = STATIC / "animations"
NAMES = list(animations.FILMS)  # in the order of the pages


def numbers(line):
    """The numbers of a line, and the line without them."""
    pattern = r"[+−-]?\d+(?:\.\d+)?"
    return [float(one.replace("−", "-")) for one in re.findall(pattern, line)], re.sub(pattern, "#", line)


def test_the_pages_show_every_film_and_there_is_no_other():
    pages = "".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "book").glob("*.md")))
    assert re.findall(r"\{figure\} _static/animations/(\w+)\.png\n:name: film-\1\n", pages) == NAMES
    assert {file.name for file in FOLDER.iterdir()} == {"films.js"} | {
        f"{name}.{kind}" for name in NAMES for kind in ("png", "webp")
    }
    assert list(animations.read(FOLDER)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_line_has_its_frame_and_the_still_is_the_last(name):
    told = animations.read(FOLDER)[name]
    size, count = (told["width"], told["height"]), len(told["lines"])
    sheet, still = (Image.open(FOLDER / f"{name}.{kind}").convert("RGB") for kind in ("webp", "png"))
    rows = -(-count // told["columns"])
    assert sheet.size == (size[0] * told["columns"], size[1] * rows) and still.size == size
    frames = [np.asarray(animations.cut(sheet, index, size)) for index in range(rows * told["columns"])]
    assert all(frame.min() < 128 for frame in frames[:count]) and all(frame.min() > 250 for frame in frames[count:])
    np.testing.assert_array_equal(np.asarray(still), frames[count - 1])
    assert all((one != two).any() for one, two in itertools.pairwise(frames[:count])), "every frame is new"
    assert all((FOLDER / f"{name}.{kind}").stat().st_size <= 400_000 for kind in ("webp", "png"))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_lines_are_what_the_package_computes_today(name):
    stored, film = animations.read(FOLDER)[name], animations.FILMS[name]()
    assert stored["milliseconds"] == film.milliseconds and len(stored["lines"]) == len(film.lines)
    for old, new in zip(stored["lines"], film.lines, strict=True):
        (old_numbers, old_words), (new_numbers, new_words) = numbers(old), numbers(new)
        assert old_words == new_words and new_numbers == pytest.approx(
            old_numbers, abs=0.11 if name == "luck" else 0.011
        )
    figure = film.draw(len(film.lines) - 1)
    width, height = figure.get_size_inches() * animations.DPI
    assert (int(width), int(height)) == (stored["width"], stored["height"])
    plt.close(figure)


def test_a_second_run_writes_the_same_bytes(tmp_path, monkeypatch):
    def draw(index):
        figure, ax = plt.subplots(figsize=(1, 1))
        ax.plot([0, index])
        return figure

    monkeypatch.setattr(animations, "FILMS", {"lines": lambda: Film(draw, ["one", "two"], 100)})
    for run in ("first", "second"):
        animations.write(tmp_path / run)
    for name in ("films.js", "lines.webp", "lines.png"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert animations.read(tmp_path / "first")["lines"]["lines"] == ["one", "two"]


@pytest.mark.slow
def test_the_film_of_noise_shows_what_its_caption_says():
    _, guesses = noise.denoised_points()
    torch.testing.assert_close(guesses[0], noise.cloud().mean(0).expand(noise.SAMPLES, 2), atol=0.05, rtol=0)
    off, near = noise.off_the_spiral()
    assert off[-1] < 0.03 and (near[-30:] <= off[-30:] + 1e-6).all(), "in the end guesses lie nearer to the spiral"
    shares, *_ = noise.denoised_digit()
    told = [shares[step] for step in noise.shown()]
    assert told == sorted(told, reverse=True) and told[0] > 0.999 and told[-1] == 0
    assert max(before - after for before, after in itertools.pairwise(told)) < 0.08


def test_the_film_of_sets_shows_what_its_caption_says():
    left = [sets.left_over(leaves) for leaves in range(1, sets.LEAVES + 1)]
    assert left[0] == pytest.approx(1) and left == sorted(left, reverse=True)
    pulled, matched = (path[-1] for path in sets.paths())
    assert torch.equal(*(path[0] for path in sets.paths())), "both begin with the same noise"
    assert [sets.misplaced(one) for one in (pulled, matched)] == [3, 1]


def test_the_film_of_luck_shows_what_its_caption_says():
    low, _ = luck.first_interval()
    assert 0 < luck.TRUE < low, "the interval of the first seed misses the truth"
    end = luck.after(luck.PAIRS)
    assert end.low < luck.TRUE < end.high and end.low > 0
    assert end.mean < luck.gains()[0] / 2, "less than half of the promise is left"
    widths = [luck.after(seeds).high - luck.after(seeds).low for seeds in (2, 5, 10, 20, luck.PAIRS)]
    assert widths == sorted(widths, reverse=True)
