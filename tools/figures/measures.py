"""The figures of chapter 9, simulations: similarities of pairs, balls around points, and distances of copies."""

from __future__ import annotations

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from mgd_helpers.evaluation.fidelity import mmd
from mgd_helpers.evaluation.precision_recall import precision_recall
from tools.figures.canvas import AMBER, BLUE, GRAY, INK, bare, dots

N_POINTS, WIDTH = 24, 1.0
K = 3  # balls reach to the third neighbour, so that a picture can hold them
THRESHOLD = 0.01


def draw_mmd() -> Figure:
    """Draw two pairs of clouds, and below each the similarities of all pairs of points."""
    figure, axes = plt.subplots(2, 2, figsize=(6.0, 6.0), height_ratios=[0.8, 1])
    for (cloud, table), (name, gap) in zip(axes.T, {"apart": 2.2, "one distribution": 0.0}.items(), strict=True):
        real, generated = clouds(gap)
        bare(cloud, f"{name}: MMD² = {mmd(generated=generated, real=real, bandwidth=WIDTH):.2f}")
        dots(cloud, real, s=26)
        dots(cloud, generated, s=30, color=AMBER, marker="^", alpha=0.9)
        rows = torch.cat([generated, real])
        table.imshow(torch.exp(-(torch.cdist(rows, rows) ** 2) / (2 * WIDTH**2)), vmin=0, vmax=1)
        for line in (table.axhline, table.axvline):
            line(N_POINTS - 0.5, color=BLUE, lw=1.5)
        middles = [N_POINTS / 2, 1.5 * N_POINTS]
        table.set(xticks=middles, yticks=middles, xticklabels=["generated", "real"])
        table.set_yticklabels(["generated", "real"], rotation=90, va="center")
        table.tick_params(length=0)
    return figure


def clouds(gap: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Real and generated points of spread 0.7, whose means lie `gap` apart."""
    points = 0.7 * torch.randn(2, N_POINTS, 2, generator=torch.Generator().manual_seed(5))
    return points[0], points[1] + torch.tensor([gap, 0.0])


def draw_balls() -> Figure:
    """Draw real points with balls, and generated ones that crowd, that miss, and that an outlier's ball holds."""
    figure, axes = plt.subplots(1, 3, figsize=(6.6, 3.2))
    for ax, (name, (generated, real)) in zip(axes, scenes().items(), strict=True):
        found = precision_recall(generated=generated, real=real, n_neighbors=K)
        numbers = "\n".join(f"{measure} {found[measure]:.2f}" for measure in ("precision", "coverage", "density"))
        bare(ax, f"{name}\n{numbers}", (-3.0, 8.0), (-4.6, 4.6))
        radii = torch.cdist(real, real).sort(dim=1).values[:, K]
        for center, radius in zip(real.tolist(), radii.tolist(), strict=True):
            ax.add_patch(Circle(center, radius, fc=BLUE, alpha=0.08, ec="none"))
            ax.add_patch(Circle(center, radius, fill=False, ec=BLUE, lw=0.7, alpha=0.7))
        dots(ax, real, s=18, color=INK, alpha=1)
        dots(ax, generated, s=34, color=AMBER, marker="^", alpha=1, zorder=5)
    return figure


def scenes() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """(generated, real) of three scenes."""
    generator = torch.Generator().manual_seed(1)
    real, crowd = (sd * torch.randn(n, 2, generator=generator) for n, sd in ((20, 0.9), (9, 0.25)))
    real *= (1.6 / real.norm(dim=1, keepdim=True)).clamp_max(1)  # no outlier yet
    away = crowd + torch.tensor([4.0, 0.0])
    freak = torch.cat([torch.tensor([[6.0, 0.0]]), real[1:]])
    return {"crowded": (crowd, real), "beside the data": (away, real), "with an outlier": (away, freak)}


def draw_copies() -> Figure:
    """Draw the distances to the nearest training row of held-out and of generated rows, five of these copies."""
    held_out, generated = distances()
    figure, axes = plt.subplots(2, 1, figsize=(6.4, 3.8), sharex=True)
    edges = torch.linspace(0, float(torch.cat([held_out, generated]).max()), 50).tolist()
    ends = {"held-out images": (held_out, GRAY), "generated images, five of them copies": (generated, AMBER)}
    for ax, (name, (values, color)) in zip(axes, ends.items(), strict=True):
        histogram(ax, values, edges, color)
        ax.axvline(float(held_out.quantile(THRESHOLD)), color=INK, ls="--", lw=1.4)
        ax.set_title(name, fontsize=11)
    axes[1].set_xlabel("distance to the nearest training image (simulated)")
    return figure


def histogram(ax: Axes, values: torch.Tensor, edges: list[float], color: str) -> None:
    """Draw how many values fall between edges."""
    ax.hist(values.tolist(), bins=edges, color=color)
    ax.set_ylabel("images")


def distances() -> tuple[torch.Tensor, torch.Tensor]:
    """Of 300 held-out and of 100 generated rows, the first five of these copies with a little noise."""
    generator = torch.Generator().manual_seed(2)
    train, held_out, generated = (torch.randn(n, 12, generator=generator) for n in (300, 300, 100))
    generated[:5] = train[:5] + 0.1 * torch.randn(5, 12, generator=generator)
    return torch.cdist(held_out, train).amin(1), torch.cdist(generated, train).amin(1)
