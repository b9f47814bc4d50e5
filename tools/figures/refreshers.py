"""The figures of the refreshers: principal directions, noise that keeps the variance, best guesses, intervals."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Arc

from mgd_helpers.guidance.toys import PointCloudPipeline
from tools.figures.canvas import AMBER, BLUE, GRAY, GREEN, INK, PINK, RED, arrow, dots, line

SHARES = (0.3, 0.6, 0.9)
VALUES = torch.tensor([[-1.0], [0.0], [2.0]])
TRUTH, N_VALUES, N_STUDIES = 70.0, 5, 40
MULTIPLES = {"1.96 standard errors": 1.959964, "Student's quantile, 2.78": 2.776445}  # of four degrees of freedom
LINES = ("-", "--", ":")


def draw_principal() -> Figure:
    """Draw a cloud with its principal directions, and the variance along every direction."""
    points = tilted_cloud()
    center = points.mean(0)
    values, vectors = torch.linalg.eigh(points.T.cov())
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.2), width_ratios=[1.1, 1])
    dots(left, points, s=16)
    for column, color, name in ((1, BLUE, "first"), (0, AMBER, "second")):
        direction = vectors[:, column] * vectors[0, column].sign()
        reach = 2 * values[column].sqrt() * direction
        arrow(left, center, center + reach, color, 2.6)
        left.text(*(center + 1.2 * reach).tolist(), name, color=color, ha="center", va="center")
    dots(left, center[None], s=60, color="black", alpha=1, zorder=8)
    left.set(aspect="equal", xlabel="first coordinate", ylabel="second coordinate", title="A cloud and its directions")

    angles = torch.linspace(0, math.pi, 181)
    right.plot(torch.rad2deg(angles), variance_along(points, angles), color=INK)
    for column, color, marker in ((1, BLUE, "o"), (0, AMBER, "s")):
        angle = torch.atan2(vectors[1, column], vectors[0, column]) % math.pi
        right.plot(torch.rad2deg(angle), values[column], marker, color=color, ms=9)
    right.set(xlabel="angle of the direction (degrees)", ylabel="variance along it", ylim=(0, None))
    right.set(xticks=range(0, 181, 45), title="How much it spreads")
    return figure


def tilted_cloud() -> torch.Tensor:
    """Points [150, 2], long in one direction, away from the origin."""
    spread = torch.randn(150, 2, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.5, 0.5])
    turn = math.radians(35)
    cosine, sine = math.cos(turn), math.sin(turn)
    return torch.tensor([4.0, 2.5]) + spread @ torch.tensor([[cosine, sine], [-sine, cosine]])


def variance_along(points: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """The variance of points [N, 2] along directions at these angles."""
    return (points @ torch.stack([angles.cos(), angles.sin()])).var(0)


def draw_noise_shares() -> Figure:
    """Draw the two weights as sides of a right-angled triangle, and the density of a mixture at three shares."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.6, 3.3), width_ratios=[1, 1.35])
    left.add_patch(Arc((0, 0), 2, 2, theta1=0, theta2=90, color=GRAY))
    share, signal = SHARES[1], (1 - SHARES[1] ** 2) ** 0.5
    line(left, (0, 0), (signal, 0), color=GREEN, lw=2.5)
    line(left, (signal, 0), (signal, share), color=RED, lw=2.5)
    line(left, (0, 0), (signal, share), color=INK, lw=1.5)
    left.text(signal / 2, -0.1, f"clean: {signal:.1f}", color=GREEN, ha="center")
    left.text(signal - 0.03, 0.3 * share, f"noise: {share:.1f}", color=RED, ha="right")
    left.text(signal / 2 - 0.05, share / 2 + 0.07, "1", color=INK, ha="center")
    left.set(xlim=(-0.05, 1.3), ylim=(-0.2, 1.1), aspect="equal", xticks=[], yticks=[], title="Squares add up to 1")
    left.spines[:].set_visible(False)

    grid = torch.linspace(-3.5, 3.5, 400)
    for share, style, color in zip(SHARES, LINES, (BLUE, AMBER, PINK), strict=True):
        right.plot(grid, mixture_density(grid, share), color=color, ls=style, lw=2, label=f"noise share {share:g}")
    right.set(xlabel="value of the mixture", yticks=[], ylim=(0, 0.9), title="Clean values −1 and 1, with noise")
    right.spines["left"].set_visible(False)
    right.legend(loc="upper right", fontsize=11, handlelength=1.2, borderaxespad=0)
    return figure


def mixture_density(grid: torch.Tensor, share: float) -> torch.Tensor:
    """The density of signal · x + share · noise, where x is -1 or 1 and signal² + share² = 1."""
    signal = (1 - share**2) ** 0.5
    bells = [torch.exp(-(((grid - signal * x) / share) ** 2) / 2) for x in (-1, 1)]
    return (bells[0] + bells[1]) / (2 * share * math.sqrt(2 * math.pi))


def draw_best_guess() -> Figure:
    """Draw the conditional mean of three values against what is seen, for three strengths of noise."""
    figure, ax = plt.subplots(figsize=(6.2, 3.6))
    seen = torch.linspace(-3, 4, 400)
    for value in VALUES.flatten().tolist():
        ax.axhline(value, color=GRAY, lw=0.8)
    ax.axhline(VALUES.mean().item(), color=GREEN, lw=1, ls=(0, (1, 2)))
    ax.text(4.05, VALUES.mean().item(), "mean", color=GREEN, va="center")
    for sigma, style, color in zip((0.2, 0.7, 3.0), LINES, (BLUE, AMBER, INK), strict=True):
        ax.plot(seen, best_guess(seen, sigma), color=color, ls=style, lw=2, label=f"noise of spread {sigma:g}")
    ax.set(xlabel="what is seen, $y$", ylabel="best guess of $X$", yticks=VALUES.flatten().tolist(), xlim=(-3, 4))
    ax.set_title("The best guess of a value that is −1, 0 or 2")
    ax.legend(loc="upper left")
    return figure


def best_guess(seen: torch.Tensor, sigma: float) -> torch.Tensor:
    """E[x | y] for y = x + sigma · noise and x one of `VALUES`."""
    return PointCloudPipeline(VALUES, None).denoise(seen[:, None], signal=1.0, noise=sigma)[:, 0]


def draw_coverage() -> Figure:
    """Draw forty intervals of five values each, once with 1.96 and once with Student's quantile."""
    means, errors = studies(N_STUDIES)
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.6), sharex=True, sharey=True)
    for ax, (name, multiple) in zip(axes, MULTIPLES.items(), strict=True):
        halves = multiple * errors
        misses = (means - TRUTH).abs() > halves
        for some, color, marker in ((~misses, GRAY, "o"), (misses, RED, "X")):
            rows = some.nonzero()[:, 0]
            ax.errorbar(means[rows], rows, xerr=halves[rows], color=color, fmt=marker, ms=4, lw=1.3)
        ax.axvline(TRUTH, color=INK, lw=1)
        ax.set(yticks=[], xlabel="accuracy (simulated, %)", title=f"{name}: {int(misses.sum())} miss")
        ax.spines["left"].set_visible(False)
    return figure


def studies(count: int, *, seed: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Means and standard errors of studies of five values; with this seed, forty of them miss about their share."""
    values = TRUTH + 2 * torch.randn(count, N_VALUES, generator=torch.Generator().manual_seed(seed))
    return values.mean(1), values.std(1) / N_VALUES**0.5
