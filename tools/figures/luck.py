"""The figures of chapter 8, simulations: three kinds of luck, what pairing adds, and the power of a study."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import mgd_helpers as mgd
from mgd_helpers.lab.checks.luck import power
from tools.figures.canvas import AMBER, BLUE, GRAY, GREEN, INK, LOOKS, PINK

GAIN, N_PAIRS = 1.0, 10  # points by which method B is better
N_IMAGES, ACCURACY, N_DRAWS = 500, 2 / 3, 20
OF_STUDENTS, OF_SETS = 0.015, 0.02  # simulated standard deviations
EFFECTS = {1.0: ("one spread", BLUE, "-"), 0.5: ("half a spread", AMBER, "--"), 0.25: ("a quarter", PINK, ":")}


def draw_luck_kinds() -> Figure:
    """Draw twenty accuracies under one, two and three kinds of luck."""
    figure, ax = plt.subplots(figsize=(6.6, 2.9))
    for row, values in enumerate(kinds().values()):
        ax.scatter(100 * values, np.full(N_DRAWS, row), s=42, alpha=0.75, edgecolor="none", **LOOKS[row])
        ax.plot(100 * np.array([values.min(), values.max()]), [row + 0.28] * 2, color=INK, lw=1.2)
        ax.text(100 * values.max() + 0.3, row + 0.28, f"{100 * np.ptp(values):.0f} points", va="center")
    ax.set(
        yticks=range(3), yticklabels=list(kinds()), ylim=(2.7, -0.5), xlabel="accuracy of the student (simulated, %)"
    )
    return figure


def kinds() -> dict[str, np.ndarray]:
    """Accuracies under other test images; other students as well; other sets as well."""
    generator = np.random.default_rng(3)

    def counted(shares: np.ndarray) -> np.ndarray:
        return generator.binomial(N_IMAGES, shares) / N_IMAGES

    fixed, students, sets = (generator.normal(0, sd, N_DRAWS) for sd in (0, OF_STUDENTS, OF_SETS))
    one, two = ACCURACY + fixed, ACCURACY + generator.normal(0, OF_STUDENTS, N_DRAWS)
    return {
        "other test images": counted(one),
        "… and other students": counted(two),
        "… and other sets": counted(ACCURACY + students + sets),
    }


def draw_power() -> Figure:
    """Draw power against the number of pairs, the rule of thumb as dots, and half as many pairs as crosses."""
    figure, ax = plt.subplots(figsize=(6.4, 3.6))
    sizes = np.unique(np.geomspace(3, 160, 60).round().astype(int))
    ax.axhline(0.8, color=GRAY, lw=1, ls=(0, (1, 2)))
    for effect, (name, color, style) in EFFECTS.items():
        ax.plot(sizes, [power(int(n), effect) for n in sizes], color=color, ls=style, lw=2, label=name)
        rule, edge = round(8 / effect**2 + 2), round(4 / effect**2)
        ax.plot(rule, power(rule, effect), "o", color=color, ms=8)
        ax.plot(edge, power(edge, effect), "X", color=color, ms=8)
    ax.set(xscale="log", xlabel="pairs", ylabel="power", ylim=(0, 1.02), xticks=[4, 10, 16, 34, 64, 130])
    ax.set_xticklabels(["4", "10", "16", "34", "64", "130"])
    ax.minorticks_off()
    ax.legend(title="true difference", loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def draw_paired() -> Figure:
    """Draw ten pairs, seen as pairs and as two groups, and twenty repetitions of that."""
    first, *others = studies(21)
    figure, (above, below) = plt.subplots(2, 1, figsize=(6.0, 6.4), height_ratios=[1, 1.5])
    draw_pairs(above, *first)
    draw_intervals(below, others)
    return figure


def studies(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Simulate accuracies of A and B; luck that a pair shares deviates by 2 points, private luck by 0.6."""
    generator = np.random.default_rng(2)

    def study() -> tuple[np.ndarray, np.ndarray]:
        luck = generator.normal(70, 2.0, N_PAIRS)
        return luck + generator.normal(0, 0.6, N_PAIRS), luck + GAIN + generator.normal(0, 0.6, N_PAIRS)

    return [study() for _ in range(count)]


def intervals(a: np.ndarray, b: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """The 95 % intervals of B minus A, from pairs and from two groups."""
    from scipy import stats

    paired = mgd.paired_difference(b[:, None].tolist(), a[:, None].tolist())
    unpaired = stats.ttest_ind(b, a).confidence_interval()
    return (paired.low, paired.high), (float(unpaired.low), float(unpaired.high))


def draw_pairs(ax: Axes, a: np.ndarray, b: np.ndarray) -> None:
    """Draw the accuracies of both methods, with a line for each pair."""
    ax.plot([a, b], [[0] * N_PAIRS, [1] * N_PAIRS], color=GRAY, lw=1.2)
    ax.scatter(a, [0] * N_PAIRS, s=40, color=INK, marker="s", zorder=3)
    ax.scatter(b, [1] * N_PAIRS, s=44, color=INK, marker="o", zorder=3)
    ax.set(yticks=[0, 1], yticklabels=["method A", "method B"], ylim=(-0.4, 1.4))
    ax.set(xlabel="accuracy of the student (simulated, %)", title="One simulated study: lines join shared seeds")


def draw_intervals(ax: Axes, repeated: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Draw two intervals of each study, from its pairs and from its two groups, around the same mean."""
    look: dict[str, Any] = {"lw": 1.6, "ms": 4}
    for row, (a, b) in enumerate(repeated):
        mean, (paired, unpaired) = (b - a).mean(), intervals(a, b)
        name = ("", "") if row else ("paired", "unpaired")
        ax.errorbar(mean, row + 0.18, xerr=paired[1] - mean, color=BLUE, fmt="o", label=name[0], **look)
        ax.errorbar(mean, row - 0.18, xerr=unpaired[1] - mean, color=GRAY, fmt="s", label=name[1], **look)
    ax.axvline(0, color=INK, lw=1)
    ax.axvline(GAIN, color=GREEN, lw=1.6, ls="--", label="true difference")
    ax.set(yticks=[], xlabel="B minus A, with its 95 % interval (points)")
    ax.set_title("Twenty simulated studies: the same data, two analyses")
    ax.spines["left"].set_visible(False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)
