"""The figures of chapter 2: a spiral under noise and back, the best guess, steps of DDIM, and the score."""

from __future__ import annotations

import math
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mgd_helpers.guidance.toys import PointCloudPipeline, spiral
from tools.figures.canvas import AMBER, BLUE, GRAY, INK, RED, SKY, arrow, bare, dots, line

SHARES = (0.0, 0.3, 0.6, 0.9)  # columns of the first figure
GUESSED = (1.0, 0.9, 0.6, 0.2)  # panels of the second
STEP = (0.8, 0.5)  # the shares of the step that is drawn
GUESS, NOISE = torch.tensor([3.4, 0.5]), torch.tensor([-0.35, 2.4])  # of that step
COUNTS = (1, 2, 5, 25)  # how many steps
WIDE = (-2.6, 2.6)


def cloud() -> torch.Tensor:
    """The spiral of the lab, [300, 2]."""
    return spiral(300, noise=0.02, seed=0)


def signal_of(share: float) -> float:
    """The weight of the clean point at a noise share."""
    return math.sqrt(1 - share**2)


def best_guess(sample: torch.Tensor, share: float) -> torch.Tensor:
    """The mean of all points of the spiral that may lie behind samples [B, 2]."""
    return PointCloudPipeline(cloud(), None).denoise(sample, signal=signal_of(share), noise=share)


def step(sample: torch.Tensor, guess: torch.Tensor, share: float, after: float) -> torch.Tensor:
    """A step of DDIM: the same noise, in a smaller dose."""
    return signal_of(after) * guess + after * (sample - signal_of(share) * guess) / share


def draw_noising() -> Figure:
    """Draw the spiral under growing noise, and below it samples that lose their noise again."""
    points = cloud()
    noise = torch.randn(points.shape, generator=torch.Generator().manual_seed(2))
    back = generated(points.shape, 100)
    figure, axes = plt.subplots(2, 4, figsize=(6.6, 3.6))
    for column, share in enumerate(SHARES):
        bare(axes[0, column], f"noise share {share:g}", WIDE, WIDE)
        bare(axes[1, column], "", WIDE, WIDE)
        dots(axes[0, column], (signal_of(share) * points + share * noise)[::2], s=9, alpha=0.7)
        dots(axes[1, column], back[share][::2], color=AMBER, s=9, alpha=0.7)
    for row, text, color in ((0, "noise is added  →", INK), (1, "←  noise is removed", AMBER)):
        axes[row, 0].set_ylabel(text, color=color)
    return figure


def generated(shape: torch.Size, steps: int) -> dict[float, torch.Tensor]:
    """Samples at every share of a loop of DDIM, from pure noise to 0 in equal steps."""
    shares = [round(1 - number / steps, 9) for number in range(steps + 1)]
    path = {1.0: torch.randn(shape, generator=torch.Generator().manual_seed(3))}
    for share, after in pairwise(shares):
        path[after] = step(path[share], best_guess(path[share], share), share, after)
    return path


def draw_sharpening() -> Figure:
    """Draw one sample at falling noise shares: the weights of the points, and the best guess."""
    points = cloud()
    figure, axes = plt.subplots(1, 4, figsize=(6.6, 2.5))
    for ax, share in zip(axes, GUESSED, strict=True):
        sample = sample_at(share)
        weights = weights_of(sample, share)
        bare(ax, f"noise share {share:g}", WIDE, WIDE)
        sizes = 3 + 80 * weights / weights.max()  # of the largest weight in the panel
        ax.scatter(*points[::4].T, s=sizes[::4], color=SKY, alpha=0.7, lw=0, label="points, by weight")
        ax.scatter(*sample, s=60, marker="X", color=AMBER, edgecolor="white", lw=0.5, zorder=6, label="sample $z_t$")
        guess = best_guess(sample[None], share)[0]
        ax.scatter(*guess, s=55, color=BLUE, edgecolor="black", zorder=7, label=r"best guess $\hat z_0$")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def sample_at(share: float) -> torch.Tensor:
    """One clean point of the spiral, under the same noise in growing doses."""
    return signal_of(share) * cloud()[110] + share * torch.tensor([-0.9, -1.5])


def weights_of(sample: torch.Tensor, share: float) -> torch.Tensor:
    """How likely each point of the spiral is to lie behind a sample [2]."""
    return torch.softmax(-(sample - signal_of(share) * cloud()).square().sum(1) / (2 * share**2), 0)


