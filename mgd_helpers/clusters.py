"""Divisive clustering: a tree of clusters by repeated 2-means, on the device of the latents.

inertia(parent) = inertia(left) + inertia(right) + n_l n_r / n ‖c_l - c_r‖²: each split takes the last term away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.kmeans import centre, split
from mgd_helpers.linalg import at_least_float32, gram_eigh
from mgd_helpers.seeding import generator

LARGEST = 1e30  # a hundred million latents of this size can be summed in float32
KEPT_VARIANCE = 0.95  # what `space="pca"` keeps by default


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

    def to_networkx(self):
        """A `networkx.DiGraph`, edges from parent to child; every node has its `size`, `inertia`, `depth` and `leaf`
        (True or False)."""
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
            raise ValueError("tree must have two leaves or more for a linkage; got one. Grow it with n_leaves=2.")
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


@torch.no_grad()
def bisect(
    latents: Float[Tensor, "n ..."],
    *,
    n_leaves: int,
    split_by: str = "inertia",
    n_init: int = 5,
    seed: int = 0,
    space: str = "raw",
    pool: int = 2,
    n_components: int | None = None,
) -> ClusterTree:
    """Split latents [N, ...] into a tree with `n_leaves` leaves: 2-means on the leaf with the largest inertia, again
    and again (Steinbach et al., 2000).

    `split_by="variance"` takes the leaf with the largest inertia per member instead. Each 2-means starts `n_init` times
    by k-means++ and keeps the best; all starts run as one batch. Runs in float32 or better; the same seed gives the
    same tree on one device.

    `space` is where both the leaf to split is chosen and the 2-means runs; the tree's centroids, inertias and nearest
    members are those of the latents themselves in every space. `"pooled"`: means over windows of `pool` x `pool` of
    latents [N, C, H, W]. `"pca"`: the `n_components` leading principal components, by default as many as hold 95 % of
    the variance.

    Raises `ValueError` where there are fewer distinct latents than leaves (as `space` sees them), or values are not
    finite or beyond 1e30. Tiny values are clustered all the same; only an inertia below float32's range is given as 0,
    and one above it as inf.

    >>> tree = bisect(torch.tensor([[0.0], [0.1], [5.0], [5.1], [9.0]]), n_leaves=3)
    >>> [tree.members[leaf].tolist() for leaf in tree.leaves]
    [[0, 1], [2, 3], [4]]
    """
    if split_by not in ("inertia", "variance"):
        raise ValueError(f"split_by must be 'inertia' or 'variance'; got {split_by!r}.")
    if n_init < 1:
        raise ValueError(f"n_init must be at least 1; got {n_init}.")
    if not latents.numel():
        raise ValueError(f"latents must not be empty; got shape {list(latents.shape)}.")
    rows = at_least_float32(latents.reshape(len(latents), -1))
    low, high = (bound.item() for bound in rows.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("latents must be finite; got NaN or infinite values.")
    if max(-low, high) > LARGEST:
        raise ValueError(
            f"latents must lie within ±{LARGEST:g}; got [{low:.3g}, {high:.3g}]. Divide them by a constant."
        )
    points = _in_space(rows, latents, space, pool, n_components)
    same = torch.unique(points, dim=0, return_inverse=True)[1]  # equal latents have equal numbers
    distinct = int(same.max()) + 1
    if not 1 <= n_leaves <= distinct:
        raise ValueError(
            f"n_leaves must lie between 1 and the number of distinct latents, {distinct} (of {len(rows)}); "
            f"got {n_leaves}."
        )
    parents, children, depths, members, starts = [], [], [], [], []
    centroids, inertias, nearest, squares, priorities = [], [], [], [], []
    work = torch.empty_like(points)  # the centred members of each leaf, side by side: fresh memory is slow

    def add(parent, chosen, start):
        """A new node, its members' points centred in `work` from row `start` on, where its parent's were."""
        centroid, block, lengths, scale = centre(points, chosen, out=work[start : start + len(chosen)])
        inertia = lengths.sum().item() / scale**2
        splittable = bool((same[chosen] != same[chosen[0]]).any())
        priorities.append((inertia / len(chosen) if split_by == "variance" else inertia) if splittable else -math.inf)
        squares.append(lengths)
        if space != "raw":
            centroid, block, lengths, scale = centre(rows, chosen)
            inertia = lengths.sum().item() / scale**2
        parents.append(parent)
        children.append(())
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
        members.append(chosen)
        starts.append(start)
        centroids.append(centroid)
        inertias.append(inertia)
        close = (lengths <= 1.00001 * lengths.min()).nonzero()[:, 0]  # two members are equally far but for rounding
        nearest.append(chosen[close[block[close].square().sum(1).argmin()]])

    add(-1, torch.arange(len(rows), device=rows.device), 0)
    while len(parents) < 2 * n_leaves - 1:
        node = max(range(len(priorities)), key=priorities.__getitem__)
        priorities[node] = -math.inf
        start, size = starts[node], len(members[node])
        right = split(work[start : start + size], squares[node], n_init=n_init, draw=generator(seed, node))
        children[node] = (len(parents), len(parents) + 1)
        for side in (~right, right):
            add(node, members[node][side], start)
            start += len(members[-1])
    return ClusterTree(
        latents=latents,
        parents=tuple(parents),
        children=tuple(children),
        depths=tuple(depths),
        members=tuple(chosen.cpu() for chosen in members),
        centroids=torch.stack(centroids).view(-1, *latents.shape[1:]).to(latents.dtype),
        inertias=torch.tensor(inertias, dtype=torch.float64).to(rows),
        nearest=torch.stack(nearest).cpu(),
    )


def _in_space(rows, latents, space, pool, n_components) -> Float[Tensor, "n k"]:
    """The points that are clustered: the latents as `rows`, pooled, or in their leading principal components."""
    if space not in ("raw", "pooled", "pca"):
        raise ValueError(f"space must be 'raw', 'pooled' or 'pca'; got {space!r}.")
    if space == "raw":
        return rows
    if space == "pooled":
        if latents.ndim != 4:
            raise ValueError(f"latents must be [N, C, H, W] for space='pooled'; got {list(latents.shape)}.")
        n, channels, height, width = latents.shape
        if pool < 1 or height % pool or width % pool:
            raise ValueError(f"pool must divide the latents' height and width, {height} and {width}; got {pool}.")
        return rows.view(n, channels, height // pool, pool, width // pool, pool).mean((3, 5)).flatten(1)
    if n_components is not None and not 1 <= n_components <= min(rows.shape):
        raise ValueError(f"n_components must lie between 1 and min(N, D) = {min(rows.shape)}; got {n_components}.")
    n, dim = rows.shape
    _, block, _, _ = centre(rows, torch.arange(n, device=rows.device))
    values, vectors = gram_eigh(block if n <= dim else block.mT)  # never larger than the smaller side
    if n_components is None:
        short = values.cumsum(0) < KEPT_VARIANCE * values.sum()
        n_components = min(int(short.sum()) + 1, len(values))
    leading = vectors[:, :n_components]
    points = leading * values[:n_components].sqrt() if n <= dim else block @ leading
    _, same = torch.unique(rows, dim=0, return_inverse=True)  # rounding must not part equal latents
    first = torch.full_like(same, n).scatter_reduce(0, same, torch.arange(n, device=rows.device), "amin")
    return points[first[same]]
