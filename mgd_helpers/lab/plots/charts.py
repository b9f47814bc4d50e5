"""Charts of the labs: spectra, scores, intervals, maps, arrows and lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.lab.plots.style import INK, MARKERS


def draw_spectrum(spectra: Mapping[str, Float[Tensor, " k"]], *, rank: int | None = None, title: str = "") -> Figure:
    """Draw the shares of variance along the principal directions of neighborhoods; the first `rank` are shaded."""
    figure, axis = plt.subplots(figsize=(6, 3.4))
    if rank:
        axis.axvspan(0.5, rank + 0.5, color="0.92", zorder=0)
        axis.annotate(f"kept: {rank}", (0.7, 0.97), xycoords=("data", "axes fraction"), va="top", color=INK)
    for (label, spectrum), marker in zip(spectra.items(), MARKERS, strict=False):
        shares = spectrum / spectrum.sum()
        axis.plot(range(1, len(shares) + 1), shares.cpu(), marker=marker, label=label)
    axis.margins(y=0.15)
    axis.set(xlabel="principal direction", ylabel="share of the local variance", title=title, ylim=(0, None))
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend()
    return figure


def draw_scores(scores: Mapping[str, Sequence[float]], *, xlabel: str, title: str = "") -> Figure:
    """Draw a row per name: every single score as a dot, and the mean of the row as a bar across."""
    figure, axis = plt.subplots(figsize=(6.5, 0.45 * len(scores) + 1.1))
    colors = sns.color_palette("colorblind", len(scores))
    for row, (values, color) in enumerate(zip(scores.values(), colors, strict=True)):
        axis.plot(values, [row] * len(values), "o", color=color, alpha=0.6, markersize=6)
        axis.plot([np.mean(values)] * 2, [row - 0.3, row + 0.3], color=color, linewidth=3)
        axis.annotate(
            f"{np.mean(values):.3f}",
            (1.01, row),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=10.5,
            color=INK,
        )
    axis.set(yticks=range(len(scores)), yticklabels=list(scores), xlabel=xlabel, title=title)
    axis.invert_yaxis()
    axis.grid(axis="x", color="0.9")
    return figure


def draw_intervals(series: Mapping[str, Mapping[str, tuple[float, float, float]]], *, xlabel: str) -> Figure:
    """Draw differences (mean, low, high) as dots with whiskers: a color and a marker per series, a line per row."""
    rows = list(dict.fromkeys(row for intervals in series.values() for row in intervals))
    figure, axis = plt.subplots(figsize=(6.5, (0.22 + 0.16 * len(series)) * len(rows) + 1.1))
    axis.axvline(0, color="0.5", linewidth=1, zorder=0)
    for index, (label, intervals) in enumerate(series.items()):
        places = [rows.index(row) + 0.18 * (index - (len(series) - 1) / 2) for row in intervals]
        means, lows, highs = np.array(list(intervals.values())).reshape(-1, 3).T
        axis.errorbar(means, places, xerr=[means - lows, highs - means], fmt=MARKERS[index], markersize=5, label=label)
    axis.set(yticks=range(len(rows)), yticklabels=rows, xlabel=xlabel, ylim=(len(rows) - 0.5, -0.5))
    if len(series) > 1:
        figure.legend(loc="outside upper left", ncols=3 if len(series) == 3 else 2)
    return figure


def draw_map(
    points: Float[Tensor, "n 2"],
    labels: Int[Tensor, " n"] | Sequence[int],
    names: Sequence[str],
    *,
    stars: Float[Tensor, "k 2"] | None = None,
    title: str = "",
) -> Figure:
    """Draw points in the plane, a color and a marker per label; `stars` stand out, say, centroids."""
    figure, axis = plt.subplots(figsize=(6.4, 4.6))
    label_of = np.asarray(labels)
    for index, (name, color) in enumerate(zip(names, sns.color_palette("colorblind", len(names)), strict=True)):
        x, y = points[label_of == index].T
        axis.scatter(
            x, y, s=22, color=color, ec="0.2", lw=0.25, marker=MARKERS[index % len(MARKERS)], alpha=0.65, label=name
        )
    if stars is not None:
        axis.scatter(*stars.T, s=260, color="white", marker="*", edgecolor="black", zorder=3)
    axis.set(aspect="equal", xticks=[], yticks=[], title=title)
    sns.despine(ax=axis, left=True, bottom=True)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=1.6, ncols=1 + len(names) // 20)
    return figure


def draw_arrows(
    cloud: Float[Tensor, "n 2"],
    points: Float[Tensor, "b 2"],
    arrows: Mapping[str, Float[Tensor, "b 2"]],
    *,
    title: str = "",
) -> Figure:
    """Draw a cloud in the plane, and at each of some points one arrow per series, say, the parts of a pull."""
    figure, axis = plt.subplots(figsize=(6.4, 4.6))
    axis.scatter(*cloud.T, s=12, color="0.6", lw=0)
    for color, (label, vectors) in zip(sns.color_palette("colorblind"), arrows.items(), strict=False):
        options = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.007, "zorder": 3}
        axis.quiver(*points.T, *vectors.T, color=color, label=label, **options)
        axis.update_datalim(points + vectors)
    axis.scatter(*points.T, s=36, color="black", zorder=4)
    axis.set(aspect="equal", xticks=[], yticks=[], title=title)
    sns.despine(ax=axis, left=True, bottom=True)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def draw_lines(
    lines: Mapping[str, Sequence[float]], x: Sequence[float], *, xlabel: str, ylabel: str, title: str = ""
) -> Figure:
    """Draw a line per series over a shared `x`; a line may end early.

    The axis is logarithmic where all of `x` is positive and its largest value is over 50 times its smallest.
    """
    figure, axis = plt.subplots(figsize=(6.4, 3.4))
    for index, (label, values) in enumerate(lines.items()):
        marker, size = MARKERS[index % len(MARKERS)], max(9 - 2 * index, 5)  # where lines coincide, all still show
        axis.plot(x[: len(values)], values, marker=marker, markersize=size, label=label)
    axis.set(xlabel=xlabel, ylabel=ylabel, title=title, ylim=(0, None))
    if min(x) > 0 and max(x) > 50 * min(x):
        axis.set_xscale("log")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
