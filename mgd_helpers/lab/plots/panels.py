"""Single panels that a slider moves: intervals as seeds come in, and five measures as a blob goes over another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.evaluation import paired_difference
from mgd_helpers.evaluation.fidelity import mmd
from mgd_helpers.evaluation.precision_recall import precision_recall
from mgd_helpers.lab.plots.style import INK

RANGE = 2.8  # of the real blob, in either direction


def draw_seeds(
    axis: Axes, differences: Sequence[float], *, first: tuple[float, float], limits: tuple[float, float] | None = None
) -> None:
    """Draw differences, one dot per seed and the first a diamond on its own interval, and Student's interval of all.

    `first` is the interval of the first difference alone. `limits` of the axis keep several panels alike.
    """
    blue, orange, *_ = sns.color_palette("colorblind")
    found = paired_difference([[value] for value in differences], [[0.0]] * len(differences))
    axis.axvline(0, color="0.5", linewidth=1, zorder=0)
    axis.plot(first, [0, 0], color="0.6", linewidth=3, zorder=1)
    axis.plot(differences[1:], range(1, len(differences)), "o", color=blue, alpha=0.7, markersize=5)
    axis.plot(differences[0], 0, "kD", markersize=6)
    place = max(len(differences), 2) + 0.4
    axis.errorbar(
        found.mean, place, xerr=found.high - found.mean, color=orange, fmt="s", markersize=6, linewidth=2.5, capsize=4
    )
    axis.set(yticks=[], ylim=(place + 1, -1), xlabel="difference")
    if limits:
        axis.set_xlim(limits)
    axis.spines["left"].set_visible(False)


def draw_dials(
    axis: Axes, generated: Float[Tensor, "n 2"], real: Float[Tensor, "m 2"], *, n_neighbors: int = 5
) -> None:
    """Draw two blobs in the plane, and below them MMD², precision, recall, density and coverage as bars.

    Bars end at 1; density may exceed it, and its number says so.
    """
    blue, orange, *_ = sns.color_palette("colorblind")
    (x, y), (u, v) = np.asarray(real).T, np.asarray(generated).T
    axis.scatter(x, y, s=9, color="0.55", lw=0, label="real")
    axis.scatter(u, v, s=16, color=orange, marker="^", lw=0, alpha=0.9, label="generated")
    axis.set(xlim=(-RANGE, 2.2 * RANGE), ylim=(-3.2 * RANGE, RANGE), xticks=[], yticks=[])
    sns.despine(ax=axis, left=True, bottom=True)
    dials = {"MMD²": mmd(generated=generated, real=real)}
    dials |= precision_recall(generated=generated, real=real, n_neighbors=n_neighbors)
    bars = axis.inset_axes((0.36, 0.02, 0.46, 0.42))
    bars.barh(range(5), [min(max(value, 0.0), 1.0) for value in dials.values()], color=blue, height=0.6)
    for row, value in enumerate(dials.values()):
        bars.annotate(f"{value:.2f}", (1.05, row), va="center", fontsize=10, color=INK, annotation_clip=False)
    bars.set(xlim=(0, 1), xticks=[], yticks=range(5))
    bars.set_yticklabels(list(dials), fontsize=10)
    bars.invert_yaxis()
