"""What the figures share: the labs' style and colours, dots, arrows and small images on axes without a frame."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mgd_helpers.lab import plots
from mgd_helpers.lab.plots import INK

BLUE, ORANGE, GREEN, RED, PINK, BROWN, _, GRAY, _, SKY = sns.color_palette("colorblind").as_hex()
AMBER = "#9a6300"  # orange, dark enough for text
COLORS = (BLUE, ORANGE, GREEN, PINK, SKY, RED, BROWN, GRAY)
LOOKS: list[dict[str, Any]] = [
    {"color": color, "marker": marker} for color, marker in zip(COLORS, (*plots.MARKERS, "p"), strict=True)
]
STAR: dict[str, Any] = {"marker": "*", "edgecolor": "black", "zorder": 7}


def use_style() -> None:
    """Take the style of the labs, with letters that look and lie the same on every machine."""
    plots.use_style()
    plt.rcParams.update(
        {
            "axes.labelsize": 11,
            "axes.linewidth": 0.8,
            "axes.titlesize": 11.5,
            "axes.titleweight": "normal",
            "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib
            "font.size": 11,
            "mathtext.fontset": "cm",
            "svg.hashsalt": "manifoldgd",
            "text.color": INK,
            "xtick.major.width": 0.8,
            "ytick.major.width": 0.8,
        }
    )


def bare(ax: Axes, title: str, x: tuple[float, float] | None = None, y: tuple[float, float] | None = None) -> Axes:
    """Leave of the axes a title alone; `x` and `y` are what they show."""
    ax.set(xticks=[], yticks=[], aspect="equal", title=title)
    if x and y:
        ax.set(xlim=x, ylim=y)
    sns.despine(ax=ax, left=True, bottom=True)
    return ax


def dots(ax: Axes, points: Any, **options: Any) -> None:
    """Draw points [N, 2], gray unless `options` of scatter say otherwise."""
    ax.scatter(*np.asarray(points).T, **{"s": 14, "color": GRAY, "alpha": 0.6, "edgecolor": "none"} | options)


def line(ax: Axes, start: Any, end: Any, **options: Any) -> None:
    """Draw a straight line between two points."""
    ax.plot([start[0], end[0]], [start[1], end[1]], **options)


def arrow(ax: Axes, start: Any, end: Any, color: str = INK, width: float = 2.0) -> None:
    """Draw an arrow from one point to another."""
    look = {"arrowstyle": "-|>", "mutation_scale": 13, "lw": width, "color": color, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", tuple(end), tuple(start), arrowprops=look, zorder=6)


def stamp(ax: Axes, u: float, x: float, y: float, size: float, softness: float = 0.11) -> None:
    """Put the framed image of a handwritten 3 on the axes."""
    extent = (x - size / 2, x + size / 2, y - size / 2, y + size / 2)
    ax.imshow(three(u, softness), extent=extent, vmin=0, vmax=1, zorder=5, interpolation="nearest")
    ax.add_patch(Rectangle(extent[::2], size, size, fill=False, ec=INK, lw=0.9, zorder=6))


def three(u: float, softness: float) -> np.ndarray:
    """Write a 3 into 20 x 20 pixels, slanted and opened by `u` in [-1, 1]: a family with one degree of freedom."""
    turn = np.linspace(-0.5, 0.8, 40) * np.pi
    x = np.concatenate([0.32 * np.cos(turn), (0.44 + 0.12 * u) * np.cos(turn)])
    y = np.concatenate([0.42 + 0.36 * np.sin(turn), -0.4 - 0.46 * np.sin(turn)])
    grid = np.linspace(-1, 1, 20)
    distance = (grid[None, :, None] - x - 0.45 * u * y + 0.08) ** 2 + (grid[:, None, None] + y) ** 2
    return np.exp(-distance.min(2) / (2 * softness**2))


def draw_pull(ax: Axes, point: torch.Tensor, target: torch.Tensor, along: torch.Tensor, *, reach: float) -> None:
    """Draw the pull from a point to a target, and its tangent part `along` on a line that begins `reach` before."""
    unit = along / along.norm()
    line(ax, point - reach * unit, point + 1.25 * along, color=BLUE, lw=1, ls=(0, (4, 3)))
    arrow(ax, point, target, ORANGE, 2.2)
    arrow(ax, point, point + along, BLUE, 2.8)
    dots(ax, point, s=55, color="black", alpha=1, zorder=8, label="denoised")
    ax.scatter(*target, s=180, color=ORANGE, **STAR, label="target")
