import numpy as np
import pytest
import torch

from mgd_helpers.clustering import bisecting
from mgd_helpers.clustering.bisecting import bisect, bisect_classes
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


def leaf_inertia(tree):
    return tree.inertias[list(tree.leaves)].sum().item()


@pytest.fixture(scope="session")
def digit_latents(digits):
    """The latents of the threes, by the shipped pipeline."""
    from mgd_helpers import encode, load_pipeline

    return encode(load_pipeline("digits").vae, digits.train.of_class(3))


@pytest.mark.parametrize("points", ["mixture", "overlapping", "digits", "digit_latents"])
def test_inertia_is_no_worse_than_that_of_scikit_learn(points, request, draw, device):
    from sklearn.cluster import BisectingKMeans

    if points == "digits":
        rows = request.getfixturevalue("digits").train.of_class(3).flatten(1)
    elif points == "overlapping":
        rows = 1.5 * draw(8, 20)[torch.arange(400) % 8] + draw(400, 20)
    else:
        rows = request.getfixturevalue(points).flatten(1).float()
    seeds = range(10)
    theirs = [
        BisectingKMeans(n_clusters=10, n_init=5, random_state=seed, bisecting_strategy="biggest_inertia").fit(rows)
        for seed in seeds
    ]
    ours = [leaf_inertia(bisect(rows.to(device), n_leaves=10, n_init=5, seed=seed)) for seed in seeds]
    assert np.mean(ours) <= 1.005 * np.mean([tree.inertia_ for tree in theirs])


@pytest.fixture
def patches(draw):
    """40 latents [2, 4, 8] around four centres that differ in some 2x2 windows, the last ten equal to the first."""
    centres = 3 * draw(4, 2, 2, 4).repeat_interleave(2, 2).repeat_interleave(2, 3)
    latents = centres[torch.arange(30) % 4] + draw(30, 2, 4, 8)
    return torch.cat([latents, latents[:10]])


def same_members(one, other):
    return one.children == other.children and all(map(torch.equal, one.members, other.members))


@pytest.mark.parametrize("pool", [1, 2, 4])
@pytest.mark.parametrize("split_by", ["inertia", "variance"])
def test_pooled_tree_is_the_tree_of_the_pooled_latents(patches, pool, split_by, device):
    tree = bisect(patches.to(device), n_leaves=9, space="pooled", pool=pool, split_by=split_by)
    pooled = torch.nn.functional.avg_pool2d(patches, pool)
    assert same_members(tree, bisect(pooled.to(device), n_leaves=9, split_by=split_by))


def test_pooling_sees_what_is_common_to_a_window_and_nothing_else(draw):
    noise = 9 * draw(20, 3, 4, 4)
    noise -= torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(noise, 2), scale_factor=2)
    sides = torch.ones(20, 1, 1, 1).index_fill(0, torch.arange(8), -1)
    tree = bisect(sides + noise, n_leaves=2, space="pooled", pool=2)
    assert as_sets(tree) >= {frozenset(range(8)), frozenset(range(8, 20))}


@pytest.mark.parametrize("count", [30, 120])
@pytest.mark.parametrize("n_components", [2, 5, 20])
def test_pca_tree_is_the_tree_of_the_leading_components(draw, device, count, n_components):
    latents = draw(count, 40, dtype=torch.float64) * torch.linspace(5, 0.5, 40)
    tree = bisect(latents.to(device), n_leaves=8, space="pca", n_components=n_components)
    centred = latents - latents.mean(0)
    projected = centred @ torch.linalg.svd(centred).Vh[:n_components].T
    assert same_members(tree, bisect(projected.to(device), n_leaves=8))


@pytest.mark.parametrize("count", [30, 120])
def test_all_components_give_the_raw_tree(draw, count):
    latents = draw(count, 60, dtype=torch.float64)
    tree = bisect(latents, n_leaves=8, space="pca", n_components=min(count, 60))
    assert same_members(tree, bisect(latents, n_leaves=8))


