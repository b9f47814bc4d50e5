import pytest
import torch

from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.clustering.targets import pick_targets


@pytest.fixture
def tree(randn):
    return bisect(randn(60, 2, 4), n_leaves=8)


def largest(tree, nodes):
    return sorted(nodes, key=lambda node: (-len(tree.members[node]), node))


@pytest.mark.parametrize("count", [1, 5, 8])
def test_leaves_come_largest_first(tree, count):
    targets = pick_targets(tree, images_per_class=count, strategy="leaves")
    assert list(targets.nodes) == largest(tree, tree.leaves)[:count]
    assert len(targets) == count


@pytest.mark.parametrize(("scan", "levels"), [("to_leaves", "down"), ("to_root", "up")])
@pytest.mark.parametrize("start_level", [0, 1, 2])
def test_levels_give_the_largest_node_of_each_depth_and_then_leaves(tree, scan, levels, start_level):
    targets = pick_targets(tree, images_per_class=8, start_level=start_level, scan=scan)
    depths = range(start_level, max(tree.depths) + 1) if levels == "down" else range(start_level, -1, -1)
    scanned = [largest(tree, [node for node in range(len(tree)) if tree.depths[node] == depth])[0] for depth in depths]
    rest = [leaf for leaf in largest(tree, tree.leaves) if leaf not in scanned]
    assert list(targets.nodes) == (scanned + rest)[:8]


@pytest.mark.parametrize("strategy", ["levels", "leaves"])
@pytest.mark.parametrize("count", range(1, 9))
def test_no_node_is_taken_twice_and_a_tree_of_as_many_leaves_always_suffices(randn, strategy, count):
    tree = bisect(randn(60, 8), n_leaves=count)
    nodes = pick_targets(tree, images_per_class=count, strategy=strategy).nodes
    assert len(set(nodes)) == len(nodes) == count


@pytest.mark.parametrize("scan", ["to_leaves", "to_root"])
def test_a_tree_of_one_leaf_offers_its_root(randn, scan):
    tree = bisect(randn(5, 3), n_leaves=1)
    targets = pick_targets(tree, images_per_class=1, scan=scan)
    assert targets.nodes == (0,)
    torch.testing.assert_close(targets.latents[0], tree.latents.mean(0))


def test_centroids_are_means_of_the_members(tree):
    targets = pick_targets(tree, images_per_class=8)
    for latent, members, node in zip(targets.latents, targets.members, targets.nodes, strict=True):
        assert torch.equal(members, tree.members[node])
        torch.testing.assert_close(latent, tree.latents[members].mean(0))


def test_nearest_member_is_the_real_latent_nearest_to_the_centroid(tree):
    targets = pick_targets(tree, images_per_class=8, representative="nearest_member")
    for latent, members in zip(targets.latents, targets.members, strict=True):
        block = tree.latents[members]
        gaps = (block - block.mean(0)).flatten(1).norm(dim=1)
        assert torch.equal(latent, block[gaps.argmin()])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "level"}, "strategy must be one of levels, leaves; got 'level'. Did you mean 'levels'"),
        ({"representative": "medoid"}, "representative must be one of centroid, nearest_member; got 'medoid'"),
        ({"scan": "down"}, "scan must be one of to_leaves, to_root; got 'down'"),
        ({"start_level": 99}, r"start_level must be a whole number from 0 to \d; got 99. 0 is the root"),
        ({"start_level": -1}, "start_level must be a whole .* got -1"),
        ({"images_per_class": 0}, "images_per_class must be a whole number >= 1; got 0"),
        (
            {"images_per_class": 99},
            "images_per_class must be a .* got 99. Grow the tree with n_leaves=images_per_class",
        ),
    ],
)
def test_impossible_choices_are_refused(tree, options, message):
    with pytest.raises(ValueError, match=message):
        pick_targets(tree, **({"images_per_class": 4} | options))


def test_some_targets_are_taken_in_the_order_asked_for(tree):
    targets = pick_targets(tree, images_per_class=5)
    some = targets.take([3, 1])
    assert torch.equal(some.latents, targets.latents[[3, 1]])
    assert some.nodes == (targets.nodes[3], targets.nodes[1])
    assert all(torch.equal(some.members[i], targets.members[row]) for i, row in enumerate((3, 1)))
