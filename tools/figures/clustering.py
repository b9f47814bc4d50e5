"""The figure of chapter 4: bisecting 2-means on a point cloud, and the tree that it leaves."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import mgd_helpers as mgd
from tools.figures.canvas import INK, LOOKS, STAR, bare, dots, line


def draw_tree() -> Figure:
    """Draw two, four and eight leaves of five blobs of points, and the tree of the eight."""
    middles, counts = [(-2, 0.8), (-1.1, -0.9), (1.2, 1.1), (1.5, -0.6), (2.6, 0.3)], (60, 40, 55, 35, 25)
    points = np.repeat(middles, counts, axis=0) + 0.42 * np.random.default_rng(5).normal(size=(sum(counts), 2))
    figure, axes = plt.subplots(2, 2, figsize=(6.4, 5.2))
    for ax, n_leaves in zip(axes.ravel(), (2, 4, 8), strict=False):
        tree = mgd.bisect(torch.tensor(points), n_leaves=n_leaves)
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
