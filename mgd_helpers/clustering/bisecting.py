"""Divisive clustering: a tree of clusters by repeated 2-means, on the device of the latents.

inertia(parent) = inertia(left) + inertia(right) + n_l n_r / n ‖c_l - c_r‖²: each split takes the last term away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.clustering.coordinates import as_rows, in_space, numbered
from mgd_helpers.clustering.trees import ClusterTree
from mgd_helpers.clustering.two_means import center, settle, split_many
from mgd_helpers.linalg import sketch
from mgd_helpers.threads import for_rows

CRITERIA = ("inertia", "variance")
SKETCH_RANK = 64  # dimensions of the sketch in which large nodes are first split
SKETCHED = (4 * SKETCH_RANK, 16 * SKETCH_RANK)  # from so many rows of so many dimensions on; below, it saves nothing


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
    """Split latents [N, ...] into a tree with `n_leaves` leaves, by 2-means on one leaf after another.

    It is always the leaf with the largest inertia that is split (Steinbach et al., 2000), or, for
    `split_by="variance"`, the one with the largest inertia per member. Each 2-means starts `n_init` times by k-means++
    and keeps the best; all starts run as one batch. In a node of many latents of many dimensions (see `SKETCHED`) they
    run in a sketch, and only the best goes on in all dimensions, until no latent is nearer to the other mean. Runs in
    float32 or better; the same seed gives the same tree on one device.

    `space` is where both the leaf to split is chosen and the 2-means runs; the tree's centroids, inertias and nearest
    members are those of the latents themselves in every space. `"pooled"`: means over windows of `pool` x `pool` of
    latents [N, C, H, W]. `"pca"`: the `n_components` leading principal components, by default as many as hold 95 % of
    the variance.

    Tiny values are clustered as others are; only an inertia below float32's range is given as 0, and one above it as
    inf.

    Raises `ValueError` where there are fewer distinct latents than leaves (as `space` sees them), or values are not
    finite or beyond 1e30.

    >>> tree = bisect(torch.tensor([[0.0], [0.1], [5.0], [5.1], [9.0]]), n_leaves=3)
    >>> [tree.members[leaf].tolist() for leaf in tree.leaves]
    [[0, 1], [2, 3], [4]]
    """
    return bisect_classes(
        [latents],
        n_leaves=n_leaves,
        split_by=split_by,
        n_init=n_init,
        seed=seed,
        space=space,
        pool=pool,
        n_components=n_components,
    )[0]


@for_rows
@torch.no_grad()
def bisect_classes(
    classes: Sequence[Float[Tensor, "_ ..."]],
    *,
    n_leaves: int,
    split_by: str = "inertia",
    n_init: int = 5,
    seed: int = 0,
    space: str = "raw",
    pool: int = 2,
    n_components: int | None = None,
) -> list[ClusterTree]:
    """One tree per class, as by `bisect`, all grown in step: each round splits a leaf of every tree.

    The splits of a round run as one batch, padded to the largest, as long as it stays below `linalg.BLOCK_BYTES`. The
    trees are those of a loop over classes, but for ties that rounding decides. Worth it for many small classes, above
    all on a GPU, where a loop would wait for one small operation after another.
    """
    arguments.one_of("split_by", split_by, CRITERIA)
    n_init = arguments.whole("n_init", n_init, at_least=1)
    trees = []
    for latents in classes:
        rows = as_rows(latents)
        points = in_space(rows, latents.shape, space, pool=pool, n_components=n_components)
        trees.append(_GrowingTree(latents, rows, points, n_leaves=n_leaves, split_by=split_by, seed=seed))
    while growing := [tree for tree in trees if not tree.finished]:
        leaves = [tree.choose() for tree in growing]
        generators = [seeding.generator(seed, leaf.node) for leaf in leaves]
        masks = split_many([(leaf.rows, leaf.squares) for leaf in leaves], n_init=n_init, generators=generators)
        for tree, leaf, right in zip(growing, leaves, masks, strict=True):
            tree.split(leaf, right)
    return [tree.result() for tree in trees]


@dataclass
class _Node:
    parent: int
    depth: int
    members: Tensor
    centroid: Tensor
    inertia: float
    nearest: Tensor
    points: Tensor  # the members in the space of the 2-means, centered
    squares: Tensor  # their squared lengths
    spread: float  # their inertia


class _Leaf(NamedTuple):
    """A leaf to split: its node, and the centered rows, with their squared lengths, that 2-means is to see."""

    node: int
    rows: Tensor
    squares: Tensor
    sketched: bool


class _GrowingTree:
    """A tree that is not yet `finished`: `choose` a leaf, find the mask of its right half, and `split` it."""

    def __init__(self, latents: Tensor, rows: Tensor, points: Tensor, *, n_leaves: int, split_by: str, seed: int):
        self.latents, self.rows, self.points, self.split_by = latents, rows, points, split_by
        self.numbers = numbered(points)
        distinct = int(self.numbers.max()) + 1
        remedy = f"Of {len(rows)} latents, {distinct} are distinct."
        self.n_leaves = arguments.whole("n_leaves", n_leaves, at_least=1, at_most=distinct, remedy=remedy)
        self.nodes: list[_Node] = []
        self.children: dict[int, tuple[int, int]] = {}
        self.priorities: list[float] = []
        work = torch.empty_like(points)  # children lie in their parent's place: fresh memory is slow
        self._add(-1, torch.arange(len(rows), device=rows.device), out=work)
        self.sketch = None
        if self.n_leaves > 1 and len(points) >= SKETCHED[0] and points.shape[1] >= SKETCHED[1]:
            self.sketch = sketch(work, rank=SKETCH_RANK, generator=seeding.generator(seed))
            self.unit = self.nodes[0].squares.sum().item() / self.nodes[0].spread  # 1 unless the root was scaled

    @property
    def finished(self) -> bool:
        return len(self.nodes) == 2 * self.n_leaves - 1

    def choose(self) -> _Leaf:
        """The leaf to split next; a large one in the sketch, if that holds enough of it."""
        node = max(range(len(self.nodes)), key=self.priorities.__getitem__)
        chosen, root = self.nodes[node], self.nodes[0]
        size = len(chosen.members)
        if self.sketch is not None and size >= SKETCHED[0]:
            _, rows, squares, scale = center(self.sketch, chosen.members)
            share = SKETCH_RANK / self.points.shape[1] / 4
            rounding = 1e-10 * size / len(self.points) * root.spread
            least = max(share * chosen.spread, rounding)
            if squares.sum().item() / scale**2 >= self.unit * least:
                return _Leaf(node, rows, squares, sketched=True)
        return _Leaf(node, chosen.points, chosen.squares, sketched=False)

    def split(self, leaf: _Leaf, right: Tensor) -> None:
        """Part a leaf in two by the mask of its right half, which a sketch leaves to settle in all dimensions."""
        parent = self.nodes[leaf.node]
        if leaf.sketched:
            right = settle(parent.points, right[:, None].to(parent.points.dtype))[0][:, 0] > 0
            right = right ^ right[0]
        self.children[leaf.node] = (len(self.nodes), len(self.nodes) + 1)
        self.priorities[leaf.node] = -math.inf
        halves = parent.members[~right], parent.members[right]
        for members, place in zip(halves, parent.points.split([len(half) for half in halves]), strict=True):
            self._add(leaf.node, members, out=place)

    def _add(self, parent: int, members: Tensor, *, out: Tensor) -> None:
        """A new leaf, whose centered points are written to `out`."""
        centroid, points, squares, scale = center(self.points, members, out=out)
        spread = squares.sum().item() / scale**2
        splittable = bool((self.numbers[members] != self.numbers[members[0]]).any())
        priority = spread / len(members) if self.split_by == "variance" else spread
        self.priorities.append(priority if splittable else -math.inf)
        inertia, block, lengths = spread, points, squares
        if self.points is not self.rows:
            centroid, block, lengths, scale = center(self.rows, members)
            inertia = lengths.sum().item() / scale**2
        close = (lengths <= 1.00001 * lengths.min()).nonzero()[:, 0]  # two members are equally far but for rounding
        nearest = members[close[block[close].square().sum(1).argmin()]]
        self.nodes.append(
            _Node(
                parent=parent,
                depth=self.nodes[parent].depth + 1 if parent >= 0 else 0,
                members=members,
                centroid=centroid,
                inertia=inertia,
                nearest=nearest,
                points=points,
                squares=squares,
                spread=spread,
            )
        )

    def result(self) -> ClusterTree:
        """The tree as it stands."""
        centroids = torch.stack([node.centroid for node in self.nodes])
        inertias = torch.tensor([node.inertia for node in self.nodes], dtype=torch.float64)
        return ClusterTree(
            latents=self.latents,
            parents=tuple(node.parent for node in self.nodes),
            children=tuple(self.children.get(node, ()) for node in range(len(self.nodes))),
            depths=tuple(node.depth for node in self.nodes),
            members=tuple(node.members.cpu() for node in self.nodes),
            centroids=centroids.view(-1, *self.latents.shape[1:]).to(self.latents.dtype),
            inertias=inertias.to(self.rows),
            nearest=torch.stack([node.nearest for node in self.nodes]).cpu(),
        )
