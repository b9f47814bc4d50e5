"""Panels for sliders: what they show is what the package computes."""

import pytest
import torch
from matplotlib import pyplot as plt

import mgd_helpers as mgd
from mgd_helpers.evaluation.precision_recall import precision_recall
from mgd_helpers.lab.plots import draw_dials, draw_seeds


@pytest.fixture
def axis():
    figure, axis = plt.subplots()
    yield axis
    plt.close(figure)


@pytest.mark.parametrize("differences", [[0.04, 0.02], [0.04, 0.0, -0.01, 0.02, 0.01]])
def test_seeds_are_dots_and_the_whiskers_are_students_interval(axis, differences):
    draw_seeds(axis, differences, first=(0.01, 0.07), limits=(-0.1, 0.1))
    _, own, dots, diamond, *_ = axis.lines
    assert list(own.get_xdata()) == [0.01, 0.07]
    assert list(dots.get_xdata()) == differences[1:] and list(diamond.get_xdata()) == differences[:1]
    found = mgd.paired_difference([[value] for value in differences], [[0.0]] * len(differences))
    (segment,) = axis.containers[0].lines[2][0].get_segments()
    assert segment[:, 0].tolist() == pytest.approx([found.low, found.high])
    assert axis.get_xlim() == (-0.1, 0.1)


def test_dials_show_the_five_measures(axis, randn):
    real, generated = randn(60, 2), randn(40, 2) * 0.3
    draw_dials(axis, generated, real)
    (bars,) = axis.child_axes
    assert [label.get_text() for label in bars.get_yticklabels()] == [
        "MMD²",
        "precision",
        "recall",
        "density",
        "coverage",
    ]
    known = precision_recall(generated=generated, real=real)
    shown = [text.get_text() for text in bars.texts]
    assert shown[1:] == [f"{value:.2f}" for value in known.values()]
    assert known["density"] > 1 and max(bar.get_width() for bar in bars.patches) == 1


def test_dials_far_from_the_data_stand_at_zero(axis, randn):
    draw_dials(axis, randn(40, 2) + 50, randn(60, 2))
    (bars,) = axis.child_axes
    assert [bar.get_width() for bar in bars.patches[1:]] == [0, 0, 0, 0]
    assert torch.tensor(bars.patches[0].get_width()) > 0.9