def draw_ddim() -> Figure:
    """Draw a step of DDIM: two triangles with a parallel side, the second with less noise and more signal."""
    old, new = STEP
    figure, ax = plt.subplots(figsize=(6.4, 3.4))
    origin = torch.zeros(2)
    line(ax, origin, GUESS, color=BLUE, lw=1, ls=(0, (4, 3)))
    for share, name, dose in ((old, "z_t", "noise"), (new, "z_{t'}", "noise'")):
        foot, top = signal_of(share) * GUESS, signal_of(share) * GUESS + share * NOISE
        line(ax, origin, top, color=GRAY, lw=1)
        arrow(ax, foot, top, RED, 2.4)
        dots(ax, foot[None], s=26, color=BLUE, alpha=1, zorder=7)
        dots(ax, top[None], s=70, color=AMBER, alpha=1, zorder=8)
        ax.text(*(top + torch.tensor([0.0, 0.14])).tolist(), f"${name}$", color=AMBER, ha="center", fontsize=14)
        side = 0.1 if share == new else -0.1
        ax.text(
            *(foot + 0.5 * share * NOISE + torch.tensor([side, 0.0])).tolist(),
            rf"$\mathrm{{{dose}}}\;\hat\varepsilon$",
            color=RED,
            ha="left" if share == new else "right",
            fontsize=13,
        )
    arrow(ax, signal_of(old) * GUESS + old * NOISE, step_end(), INK, 1.6)
    dots(ax, origin[None], s=30, color=INK, alpha=1)
    ax.text(-0.08, -0.05, "0", ha="right", va="center")
    ax.scatter(*GUESS, s=80, color=BLUE, edgecolor="black", zorder=8)
    ax.text(*(GUESS + torch.tensor([0.12, 0.0])).tolist(), r"$\hat z_0$", color=BLUE, fontsize=14, va="center")
    for share, text in ((old, r"$\mathrm{signal}\;\hat z_0$"), (new, r"$\mathrm{signal'}\,\hat z_0$")):
        ax.text(*(signal_of(share) * GUESS + torch.tensor([0.0, -0.2])).tolist(), text, color=BLUE, ha="center")
    bare(ax, "", (-0.4, 4.0), (-0.3, 2.6))
    return figure


def step_end() -> torch.Tensor:
    """Where the drawn step leads."""
    old, new = STEP
    return step(signal_of(old) * GUESS + old * NOISE, GUESS, old, new)


def draw_steps() -> Figure:
    """Draw where the same 150 starts end, after few and after many steps."""
    figure, axes = plt.subplots(1, 4, figsize=(6.6, 2.1))
    for ax, count in zip(axes, COUNTS, strict=True):
        bare(ax, f"{count} step{'s'[: count > 1]}", (-2.2, 1.9), (-1.6, 1.9))
        dots(ax, cloud()[::3], s=5, alpha=0.6)
        dots(ax, generated(torch.Size((150, 2)), count)[0.0], color=AMBER, s=14, alpha=0.8)
    return figure


def draw_score() -> Figure:
    """Draw the density of noisy points at two shares; arrows are noise² times the score, at half length."""
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.4))
    for ax, share in zip(axes, (0.8, 0.4), strict=True):
        draw_field(bare(ax, f"noise share {share:g}", WIDE, WIDE), share)
    return figure


def draw_field(ax: Axes, share: float) -> None:
    """Draw one density with its arrows, each half the way from a place to signal times the best guess there."""
    fine, coarse = grid(90), grid(10)
    ax.imshow(
        density(fine, share).view(90, 90).T, extent=(*WIDE, *WIDE), origin="lower", cmap="Greys", alpha=0.75, zorder=0
    )
    ax.quiver(
        *coarse.T,
        *(signal_of(share) * best_guess(coarse, share) - coarse).T,
        color=BLUE,
        angles="xy",
        scale_units="xy",
        scale=2,
        width=0.006,
    )


def grid(count: int) -> torch.Tensor:
    """Places [count², 2] that fill the panel."""
    ticks = torch.linspace(*WIDE, count)
    return torch.cartesian_prod(ticks, ticks)


def density(places: torch.Tensor, share: float) -> torch.Tensor:
    """The density of noisy points at places [B, 2]."""
    squares = (places[:, None] - signal_of(share) * cloud()).square().sum(2)
    return torch.exp(-squares / (2 * share**2)).mean(1) / (2 * math.pi * share**2)