def test_pca_keeps_95_percent_of_the_variance_by_default(draw):
    spread = torch.tensor([60, 25, 9, 4, 1, 1], dtype=torch.float64).sqrt()  # 60, 85, 94, 98, ... percent
    latents = draw(4000, 6, dtype=torch.float64) * spread
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
    with pytest.raises(ValueError, match=r"number of distinct latents, 30 \(of 40\); got 31"):
        bisect(patches.to(device), n_leaves=31, **options)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((9, 4), {"space": "fourier"}, "space must be 'raw', 'pooled' or 'pca'; got 'fourier'"),
        ((9, 4), {"space": "pooled"}, r"latents must be \[N, C, H, W\] for space='pooled'; got \[9, 4\]"),
        ((9, 1, 6, 4), {"space": "pooled", "pool": 4}, "pool must divide .* height and width, 6 and 4; got 4"),
        ((9, 1, 6, 4), {"space": "pooled", "pool": 0}, "pool must divide .* got 0"),
        ((9, 4), {"space": "pca", "n_components": 5}, r"n_components must lie between 1 and min\(N, D\) = 4; got 5"),
        ((9, 4), {"space": "pca", "n_components": 0}, "n_components must lie between 1 .* got 0"),
        ((0, 4), {}, r"latents must not be empty; got shape \[0, 4\]"),
    ],
)
def test_impossible_spaces_are_refused(draw, shape, options, message):
    with pytest.raises(ValueError, match=message):
        bisect(draw(*shape), n_leaves=2, **options)


def test_rounding_of_their_mean_does_not_part_equal_latents(device):
    """The mean of equal numbers can differ from them, by more than other latents differ from each other."""
    latents = torch.cat([torch.full((30, 50), 0.1), torch.zeros(1, 50), torch.full((1, 50), 1e-20)]).to(device)
    equal = latents[:30]
    assert (equal - equal.mean(0)).square().sum() > (latents[30] - latents[31]).square().sum()
    assert as_sets(bisect(latents, n_leaves=3)) >= {frozenset(range(30)), frozenset([30]), frozenset([31])}


def test_latents_that_differ_in_their_last_number_are_distinct(device):
    latents = torch.zeros(5, 40, device=device)
    latents[:, -1] = torch.tensor([0.0, 0.0, 1.0, 2.0, 3.0])
    assert as_sets(bisect(latents, n_leaves=4)) >= {frozenset(rows) for rows in ([0, 1], [2], [3], [4])}


def test_latents_that_a_space_cannot_tell_apart_are_counted_once():
    latents = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [2.0, 2.0]]).view(3, 1, 1, 2).repeat_interleave(2, 2)
    with pytest.raises(ValueError, match=r"number of distinct latents, 2 \(of 3\); got 3"):
        bisect(latents, n_leaves=3, space="pooled")


@pytest.mark.parametrize("size", [1e-42, 1e-37, 1e-24, 1e20, 1e29])
@pytest.mark.parametrize("space", ["raw", "pca"])
def test_tiny_and_huge_latents_are_clustered_as_others_are(device, size, space):
    latents = torch.tensor([[0.0, 1.0], [0.1, 1.0], [5.0, 0.0], [5.1, 0.0], [9.0, 0.0]], device=device)
    plain, scaled = (bisect(points, n_leaves=3, space=space) for points in (latents, size * latents))
    assert as_sets(plain) == as_sets(scaled)
    assert scaled.centroids.isfinite().all()


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


def test_latents_whose_sums_overflow_are_refused():
    with pytest.raises(ValueError, match=r"latents must lie within ±1e\+30; got \[0, 1e\+31\]"):
        bisect(torch.tensor([[0.0], [1e31]]), n_leaves=2)


def same_trees(one, other):
    assert (one.parents, one.children, one.depths) == (other.parents, other.children, other.depths)
    assert all(torch.equal(a, b) for a, b in zip(one.members, other.members, strict=True))
    assert torch.equal(one.nearest, other.nearest)
    torch.testing.assert_close(one.centroids, other.centroids)
    torch.testing.assert_close(one.inertias, other.inertias, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"split_by": "variance", "n_init": 1}, {"space": "pca", "seed": 3}])
