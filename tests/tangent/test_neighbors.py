import pytest
import torch

from mgd_helpers.tangent import neighbors
from mgd_helpers.tangent.neighbors import Neighbors


def by_sorting(points, cloud, count):
    return torch.cdist(points.double(), cloud.double()).argsort(-1)[..., :count]


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_neighbors_are_those_of_all_distances_sorted(randn, device, offset):
    points, cloud = randn(7, 5) + offset, randn(90, 5) + offset
    search = Neighbors(cloud.to(device))
    assert torch.equal(search.nearest(points.to(device), 6).cpu(), by_sorting(points, cloud, 6))


def test_each_point_may_have_a_cloud_of_its_own(randn, device):
    points, clouds = randn(4, 5), randn(4, 30, 5)
    search = Neighbors(clouds.to(device))
    found = search.nearest(points.to(device), 3).cpu()
    for row in range(4):
        assert torch.equal(found[row], by_sorting(points[row : row + 1], clouds[row], 3)[0])
    assert torch.equal(search.take(found.to(device)).cpu(), torch.stack([clouds[row][found[row]] for row in range(4)]))


def test_blocks_do_not_change_the_answer(randn, monkeypatch):
    points, cloud, own = randn(7, 5), randn(90, 5), randn(7, 90, 5)
    whole = Neighbors(cloud).nearest(points, 6), Neighbors(own).nearest(points, 6)
    monkeypatch.setattr(neighbors, "BLOCK_BYTES", 4 * 7 * 10)  # ten points at a time
    assert torch.equal(Neighbors(cloud).nearest(points, 6), whole[0])
    assert torch.equal(Neighbors(own).nearest(points, 6), whole[1])


def test_a_cloud_in_half_precision_stays_so_and_is_searched_in_float32(randn):
    points, cloud = randn(7, 40), randn(90, 40)
    search = Neighbors(cloud.half())
    assert search.centered.dtype == torch.half
    assert search.take(search.nearest(points, 3)).dtype == torch.float32
    same = search.nearest(points, 3) == by_sorting(points, cloud, 3)
    assert same.float().mean() > 0.9


@pytest.mark.slow
def test_dimensions_are_known_at_every_point(randn, device, monkeypatch):
    plane, line = torch.zeros(150, 6), torch.zeros(150, 6)
    plane[:, :2], line[:, :1] = randn(150, 2), randn(150, 1)
    cloud = torch.cat([plane, line + 50]).to(device)
    found = Neighbors(cloud).dimensions(most=300)
    assert found[:150].double().mean().round() == 2
    assert found[150:].double().mean().round() == 1
    monkeypatch.setattr(neighbors, "BLOCK_BYTES", 4 * 49 * 6 * 7)  # seven points at a time
    assert torch.equal(Neighbors(cloud).dimensions(most=300), found)
    both = torch.stack([cloud[:150], cloud[150:]])
    assert torch.equal(Neighbors(both).dimensions(most=150).flatten(), found)
    labels = (torch.arange(300) // 150).to(device)
    own = Neighbors(cloud, groups=(labels[[0, 299]], labels))
    assert torch.equal(own.dimensions(most=150), found)
    centers = torch.tensor([3, 200], device=device)
    assert torch.equal(own.dimension(centers, most=150), found[centers])
    near = cloud[centers] + 1e-4
    assert torch.equal(own.dimension_near(near, most=150), found[centers])
    own.measured = found + 1
    assert torch.equal(own.dimension_near(near, most=150), found[centers] + 1)
