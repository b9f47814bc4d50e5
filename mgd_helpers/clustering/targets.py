"""Targets from a tree: the latents that images are pulled to, one per image of a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.clustering.trees import ClusterTree

STRATEGIES = ("levels", "leaves")
REPRESENTATIVES = ("centroid", "nearest_member")


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
    arguments.one_of("strategy", strategy, STRATEGIES)
    arguments.one_of("representative", representative, REPRESENTATIVES)
    arguments.one_of("scan", scan, ("to_leaves", "to_root"))
    deepest = max(tree.depths)
    start_level = arguments.whole(
        "start_level", start_level, at_least=0, at_most=max(deepest, 1), remedy="0 is the root of the tree."
    )
    images_per_class = arguments.whole("images_per_class", images_per_class, at_least=1)
    by_size = partial(sorted, key=lambda node: (-tree.sizes[node], node))
    nodes = []
    if strategy == "levels":
        levels = range(start_level, deepest + 1) if scan == "to_leaves" else range(min(start_level, deepest), -1, -1)
        nodes = [by_size(node for node in range(len(tree)) if tree.depths[node] == level)[0] for level in levels]
    nodes = (nodes + [leaf for leaf in by_size(tree.leaves) if leaf not in nodes])[:images_per_class]
    if len(nodes) < images_per_class:
        raise ValueError(
            f"images_per_class must be a whole number from 1 to the {len(nodes)} targets this tree offers; "
            f"got {images_per_class}. Grow the tree with n_leaves=images_per_class."
        )
    chosen = torch.tensor(nodes)
    if representative == "centroid":
        latents = tree.centroids[chosen.to(tree.centroids.device)]
    else:
        latents = tree.latents[tree.nearest[chosen].to(tree.latents.device)]
    return Targets(latents, tuple(nodes), tuple(tree.members[node] for node in nodes))
