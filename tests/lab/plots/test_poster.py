"""draw_poster: one sheet at the size of the paper, with every picture on it."""

import io
import itertools

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.offsetbox import AnnotationBbox
from PIL import Image

from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.lab.plots import poster
from mgd_helpers.lab.plots.style import use_style


@pytest.fixture
def sheet(randn):
    tree = bisect(randn(23, 4), n_leaves=6)
    photographs, images = randn(23, 3, 8, 8).clamp(-1, 1), randn(8, 3, 8, 8).clamp(-1, 1)
    return tree, photographs[tree.nearest], photographs, images


def test_the_file_has_the_pixels_of_the_paper(sheet):
    file = io.BytesIO()
    poster.draw_poster(*sheet, title="Mine").savefig(file, dpi=100)
    assert Image.open(file).size == (round(21.0 / 2.54 * 100 - 0.5), round(29.7 / 2.54 * 100 - 0.5))


@pytest.mark.parametrize("styled", [False, True])
def test_tree_photographs_and_images_are_there_and_inside_the_paper(sheet, styled):
    tree, _, photographs, images = sheet
    with plt.rc_context():
        if styled:  # as in a lab, where figures are laid out by themselves
            use_style()
        figure = poster.draw_poster(*sheet, title="Mine", marked=tree.leaves)
        figure.canvas.draw()
    assert figure.get_suptitle() == "Mine"
    title = figure._suptitle.get_window_extent()
    top, middle, bottom = figure.axes
    boxes = [child for child in top.get_children() if isinstance(child, AnnotationBbox)]
    assert len(boxes) == len(tree)
    for box in boxes:
        extent = box.get_window_extent()
        assert figure.bbox.x0 <= extent.x0 and extent.x1 <= figure.bbox.x1
        assert middle.get_window_extent().y1 < extent.y0 and extent.y1 < title.y0
    levels = sorted({round(box.get_window_extent().y0) for box in boxes})
    assert all(upper - lower > boxes[0].get_window_extent().height for lower, upper in itertools.pairwise(levels))
    for axis, some, columns in ((middle, photographs, 10), (bottom, images, 4)):
        shown = axis.images[0].get_array()
        side = 8 + 2  # with its frame
        assert shown.shape[:2] == (-(-len(some) // columns) * side, columns * side)
        row, column = divmod(len(some) - 1, columns)
        last = shown[row * side + 1 : (row + 1) * side - 1, column * side + 1 : (column + 1) * side - 1]
        np.testing.assert_allclose(last, (some[-1].permute(1, 2, 0) + 1) / 2, atol=1e-6)


@pytest.mark.parametrize(("channels", "paper"), [(1, -1), (3, 1)])
def test_what_a_row_leaves_empty_is_paper(channels, paper):
    _, axis = plt.subplots()
    poster.put_grid(axis, torch.zeros(3, channels, 24, 24), 2)
    corner = axis.images[0].get_array()[-5, -5]
    assert np.all(corner == (paper if channels == 1 else (paper + 1) / 2))


def test_a_poster_of_nothing_is_refused(sheet):
    tree, faces, photographs, _ = sheet
    with pytest.raises(ValueError, match="must hold pictures; got 23 and 0"):
        poster.draw_poster(tree, faces, photographs, photographs[:0], title="Mine")
    with pytest.raises(ValueError, match="paper must be"):
        poster.draw_poster(*sheet, title="Mine", paper=(0.0, 29.7))