def test_classes_grown_together_are_classes_grown_one_by_one(draw, device, options):
    classes = [12 * part + draw(size, 10) for part, size in enumerate((50, 8, 120, 7, 31))]
    classes = [latents.to(device) for latents in classes]
    together = bisect_classes(classes, n_leaves=7, **options)
    for latents, tree in zip(classes, together, strict=True):
        same_trees(tree, bisect(latents, n_leaves=7, **options))


def test_the_classes_of_digits_grown_together(digits):
    latents = [digits.train.of_class(label)[:, :, ::2, ::2] for label in range(10)]
    for one, tree in zip(latents, bisect_classes(latents, n_leaves=10), strict=True):
        same_trees(tree, bisect(one, n_leaves=10))


def test_a_small_budget_of_memory_changes_no_tree(draw, monkeypatch):
    classes = [draw(40, 6) for _ in range(5)]
    free = bisect_classes(classes, n_leaves=6)
    batches = []
    original = bisecting.split_many
    monkeypatch.setattr(bisecting, "BLOCK_BYTES", 2 * 40 * 6 * 4)
    monkeypatch.setattr(
        bisecting, "split_many", lambda asked, **more: batches.append(len(asked)) or original(asked, **more)
    )
    for tree, other in zip(bisect_classes(classes, n_leaves=6), free, strict=True):
        same_trees(tree, other)
    assert batches[:3] == [2, 2, 1]


def test_one_class_that_cannot_be_split_so_often_is_refused(draw):
    with pytest.raises(ValueError, match="n_leaves must lie between 1 and the number of distinct latents, 3"):
        bisect_classes([draw(9, 2), draw(3, 2)], n_leaves=4)
    assert bisect_classes([], n_leaves=4) == []
    assert [len(tree) for tree in bisect_classes([draw(9, 2), draw(3, 2)], n_leaves=1)] == [1, 1]


# --- large nodes: the starts run in a sketch --------------------------------------------------------------------------


@pytest.fixture
def wide(draw):
    """700 latents of 1,024 dimensions in 20 groups that overlap: a few directions of their own, and noise."""
    group = torch.arange(700) % 20
    directions = draw(20, 4, 1024) / 8
    return draw(20, 1024)[group] / 15 + (draw(700, 1, 4) @ directions[group])[:, 0] + 0.2 * draw(700, 1024)


@pytest.fixture
def sketches(monkeypatch):
    """The shapes of what is sketched, and of the problems that `bisect` then splits."""
    shapes = []
    for name in ("sketch", "split"):
        original = getattr(bisecting, name)

        def noted(rows, *others, original=original, **more):
            shapes.append(tuple(rows.shape))
            return original(rows, *others, **more)

        monkeypatch.setattr(bisecting, name, noted)
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
    plain, split = bisect(wide.to(device), n_leaves=2), bisecting.split

    def all_but_the_first_swapped(*problem, **more):
        right = ~split(*problem, **more)
        return right.index_fill(0, torch.tensor([0], device=device), False)

    monkeypatch.setattr(bisecting, "split", all_but_the_first_swapped)
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
def rectangle(draw):
    """300 latents around the corners of a rectangle: to part its short sides is stable, but not the best."""
    corner = torch.cartesian_prod(torch.tensor([-5.0, 5.0]), torch.tensor([-3.0, 3.0]))[torch.arange(300) % 4]
    return 0.1 * draw(300, 1024) + corner @ torch.linalg.qr(draw(1024, 2)).Q.T


