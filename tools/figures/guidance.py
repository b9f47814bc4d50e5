"""The figure of chapter 6: paths to a horseshoe under two pulls, guided throughout and stopped at one half."""

from __future__ import annotations

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import mgd_helpers as mgd
from tools.figures.canvas import BLUE, GRAY, INK, ORANGE, STAR, bare, dots, line
from tools.figures.horseshoe import denoise, horseshoe

STOPS = {"guided throughout": 0.0, "stopped at one half": 0.5}  # the noise share at which guidance ends
LOOKS = {
    "unguided": {"color": GRAY, "marker": "o"},
    "mode pull": {"color": ORANGE, "marker": "s"},
    "manifold pull": {"color": BLUE, "marker": "^"},
}


def draw_guidance() -> Figure:
    """Draw nine paths under each pull, once with each stop, and how far from curve and target they end."""
    figure, axes = plt.subplots(2, 3, figsize=(8.4, 5.6), width_ratios=(1.2, 1.2, 1))
    for row, (stop, above) in zip(axes, STOPS.items(), strict=True):
        curve, goals, paths = guided_paths(above)
        for ax, name in zip(row, ("mode pull", "manifold pull"), strict=False):
            draw_paths(bare(ax, f"{name.capitalize()},\n{stop}", (-2.1, 2.0), (-1.25, 2.15)), curve, goals, paths, name)
        ends = row[2]
        for name, path in paths.items():
            ends.scatter(*distances(path[-1], goals, curve), s=42, edgecolor="black", lw=0.6, label=name, **LOOKS[name])
        ends.set(title=f"Where they end,\n{stop}", xlabel="distance to the target", ylabel="distance to the curve")
        ends.set(xlim=(0, 3.2), ylim=(-0.01, 0.33))
    axes[1, 2].legend(handletextpad=0.1)
    return figure


def draw_paths(ax: Axes, curve: torch.Tensor, goals: torch.Tensor, paths: dict[str, torch.Tensor], name: str) -> None:
    """Draw the paths of one pull on the curve; a dotted line joins each end with its own target."""
    look, path = LOOKS[name], paths[name]
    dots(ax, curve[::2], s=8, alpha=0.35)
    for index, goal in enumerate(goals):
        line(ax, path[-1, index], goal, color=INK, lw=0.8, ls=":")
        ax.plot(*path[:, index].T, color=look["color"], lw=1.2)
        ax.scatter(*path[0, index], s=14, facecolor="white", edgecolor=look["color"], zorder=4)
    ax.scatter(*path[-1].T, s=26, edgecolor="black", lw=0.6, zorder=8, **look)
    ax.scatter(*goals.T, s=150, color="white", **STAR)


def guided_paths(above: float) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Denoise nine samples three times, guided while the noise share exceeds `above`.

    Returns the curve, the nine targets, and the paths [51, 9, 2] by guidance.
    """
    curve = horseshoe(240, noise=0.02, seed=3)
    targets = mgd.pick_targets(mgd.bisect(curve, n_leaves=2), images_per_class=3, start_level=0)
    goals = targets.latents.repeat(3, 1)  # centroids of the curve and of its halves lie inside the bend
    pulls = {
        "mode pull": mgd.ModePull(goals, strength=0.3),
        "manifold pull": mgd.ManifoldPull(goals, curve, strength=0.3, n_neighbors=12, rank=1),
    }
    guidances = {"unguided": None} | {name: mgd.window(pull, above=above) for name, pull in pulls.items()}
    return curve, goals, {name: denoise(curve, one, n_samples=9, seed=8) for name, one in guidances.items()}


def distances(ends: torch.Tensor, goals: torch.Tensor, curve: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Measure how far from their targets, and how far from the curve, samples end."""
    return (ends - goals).norm(dim=1), torch.cdist(ends, curve).amin(dim=1)
