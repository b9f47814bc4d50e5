"""The figure of chapter 9, a simulation: what pairing adds to a comparison."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import mgd_helpers as mgd
from tools.figures.canvas import BLUE, GRAY, GREEN, INK, LOOKS

GAIN, N_PAIRS = 1.0, 10  # points by which method B is better


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
    ax.scatter(a, [0] * N_PAIRS, s=48, edgecolor=INK, zorder=3, **LOOKS[1])
    ax.scatter(b, [1] * N_PAIRS, s=48, edgecolor=INK, zorder=3, **LOOKS[0])
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
