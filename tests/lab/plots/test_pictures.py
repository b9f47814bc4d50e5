import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox

from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.lab.plots import pictures


def shown(figure):
    return [axis.images[0].get_array() for axis in figure.axes if axis.images]


def test_the_contact_sheet_shows_every_image_in_reading_order(randn):
    images = randn(7, 1, 4, 4).clamp(-1, 1)
    figure = pictures.show_images(images, columns=3, titles=["a", "b"], title="seven")
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 9
    np.testing.assert_array_equal(np.stack(shown(figure)), images[:, 0])
    assert [axis.get_title() for axis in figure.axes[:3]] == ["a", "b", ""]
    assert figure.get_suptitle() == "seven"


def test_colors_are_moved_to_what_matplotlib_expects():
    image = torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1)
    np.testing.assert_allclose(shown(pictures.show_images(image, columns=1))[0], [[[0, 0.5, 1]]])


def test_gray_images_share_one_scale(randn):
    figure = pictures.show_images(0.1 * randn(2, 1, 4, 4), columns=2)
    assert {axis.images[0].get_clim() for axis in figure.axes} == {(-1, 1)}


def test_rows_carry_their_label_and_may_differ_in_length(randn):
    rows = {"one": randn(3, 1, 4, 4), "two": randn(2, 1, 4, 4)}
    figure = pictures.show_rows(rows, columns=["x", "y", "z"])
    assert len(shown(figure)) == 5
    assert [axis.get_ylabel() for axis in figure.axes if axis.get_ylabel()] == ["one", "two"]
    assert [axis.get_title() for axis in figure.axes[:3]] == ["x", "y", "z"]


def test_the_tree_shows_an_image_and_a_branch_per_node_and_frames_the_marked(randn):
    tree = bisect(randn(20, 4), n_leaves=5)
    axis = pictures.draw_tree(tree, randn(9, 1, 8, 8), marked=(2, 4)).axes[0]
    boxes = [child for child in axis.get_children() if isinstance(child, AnnotationBbox)]
    assert len(boxes) == len(tree) == 9
    assert len(axis.lines) == 8
    framed = [node for node, box in enumerate(boxes) if box.patch.get_linewidth() == 2.5]
    assert framed == [2, 4]
    assert [text.get_text() for text in axis.texts] == [str(size) for size in tree.sizes]


def test_an_image_of_a_tree_has_one_size_whatever_its_pixels_and_an_axis_may_be_given(randn):
    tree = bisect(randn(20, 4), n_leaves=3)
    sizes = []
    for pixels in (32, 256):
        figure = pictures.draw_tree(tree, randn(5, 3, pixels, pixels))
        figure.canvas.draw()
        box = next(child for child in figure.axes[0].get_children() if isinstance(child, AnnotationBbox))
        sizes.append(box.offsetbox.get_window_extent(figure.canvas.get_renderer()).width)
    assert abs(sizes[0] - sizes[1]) < 1 < sizes[0]
    figure, axis = plt.subplots()
    assert pictures.draw_tree(tree, randn(5, 1, 8, 8), axis=axis) is figure and axis.lines


def test_branches_are_as_thick_as_they_have_members(randn):
    tree = bisect(randn(20, 4), n_leaves=5)
    axis = pictures.draw_tree(tree, randn(9, 1, 8, 8)).axes[0]
    widths = [line.get_linewidth() for line in axis.lines]
    assert np.argsort(widths, kind="stable").tolist() == np.argsort(tree.sizes[1:], kind="stable").tolist()


def test_images_of_one_panel_stand_side_by_side(randn):
    images = randn(3, 1, 4, 4).clamp(-1, 1)
    _, axis = plt.subplots()
    pictures.put_images(axis, images)
    np.testing.assert_array_equal(axis.images[0].get_array(), np.concatenate(list(images[:, 0]), axis=1))
    assert not len(axis.get_xticks()) and not len(axis.get_yticks())


def test_ten_images_and_ten_leaves_fit_the_width_of_a_page(randn):
    tree = bisect(randn(30, 4), n_leaves=10)
    figures = [
        pictures.show_images(randn(10, 1, 4, 4)),
        pictures.show_rows({"one": randn(10, 1, 4, 4)}),
        pictures.draw_tree(tree, randn(19, 1, 8, 8)),
    ]
    assert all(figure.get_size_inches()[0] <= 6.6 for figure in figures)
