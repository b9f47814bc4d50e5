"""Every figure of the labs. Images are [N, C, H, W] in [-1, 1]; each function returns a matplotlib figure.

Figures stand on white, so that they read the same in the dark theme; markers as well as colours tell series apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.clustering.trees import ClusterTree

INK = "0.25"  # of text and lines that carry no series
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def use_style() -> None:
    """The look of all figures: colour-blind palette, white ground, ink-on-paper images, no needless frame."""
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette="colorblind",
        rc={
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "font.size": 10,
            "image.cmap": "gray_r",
            "legend.frameon": False,
            "savefig.facecolor": "white",
        },
    )


def show_images(
    images: Float[Tensor, "n c h w"], *, columns: int = 10, titles: Sequence[str] = (), title: str = ""
) -> Figure:
    """A contact sheet, row by row."""
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(0.8 * columns, (0.8 + 0.22 * bool(titles)) * rows + 0.4), squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for index, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        _show(axis, image)
        if index < len(titles):
            axis.set_title(titles[index], fontsize=9, fontweight="normal")
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


def show_rows(rows: Mapping[str, Float[Tensor, "n c h w"]], *, title: str = "", columns: Sequence[str] = ()) -> Figure:
    """Rows of images with a label each, one under the other, to be compared column by column."""
    width = max(len(images) for images in rows.values())
    figure, axes = plt.subplots(len(rows), width, figsize=(0.8 * width + 1.5, 0.85 * len(rows) + 0.4), squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        sns.despine(ax=axis, left=True, bottom=True)
    for line, (label, images) in zip(axes, rows.items(), strict=True):
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
        for axis, image in zip(line, images, strict=False):
            _show(axis, image)
    for axis, text in zip(axes[0], columns, strict=False):
        axis.set_title(text, fontsize=9, fontweight="normal")
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


def draw_tree(
    tree: ClusterTree, images: Float[Tensor, "nodes c h w"], *, marked: Sequence[int] = (), title: str = ""
) -> Figure:
    """The tree with an image at every node (say, its decoded centroid); branches as thick as they have members.

    `marked` nodes get a coloured frame.
    """
    x = np.zeros(len(tree))
    places = iter(range(len(tree.leaves)))

    def place(node):
        left_right = tree.children[node]
        x[node] = np.mean([place(child) for child in left_right]) if left_right else next(places)
        return x[node]

    place(0)
    figure, axis = plt.subplots(figsize=(0.82 * len(tree.leaves) + 0.6, 1.05 * (max(tree.depths) + 1)))
    frame = sns.color_palette("colorblind")[1]
    for node, parent in enumerate(tree.parents):
        y = -tree.depths[node]
        if parent >= 0:
            width = 0.5 + 5 * tree.sizes[node] / tree.sizes[0]
            axis.plot([x[parent], x[node]], [y + 1, y], color="0.7", linewidth=width, zorder=0, solid_capstyle="round")
        box = OffsetImage(_pixels(images[node]), cmap="gray_r", zoom=1.15, norm=plt.Normalize(-1, 1))
        colour, width = (frame, 2.5) if node in marked else ("0.6", 0.8)
        axis.add_artist(AnnotationBbox(box, (x[node], y), pad=0.1, bboxprops={"edgecolor": colour, "linewidth": width}))
        axis.annotate(
            str(tree.sizes[node]),
            (x[node], y),
            (0, -27),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=INK,
        )
    axis.set(
        xlim=(-0.6, len(tree.leaves) - 0.4),
        ylim=(-max(tree.depths) - 0.6, 0.5),
        yticks=[-depth for depth in range(max(tree.depths) + 1)],
        yticklabels=range(max(tree.depths) + 1),
        xticks=[],
        ylabel="depth",
        title=title,
    )
    sns.despine(ax=axis, bottom=True)
    return figure


def draw_spectrum(spectra: Mapping[str, Float[Tensor, " k"]], *, rank: int | None = None, title: str = "") -> Figure:
    """Shares of variance along the principal directions of one or more neighbourhoods; the first `rank` are shaded."""
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
    """One line per row: every single score as a dot, and their mean as a bar across."""
    figure, axis = plt.subplots(figsize=(6.5, 0.45 * len(scores) + 1.1))
    colours = sns.color_palette("colorblind", len(scores))
    for row, (values, colour) in enumerate(zip(scores.values(), colours, strict=True)):
        axis.plot(values, [row] * len(values), "o", color=colour, alpha=0.6, markersize=6)
        axis.plot([np.mean(values)] * 2, [row - 0.3, row + 0.3], color=colour, linewidth=3)
        axis.annotate(
            f"{np.mean(values):.3f}",
            (1.01, row),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=9,
            color=INK,
        )
    axis.set(yticks=range(len(scores)), yticklabels=list(scores), xlabel=xlabel, title=title)
    axis.invert_yaxis()
    axis.grid(axis="x", color="0.9")
    return figure


def draw_intervals(series: Mapping[str, Mapping[str, tuple[float, float, float]]], *, xlabel: str) -> Figure:
    """Differences (mean, low, high) as dots with whiskers: a line per row, a colour and a marker per series."""
    rows = list(dict.fromkeys(row for intervals in series.values() for row in intervals))
    figure, axis = plt.subplots(figsize=(6.5, (0.22 + 0.16 * len(series)) * len(rows) + 1.1))
    axis.axvline(0, color="0.5", linewidth=1, zorder=0)
    for index, (label, intervals) in enumerate(series.items()):
        places = [rows.index(row) + 0.18 * (index - (len(series) - 1) / 2) for row in intervals]
        means, lows, highs = np.array(list(intervals.values())).reshape(-1, 3).T
        axis.errorbar(means, places, xerr=[means - lows, highs - means], fmt=MARKERS[index], markersize=5, label=label)
    axis.set(yticks=range(len(rows)), yticklabels=rows, xlabel=xlabel)
    axis.invert_yaxis()
    if len(series) > 1:
        figure.legend(loc="outside upper left", ncols=3 if len(series) == 3 else 2)
    return figure


def draw_map(
    points: Float[Tensor, "n 2"],
    labels: Sequence[int],
    names: Sequence[str],
    *,
    stars: Float[Tensor, "k 2"] | None = None,
    title: str = "",
) -> Figure:
    """Points in the plane with a colour and a marker per label, named beside; `stars` stand out, say, centroids."""
    figure, axis = plt.subplots(figsize=(6.4, 4.6))
    labels = np.asarray(labels)
    for index, (name, colour) in enumerate(zip(names, sns.color_palette("colorblind", len(names)), strict=True)):
        x, y = points[labels == index].T
        axis.scatter(
            x, y, s=22, color=colour, ec="0.2", lw=0.25, marker=MARKERS[index % len(MARKERS)], alpha=0.65, label=name
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
    """A cloud in the plane, and at each of some points one arrow per series: say, the parts of a pull."""
    figure, axis = plt.subplots(figsize=(6.4, 4.6))
    axis.scatter(*cloud.T, s=12, color="0.6", lw=0)
    for colour, (label, vectors) in zip(sns.color_palette("colorblind"), arrows.items(), strict=False):
        options = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.007, "zorder": 3}
        axis.quiver(*points.T, *vectors.T, color=colour, label=label, **options)
        axis.update_datalim(points + vectors)
    axis.scatter(*points.T, s=36, color="black", zorder=4)
    axis.set(aspect="equal", xticks=[], yticks=[], title=title)
    sns.despine(ax=axis, left=True, bottom=True)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def draw_lines(
    lines: Mapping[str, Sequence[float]], x: Sequence[float], *, xlabel: str, ylabel: str, title: str = ""
) -> Figure:
    """One line per series over a shared `x`; a line may end early. The axis is logarithmic where `x` spans a lot."""
    figure, axis = plt.subplots(figsize=(7, 3.6))
    for index, (label, values) in enumerate(lines.items()):
        marker, size = MARKERS[index % len(MARKERS)], max(9 - 2 * index, 5)  # where lines coincide, all still show
        axis.plot(x[: len(values)], values, marker=marker, markersize=size, label=label)
    axis.set(xlabel=xlabel, ylabel=ylabel, title=title, ylim=(0, None))
    if min(x) > 0 and max(x) > 50 * min(x):
        axis.set_xscale("log")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _show(axis, image):
    axis.imshow(_pixels(image), vmin=-1, vmax=1, cmap="gray_r")


def _pixels(image: Float[Tensor, "c h w"]) -> np.ndarray:
    """For imshow: grey as it is, colour moved to [0, 1] with the channels last."""
    image = image.detach().cpu().float().clamp(-1, 1)
    return image[0].numpy() if len(image) == 1 else ((image + 1) / 2).permute(1, 2, 0).numpy()
