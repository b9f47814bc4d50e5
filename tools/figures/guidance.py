"""The figure of chapter 4: denoising paths to a horseshoe without guidance, under a mode pull and a manifold pull."""

from __future__ import annotations

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

import mgd_helpers as mgd
from tools.figures.canvas import LOOKS, STAR, bare, dots
from tools.figures.horseshoe import denoise, horseshoe


def draw_guidance() -> Figure:
    """Draw nine paths under each guidance, and how far from curve and target they end."""
    curve, goals, paths = guided_paths()
    figure, axes = plt.subplots(2, 2, figsize=(6.4, 6.0))
    ends = axes[1, 1]
    for ax, (title, path), look in zip(axes.ravel(), paths.items(), LOOKS, strict=False):
        dots(bare(ax, title, (-2.25, 2.25), (-2.1, 2.4)), curve[::2], s=10, alpha=0.5)
        for index, goal in enumerate(goals):
            own = LOOKS[index % 3]
            ax.plot(*path[:, index].T, color=own["color"], lw=1.3)
            ax.scatter(*path[0, index], s=16, facecolor="white", edgecolor=own["color"], zorder=4)
            ax.scatter(*path[-1, index], s=34, edgecolor="black", lw=0.8, zorder=8, **own)
            ax.scatter(*goal, s=170, color=own["color"], **STAR)
        ends.scatter(*distances(path[-1], goals, curve), s=46, edgecolor="black", lw=0.7, label=title, **look)
    ends.set(title="Where the nine samples end", xlabel="distance to their target", ylabel="distance to the curve")
    ends.legend(handletextpad=0.1)
    return figure


def guided_paths() -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Denoise nine samples three times; returns the curve, the nine targets, and the paths [51, 9, 2] by guidance."""
    curve = horseshoe(240, noise=0.02, seed=3)
    targets = mgd.pick_targets(mgd.bisect(curve, n_leaves=2), images_per_class=3, start_level=0)
    goals = targets.latents.repeat(3, 1)  # centroids of the curve and of its halves lie inside the bend
    guidances = {
        "Unguided": None,
        "Mode pull": mgd.ModePull(goals, strength=0.3),
        "Manifold pull": mgd.ManifoldPull(goals, curve, strength=0.3, n_neighbors=12, rank=1),
    }
    return curve, goals, {name: denoise(curve, one, n_samples=9, seed=8) for name, one in guidances.items()}


def distances(ends: torch.Tensor, goals: torch.Tensor, curve: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Measure how far from their targets, and how far from the curve, samples end."""
    return (ends - goals).norm(dim=1), torch.cdist(ends, curve).amin(dim=1)
