"""The figure of the introduction: the method in six panels."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import mgd_helpers as mgd
from tools.figures.canvas import AMBER, BLUE, INK, LOOKS, STAR, arrow, bare, dots, draw_pull, line, stamp
from tools.figures.horseshoe import denoise, horseshoe

GROUPS = LOOKS[2:6]  # of the clusters and of what is pulled to them; blue and orange are the pull's
TITLES = ("Real images", "1  Encode", "2  Cluster", "3  Tangent", "4  Guide", "5  Evaluate")
X, Y = (-2.3, 1.6), (-1.0, 2.35)  # what the panels with latents show


def draw_method() -> Figure:
    """Draw real images, latents, tree, tangent, guided denoising and distilled images."""
    curve = horseshoe(90, noise=0.05, seed=3)
    tree = mgd.bisect(curve, n_leaves=4)
    targets = mgd.pick_targets(tree, images_per_class=4, strategy="leaves")
    targets = targets.take(targets.latents[:, 0].argsort().tolist())  # from left to right, as they are evaluated
    figure, axes = plt.subplots(2, 3, figsize=(6.6, 4.5))
    real, encode, cluster, tangent, guide, evaluate = axes.ravel()
    for ax, title in zip(axes.ravel(), TITLES, strict=True):
        bare(ax, title, X, Y)
    draw_real(real)
    draw_latents(encode, curve)
    draw_clusters(cluster, tree, targets)
    draw_parts(tangent, curve, targets.latents[1])
    draw_paths(guide, curve, targets)
    draw_student(evaluate)
    return figure


def draw_real(ax: Axes) -> None:
    """Draw twenty handwritten threes."""
    for index, u in enumerate(np.random.default_rng(1).uniform(-1, 1, 20)):
        stamp(ax, u, -1.8 + 0.725 * (index % 5), 1.87 - 0.725 * (index // 5), 0.62)


def draw_latents(ax: Axes, curve: torch.Tensor) -> None:
    """Draw which points three images become: the ends of the curve and its middle."""
    dots(ax, curve)
    for u, x, y, end in ((-1, -0.95, 0.05, curve[-4]), (0, 0.02, 0.75, curve[45]), (1, 0.45, 0.05, curve[4])):
        stamp(ax, u, x, y, 0.57)
        arrow(ax, (x + 0.29 * u, y + (0.29 if u == 0 else -0.08)), end, width=1.2)


def draw_clusters(ax: Axes, tree: mgd.ClusterTree, targets: mgd.Targets) -> None:
    """Draw the leaves, the branches between centroids, and the targets as stars."""
    for node, parent in list(enumerate(tree.parents))[1:]:
        line(ax, tree.centroids[parent], tree.centroids[node], color=INK, lw=1.2, zorder=4)
    inner = [node for node, children in enumerate(tree.children) if children]
    dots(ax, tree.centroids[inner], s=26, color="white", edgecolor=INK, alpha=1, zorder=5)
    for look, latent, members in zip(GROUPS, targets.latents, targets.members, strict=False):
        dots(ax, tree.latents[members], **look)
        ax.scatter(*latent, s=150, color=look["color"], **STAR)


def draw_parts(ax: Axes, curve: torch.Tensor, target: torch.Tensor) -> None:
    """Draw a pull to a target and its tangent part, from a point of the curve's left arm."""
    dots(ax, curve)
    point = curve[[-8]]
    along = mgd.local_tangent(point, curve, n_neighbors=12, rank=1).tangent_part(target - point)
    draw_pull(ax, point[0], target, along[0], reach=0.6)
    line(ax, point[0] + along[0], target, color=INK, lw=1.2, ls=":")
    ax.text(-1.0, 0.65, "pull", color=AMBER)
    ax.text(-1.05, 2.02, "tangent part", color=BLUE)


def draw_paths(ax: Axes, curve: torch.Tensor, targets: mgd.Targets) -> None:
    """Draw how noise becomes samples under a pull along the curve, one for each target."""
    dots(ax, curve)
    pull = mgd.ManifoldPull(targets.latents, curve, n_neighbors=12, rank=1)
    for look, path in zip(GROUPS, denoise(curve, pull, n_samples=4, seed=57).unbind(1), strict=False):
        ax.plot(*path.T, color=look["color"], lw=1.8)
        ax.scatter(*path[0], s=34, edgecolor=look["color"], zorder=6, **look | {"color": "white"})
        ax.scatter(*path[-1], s=60, edgecolor="black", zorder=7, **look)


def draw_student(ax: Axes) -> None:
    """Draw the four images that came out, and what becomes of them."""
    for index, u in enumerate((-0.8, -0.3, 0.3, 0.8)):
        stamp(ax, u, -1.6 + 0.83 * index, 1.6, 0.7)
    for y, text in ((0.4, "train a student"), (-0.6, "test it on\nreal images")):
        arrow(ax, (-0.35, y + 0.75), (-0.35, y + 0.35))
        ax.text(-0.35, y, text, ha="center", va="center")
