import numpy as np
import pytest
import torch

from mgd_helpers.lab.plots import charts


def test_spectra_are_shares_of_variance():
    figure = charts.draw_spectrum({"flat": torch.tensor([2.0, 1.0, 1.0])}, rank=1)
    line = figure.axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), [0.5, 0.25, 0.25])
    assert list(line.get_xdata()) == [1, 2, 3]


def test_scores_show_every_value_and_their_mean():
    axis = charts.draw_scores({"a": [0.1, 0.3], "b": [0.5]}, xlabel="accuracy").axes[0]
    dots, bars = axis.lines[::2], axis.lines[1::2]
    assert [list(line.get_xdata()) for line in dots] == [[0.1, 0.3], [0.5]]
    np.testing.assert_allclose([line.get_xdata()[0] for line in bars], [0.2, 0.5])
    assert [text.get_text() for text in axis.texts] == ["0.200", "0.500"]
    assert axis.get_xlabel() == "accuracy"


def test_the_map_gives_each_label_its_color_and_marker_and_shows_the_stars(randn):
    points, labels = randn(10, 2), [0, 1, 1, 0, 0, 1, 0, 1, 1, 1]
    axis = charts.draw_map(points, labels, ["a", "b"], stars=randn(3, 2)).axes[0]
    assert [len(one.get_offsets()) for one in axis.collections] == [4, 6, 3]
    np.testing.assert_allclose(axis.collections[0].get_offsets(), points[[0, 3, 4, 6]])
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"]
    assert not np.array_equal(axis.collections[0].get_facecolor(), axis.collections[1].get_facecolor())


def test_arrows_start_at_the_points_and_are_as_long_as_they_are(randn):
    cloud, points, pull = randn(20, 2), randn(4, 2), randn(4, 2)
    axis = charts.draw_arrows(cloud, points, {"pull": pull, "half": pull / 2}).axes[0]
    quivers = [one for one in axis.collections if hasattr(one, "U")]
    np.testing.assert_allclose(quivers[0].get_offsets(), points)
    for quiver, vectors in zip(quivers, (pull, pull / 2), strict=True):
        np.testing.assert_allclose(np.stack([quiver.U, quiver.V], 1), vectors)
        assert (quiver.angles, quiver.scale_units, quiver.scale) == ("xy", "xy", 1)


@pytest.mark.parametrize(
    ("x", "scale"), [([1.0, 2.0, 3.0], "linear"), ([1.0, 10.0, 100.0], "log"), ([0.0, 10.0, 100.0], "linear")]
)
def test_lines_share_their_x_and_may_end_early(x, scale):
    axis = charts.draw_lines({"long": [1.0, 2.0, 3.0], "short": [3.0, 2.0]}, x, xlabel="x", ylabel="y").axes[0]
    assert [len(line.get_xdata()) for line in axis.lines] == [3, 2]
    assert list(axis.lines[0].get_xdata()) == x
    assert axis.get_xscale() == scale


def test_intervals_share_rows_and_mark_zero():
    one = {"a": (0.1, 0.0, 0.3), "b": (-0.2, -0.4, -0.1)}
    figure = charts.draw_intervals({"first": one, "second": {"b": (0.0, -0.1, 0.1)}}, xlabel="difference")
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]
    dots = {container.get_label(): container.lines[0] for container in axis.containers}
    np.testing.assert_allclose(dots["first"].get_xdata(), [0.1, -0.2])
    assert dots["first"].get_ydata()[1] < 1 < dots["second"].get_ydata()[0]  # side by side, on the line of "b"
    ends = axis.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([segment[:, 0] for segment in ends], [[0.0, 0.3], [-0.4, -0.1]], atol=1e-12)
    assert axis.lines[0].get_xdata()[0] == 0
