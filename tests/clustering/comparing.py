"""What two trees have in common, and how well a tree fits."""

import torch


def inertia(rows):
    return (rows - rows.mean(0)).square().sum()


def as_sets(tree, rename=lambda row: row):
    return {frozenset(rename(row) for row in rows.tolist()) for rows in tree.members}


def same_members(one, other):
    return one.children == other.children and all(map(torch.equal, one.members, other.members))


def leaf_inertia(tree):
    return tree.inertias[list(tree.leaves)].sum().item()


def same_trees(one, other):
    assert (one.parents, one.children, one.depths) == (other.parents, other.children, other.depths)
    assert all(torch.equal(a, b) for a, b in zip(one.members, other.members, strict=True))
    assert torch.equal(one.nearest, other.nearest)
    torch.testing.assert_close(one.centroids, other.centroids)
    torch.testing.assert_close(one.inertias, other.inertias, rtol=1e-4, atol=1e-6)