@pytest.mark.parametrize(("points", "n_leaves"), [("wide", 12), ("rectangle", 2)])
def test_a_sketch_costs_no_inertia(points, n_leaves, request, device, monkeypatch):
    latents = request.getfixturevalue(points).to(device)

    def left():
        return np.mean([leaf_inertia(bisect(latents, n_leaves=n_leaves, seed=seed)) for seed in range(6)])

    sketched = left()
    monkeypatch.setattr(bisecting, "SKETCHED", (10**9, 1))
    assert sketched <= 1.003 * left()


def test_a_rotation_of_large_latents_leaves_the_clusters_as_they_are(wide, draw, device):
    rotation = torch.linalg.qr(draw(1024, 1024, dtype=torch.float64)).Q
    plain, rotated = (bisect(points.to(device), n_leaves=6) for points in (wide.double(), wide.double() @ rotation))
    assert as_sets(plain) == as_sets(rotated)


@pytest.mark.parametrize(
    ("count", "dim", "n_leaves", "sketched"),
    [(256, 1024, 2, True), (255, 1024, 2, False), (256, 1023, 2, False), (6000, 256, 2, False), (256, 1024, 1, False)],
)
def test_only_large_problems_are_sketched(draw, sketches, count, dim, n_leaves, sketched):
    bisect(draw(count, dim), n_leaves=n_leaves, n_init=1)
    assert ((count, bisecting.SKETCH_RANK) in sketches) == sketched


@pytest.mark.parametrize("power", [-90, 0, 70])
def test_powers_of_two_do_not_change_a_large_tree(wide, device, sketches, power):
    plain, scaled = (bisect(points.to(device), n_leaves=4) for points in (wide, torch.ldexp(wide, torch.tensor(power))))
    assert same_members(plain, scaled)
    assert sketches.count((700, bisecting.SKETCH_RANK)) == 2


def test_equal_latents_of_a_large_node_are_never_parted(wide, device):
    tree = bisect(wide[:30].repeat(20, 1).to(device), n_leaves=30)
    assert set(tree.sizes[leaf] for leaf in tree.leaves) == {20}
    with pytest.raises(ValueError, match=r"number of distinct latents, 2 \(of 600\); got 3"):
        bisect(wide[:2].repeat(300, 1).to(device), n_leaves=3)


def test_what_a_sketch_cannot_resolve_is_split_without_it(draw, device, sketches):
    """The dense group's halves lie closer together than its coordinates in the sketch are rounded."""
    half = torch.arange(300) % 2
    dense = 1e-6 * (draw(2, 1024)[half] + 0.3 * draw(300, 1024))
    tree = bisect(torch.cat([torch.full((300, 1024), 9.0), dense]).to(device), n_leaves=3)
    assert sketches == [(600, 1024), (600, bisecting.SKETCH_RANK), (300, 1024)]
    assert as_sets(tree) >= {frozenset((300 + (half == side).nonzero()[:, 0]).tolist()) for side in (0, 1)}


def test_what_a_sketch_does_not_hold_is_split_without_it(draw, device, sketches):
    """Far latents, each in a direction of its own, take up the whole sketch; the others differ elsewhere."""
    latents, half = torch.zeros(430, 1024), torch.arange(300) % 2
    latents[:130, :130] = 3e3 * torch.eye(130)
    latents[:130, 130] = 3e3
    latents[130:, 131:] = draw(2, 893)[half] + 0.3 * draw(300, 893)
    tree = bisect(latents.to(device), n_leaves=132)
    assert sketches[:2] == [(430, 1024), (430, bisecting.SKETCH_RANK)]
    assert sketches[-1] == (300, 1024)
    assert as_sets(tree) >= {frozenset((130 + (half == side).nonzero()[:, 0]).tolist()) for side in (0, 1)}


def test_large_classes_grown_together_are_classes_grown_one_by_one(wide, device, sketches):
    classes = [part.to(device) for part in (wide, wide[:300] + 1, wide[:90], wide[200:, :600])]
    together = bisect_classes(classes, n_leaves=7)
    assert sketches == [(700, 1024), (300, 1024)]
    for latents, tree in zip(classes, together, strict=True):
        same_trees(tree, bisect(latents, n_leaves=7))
