"""The estimators against their definitions, and adaptive neighbourhoods on manifolds that are known."""

import math

import numpy as np
import pytest
import torch

from mgd_helpers.tangent.dimension import mle_dimension, two_nn_dimension
from mgd_helpers.tangent.local_pca import local_tangent

QUERIES, POINTS = 100, 2000


def sorted_distances(points, cloud, k):
    return torch.cdist(points, cloud).sort(1).values[:, 1 : k + 1]


@pytest.fixture
def distances(randn):
    cloud = randn(300, 3, dtype=torch.float64)
    return sorted_distances(cloud, cloud, 20)


def test_maximum_likelihood_is_the_formula_of_levina_and_bickel(distances):
    for found, row in zip(mle_dimension(distances), distances.numpy(), strict=True):
        assert found.item() == pytest.approx((len(row) - 2) / sum(np.log(row[-1] / t) for t in row[:-1]))


def test_maximum_likelihood_is_unbiased_where_its_assumptions_hold():
    """Distances of a Poisson process in d dimensions: volumes are sums of exponential variables."""
    generator = torch.Generator().manual_seed(0)
    for dimension in (1, 3, 8):
        volumes = -torch.rand(20000, 30, generator=generator, dtype=torch.float64).log()
        found = mle_dimension(volumes.cumsum(1) ** (1 / dimension))
        assert found.mean().item() == pytest.approx(dimension, rel=0.01)
        assert found.std().item() == pytest.approx(dimension / math.sqrt(30 - 3), rel=0.1)


def test_two_neighbors_is_the_regression_of_facco(distances):
    ratios = np.sort(np.log(distances[:, 1] / distances[:, 0]).numpy())
    n = len(ratios)
    kept = range(int(0.9 * n))
    x = np.array([ratios[i] for i in kept])
    y = np.array([-np.log(1 - (i + 1) / n) for i in kept])
    assert two_nn_dimension(distances) == pytest.approx((x * y).sum() / (x * x).sum())


def test_units_do_not_matter(distances):
    torch.testing.assert_close(mle_dimension(1000 * distances), mle_dimension(distances))
    assert two_nn_dimension(1000 * distances) == pytest.approx(two_nn_dimension(distances))


def test_duplicates_do_not_count(distances):
    padded = torch.cat([torch.zeros(300, 4, dtype=torch.float64), distances], 1)
    torch.testing.assert_close(mle_dimension(padded), mle_dimension(distances))
    more = torch.cat([distances, torch.zeros(50, 20, dtype=torch.float64)])
    assert two_nn_dimension(more) == pytest.approx(two_nn_dimension(distances))
    assert mle_dimension(torch.zeros(2, 5)).isnan().all()
    assert mle_dimension(torch.ones(2, 5)).isnan().all()  # all equally far: a sphere around the point, of any dimension


def test_too_few_neighbors_are_refused():
    with pytest.raises(ValueError, match=r"distances must be \[B, k\] with k at least 3 and no NaN; got \[4, 2\]"):
        mle_dimension(torch.ones(4, 2))
    with pytest.raises(ValueError, match=r"distances must be \[B, k\] with k at least 2 and no NaN; got \[4, 1\]"):
        two_nn_dimension(torch.ones(4, 1))
    with pytest.raises(ValueError, match="at least two points with two neighbours at different distances"):
        two_nn_dimension(torch.ones(4, 2))


# --- manifolds: points [N, m] and at each an orthonormal frame of the tangent [N, d, m] -------------------------------


def plane(dimension, randn):
    points = randn(QUERIES + POINTS, dimension)
    return points, torch.eye(dimension).expand(len(points), -1, -1)


def sphere(dimension, randn):
    points = torch.nn.functional.normalize(randn(QUERIES + POINTS, dimension + 1))
    return points, torch.linalg.svd(points[:, None], full_matrices=True).Vh[:, 1:]


