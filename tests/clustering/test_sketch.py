"""Large nodes of many dimensions are split in a sketch first: the trees keep every law of the others."""

import numpy as np
import pytest
import torch
from comparing import as_sets, inertia, leaf_inertia, same_members, same_trees

from mgd_helpers.clustering import bisecting, two_means
from mgd_helpers.clustering.bisecting import bisect, bisect_classes


@pytest.fixture
def wide(randn):
    """700 latents of 1,024 dimensions in 20 groups that overlap: a few directions of their own, and noise."""
    group = torch.arange(700) % 20
    directions = randn(20, 4, 1024) / 8
    return randn(20, 1024)[group] / 15 + (randn(700, 1, 4) @ directions[group])[:, 0] + 0.2 * randn(700, 1024)


@pytest.fixture
def sketches(monkeypatch):
    """The shapes of what is sketched, and of the problems that are then split one by one."""
    shapes = []
    for module, name in ((bisecting, "sketch"), (two_means, "split")):
        original = getattr(module, name)

        def noted(rows, *others, original=original, **more):
            shapes.append(tuple(rows.shape))
            return original(rows, *others, **more)

        monkeypatch.setattr(module, name, noted)
    return shapes


@pytest.mark.parametrize("options", [{}, {"seed": 1, "n_init": 1}, {"seed": 2, "split_by": "variance"}])
def test_no_latent_of_a_large_node_is_nearer_to_the_other_child(wide, device, sketches, options):
    tree = bisect(wide.to(device), n_leaves=6, **options)
    assert sketches[:2] == [(700, 1024), (700, bisecting.SKETCH_RANK)]
    for node, pair in enumerate(tree.children):
        if pair:
            left, right = (tree.members[child].to(device) for child in pair)
            distances = torch.cdist(tree.latents.double(), tree.centroids[list(pair)].double())
            assert (distances[left, 0] <= distances[left, 1]).all(), node
            assert (distances[right, 1] <= distances[right, 0]).all(), node
            assert tree.members[node][0] == tree.members[pair[0]][0]


def test_the_first_latent_is_on_the_left_even_where_it_changed_sides_after_the_sketch(wide, device, monkeypatch):
    plain, split = bisect(wide.to(device), n_leaves=2), two_means.split

    def all_but_the_first_swapped(*problem, **more):
        right = ~split(*problem, **more)
        return right.index_fill(0, torch.tensor([0], device=device), False)

    monkeypatch.setattr(two_means, "split", all_but_the_first_swapped)
    assert same_members(plain, bisect(wide.to(device), n_leaves=2))


def test_every_large_node_is_measured_on_its_members(wide, device):
    wide = wide.view(700, 4, 16, 16).to(device)
    tree = bisect(wide, n_leaves=6)
    for node, rows in enumerate(tree.members):
        block = wide[rows.to(device)]
        torch.testing.assert_close(tree.centroids[node], block.mean(0))
        torch.testing.assert_close(tree.inertias[node], inertia(block))
        squares = (block - block.mean(0)).square().sum((1, 2, 3))
        assert tree.nearest[node] == rows[squares.argmin().cpu()]


@pytest.fixture
def rectangle(randn):
    """300 latents around the corners of a rectangle: to part its short sides is stable, but not the best."""
    corner = torch.cartesian_prod(torch.tensor([-5.0, 5.0]), torch.tensor([-3.0, 3.0]))[torch.arange(300) % 4]
    return 0.1 * randn(300, 1024) + corner @ torch.linalg.qr(randn(1024, 2)).Q.T


@pytest.mark.slow
@pytest.mark.parametrize(("points", "n_leaves"), [("wide", 12), ("rectangle", 2)])
def test_a_sketch_costs_no_inertia(points, n_leaves, request, device, monkeypatch):
    latents = request.getfixturevalue(points).to(device)

    def left():
        return np.mean([leaf_inertia(bisect(latents, n_leaves=n_leaves, seed=seed)) for seed in range(6)])

    sketched = left()
    monkeypatch.setattr(bisecting, "SKETCHED", (10**9, 1))
    assert sketched <= 1.003 * left()


