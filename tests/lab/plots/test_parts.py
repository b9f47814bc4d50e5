import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from mgd_helpers.guidance.toys import spiral
from mgd_helpers.lab.plots.parts import draw_parts


@pytest.mark.parametrize(("rank", "kept"), [(1, "50% kept"), (2, "100% kept")])
def test_the_parts_go_along_the_neighbours_and_across_them(rank, kept):
    line = torch.stack([torch.linspace(-1, 1, 21), torch.zeros(21)], dim=1)
    jittered = line + 1e-2 * (-1.0) ** torch.arange(21)[:, None] * torch.tensor([0.0, 1.0])
    _, axis = plt.subplots()
    draw_parts(axis, jittered, torch.zeros(2), torch.tensor([1.0, 1.0]), n_neighbors=7, rank=rank)
    arrows = [np.array([one.U, one.V]).ravel() for one in axis.collections if hasattr(one, "U")]
    along = [1, 0] if rank == 1 else [1, 1]
    for arrow, wanted in zip(arrows, ([1, 1], along, np.subtract([1, 1], along)), strict=True):
        np.testing.assert_allclose(arrow, wanted, atol=0.02)
    squares = next(one for one in axis.collections if len(one.get_offsets()) == 7)
    assert np.abs(squares.get_offsets()[:, 0]).max() < 0.35
    assert [text.get_text() for text in axis.texts] == [kept]


def test_a_point_on_its_target_has_no_pull():
    cloud = spiral(60)
    _, axis = plt.subplots()
    draw_parts(axis, cloud, cloud[5], cloud[5], n_neighbors=4, rank=1)
    assert [text.get_text() for text in axis.texts] == ["0% kept"]
