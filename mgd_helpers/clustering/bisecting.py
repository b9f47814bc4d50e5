"""Divisive clustering: a tree of clusters by repeated 2-means, on the device of the latents.

inertia(parent) = inertia(left) + inertia(right) + n_l n_r / n ‖c_l - c_r‖²: each split takes the last term away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.clustering.trees import ClusterTree
from mgd_helpers.clustering.two_means import centre, settle, split, split_many
from mgd_helpers.linalg import BLOCK_BYTES, at_least_float32, gram_eigh, sketch
from mgd_helpers.seeding import generator
from mgd_helpers.threads import for_rows

LARGEST = 1e30  # a hundred million latents of this size can be summed in float32
KEPT_VARIANCE = 0.95  # what `space="pca"` keeps by default
SKETCH_RANK = 64  # dimensions of the sketch in which large nodes are first split
SKETCHED = (4 * SKETCH_RANK, 16 * SKETCH_RANK)  # from so many rows of so many dimensions on; below, it saves nothing


@for_rows
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
    by k-means++ and keeps the best; all starts run as one batch. In a node of many latents of many dimensions (see
    `SKETCHED`) they run in a sketch, and only the best goes on in all dimensions, until no latent is nearer to the
    other mean. Runs in float32 or better; the same seed gives the same tree on one device.

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
    growth = _grow(latents, n_leaves, split_by, n_init, seed, space, pool, n_components)
    right = None
    while True:
        try:
            rows, squares, node = growth.send(right)
        except StopIteration as grown:
            return grown.value
        right = split(rows, squares, n_init=n_init, draw=generator(seed, node))


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
    """One `bisect` per class, all grown in step: the splits of a round are one batch, padded to the largest, as long as
    it stays below `linalg.BLOCK_BYTES`.

    The trees are those of a loop over classes, but for ties that rounding decides. Worth it for many small classes,
    above all on a GPU, where a loop would wait for one small operation after another.
    """
    growing = {
        index: _grow(latents, n_leaves, split_by, n_init, seed, space, pool, n_components)
        for index, latents in enumerate(classes)
    }
    trees, answers = [None] * len(growing), dict.fromkeys(growing)
    while growing:
        asked = {}
        for index, growth in list(growing.items()):
            try:
                asked[index] = growth.send(answers[index])
            except StopIteration as grown:
                trees[index] = grown.value
                del growing[index]
        # of like sizes together: little padding; and principal components may differ in number
        order = sorted(asked, key=lambda index: asked[index][0].shape[::-1])
        while order:
            largest = asked[order[-1]][0]
            count = max(1, BLOCK_BYTES // (largest.numel() * largest.element_size()))
            chosen = [index for index in order[-count:] if asked[index][0].shape[1] == largest.shape[1]]
            order = order[: -len(chosen)]
            draws = [generator(seed, asked[index][2]) for index in chosen]
            masks = split_many([asked[index][:2] for index in chosen], n_init=n_init, draws=draws)
            answers |= dict(zip(chosen, masks, strict=True))
    return trees


def _grow(latents, n_leaves, split_by, n_init, seed, space, pool, n_components):
    """The growth of one tree, as a coroutine: it yields the rows that it wants split in two (centred), their squared
    lengths and the node's number, is sent the mask of the right half, and returns the tree. Of a large node it first
    shows the sketch, and then goes on from there with all dimensions."""
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
    same = _numbers(points)
    distinct = int(same.max()) + 1
    if not 1 <= n_leaves <= distinct:
        raise ValueError(
            f"n_leaves must lie between 1 and the number of distinct latents, {distinct} (of {len(rows)}); "
            f"got {n_leaves}."
        )
    parents, children, depths, members, starts = [], [], [], [], []
    centroids, inertias, nearest, squares, spreads, priorities = [], [], [], [], [], []
    work = torch.empty_like(points)  # the centred members of each leaf, side by side: fresh memory is slow

    def add(parent, chosen, start):
        """A new node, its members' points centred in `work` from row `start` on, where its parent's were."""
        centroid, block, lengths, scale = centre(points, chosen, out=work[start : start + len(chosen)])
        inertia = lengths.sum().item() / scale**2
        splittable = bool((same[chosen] != same[chosen[0]]).any())
        priorities.append((inertia / len(chosen) if split_by == "variance" else inertia) if splittable else -math.inf)
        squares.append(lengths)
        spreads.append(inertia)
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
    small = None
    if n_leaves > 1 and len(points) >= SKETCHED[0] and points.shape[1] >= SKETCHED[1]:
        small = sketch(work, rank=SKETCH_RANK, draw=generator(seed))
        unit = squares[0].sum().item() / spreads[0]  # 1 unless the root was scaled
    while len(parents) < 2 * n_leaves - 1:
        node = max(range(len(priorities)), key=priorities.__getitem__)
        priorities[node] = -math.inf
        start, size = starts[node], len(members[node])
        block, right = work[start : start + size], None
        if small is not None and size >= SKETCHED[0]:
            _, drawn, lengths, scale = centre(small, members[node])
            least = max(SKETCH_RANK / points.shape[1] / 4 * spreads[node], 1e-10 * size / len(rows) * spreads[0])
            if lengths.sum().item() / scale**2 >= unit * least:  # it holds enough of this node, and above rounding
                right = yield drawn, lengths, node
                right = settle(block, right[:, None].to(block.dtype))[0][:, 0] > 0
                right = right ^ right[0]
        if right is None:
            right = yield block, squares[node], node
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


def _numbers(points: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
    """Equal points have equal numbers, from 0 on; a few columns tell most points apart."""
    for columns in (16, points.shape[1]):
        numbers = torch.unique(points[:, :columns], dim=0, return_inverse=True)[1]
        if int(numbers.max()) + 1 == len(points):
            break
    return numbers


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
    same = _numbers(rows)  # rounding must not part equal latents
    first = torch.full_like(same, n).scatter_reduce(0, same, torch.arange(n, device=rows.device), "amin")
    return points[first[same]]