def torus(_, randn):
    """The tube around a circle, of radii 1 and 0.4."""
    u, v = 2 * math.pi * torch.rand(2, QUERIES + POINTS, generator=torch.Generator().manual_seed(1))
    points = torch.stack([(1 + 0.4 * v.cos()) * u.cos(), (1 + 0.4 * v.cos()) * u.sin(), 0.4 * v.sin()], 1)
    along = torch.stack([-u.sin(), u.cos(), 0 * u], 1)
    around = torch.stack([-v.sin() * u.cos(), -v.sin() * u.sin(), v.cos()], 1)
    return points, torch.stack([along, around], 1)


def swiss_roll(_, randn):
    generator = torch.Generator().manual_seed(1)
    t = 1.5 * math.pi * (1 + 2 * torch.rand(QUERIES + POINTS, generator=generator))
    height = 21 * torch.rand(len(t), generator=generator)
    along = torch.stack([t.cos() - t * t.sin(), 0 * t, t.sin() + t * t.cos()], 1)
    across = torch.tensor([0.0, 1, 0]).expand(len(t), 3)
    points = torch.stack([t * t.cos(), height, t * t.sin()], 1)
    return points, torch.stack([torch.nn.functional.normalize(along), across], 1)


def embedded(manifold, dimension, ambient, randn):
    """In `ambient` dimensions, under noise whose length is 1 % of the manifold's extent (root mean square)."""
    points, frames = manifold(dimension, randn)
    turn = torch.linalg.qr(randn(ambient, points.shape[1])).Q
    extent = (points - points.mean(0)).square().sum(1).mean().sqrt()
    noisy = points @ turn.T + 0.01 * extent / math.sqrt(ambient) * randn(len(points), ambient)
    return noisy[:QUERIES], noisy[QUERIES:], frames[:QUERIES] @ turn.T


def angles(first, second):
    """The largest principal angle of each pair of subspaces, in degrees."""
    return torch.linalg.svdvals(first @ second.mT)[:, -1].clamp(0, 1).arccos().rad2deg()


KNOWN = [(plane, d) for d in (1, 2, 4, 8)] + [(sphere, d) for d in (1, 2, 4, 8)] + [(torus, 2), (swiss_roll, 2)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("manifold", "dimension", "ambient"),
    [(*case, 64) for case in KNOWN] + [(plane, 8, 4096), (sphere, 4, 4096), (swiss_roll, 2, 4096)],
)
def test_known_manifolds_are_recovered(randn, device, manifold, dimension, ambient):
    points, cloud, frames = embedded(manifold, dimension, ambient, randn)
    found = local_tangent(points.to(device), cloud.to(device), n_neighbors="auto", rank="auto").rank.cpu()
    assert abs(found.median() - dimension) <= 1  # the mean comes out a little low in many dimensions
    space = local_tangent(points.to(device), cloud.to(device), n_neighbors="auto", rank=dimension)
    wrong = angles(space.basis.cpu(), frames)
    assert wrong.median() < 10
    assert wrong.quantile(0.9) < 10
    if dimension > 1:  # below, the noise is wider than the gaps between 2,000 points, and two neighbours see it alone
        assert abs(two_nn_dimension(sorted_distances(cloud, cloud, 2)) - dimension) <= 1


@pytest.mark.parametrize(("manifold", "dimension"), [(plane, 2), (sphere, 4), (swiss_roll, 2)])
def test_the_explained_variance_rule_finds_flat_and_gently_curved_manifolds(randn, manifold, dimension):
    points, cloud, _ = embedded(manifold, dimension, 64, randn)
    found = local_tangent(points, cloud, n_neighbors="auto", rank=0.9).rank.float()
    assert abs(found.mean() - dimension) <= 1


def test_a_prediction_off_the_manifold_does_not_change_its_dimension(randn):
    points, cloud, _ = embedded(sphere, 2, 64, randn)
    off = points + 0.2 * torch.nn.functional.normalize(randn(QUERIES, 64))
    assert abs(local_tangent(off, cloud, n_neighbors="auto", rank="auto").rank.float().mean() - 2) <= 1
    naive = mle_dimension(torch.cdist(off, cloud).sort(1).values[:, :64])
    assert naive.median() > 3  # from its own distances one would see too many
