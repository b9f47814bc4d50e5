"""The figures of chapter 5 and of the appendix on tangents: a pull and its parts, the Gram trick, k, and noise."""

from __future__ import annotations

import math
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Circle, Rectangle

import mgd_helpers as mgd
from mgd_helpers.lab.plots import INK
from tools.figures.canvas import AMBER, BLUE, GRAY, GREEN, ORANGE, RED, SKY, arrow, bare, dots, draw_pull, line
from tools.figures.horseshoe import horseshoe

PLACE = 111  # of 200 points: on the top of the bend
SPOT = 40  # on its right flank
SIZES = (3, 16, 110)  # of neighbourhoods: too few, enough, too many


def draw_tangent() -> Figure:
    """Draw a pull from a point of the curve to a target inside the bend, and its two parts."""
    figure, ax = plt.subplots(figsize=(6.4, 3.0))
    bare(ax, "", (-4.1, 2.1), (-0.15, 2.4))
    curve = horseshoe(120, noise=0.05, seed=3)
    point, target = torch.tensor([[-1.04, 1.42]]), torch.tensor([[0.7, 0.65]])
    space = mgd.local_tangent(point, curve, n_neighbors=12, rank=1)
    along = space.tangent_part(target - point)[0]
    dots(ax, curve, s=20, label="reference points")
    dots(ax, curve[space.indices[0]], s=34, color=GREEN, marker="s", alpha=1, label="nearest neighbours")
    draw_pull(ax, point[0], target[0], along, reach=1.1)
    arrow(ax, point[0] + along, target[0], RED, 2.4)
    ax.text(-0.35, 0.75, "pull $g$", color=AMBER, fontsize=13)
    ax.text(-0.75, 1.9, "$P_T\\,g$", color=BLUE, fontsize=13)
    ax.text(0.72, 1.5, "$P_N\\,g$", color=RED, fontsize=13)
    ax.legend(loc="center left", bbox_to_anchor=(-0.01, 0.42), handletextpad=0.2)
    return figure


def draw_shapes() -> Figure:
    """Draw the matrices of the Gram trick as boxes of their shapes, and the huge one that nobody forms."""
    figure, axes = plt.subplot_mosaic("AB;CC", figsize=(6.6, 5.0), width_ratios=[1, 2.6], height_ratios=[1, 1])
    huge, small, road = axes["A"], axes["B"], axes["C"]
    bare(huge, "By the definition", (-0.55, 3.2), (-0.6, 3.2))
    box(huge, 0, 0, 3, 3, RED, "$Y^\\top Y$", "$D$", "$D$", faint=True)
    bare(small, "By the Gram matrix", (-0.6, 9.4), (-0.6, 3.2))
    box(small, 0, 1.05, 3, 0.9, GREEN, "$Y$", "$k$", "$D$")
    box(small, 3.7, 0, 0.9, 3, GREEN, "$Y^\\top$", "$D$", "$k$")
    small.text(5.0, 1.5, "$=$", fontsize=15, va="center", ha="center")
    box(small, 5.4, 1.05, 0.9, 0.9, BLUE, "$S$", "", "$k$")
    small.text(6.7, 1.5, "$=$", fontsize=15, va="center", ha="center")
    box(small, 7.1, 1.05, 0.9, 0.9, SKY, "$W$", "", "$k$")
    small.text(8.15, 1.5, "$\\Lambda\\, W^\\top$", fontsize=13, va="center")
    bare(road, "One projection, read from the right", (-0.8, 13.1), (-1.25, 3.7))
    box(road, 0, 0, 0.3, 3, INK, "$P_T\\,v$", "$D$", "", above=True)
    road.text(1.0, 1.5, "$=$", fontsize=15, va="center", ha="center")
    box(road, 2.0, 0, 0.9, 3, GREEN, "$Y^\\top$", "$D$", "$k$")
    box(road, 4.0, 1.05, 0.45, 0.9, SKY, "$W_d$", "$k$", "$d$", above=True)
    box(road, 5.1, 1.28, 0.45, 0.45, GRAY, "$\\Lambda_d^{-1}$", "", "$d$", above=True)
    box(road, 6.2, 1.28, 0.9, 0.45, SKY, "$W_d^\\top$", "", "$k$", above=True)
    box(road, 8.3, 1.05, 3, 0.9, GREEN, "$Y$", "$k$", "$D$")
    box(road, 12.2, 0, 0.3, 3, INK, "$v$", "$D$", "", above=True)
    for left, right, text in (
        (8.0, 12.6, "1. $k$ scalar products"),
        (3.7, 7.4, "2. $k$ weights"),
        (1.7, 3.1, "3. mix $k$ rows"),
    ):
        line(road, (left, -0.62), (right, -0.62), color=GRAY, lw=0.9)
        road.text((left + right) / 2, -0.72, text, ha="center", va="top")
    return figure


def box(
    ax: Axes, x: float, y: float, width: float, height: float, color: str, name: str, left: str, below: str, **look: Any
) -> None:
    """Draw a matrix as a box of its shape, its name inside or above, its number of rows left and of columns below."""
    faint, above = look.get("faint", False), look.get("above", False)
    ax.add_patch(Rectangle((x, y), width, height, fc=color, alpha=0.12 if faint else 0.28, ec="none"))
    style = (0, (3, 2)) if faint else "-"
    ax.add_patch(Rectangle((x, y), width, height, fill=False, ec=color, lw=1.6, ls=style))
    place = (x + width / 2, y + height + 0.12 if above else y + height / 2)
    ax.text(*place, name, ha="center", va="bottom" if above else "center", fontsize=12)
    ax.text(x - 0.12, y + height / 2, left, ha="right", va="center", fontsize=11)
    ax.text(x + width / 2, y - 0.12, below, ha="center", va="top", fontsize=11)


