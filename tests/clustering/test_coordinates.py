"""Trees in every space: the tree of the points as the space sees them, measured on the latents."""

import pytest
import torch
from comparing import as_sets, inertia, same_members

from mgd_helpers.clustering.bisecting import bisect


@pytest.fixture
def patches(randn):
    """40 latents [2, 4, 8] around four centers that differ in some 2x2 windows, the last ten equal to the first."""
    centers = 3 * randn(4, 2, 2, 4).repeat_interleave(2, 2).repeat_interleave(2, 3)
    latents = centers[torch.arange(30) % 4] + randn(30, 2, 4, 8)
    return torch.cat([latents, latents[:10]])


@pytest.mark.parametrize("pool", [1, 2, 4])
@pytest.mark.parametrize("split_by", ["inertia", "variance"])
def test_pooled_tree_is_the_tree_of_the_pooled_latents(patches, pool, split_by, device):
    tree = bisect(patches.to(device), n_leaves=9, space="pooled", pool=pool, split_by=split_by)
    pooled = torch.nn.functional.avg_pool2d(patches, pool)
    assert same_members(tree, bisect(pooled.to(device), n_leaves=9, split_by=split_by))


def test_pooling_sees_what_is_common_to_a_window_and_nothing_else(randn):
    noise = 9 * randn(20, 3, 4, 4)
    noise -= torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(noise, 2), scale_factor=2)
    sides = torch.ones(20, 1, 1, 1).index_fill(0, torch.arange(8), -1)
    tree = bisect(sides + noise, n_leaves=2, space="pooled", pool=2)
    assert as_sets(tree) >= {frozenset(range(8)), frozenset(range(8, 20))}


@pytest.mark.parametrize("count", [30, 120])
@pytest.mark.parametrize("n_components", [2, 5, 20])
def test_pca_tree_is_the_tree_of_the_leading_components(randn, device, count, n_components):
    latents = randn(count, 40, dtype=torch.float64) * torch.linspace(5, 0.5, 40)
    tree = bisect(latents.to(device), n_leaves=8, space="pca", n_components=n_components)
    centered = latents - latents.mean(0)
    projected = centered @ torch.linalg.svd(centered).Vh[:n_components].T
    assert same_members(tree, bisect(projected.to(device), n_leaves=8))


@pytest.mark.parametrize("count", [30, 120])
def test_all_components_give_the_raw_tree(randn, count):
    latents = randn(count, 60, dtype=torch.float64)
    tree = bisect(latents, n_leaves=8, space="pca", n_components=min(count, 60))
    assert same_members(tree, bisect(latents, n_leaves=8))


def test_pca_keeps_95_percent_of_the_variance_by_default(randn):
    spread = torch.tensor([60, 25, 9, 4, 1, 1], dtype=torch.float64).sqrt()  # 60, 85, 94, 98, ... percent
    latents = randn(4000, 6, dtype=torch.float64) * spread
    by_default, four, three = (
        bisect(latents, n_leaves=9, n_init=1, space="pca", **kept)
        for kept in ({}, {"n_components": 4}, {"n_components": 3})
    )
    assert same_members(by_default, four)
    assert not same_members(by_default, three)


@pytest.mark.parametrize("options", [{"space": "pooled"}, {"space": "pca"}, {"space": "pca", "n_components": 3}])
def test_in_every_space_nodes_are_measured_on_the_latents(patches, device, options):
    tree = bisect(patches.to(device), n_leaves=7, **options)
    for node, rows in enumerate(tree.members):
        block = patches[rows]
        torch.testing.assert_close(tree.centroids[node].cpu(), block.mean(0))
        torch.testing.assert_close(tree.inertias[node].cpu(), inertia(block))
        squares = (block - block.mean(0)).square().sum((1, 2, 3))
        torch.testing.assert_close(squares[rows.tolist().index(tree.nearest[node])], squares.min())


