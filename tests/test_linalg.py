import numpy as np
import pytest
import torch

from mgd_helpers import linalg, seeding
from mgd_helpers.linalg import Rows, at_least_float32, gram_eigh, nearest, sketch, squared_distances


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_squared_distances_are_those_of_cdist(randn, device, batch):
    points, cloud = randn(*batch, 7, 20).to(device).double(), randn(*batch, 11, 20).to(device).double()
    torch.testing.assert_close(squared_distances(points, cloud), torch.cdist(points, cloud).square())


def test_squared_distances_survive_a_large_offset_in_float32(randn, device):
    points, cloud = randn(7, 20, dtype=torch.float64), randn(11, 20, dtype=torch.float64)
    found = squared_distances((points + 300).float().to(device), (cloud + 300).float().to(device))
    torch.testing.assert_close(found.double().cpu(), torch.cdist(points, cloud).square(), rtol=1e-4, atol=1e-3)


def test_squared_distances_are_never_negative(randn, device):
    same = randn(50, 30).to(device).repeat(2, 1)
    found = squared_distances(same, same)
    assert found.min() >= 0
    assert found.diagonal().max() < 1e-4


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("n_neighbors", [1, 5, 40])
def test_nearest_are_the_first_of_all_distances_sorted(randn, device, batch, n_neighbors):
    points, cloud = randn(*batch, 6, 10).to(device), randn(*batch, 40, 10).to(device)
    expected = torch.cdist(points, cloud).argsort(-1)[..., :n_neighbors]
    assert torch.equal(nearest(points, cloud, n_neighbors=n_neighbors), expected)


@pytest.mark.parametrize("block_bytes", [1, 1000, 5000])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_block_size_does_not_change_the_nearest(randn, device, batch, block_bytes):
    points, cloud = randn(*batch, 6, 10).to(device), randn(*batch, 103, 10).to(device)
    whole = nearest(points, cloud, n_neighbors=4)
    assert torch.equal(nearest(points, cloud, n_neighbors=4, block_bytes=block_bytes), whole)


def test_block_size_bounds_the_memory_of_one_block(randn, monkeypatch):
    sizes = []

    def spy(points, cloud):
        sizes.append(4 * len(cloud) * (len(points) + cloud.shape[-1]))
        return squared_distances(points, cloud)

    monkeypatch.setattr(linalg, "squared_distances", spy)
    nearest(randn(6, 10), randn(103, 10), n_neighbors=4, block_bytes=1000)
    assert len(sizes) > 5
    assert max(sizes) <= 1000


def test_gram_eigenvectors_are_the_left_singular_vectors(randn, device):
    rows = randn(4, 6, 50, dtype=torch.float64).to(device)
    values, vectors = gram_eigh(rows)
    left, singular, _ = torch.linalg.svd(rows, full_matrices=False)
    torch.testing.assert_close(values, singular.square())
    torch.testing.assert_close((vectors * left).sum(-2).abs(), torch.ones_like(values))


def test_gram_eigenvectors_give_those_of_the_scatter_matrix(randn):
    rows = randn(5, 12, dtype=torch.float64)
    values, vectors = gram_eigh(rows)
    directions = rows.T @ vectors / values.sqrt()
    torch.testing.assert_close(rows.T @ rows @ directions, directions * values)
    torch.testing.assert_close(directions.T @ directions, torch.eye(5, dtype=torch.float64))


def test_gram_eigenvalues_are_not_negative_and_fall(randn):
    values, _ = gram_eigh(randn(2, 9).repeat(4, 1))  # eight rows of rank two
    assert values.min() >= 0
    assert (values.diff() <= 0).all()


@pytest.mark.parametrize(
    ("given", "found"),
    [(torch.float16, torch.float32), (torch.bfloat16, torch.float32), (torch.float64, torch.float64)],
)
def test_geometry_never_runs_in_half_precision(given, found):
    assert at_least_float32(torch.ones(2, dtype=given)).dtype == found


def test_distances_of_the_plane():
    found = squared_distances(torch.zeros(1, 2), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    np.testing.assert_allclose(found, [[25, 1]], rtol=1e-6)


def test_a_sketch_keeps_all_products_of_rows_of_so_few_dimensions(randn, device):
    rows = (randn(50, 6, dtype=torch.float64) @ randn(6, 40, dtype=torch.float64)).to(device)
    few = sketch(rows, rank=6, generator=seeding.generator(0))
    assert few.shape == (50, 6)
    torch.testing.assert_close(few @ few.T, rows @ rows.T)


def test_a_sketch_lengthens_no_row_and_turns_with_none(randn, device):
    rows = randn(50, 40, dtype=torch.float64).to(device)
    rotation = torch.linalg.qr(randn(40, 40, dtype=torch.float64)).Q.to(device)
    plain, rotated = (sketch(points, rank=5, generator=seeding.generator(0)) for points in (rows, rows @ rotation))
    assert (plain.norm(dim=1) <= rows.norm(dim=1)).all()
    torch.testing.assert_close(plain @ plain.T, rotated @ rotated.T)


def test_a_sketch_holds_more_of_the_rows_than_random_directions_do(randn):
    rows = randn(200, 100) * torch.linspace(1, 0, 100) ** 4
    held = sketch(rows, rank=10, generator=seeding.generator(0)).square().sum() / rows.square().sum()
    most = torch.linalg.svdvals(rows)[:10].square().sum() / rows.square().sum()
    assert 0.8 * most < held <= most  # random directions would hold a tenth


@pytest.mark.parametrize("block_bytes", [1, 1000, 2**20])
def test_rows_that_are_made_when_they_are_asked_for_are_as_near_as_a_tensor(randn, block_bytes):
    points, cloud = randn(6, 10), randn(103, 10)
    rows = Rows(103, lambda some: cloud[some])
    expected = nearest(points, cloud, n_neighbors=4, block_bytes=block_bytes)
    assert torch.equal(nearest(points, rows, n_neighbors=4, block_bytes=block_bytes), expected)