def draw_neighbors() -> Figure:
    """Draw tangents from forty clouds for too few, enough and too many neighbours, and how far they are off."""
    figure, axes = plt.subplots(1, 3, figsize=(6.6, 2.3))
    titles = ("$k = {}$: the noise", "$k = {}$", "$k = {}$: the bend")
    for ax, size, title in zip(axes, SIZES, titles, strict=True):
        bare(ax, title.format(size), (-2.2, 2.1), (-0.4, 2.7))
        base, clouds, directions = tangents(size)
        dots(ax, clouds[0], s=7)
        dots(ax, clouds[0][nearest(base, clouds[0], size)], s=12, color=GREEN, marker="s", alpha=1)
        for direction in directions:
            line(ax, base - 0.9 * direction, base + 0.9 * direction, color=BLUE, lw=0.9, alpha=0.4)
        true = 1.3 * true_direction()
        line(ax, base - true, base + true, color="black", lw=1.4, ls=(0, (4, 2)))
        dots(ax, base[None], s=45, color="black", alpha=1, zorder=8)
    return figure


def tangents(n_neighbors: int) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]:
    """A place on the flank of the bend, forty clouds around the curve, and the tangent each of them gives there."""
    base = horseshoe(200, noise=0.0, seed=0)[SPOT]
    clouds = [horseshoe(200, noise=0.04, seed=seed) for seed in range(40)]
    spaces = [mgd.local_tangent(base[None], cloud, n_neighbors=n_neighbors, rank=1) for cloud in clouds]
    return base, clouds, torch.stack([space.basis[0, 0] for space in spaces])


def true_direction() -> torch.Tensor:
    """The direction of the curve without noise at the place of `tangents`."""
    curve = horseshoe(200, noise=0.0, seed=0)
    return torch.nn.functional.normalize(curve[SPOT + 1] - curve[SPOT - 1], dim=0)


def nearest(base: torch.Tensor, cloud: torch.Tensor, size: int) -> torch.Tensor:
    return (cloud - base).norm(dim=1).topk(size, largest=False).indices


def draw_noisy() -> Figure:
    """Draw forty tangents at one place, among clean and among noisy neighbours."""
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.9))
    for ax, noise, title in zip(axes, (0.0, 0.6), ("Clean neighbours", "Noisy neighbours"), strict=True):
        signal = (1 - noise**2) ** 0.5
        base = signal * horseshoe(200, noise=0.0, seed=0)[[PLACE]]
        bare(ax, title, (-2.4, 2.4), (-0.15, 3.1))
        generator = torch.Generator().manual_seed(0)
        for seed in range(40):
            cloud = signal * horseshoe(200, noise=0.04, seed=seed) + noise * torch.randn(200, 2, generator=generator)
            if seed == 0:
                dots(ax, cloud, s=10)
            direction = 1.15 * mgd.local_tangent(base, cloud, n_neighbors=12, rank=1).basis[0, 0]
            line(ax, base[0] - direction, base[0] + direction, color=BLUE, lw=0.9, alpha=0.5)
        dots(ax, base, s=60, color="black", alpha=1, zorder=8)
    return figure


def draw_chord() -> Figure:
    """Draw a pull along a circle, its tangent parts at both ends, and the angles between them."""
    figure, ax = plt.subplots(figsize=(5.6, 3.6))
    bare(ax, "", (-1.75, 1.75), (-0.2, 1.75))
    angle = math.radians(80)
    here, target = (np.array([np.cos(turn), np.sin(turn)]) for turn in (math.radians(130), math.radians(130) - angle))
    pull = target - here
    parts = [pull - (pull @ place) * place for place in (here, target)]
    ax.add_patch(Circle((0, 0), 1, fill=False, ec=GRAY, lw=1.4))
    for place in (here, target):
        line(ax, (0, 0), place, color=GRAY, lw=1, ls=(0, (3, 3)))
    arrow(ax, here, target, ORANGE, 2.2)
    arrow(ax, here, here + parts[0], BLUE, 2.6)
    arrow(ax, here, here + parts[1], SKY, 2.6)
    line(ax, here + parts[0], here + parts[1], color=RED, lw=2)
    ax.add_patch(Arc((0, 0), 0.4, 0.4, theta1=50, theta2=130, color=INK))
    ax.text(0, 0.27, "$\\theta$", ha="center", fontsize=13)
    dots(ax, here[None], s=55, color="black", alpha=1, zorder=8)
    ax.scatter(*target, s=180, color=ORANGE, marker="*", edgecolor="black", zorder=7)
    tip, other = here + parts[0], here + parts[1]
    ax.text(tip[0] - 0.32, tip[1] - 0.05, "exact", color=BLUE, fontsize=12, ha="right")
    ax.text(other[0] - 0.42, other[1], "taken at\nthe target", color=INK, fontsize=12, ha="right")
    ax.text(tip[0] + 0.05, (3 * tip[1] + other[1]) / 4, "error", color=RED, fontsize=12)
    ax.text(target[0] - 0.12, target[1] + 0.05, "pull $g$", color=AMBER, fontsize=12, ha="right")
    return figure