@pytest.mark.parametrize("options", [{}, {"space": "pooled"}, {"space": "pca"}, {"space": "pca", "n_components": 30}])
def test_equal_latents_are_never_parted(patches, device, options):
    tree = bisect(patches.to(device), n_leaves=30, **options)
    assert sorted(tree.sizes[leaf] for leaf in tree.leaves) == [1] * 20 + [2] * 10
    assert torch.equal(tree.labels[:10], tree.labels[30:])
    with pytest.raises(ValueError, match=r"from 1 to 30; got 31\. Of 40 latents, 30 are distinct"):
        bisect(patches.to(device), n_leaves=31, **options)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((9, 4), {"space": "fourier"}, "space must be one of raw, pooled, pca; got 'fourier'"),
        ((9, 4), {"space": "pooled"}, r"latents must be \[N, C, H, W\] for space='pooled'; got \[9, 4\]"),
        ((9, 1, 6, 4), {"space": "pooled", "pool": 4}, "pool must divide .* height and width, 6 and 4; got 4"),
        ((9, 1, 6, 4), {"space": "pooled", "pool": 0}, "pool must be a whole number >= 1; got 0"),
        (
            (9, 4),
            {"space": "pca", "n_components": 5},
            "n_components must be a whole .* 1 to 4; got 5. They are 9 latents of 4 numbers each",
        ),
        ((9, 4), {"space": "pca", "n_components": 0}, "n_components must be a whole number from 1 .* got 0"),
        ((0, 4), {}, r"latents must not be empty; got shape \[0, 4\]"),
    ],
)
def test_impossible_spaces_are_refused(randn, shape, options, message):
    with pytest.raises(ValueError, match=message):
        bisect(randn(*shape), n_leaves=2, **options)


def test_latents_that_a_space_cannot_tell_apart_are_counted_once():
    latents = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [2.0, 2.0]]).view(3, 1, 1, 2).repeat_interleave(2, 2)
    with pytest.raises(ValueError, match=r"from 1 to 2; got 3\. Of 3 latents, 2 are distinct"):
        bisect(latents, n_leaves=3, space="pooled")


@pytest.mark.parametrize("size", [1e-42, 1e-37, 1e-24, 1e20, 1e29])
@pytest.mark.parametrize("space", ["raw", "pca"])
def test_tiny_and_huge_latents_are_clustered_as_others_are(device, size, space):
    latents = torch.tensor([[0.0, 1.0], [0.1, 1.0], [5.0, 0.0], [5.1, 0.0], [9.0, 0.0]], device=device)
    plain, scaled = (bisect(points, n_leaves=3, space=space) for points in (latents, size * latents))
    assert as_sets(plain) == as_sets(scaled)
    assert scaled.centroids.isfinite().all()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_latents_that_are_not_finite_are_refused(value):
    with pytest.raises(ValueError, match="latents must be finite; got NaN or infinite values"):
        bisect(torch.tensor([[0.0], [value], [1.0]]), n_leaves=2)


def test_latents_whose_sums_overflow_are_refused():
    with pytest.raises(ValueError, match=r"latents must lie within ±1e\+30; got \[0, 1e\+31\]"):
        bisect(torch.tensor([[0.0], [1e31]]), n_leaves=2)


def test_latents_that_differ_in_their_last_number_are_distinct(device):
    latents = torch.zeros(5, 40, device=device)
    latents[:, -1] = torch.tensor([0.0, 0.0, 1.0, 2.0, 3.0])
    assert as_sets(bisect(latents, n_leaves=4)) >= {frozenset(rows) for rows in ([0, 1], [2], [3], [4])}


def test_rounding_of_their_mean_does_not_part_equal_latents(device):
    """The mean of equal numbers can differ from them, by more than other latents differ from each other."""
    latents = torch.cat([torch.full((30, 50), 0.1), torch.zeros(1, 50), torch.full((1, 50), 1e-20)]).to(device)
    equal = latents[:30]
    assert (equal - equal.mean(0)).square().sum() > (latents[30] - latents[31]).square().sum()
    assert as_sets(bisect(latents, n_leaves=3)) >= {frozenset(range(30)), frozenset([30]), frozenset([31])}
