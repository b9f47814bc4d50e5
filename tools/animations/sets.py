"""Part II: a tree grows and deals out targets; then the same noise under a pull to targets, and under matching."""

from __future__ import annotations

import functools

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import mgd_helpers as mgd
from tools.animations.film import Film
from tools.figures.canvas import BLUE, INK, ORANGE, STAR, bare, dots, line
from tools.figures.horseshoe import denoise
from tools.figures.sets import COUNTS, MIDDLES, SEED, X, Y, counts, five_blobs, matching_in_the_plane, misplaced

LEAVES, STEPS, EVERY = 10, 50, 2  # every second step has a frame


@functools.cache
def tree_of(leaves: int) -> mgd.ClusterTree:
    """The tree of the two hundred points."""
    return mgd.bisect(five_blobs()[0], n_leaves=leaves)


def left_over(leaves: int) -> float:
    """The inertia within the leaves, as a share of that of the root."""
    tree = tree_of(leaves)
    return float(tree.inertias[list(tree.leaves)].sum() / tree.inertias[0])


@functools.cache
def targets() -> torch.Tensor:
    """Ten targets [10, 2]."""
    return mgd.pick_targets(tree_of(LEAVES), images_per_class=LEAVES).latents


@functools.cache
def paths() -> tuple[torch.Tensor, torch.Tensor]:
    """Ten samples from noise to the end, [frames, 10, 2], pulled to a target each, and matched."""
    points, _ = five_blobs()
    to_targets = mgd.window(mgd.ModePull(targets(), strength=0.3), above=0.5)
    pulled, matched = (
        denoise(points, guidance, n_samples=LEAVES, seed=SEED)[::EVERY]
        for guidance in (to_targets, matching_in_the_plane(points))
    )
    return pulled, matched


def film_sets() -> Film:
    """A tree from one leaf to ten, then ten samples under two guidances, step by step."""
    grown = [
        f"the tree has {n} {'leaf' if n == 1 else 'leaves'}; {left_over(n):.0%} of the inertia lies within"
        for n in range(1, LEAVES + 1)
    ]
    steered = [
        f"step {EVERY * index} of {STEPS}; to move for fair shares: {misplaced(one):.0f} of ten on the left, "
        f"{misplaced(two):.0f} on the right"
        for index, (one, two) in enumerate(zip(*paths(), strict=True))
    ]
    return Film(draw, [line.replace("%", " %") for line in grown + steered], 400)


def draw(index: int) -> Figure:
    """Draw the pull to targets on the left, and matching on the right."""
    figure, axes = plt.subplots(1, 2, figsize=(5.2, 2.6))
    for ax, title in zip(axes, ("A target for each", "The set as one"), strict=True):
        dots(bare(ax, title, X, Y), five_blobs()[0], s=7, alpha=0.5)
    if index < LEAVES:
        draw_tree(axes[0], tree_of(index + 1))
        axes[1].text(0, Y[0], "sees all points, grows no tree", ha="center", color=INK)
        return figure
    now = index - LEAVES
    axes[0].scatter(*targets().T, s=90, color=ORANGE, **STAR | {"zorder": 3})
    for target, sample in zip(targets(), paths()[0][now], strict=True):
        line(axes[0], sample, target, color=INK, lw=0.7)
    for ax, path in zip(axes, paths(), strict=True):
        ax.scatter(*path[now].T, s=42, marker="s", color=BLUE, edgecolor="black", lw=0.8, zorder=6)
        if now == len(path) - 1:
            for (x, y), got, points in zip(MIDDLES, counts(path[now]), COUNTS, strict=True):
                ax.text(x, y - 1.05, f"{got} ({LEAVES * points / sum(COUNTS):g})", ha="center", color=INK)
    return figure


def draw_tree(ax: Axes, tree: mgd.ClusterTree) -> None:
    """Draw the centroids of a tree where they lie: leaves as stars, lines to what they were split from."""
    for node, parent in enumerate(tree.parents):
        if parent >= 0:
            line(ax, tree.centroids[parent], tree.centroids[node], color=INK, lw=1.2)
    inner = [node for node in range(len(tree)) if tree.children[node]]
    ax.scatter(*tree.centroids[inner].T, s=16, color="white", edgecolor=INK, zorder=4)
    ax.scatter(*tree.centroids[list(tree.leaves)].T, s=90, color=ORANGE, **STAR)
