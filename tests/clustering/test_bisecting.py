import numpy as np
import pytest
import torch
from comparing import as_sets, inertia, leaf_inertia, same_trees

from mgd_helpers import seeding
from mgd_helpers.clustering import two_means
from mgd_helpers.clustering.bisecting import bisect, bisect_classes


@pytest.fixture
def mixture(randn):
    """120 points around six well separated centers in ten dimensions, of unequal sizes, in float64."""
    sizes = torch.tensor([40, 30, 20, 15, 10, 5])
    centers = 12 * randn(6, 10, dtype=torch.float64)
    return centers.repeat_interleave(sizes, 0) + randn(120, 10, dtype=torch.float64)


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


def test_a_rotation_of_the_latents_leaves_the_clusters_as_they_are(mixture, randn, device):
    rotation = torch.linalg.qr(randn(10, 10, dtype=torch.float64)).Q
    plain, rotated = (bisect(points.to(device), n_leaves=6) for points in (mixture, mixture @ rotation))
    assert as_sets(plain) == as_sets(rotated)


def test_another_order_of_the_latents_gives_the_same_clusters(mixture):
    order = torch.randperm(120, generator=seeding.generator(3))
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


@pytest.fixture(scope="session")
def digit_latents(digits):
    """The latents of the threes, by the shipped pipeline."""
    from mgd_helpers import encode, load_pipeline

    return encode(load_pipeline("digits").vae, digits.train.of_class(3))


@pytest.mark.slow
@pytest.mark.parametrize("points", ["mixture", "overlapping", "digits", "digit_latents"])
def test_inertia_is_no_worse_than_that_of_scikit_learn(points, request, randn, device):
    from sklearn.cluster import BisectingKMeans

    if points == "digits":
        rows = request.getfixturevalue("digits").train.of_class(3).flatten(1)
    elif points == "overlapping":
        rows = 1.5 * randn(8, 20)[torch.arange(400) % 8] + randn(400, 20)
    else:
        rows = request.getfixturevalue(points).flatten(1).float()
    seeds = range(10)
    theirs = [
        BisectingKMeans(n_clusters=10, n_init=5, random_state=seed, bisecting_strategy="biggest_inertia").fit(rows)
        for seed in seeds
    ]
    ours = [leaf_inertia(bisect(rows.to(device), n_leaves=10, n_init=5, seed=seed)) for seed in seeds]
    assert np.mean(ours) <= 1.005 * np.mean([tree.inertia_ for tree in theirs])


def test_tiny_differences_beside_a_far_latent_are_seen(device):
    latents = torch.tensor([1.0, 0.0, 1e-24, 5e-24, 6e-24], device=device)[:, None]
    tree = bisect(latents, n_leaves=3)
    assert as_sets(tree) >= {frozenset([0]), frozenset([1, 2]), frozenset([3, 4])}
    assert len(bisect(latents, n_leaves=5).leaves) == 5


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_leaves": 2, "split_by": "sse"}, "split_by must be one of inertia, variance; got 'sse'"),
        ({"n_leaves": 2, "n_init": 0}, "n_init must be a whole number >= 1; got 0"),
        (
            {"n_leaves": 4},
            "n_leaves must be a whole number from 1 to 3; got 4. Of 4 latents, 3 are distinct",
        ),
        ({"n_leaves": 0}, "n_leaves must be a whole number from 1 .* got 0"),
    ],
)
def test_impossible_trees_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bisect(torch.tensor([[0.0], [0.0], [1.0], [2.0]]), **options)


@pytest.mark.parametrize("options", [{}, {"split_by": "variance", "n_init": 1}, {"space": "pca", "seed": 3}])
def test_classes_grown_together_are_classes_grown_one_by_one(randn, device, options):
    classes = [12 * part + randn(size, 10) for part, size in enumerate((50, 8, 120, 7, 31))]
    classes = [latents.to(device) for latents in classes]
    together = bisect_classes(classes, n_leaves=7, **options)
    for latents, tree in zip(classes, together, strict=True):
        same_trees(tree, bisect(latents, n_leaves=7, **options))


def test_the_classes_of_digits_grown_together(digits):
    latents = [digits.train.of_class(label)[:, :, ::2, ::2] for label in range(10)]
    for one, tree in zip(latents, bisect_classes(latents, n_leaves=10), strict=True):
        same_trees(tree, bisect(one, n_leaves=10))


def test_a_small_budget_of_memory_changes_no_tree(randn, monkeypatch):
    classes = [randn(40, 6) for _ in range(5)]
    free = bisect_classes(classes, n_leaves=6)
    batches = []
    original = two_means._split_batch
    monkeypatch.setattr(two_means, "BLOCK_BYTES", 2 * 40 * 6 * 4)
    monkeypatch.setattr(
        two_means, "_split_batch", lambda asked, *more: batches.append(len(asked)) or original(asked, *more)
    )
    for tree, other in zip(bisect_classes(classes, n_leaves=6), free, strict=True):
        same_trees(tree, other)
    assert batches[:3] == [2, 2, 1]


def test_one_class_that_cannot_be_split_so_often_is_refused(randn):
    with pytest.raises(ValueError, match="n_leaves must be a whole number from 1 to 3; got 4"):
        bisect_classes([randn(9, 2), randn(3, 2)], n_leaves=4)
    assert bisect_classes([], n_leaves=4) == []
    assert [len(tree) for tree in bisect_classes([randn(9, 2), randn(3, 2)], n_leaves=1)] == [1, 1]
