"""Images side by side: contact sheets, rows to compare, and a tree of them. Images are [N, C, H, W] in [-1, 1]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.clustering.trees import ClusterTree
from mgd_helpers.lab.plots.style import INK


def show_images(
    images: Float[Tensor, "n c h w"], *, columns: int = 10, titles: Sequence[str] = (), title: str = ""
) -> Figure:
    """Show a contact sheet of images, row by row."""
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(0.64 * columns, (0.64 + 0.22 * bool(titles)) * rows + 0.4), squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for index, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        _show(axis, image)
        if index < len(titles):
            axis.set_title(titles[index], fontsize=10.5, fontweight="normal")
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


def show_rows(
    rows: Mapping[str, Float[Tensor, "n c h w"]], *, title: str = "", columns: Sequence[str] = (), side: float = 0.5
) -> Figure:
    """Show labeled rows of images one under the other, to be compared column by column; each `side` inches wide."""
    width = max(len(images) for images in rows.values())
    figure, axes = plt.subplots(
        len(rows), width, figsize=(side * width + 1.4, 1.1 * side * len(rows) + 0.4), squeeze=False
    )
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        sns.despine(ax=axis, left=True, bottom=True)
    for line, (label, images) in zip(axes, rows.items(), strict=True):
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=11)
        for axis, image in zip(line, images, strict=False):
            _show(axis, image)
    for axis, text in zip(axes[0], columns, strict=False):
        axis.set_title(text, fontsize=9.5, fontweight="normal")
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


FACE = 25.6  # points: the side of an image in a tree


def draw_tree(
    tree: ClusterTree,
    images: Float[Tensor, "nodes c h w"],
    *,
    marked: Sequence[int] = (),
    title: str = "",
    axis: Axes | None = None,
    face: float = FACE,
) -> Figure:
    """Draw a tree with an image at every node, say, its decoded centroid.

    A branch is as thick as its node has members. The nodes in `marked` get a colored frame. `face` is the width of an
    image in points, whatever its pixels. By default the tree has a figure of its own; `axis` is one to draw it into.
    """
    x = np.zeros(len(tree))
    places = iter(range(len(tree.leaves)))

    def place(node: int) -> float:
        left_right = tree.children[node]
        x[node] = np.mean([place(child) for child in left_right]) if left_right else next(places)
        return x[node]

    place(0)
    if axis is None:
        _, axis = plt.subplots(figsize=(0.56 * len(tree.leaves) + 0.6, 0.95 * (max(tree.depths) + 1)))
    zoom = face / images.shape[-1]
    frame = sns.color_palette("colorblind")[1]
    for node, parent in enumerate(tree.parents):
        y = -tree.depths[node]
        if parent >= 0:
            width = 0.5 + 5 * tree.sizes[node] / tree.sizes[0]
            axis.plot([x[parent], x[node]], [y + 1, y], color="0.7", linewidth=width, zorder=0, solid_capstyle="round")
        box = OffsetImage(pixels_of(images[node]), cmap="gray_r", zoom=zoom, norm=plt.Normalize(-1, 1))
        color, width = (frame, 2.5) if node in marked else ("0.6", 0.8)
        axis.add_artist(AnnotationBbox(box, (x[node], y), pad=0.1, bboxprops={"edgecolor": color, "linewidth": width}))
        axis.annotate(
            str(tree.sizes[node]),
            (x[node], y),
            (0, -face - 0.4),
            textcoords="offset points",
            ha="center",
            fontsize=10.5 * face / FACE,
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
    figure: Any = axis.figure
    return figure


def put_images(axis: Axes, images: Float[Tensor, "n c h w"]) -> None:
    """Put images side by side into one panel, without ticks: what a slider over pictures draws."""
    _show(axis, torch.cat(list(images), dim=-1))
    axis.set(xticks=[], yticks=[], frame_on=False)


def _show(axis: Axes, image: Float[Tensor, "c h w"]) -> None:
    axis.imshow(pixels_of(image), vmin=-1, vmax=1, cmap="gray_r")


def pixels_of(image: Float[Tensor, "c h w"]) -> np.ndarray:
    """Prepare an image for imshow: gray as it is, color moved to [0, 1] with the channels last."""
    image = image.detach().cpu().float().clamp(-1, 1)
    return image[0].numpy() if len(image) == 1 else ((image + 1) / 2).permute(1, 2, 0).numpy()
