"""Targets from a tree: the latents that images are pulled to, one per image of a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.trees import ClusterTree


@dataclass(frozen=True, eq=False)
class Targets:
    """`latents` [K, ...], the tree `nodes` [K] they stand for, and each node's `members` (rows of the latents)."""

    latents: Float[Tensor, "k ..."]
    nodes: tuple[int, ...]
    members: tuple[Int[Tensor, " _"], ...]

    def __len__(self) -> int:
        return len(self.nodes)

    def take(self, rows: Sequence[int]) -> Targets:
        """Some of them, in the order of `rows`."""
        return Targets(
            self.latents[list(rows)], tuple(self.nodes[row] for row in rows), tuple(self.members[row] for row in rows)
        )


def pick_targets(
    tree: ClusterTree,
    *,
    images_per_class: int,
    strategy: str = "levels",
    representative: str = "centroid",
    start_level: int = 1,
    scan: str = "to_leaves",
) -> Targets:
    """Choose `images_per_class` nodes of a tree and represent each by its centroid, or by the member nearest to it.

    `"leaves"`: the leaves, largest first. `"levels"` (the paper's multi-scale coreset): the largest node of each depth
    from `start_level` on, down to the leaves or up to the root (`scan="to_root"`), then leaves, largest first. The
    paper leaves the direction open. No node is taken twice.

    Raises `ValueError` for unknown options, or where the tree holds too few nodes.
    """
    for name, value, known in (
        ("strategy", strategy, ("levels", "leaves")),
        ("representative", representative, ("centroid", "nearest_member")),
        ("scan", scan, ("to_leaves", "to_root")),
    ):
        if value not in known:
            raise ValueError(f"{name} must be {known[0]!r} or {known[1]!r}; got {value!r}.")
    deepest = max(tree.depths)
    if not 0 <= start_level <= max(deepest, 1):
        raise ValueError(f"start_level must lie between 0 (root) and the tree's depth {deepest}; got {start_level}.")

    def by_size(nodes):
        return sorted(nodes, key=lambda node: (-tree.sizes[node], node))

    nodes = []
    if strategy == "levels":
        levels = range(start_level, deepest + 1) if scan == "to_leaves" else range(min(start_level, deepest), -1, -1)
        nodes = [by_size(node for node in range(len(tree)) if tree.depths[node] == level)[0] for level in levels]
    nodes = (nodes + [leaf for leaf in by_size(tree.leaves) if leaf not in nodes])[:images_per_class]
    if images_per_class < 1 or len(nodes) < images_per_class:
        raise ValueError(
            f"images_per_class must lie between 1 and the {len(nodes)} targets this tree offers; "
            f"got {images_per_class}. Grow the tree with n_leaves=images_per_class."
        )
    chosen = torch.tensor(nodes)
    if representative == "centroid":
        latents = tree.centroids[chosen.to(tree.centroids.device)]
    else:
        latents = tree.latents[tree.nearest[chosen].to(tree.latents.device)]
    return Targets(latents, tuple(nodes), tuple(tree.members[node] for node in nodes))
