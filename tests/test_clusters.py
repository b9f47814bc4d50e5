import numpy as np
import pytest
import torch

from mgd_helpers.clusters import bisect, two_means
from mgd_helpers.seeding import generator


@pytest.fixture
def mixture(draw):
    """120 points around six well separated centres in ten dimensions, of unequal sizes, in float64."""
    sizes = torch.tensor([40, 30, 20, 15, 10, 5])
    centres = 12 * draw(6, 10, dtype=torch.float64)
    return centres.repeat_interleave(sizes, 0) + draw(120, 10, dtype=torch.float64)


def inertia(rows):
    return (rows - rows.mean(0)).square().sum()


def as_sets(tree, rename=lambda row: row):
    return {frozenset(rename(row) for row in rows.tolist()) for rows in tree.members}


def test_parent_inertia_is_that_of_the_children_and_what_lies_between(mixture, device):
    tree = bisect(mixture.to(device), n_leaves=12)
    for node, pair in enumerate(tree.children):
        if pair:
            left, right = pair
            n_left, n_right = tree.sizes[left], tree.sizes[right]
            gap = (tree.centroids[left] - tree.centroids[right]).square().sum()
            between = n_left * n_right / (n_left + n_right) * gap
            torch.testing.assert_close(tree.inertias[node], tree.inertias[left] + tree.inertias[right] + between)


def test_children_share_out_the_members_of_their_parent(mixture, device):
    tree = bisect(mixture.to(device), n_leaves=12)
    assert sorted(tree.members[0].tolist()) == list(range(120))
    for node, pair in enumerate(tree.children):
        if pair:
            together = torch.cat([tree.members[child] for child in pair])
            assert sorted(together.tolist()) == sorted(tree.members[node].tolist())
            assert [tree.parents[child] for child in pair] == [node, node]
            assert [tree.depths[child] for child in pair] == [tree.depths[node] + 1] * 2
            assert min(pair) > node


def test_every_node_is_measured_on_its_members(mixture, device):
    latents = mixture.view(120, 2, 5).to(device)
    tree = bisect(latents, n_leaves=9)
    for node, rows in enumerate(tree.members):
        block = latents[rows.to(device)]
        torch.testing.assert_close(tree.centroids[node], block.mean(0))
        torch.testing.assert_close(tree.inertias[node], inertia(block))
        squares = (block - block.mean(0)).square().sum((1, 2))
        assert tree.nearest[node] == rows[squares.argmin().cpu()]


@pytest.mark.parametrize("n_leaves", [1, 2, 7, 120])
def test_as_many_leaves_as_asked_for(mixture, n_leaves):
    tree = bisect(mixture, n_leaves=n_leaves)
    assert len(tree.leaves) == n_leaves
    assert len(tree) == 2 * n_leaves - 1
    assert min(tree.sizes) >= 1


def test_labels_name_the_leaf_that_holds_each_latent(mixture):
    tree = bisect(mixture, n_leaves=7)
    for row, leaf in enumerate(tree.labels.tolist()):
        assert leaf in tree.leaves
        assert row in tree.members[leaf]


@pytest.mark.parametrize("split_by", ["inertia", "variance"])
def test_the_leaf_split_is_always_the_largest_by_the_criterion(mixture, split_by):
    tree = bisect(mixture, n_leaves=10, split_by=split_by)
    value = tree.inertias if split_by == "inertia" else tree.inertias / torch.tensor(tree.sizes)
    open_nodes = {0}
    for node in sorted((node for node, pair in enumerate(tree.children) if pair), key=lambda node: tree.children[node]):
        assert value[node] == max(value[other] for other in open_nodes)
        open_nodes = open_nodes - {node} | set(tree.children[node])


def test_a_rotation_of_the_latents_leaves_the_clusters_as_they_are(mixture, draw, device):
    rotation = torch.linalg.qr(draw(10, 10, dtype=torch.float64)).Q
    plain, rotated = (bisect(points.to(device), n_leaves=6) for points in (mixture, mixture @ rotation))
    assert as_sets(plain) == as_sets(rotated)


def test_another_order_of_the_latents_gives_the_same_clusters(mixture):
    order = torch.randperm(120, generator=generator(3))
    plain, shuffled = (bisect(points, n_leaves=6, n_init=50) for points in (mixture, mixture[order]))
    assert as_sets(plain) == as_sets(shuffled, rename=lambda row: order[row].item())


