"""Divisive clustering: a tree of clusters by repeated 2-means, on the device of the latents.

inertia(parent) = inertia(left) + inertia(right) + n_l n_r / n ‖c_l - c_r‖²: each split takes the last term away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.linalg import at_least_float32
from mgd_helpers.seeding import generator

MAX_ITERATIONS = 100


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
        lines = []

        def walk(node, indent):
            kind = "" if self.children[node] else "  leaf"
            lines.append(f"{indent}{node}: {self.sizes[node]} latents, inertia {self.inertias[node]:.4g}{kind}")
            for child in self.children[node]:
                walk(child, indent + "  ")

        walk(0, "")
        return "\n".join(lines)


def bisect(
    latents: Float[Tensor, "n ..."], *, n_leaves: int, split_by: str = "inertia", n_init: int = 5, seed: int = 0
) -> ClusterTree:
    """Split latents [N, ...] into a tree with `n_leaves` leaves: 2-means on the leaf with the largest inertia, again
    and again (Steinbach et al., 2000).

    `split_by="variance"` takes the leaf with the largest inertia per member instead. Each 2-means starts `n_init` times
    by k-means++ and keeps the best; all starts run as one batch. Runs in float32 or better; the same seed gives the
    same tree on one device.

    Raises `ValueError` where there are fewer distinct latents than leaves, or values are not finite.

    >>> tree = bisect(torch.tensor([[0.0], [0.1], [5.0], [5.1], [9.0]]), n_leaves=3)
    >>> [tree.members[leaf].tolist() for leaf in tree.leaves]
    [[0, 1], [2, 3], [4]]
    """
    if split_by not in ("inertia", "variance"):
        raise ValueError(f"split_by must be 'inertia' or 'variance'; got {split_by!r}.")
    if n_init < 1:
        raise ValueError(f"n_init must be at least 1; got {n_init}.")
    rows = at_least_float32(latents.flatten(1))
    if not torch.isfinite(rows).all():
        raise ValueError("latents must be finite; got NaN or infinite values.")
    distinct = len(torch.unique(rows, dim=0))
    if not 1 <= n_leaves <= distinct:
        raise ValueError(
            f"n_leaves must lie between 1 and the number of distinct latents, {distinct} (of {len(rows)}); "
            f"got {n_leaves}."
        )
    parents, children, depths = [-1], [()], [0]
    members = [torch.arange(len(rows), device=rows.device)]
    centroids, inertias, nearest, priorities = [], [], [], []

    def measure(chosen):
        """Centroid, inertia and nearest member of a new node; one whose members are all equal is never split."""
        block = rows[chosen]
        centroid = block.mean(0)
        squares = (block - centroid).square().sum(1)
        centroids.append(centroid)
        inertias.append(squares.sum())
        nearest.append(chosen[squares.argmin()])
        inertia = inertias[-1].item()
        splittable = bool((block != block[0]).any())
        priorities.append((inertia / len(block) if split_by == "variance" else inertia) if splittable else -math.inf)

    measure(members[0])
    while len(parents) < 2 * n_leaves - 1:
        node = max(range(len(priorities)), key=priorities.__getitem__)
        priorities[node] = -math.inf
        right = two_means(rows[members[node]], n_init=n_init, draw=generator(seed, node))
        children[node] = (len(parents), len(parents) + 1)
        for side in (~right, right):
            parents.append(node)
            children.append(())
            depths.append(depths[node] + 1)
            members.append(members[node][side])
            measure(members[-1])
    return ClusterTree(
        latents=latents,
        parents=tuple(parents),
        children=tuple(children),
        depths=tuple(depths),
        members=tuple(chosen.cpu() for chosen in members),
        centroids=torch.stack(centroids).view(-1, *latents.shape[1:]).to(latents.dtype),
        inertias=torch.stack(inertias),
        nearest=torch.stack(nearest).cpu(),
    )


def two_means(rows: Float[Tensor, "n d"], *, n_init: int, draw: torch.Generator) -> Tensor:
    """The best of `n_init` 2-means splits of `rows` as a mask [N] of the second cluster; all starts run as one batch.

    A row belongs to the second cluster where (x - midpoint) . (c₁ - c₀) > 0, so an iteration is two matrix products.
    The rows must hold two different points; then neither cluster can run empty.
    """
    rows = rows - rows.mean(0)
    first, second = (rows[index] for index in _plus_plus(rows, n_init, draw))
    count, previous = len(rows), None
    for _ in range(MAX_ITERATIONS):
        offset = (second.square().sum(1) - first.square().sum(1)) / 2
        right = rows @ (second - first).T > offset  # [N, n_init]
        if previous is not None and torch.equal(right, previous):
            break
        previous = right
        sizes = right.sum(0).clamp(1, count - 1)[:, None]
        total = right.T.to(rows.dtype) @ rows  # the rows are centred: the first cluster sums to minus this
        first, second = -total / (count - sizes), total / sizes
    between = sizes[:, 0] / (count - sizes[:, 0]) * second.square().sum(1)  # inertia that the split takes away, over n
    best = right[:, between.argmax()]
    return best ^ best[0]  # the first row is on the left: which centre was drawn first must not number the clusters


def _plus_plus(rows, n_init, draw) -> tuple[Int[Tensor, " r"], Int[Tensor, " r"]]:
    """Greedy k-means++ for two centres (Arthur & Vassilvitskii, 2007): one at random; then of a few candidates, drawn
    with probability by squared distance, the one that leaves the least inertia."""
    candidates = 3
    uniform = torch.rand(1 + candidates, n_init, generator=draw, dtype=torch.float64).to(rows.device)
    squares = rows.square().sum(1)

    def distances_to(centers):  # [N, len(centers)]
        return (squares[:, None] + squares[centers] - 2 * rows @ rows[centers].T).clamp_min(0)

    first = (uniform[0] * len(rows)).long()
    distances = distances_to(first)
    distances[distances < 1e-6 * distances.max(0).values] = 0  # equal to the first but for rounding
    cumulative = distances.double().cumsum(0)
    second = torch.searchsorted(cumulative.T.contiguous(), (uniform[1:] * cumulative[-1]).T.contiguous(), right=True)
    second = second.clamp_max(len(rows) - 1)  # [n_init, candidates]
    left = distances[:, :, None].minimum(distances_to(second.flatten()).view(-1, n_init, candidates)).sum(0)
    return first, second.gather(1, left.argmin(1, keepdim=True))[:, 0]
