"""The figures of chapter 4: a tree on a point cloud, what a split takes away, which leaf is next, and the targets."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import mgd_helpers as mgd
from tools.figures.canvas import BLUE, INK, LOOKS, ORANGE, STAR, bare, dots, line
from tools.figures.horseshoe import horseshoe


def blobs() -> torch.Tensor:
    """Five groups of points in the plane."""
    middles, counts = [(-2, 0.8), (-1.1, -0.9), (1.2, 1.1), (1.5, -0.6), (2.6, 0.3)], (60, 40, 55, 35, 25)
    points = np.repeat(middles, counts, axis=0) + 0.42 * np.random.default_rng(5).normal(size=(sum(counts), 2))
    return torch.tensor(points)


def draw_tree() -> Figure:
    """Draw two, four and eight leaves of five blobs of points, and the tree of the eight."""
    figure, axes = plt.subplots(2, 2, figsize=(6.4, 5.2))
    for ax, n_leaves in zip(axes.ravel(), (2, 4, 8), strict=False):
        tree = mgd.bisect(blobs(), n_leaves=n_leaves)
        bare(ax, f"{n_leaves} leaves")
        for look, leaf in zip(LOOKS, tree.leaves, strict=False):
            dots(ax, tree.latents[tree.members[leaf]], s=18, **look)
            ax.scatter(*tree.centroids[leaf], s=150, color=look["color"], **STAR)
    draw_branches(axes[1, 1], tree)
    return figure


def draw_branches(ax: Axes, tree: mgd.ClusterTree) -> None:
    """Draw nodes at their depth: leaves as their points are drawn, inner nodes as large as their inertia."""
    place: dict[int, float] = {}
    free = iter(range(len(tree.leaves)))

    def walk(node: int) -> float:
        """Leaves take the next free place, parents the middle of their children."""
        children = [walk(child) for child in tree.children[node]]
        place[node] = sum(children) / len(children) if children else next(free)
        return place[node]

    walk(0)
    looks = dict(zip(tree.leaves, LOOKS, strict=True))
    for node, (parent, depth) in enumerate(zip(tree.parents, tree.depths, strict=True)):
        if parent >= 0:
            line(ax, (place[parent], 1 - depth), (place[node], -depth), color=INK, lw=1.2, zorder=1)
        size = 14 + 420 * tree.inertias[node] / tree.inertias[0]
        look = looks[node] | {"s": 55} if node in looks else {"color": "white", "s": size}
        ax.scatter(place[node], -depth, edgecolor=INK, zorder=3, **look)
    deepest = max(tree.depths)
    bare(ax, "The tree (area: inertia)", (-0.7, len(tree.leaves) - 0.3), (-deepest - 0.5, 0.7))
    ax.set(aspect="auto", yticks=-np.arange(deepest + 1), yticklabels=range(deepest + 1), ylabel="depth")
    ax.tick_params(length=0)


def draw_split_law() -> Figure:
    """Draw how far points lie from their centroid, before a split and after it, and the two centroids apart."""
    tree = mgd.bisect(blobs(), n_leaves=2)
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.7))
    left = float(tree.inertias[1:].sum() / tree.inertias[0])
    titles = "before: 100 % within", f"after: {left:.0%} within, {1 - left:.0%} between".replace("%", " %")
    for ax, title, nodes in zip(axes, titles, ((0,), (1, 2)), strict=True):
        bare(ax, title)
        for look, node in zip(LOOKS[:1] if len(nodes) == 1 else LOOKS[1:3], nodes, strict=True):
            for point in tree.latents[tree.members[node]]:
                line(ax, point, tree.centroids[node], color=look["color"], lw=0.6, alpha=0.5)
            dots(ax, tree.latents[tree.members[node]], s=16, **look)
            ax.scatter(*tree.centroids[node], s=150, color=look["color"], **STAR)
    line(axes[1], tree.centroids[1], tree.centroids[2], color=INK, lw=3, zorder=6)
    return figure


def sum_or_mean() -> torch.Tensor:
    """A large group of 200 points, and a wider one of 12: as in the question of the page."""
    generator = torch.Generator().manual_seed(2)
    large, wide = torch.randn(200, 2, generator=generator), 2 * torch.randn(12, 2, generator=generator)
    return torch.cat([large, wide + torch.tensor([11.0, 0.0])])


def draw_split_choice() -> Figure:
    """Draw two leaves with their sums and means of squares, and which of them is split by either."""
    figure, axes = plt.subplots(1, 3, figsize=(6.6, 2.4))
    titles = "two leaves", "next, by the sum", "next, by the mean"
    choices = (2, "inertia"), (3, "inertia"), (3, "variance")
    for ax, title, (n_leaves, rule) in zip(axes, titles, choices, strict=True):
        tree = mgd.bisect(sum_or_mean(), n_leaves=n_leaves, split_by=rule)
        bare(ax, title, (-4, 16), (-9, 6))
        groups = [[leaf for leaf in tree.leaves if (tree.members[leaf][0] < 200) == large] for large in (True, False)]
        looked = [
            (LOOKS[2 * part + group], leaf) for group, leaves in enumerate(groups) for part, leaf in enumerate(leaves)
        ]
        for look, leaf in looked:
            dots(ax, tree.latents[tree.members[leaf]], s=14, **look)
            if n_leaves == 2:
                total, size = float(tree.inertias[leaf]), tree.sizes[leaf]
                text = f"{size} members\nsum {total:.0f}\nmean {total / size:.1f}"
                ax.text(float(tree.centroids[leaf][0]), -5, text, ha="center", va="top")
    return figure


def chosen(strategy: str) -> tuple[mgd.ClusterTree, mgd.Targets]:
    """Eight targets for the five blobs."""
    tree = mgd.bisect(blobs(), n_leaves=8)
    return tree, mgd.pick_targets(tree, images_per_class=8, strategy=strategy)


def left_over(targets: mgd.Targets) -> float:
    """The mean squared distance of the blobs to their nearest target, as a share of that to their mean."""
    points = blobs()
    near = torch.cdist(points, targets.latents).square().amin(1).mean()
    return float(near / (points - points.mean(0)).square().sum(1).mean())


def draw_targets() -> Figure:
    """Draw targets from leaves and from levels, and whom they leave out; then a centroid beside a bend."""
    figure, axes = plt.subplots(1, 3, figsize=(6.6, 2.8))
    for ax, strategy in zip(axes, ("leaves", "levels"), strict=False):
        tree, targets = chosen(strategy)
        bare(ax, f"{strategy}: {left_over(targets):.1%} left".replace("%", " %"))
        served = torch.cat(targets.members).bincount(minlength=len(tree.latents)) > 0
        dots(ax, tree.latents[served], s=12)
        ax.scatter(*tree.latents[~served].T, s=26, marker="x", color=INK, linewidth=1.2)
        for node, place in zip(targets.nodes, targets.latents, strict=True):
            inner = bool(tree.children[node])
            ax.scatter(*place, s=170 if inner else 90, color=BLUE if inner else ORANGE, **STAR)
    curve = horseshoe(90, noise=0.05, seed=3)
    bend = mgd.bisect(curve, n_leaves=1)
    bare(axes[2], "beside a bend")
    dots(axes[2], curve, s=12)
    axes[2].scatter(*bend.centroids[0], s=90, color=ORANGE, **STAR)
    axes[2].scatter(*curve[bend.nearest[0]], s=60, color="white", edgecolor=INK, marker="s", zorder=7)
    return figure