def test_separate_blobs_are_found(mixture):
    tree = bisect(mixture, n_leaves=6)
    truth = torch.arange(6).repeat_interleave(torch.tensor([40, 30, 20, 15, 10, 5]))
    assert {frozenset(truth[rows].tolist()) for rows in (tree.members[leaf] for leaf in tree.leaves)} == {
        frozenset([blob]) for blob in range(6)
    }


def test_same_seed_same_tree(mixture, device):
    one, other = (bisect(mixture.to(device), n_leaves=12, n_init=1, seed=3) for _ in range(2))
    assert str(one) == str(other)
    assert torch.equal(one.labels, other.labels)


def naive_split(rows):
    """The best split of few rows, by trying all of them."""
    best = min(range(1, 2 ** (len(rows) - 1)), key=lambda mask: split_inertia(rows, mask).item())
    return split_inertia(rows, best)


def split_inertia(rows, mask):
    right = torch.tensor([bool(mask >> bit & 1) for bit in range(len(rows))])
    return inertia(rows[right]) + inertia(rows[~right])


@pytest.mark.parametrize("seed", range(5))
def test_two_means_finds_the_best_of_all_splits_of_a_few_points(device, seed):
    rows = torch.randn(9, 2, generator=generator(seed), dtype=torch.float64)
    right = two_means(rows.to(device), n_init=50, draw=generator(seed)).cpu()
    torch.testing.assert_close(inertia(rows[right]) + inertia(rows[~right]), naive_split(rows))


def leaf_inertia(tree):
    return tree.inertias[list(tree.leaves)].sum().item()


@pytest.mark.parametrize("points", ["mixture", "digits"])
def test_inertia_is_no_worse_than_that_of_scikit_learn(points, request, device):
    from sklearn.cluster import BisectingKMeans

    if points == "digits":
        rows = request.getfixturevalue("digits").train.of_class(3).flatten(1)
    else:
        rows = request.getfixturevalue("mixture").float()
    seeds = range(6)
    theirs = [
        BisectingKMeans(n_clusters=10, n_init=5, random_state=seed, bisecting_strategy="biggest_inertia").fit(rows)
        for seed in seeds
    ]
    ours = [leaf_inertia(bisect(rows.to(device), n_leaves=10, n_init=5, seed=seed)) for seed in seeds]
    assert np.mean(ours) <= 1.005 * np.mean([tree.inertia_ for tree in theirs])


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_near_duplicates_far_from_the_origin_are_kept_apart(offset):
    latents = offset + torch.tensor([0.0, 0.0, 0.001, 0.001, 0.002, 5.0])[:, None]
    tree = bisect(latents, n_leaves=4)
    assert {frozenset(tree.members[leaf].tolist()) for leaf in tree.leaves} == {
        frozenset(rows) for rows in ([0, 1], [2, 3], [4], [5])
    }
    assert tree.centroids.isfinite().all()


def test_half_precision_latents_are_clustered_in_float32(mixture):
    half = mixture.half()
    tree = bisect(half, n_leaves=6)
    assert tree.centroids.dtype == torch.float16
    assert tree.inertias.dtype == torch.float32
    torch.testing.assert_close(tree.inertias[0], inertia(half.float()))


def test_printing_shows_the_nodes_indented_by_depth():
    text = str(bisect(torch.tensor([[0.0], [0.2], [5.0]]), n_leaves=2))
    assert text.splitlines()[0].startswith("0: 3 latents, inertia 16")
    assert sorted(line.split(":")[0] for line in text.splitlines()[1:]) == ["  1", "  2"]
    assert text.count("leaf") == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_leaves": 2, "split_by": "sse"}, "split_by must be 'inertia' or 'variance'; got 'sse'"),
        ({"n_leaves": 2, "n_init": 0}, "n_init must be at least 1; got 0"),
        ({"n_leaves": 4}, r"n_leaves must lie between 1 and the number of distinct latents, 3 \(of 4\); got 4"),
        ({"n_leaves": 0}, "n_leaves must lie between 1 .* got 0"),
    ],
)
def test_impossible_trees_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bisect(torch.tensor([[0.0], [0.0], [1.0], [2.0]]), **options)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_latents_that_are_not_finite_are_refused(value):
    with pytest.raises(ValueError, match="latents must be finite; got NaN or infinite values"):
        bisect(torch.tensor([[0.0], [value], [1.0]]), n_leaves=2)
