import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox

from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.lab import plots


@pytest.fixture(autouse=True)
def drawn():
    """Every figure of a test can be drawn, and is closed afterwards."""
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


def shown(figure):
    return [axis.images[0].get_array() for axis in figure.axes if axis.images]


def test_the_contact_sheet_shows_every_image_in_reading_order(draw):
    images = draw(7, 1, 4, 4).clamp(-1, 1)
    figure = plots.show_images(images, columns=3, titles=["a", "b"], title="seven")
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 9
    np.testing.assert_array_equal(np.stack(shown(figure)), images[:, 0])
    assert [axis.get_title() for axis in figure.axes[:3]] == ["a", "b", ""]
    assert figure.get_suptitle() == "seven"


def test_colours_are_moved_to_what_matplotlib_expects():
    image = torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1)
    np.testing.assert_allclose(shown(plots.show_images(image, columns=1))[0], [[[0, 0.5, 1]]])


def test_grey_images_share_one_scale(draw):
    figure = plots.show_images(0.1 * draw(2, 1, 4, 4), columns=2)
    assert {axis.images[0].get_clim() for axis in figure.axes} == {(-1, 1)}


def test_rows_carry_their_label_and_may_differ_in_length(draw):
    rows = {"one": draw(3, 1, 4, 4), "two": draw(2, 1, 4, 4)}
    figure = plots.show_rows(rows, columns=["x", "y", "z"])
    assert len(shown(figure)) == 5
    assert [axis.get_ylabel() for axis in figure.axes if axis.get_ylabel()] == ["one", "two"]
    assert [axis.get_title() for axis in figure.axes[:3]] == ["x", "y", "z"]


def test_the_tree_shows_an_image_and_a_branch_per_node_and_frames_the_marked(draw):
    tree = bisect(draw(20, 4), n_leaves=5)
    axis = plots.draw_tree(tree, draw(9, 1, 8, 8), marked=(2, 4)).axes[0]
    boxes = [child for child in axis.get_children() if isinstance(child, AnnotationBbox)]
    assert len(boxes) == len(tree) == 9
    assert len(axis.lines) == 8
    framed = [node for node, box in enumerate(boxes) if box.patch.get_linewidth() == 2.5]
    assert framed == [2, 4]
    assert [text.get_text() for text in axis.texts] == [str(size) for size in tree.sizes]


def test_branches_are_as_thick_as_they_have_members(draw):
    tree = bisect(draw(20, 4), n_leaves=5)
    axis = plots.draw_tree(tree, draw(9, 1, 8, 8)).axes[0]
    widths = [line.get_linewidth() for line in axis.lines]
    assert np.argsort(widths, kind="stable").tolist() == np.argsort(tree.sizes[1:], kind="stable").tolist()


def test_spectra_are_shares_of_variance():
    figure = plots.draw_spectrum({"flat": torch.tensor([2.0, 1.0, 1.0])}, rank=1)
    line = figure.axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), [0.5, 0.25, 0.25])
    assert list(line.get_xdata()) == [1, 2, 3]


def test_scores_show_every_value_and_their_mean():
    axis = plots.draw_scores({"a": [0.1, 0.3], "b": [0.5]}, xlabel="accuracy").axes[0]
    dots, bars = axis.lines[::2], axis.lines[1::2]
    assert [list(line.get_xdata()) for line in dots] == [[0.1, 0.3], [0.5]]
    np.testing.assert_allclose([line.get_xdata()[0] for line in bars], [0.2, 0.5])
    assert [text.get_text() for text in axis.texts] == ["0.200", "0.500"]
    assert axis.get_xlabel() == "accuracy"


def test_figures_stand_on_white():
    with plt.rc_context():
        plots.use_style()
        assert to_rgb(plots.draw_scores({"a": [1.0]}, xlabel="").get_facecolor()[:3]) == (1, 1, 1)
        assert plt.rcParams["savefig.facecolor"] == "white"


def test_the_map_gives_each_label_its_colour_and_marker_and_shows_the_stars(draw):
    points, labels = draw(10, 2), [0, 1, 1, 0, 0, 1, 0, 1, 1, 1]
    axis = plots.draw_map(points, labels, ["a", "b"], stars=draw(3, 2)).axes[0]
    assert [len(one.get_offsets()) for one in axis.collections] == [4, 6, 3]
    np.testing.assert_allclose(axis.collections[0].get_offsets(), points[[0, 3, 4, 6]])
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"]
    assert not np.array_equal(axis.collections[0].get_facecolor(), axis.collections[1].get_facecolor())


def test_arrows_start_at_the_points_and_are_as_long_as_they_are(draw):
    cloud, points, pull = draw(20, 2), draw(4, 2), draw(4, 2)
    axis = plots.draw_arrows(cloud, points, {"pull": pull, "half": pull / 2}).axes[0]
    quivers = [one for one in axis.collections if hasattr(one, "U")]
    np.testing.assert_allclose(quivers[0].get_offsets(), points)
    for quiver, vectors in zip(quivers, (pull, pull / 2), strict=True):
        np.testing.assert_allclose(np.stack([quiver.U, quiver.V], 1), vectors)
        assert (quiver.angles, quiver.scale_units, quiver.scale) == ("xy", "xy", 1)


@pytest.mark.parametrize(
    ("x", "scale"), [([1.0, 2.0, 3.0], "linear"), ([1.0, 10.0, 100.0], "log"), ([0.0, 10.0, 100.0], "linear")]
)
def test_lines_share_their_x_and_may_end_early(x, scale):
    axis = plots.draw_lines({"long": [1.0, 2.0, 3.0], "short": [3.0, 2.0]}, x, xlabel="x", ylabel="y").axes[0]
    assert [len(line.get_xdata()) for line in axis.lines] == [3, 2]
    assert list(axis.lines[0].get_xdata()) == x
    assert axis.get_xscale() == scale


def test_intervals_share_rows_and_mark_zero():
    one = {"a": (0.1, 0.0, 0.3), "b": (-0.2, -0.4, -0.1)}
    figure = plots.draw_intervals({"first": one, "second": {"b": (0.0, -0.1, 0.1)}}, xlabel="difference")
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]
    dots = {container.get_label(): container.lines[0] for container in axis.containers}
    np.testing.assert_allclose(dots["first"].get_xdata(), [0.1, -0.2])
    assert dots["first"].get_ydata()[1] < 1 < dots["second"].get_ydata()[0]  # side by side, on the line of "b"
    ends = axis.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([segment[:, 0] for segment in ends], [[0.0, 0.3], [-0.4, -0.1]], atol=1e-12)
    assert axis.lines[0].get_xdata()[0] == 0
