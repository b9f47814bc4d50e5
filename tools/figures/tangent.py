"""The figure of chapter 5: a pull and its two parts, and tangents among clean and among noisy neighbours."""

from __future__ import annotations

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import mgd_helpers as mgd
from tools.figures.canvas import AMBER, BLUE, GREEN, RED, arrow, bare, dots, draw_pull, line
from tools.figures.horseshoe import horseshoe

PLACE = 111  # of 200 points: on the top of the bend


def draw_tangent() -> Figure:
    """Draw above a pull and its parts, below forty tangents among clean and forty among noisy neighbours."""
    figure, axes = plt.subplot_mosaic("AA;BC", figsize=(6.4, 5.6), height_ratios=[1.15, 1])
    draw_parts(axes["A"])
    draw_tangents(axes["B"], noise=0.0, title="Clean neighbours")
    draw_tangents(axes["C"], noise=0.6, title="Noisy neighbours")
    return figure


def draw_parts(ax: Axes) -> None:
    """Draw a pull from a point of the curve to a target inside the bend, and its two parts."""
    bare(ax, "A pull and its two parts", (-4.1, 2.1), (-0.15, 2.4))
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


def draw_tangents(ax: Axes, *, noise: float, title: str) -> None:
    """Draw the tangents at one place from forty independent clouds, and the first of the clouds."""
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