def test_a_rotation_of_large_latents_leaves_the_clusters_as_they_are(wide, randn, device):
    rotation = torch.linalg.qr(randn(1024, 1024, dtype=torch.float64)).Q
    plain, rotated = (bisect(points.to(device), n_leaves=6) for points in (wide.double(), wide.double() @ rotation))
    assert as_sets(plain) == as_sets(rotated)


@pytest.mark.parametrize(
    ("count", "dim", "n_leaves", "sketched"),
    [(256, 1024, 2, True), (255, 1024, 2, False), (256, 1023, 2, False), (6000, 256, 2, False), (256, 1024, 1, False)],
)
def test_only_large_problems_are_sketched(randn, sketches, count, dim, n_leaves, sketched):
    bisect(randn(count, dim), n_leaves=n_leaves, n_init=1)
    assert ((count, bisecting.SKETCH_RANK) in sketches) == sketched


@pytest.mark.parametrize("power", [-90, 0, 70])
def test_powers_of_two_do_not_change_a_large_tree(wide, device, sketches, power):
    plain, scaled = (bisect(points.to(device), n_leaves=4) for points in (wide, torch.ldexp(wide, torch.tensor(power))))
    assert same_members(plain, scaled)
    assert sketches.count((700, bisecting.SKETCH_RANK)) == 2


def test_equal_latents_of_a_large_node_are_never_parted(wide, device):
    tree = bisect(wide[:30].repeat(20, 1).to(device), n_leaves=30)
    assert set(tree.sizes[leaf] for leaf in tree.leaves) == {20}
    with pytest.raises(ValueError, match=r"from 1 to 2; got 3\. Of 600 latents, 2 are distinct"):
        bisect(wide[:2].repeat(300, 1).to(device), n_leaves=3)


def test_what_a_sketch_cannot_resolve_is_split_without_it(randn, device, sketches):
    """The dense group's halves lie closer together than its coordinates in the sketch are rounded."""
    half = torch.arange(300) % 2
    dense = 1e-6 * (randn(2, 1024)[half] + 0.3 * randn(300, 1024))
    tree = bisect(torch.cat([torch.full((300, 1024), 9.0), dense]).to(device), n_leaves=3)
    assert sketches == [(600, 1024), (600, bisecting.SKETCH_RANK), (300, 1024)]
    assert as_sets(tree) >= {frozenset((300 + (half == side).nonzero()[:, 0]).tolist()) for side in (0, 1)}


def test_what_a_sketch_does_not_hold_is_split_without_it(randn, device, sketches):
    """Far latents, each in a direction of its own, take up the whole sketch; the others differ elsewhere."""
    latents, half = torch.zeros(430, 1024), torch.arange(300) % 2
    latents[:130, :130] = 3e3 * torch.eye(130)
    latents[:130, 130] = 3e3
    latents[130:, 131:] = randn(2, 893)[half] + 0.3 * randn(300, 893)
    tree = bisect(latents.to(device), n_leaves=132)
    assert sketches[:2] == [(430, 1024), (430, bisecting.SKETCH_RANK)]
    assert sketches[-1] == (300, 1024)
    assert as_sets(tree) >= {frozenset((130 + (half == side).nonzero()[:, 0]).tolist()) for side in (0, 1)}


def test_large_classes_grown_together_are_classes_grown_one_by_one(wide, device, sketches):
    classes = [part.to(device) for part in (wide, wide[:300] + 1, wide[:90], wide[200:, :600])]
    together = bisect_classes(classes, n_leaves=7)
    assert sketches[:2] == [(700, 1024), (300, 1024)]
    for latents, tree in zip(classes, together, strict=True):
        same_trees(tree, bisect(latents, n_leaves=7))
