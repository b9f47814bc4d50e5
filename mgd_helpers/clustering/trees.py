"""The tree that divisive clustering leaves: nodes at all scales, printed, as a graph, and as SciPy's linkage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mgd_helpers._shapes import Float, Int, Tensor


@dataclass(frozen=True, eq=False)
class ClusterTree:
    """A binary tree over N latents; node 0 is the root, children have larger numbers than their parent.

    Per node: `parents` (-1 for the root), `children` (a pair, or none for a leaf), `depths`, `members` (row numbers of
    the latents), `centroids` [nodes, ...], `inertias` (sum of squared distances to the centroid) and `nearest` (the row
    number of the member nearest to the centroid).
    """

    latents: Float[Tensor, "n ..."]
    parents: tuple[int, ...]
    children: tuple[tuple[int, int] | tuple[()], ...]
    depths: tuple[int, ...]
    members: tuple[Int[Tensor, " _"], ...]
    centroids: Float[Tensor, "nodes ..."]
    inertias: Float[Tensor, " nodes"]
    nearest: Int[Tensor, " nodes"]

    def __len__(self) -> int:
        return len(self.parents)

    @property
    def leaves(self) -> tuple[int, ...]:
        return tuple(node for node, pair in enumerate(self.children) if not pair)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(rows) for rows in self.members)

    @property
    def labels(self) -> Int[Tensor, " n"]:
        """For each latent the leaf that holds it."""
        labels = torch.empty(len(self.latents), dtype=torch.long)
        for leaf in self.leaves:
            labels[self.members[leaf]] = leaf
        return labels

    def __str__(self) -> str:
        lines, stack, sizes = [], [0], self.sizes
        while stack:
            node = stack.pop()
            kind = "" if self.children[node] else "  leaf"
            text = f"{node}: {sizes[node]} latents, inertia {self.inertias[node]:.4g}{kind}"
            lines.append("  " * self.depths[node] + text)
            stack += reversed(self.children[node])
        return "\n".join(lines)

    def to_networkx(self) -> Any:
        """A `networkx.DiGraph`, edges from parent to child.

        Every node has its `size`, its `inertia`, its `depth` and whether it is a `leaf`.
        """
        from networkx import DiGraph

        graph = DiGraph()
        for node, (size, inertia) in enumerate(zip(self.sizes, self.inertias.tolist(), strict=True)):
            graph.add_node(node, size=size, inertia=inertia, depth=self.depths[node], leaf=not self.children[node])
        graph.add_edges_from((parent, node) for node, parent in enumerate(self.parents) if node)
        return graph

    def to_linkage(self) -> np.ndarray:
        """SciPy's linkage matrix [leaves - 1, 4], for `scipy.cluster.hierarchy.dendrogram(..., labels=tree.leaves)`.

        SciPy's observation i is the node `leaves[i]`. Two children meet at the inertia of their parent, which never
        falls towards the root; the last column counts leaves.

        Raises `ValueError` for a tree of a single leaf.
        """
        if len(self) == 1:
            raise ValueError("tree must have at least two leaves; got one. Grow it with n_leaves=2 or more.")
        heights, counts, inertias = [0.0] * len(self), [1] * len(self), self.inertias.tolist()
        inner = [node for node, pair in enumerate(self.children) if pair]
        for node in reversed(inner):  # children come first, and rounding cannot lift them above their parent
            pair = self.children[node]
            heights[node] = max(inertias[node], *(heights[child] for child in pair))
            counts[node] = sum(counts[child] for child in pair)
        inner.sort(key=lambda node: (heights[node], -node))
        place = {node: index for index, node in enumerate([*self.leaves, *inner])}
        rows = [[*sorted(place[child] for child in self.children[node]), heights[node], counts[node]] for node in inner]
        return np.array(rows, dtype=float)
