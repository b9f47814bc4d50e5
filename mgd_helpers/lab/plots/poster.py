"""A poster to keep: a tree with faces, the photographs that it was grown from, and the images that followed."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.clustering.trees import ClusterTree
from mgd_helpers.lab.plots.pictures import draw_tree, put_images
from mgd_helpers.lab.plots.style import INK

A4 = (21.0, 29.7)  # width and height in centimetres
CENTIMETRES_PER_INCH = 2.54
POINTS_PER_INCH = 72


def draw_poster(
    tree: ClusterTree,
    faces: Float[Tensor, "nodes c h w"],
    photographs: Float[Tensor, "n c h w"],
    images: Float[Tensor, "m c h w"],
    *,
    title: str,
    marked: Sequence[int] = (),
    paper: tuple[float, float] = A4,
    columns: int = 10,
) -> Figure:
    """Draw a sheet of paper: a title, the tree with an image at each node, and below it photographs and images.

    `paper` is width and height in centimetres. The photographs stand in rows of `columns`, the images in rows of four.
    `figure.savefig("poster.png", dpi=300)` writes it as one file, at the resolution of print.

    Raises `ValueError` where there is nothing to show, or where the paper has no size.
    """
    arguments.whole("columns", columns, at_least=1)
    width, height = (arguments.number("paper", side, above=0) / CENTIMETRES_PER_INCH for side in paper)
    if not len(photographs) or not len(images):
        raise ValueError(f"photographs and images must hold pictures; got {len(photographs)} and {len(images)}.")
    below = -(-len(photographs) // columns) / columns, -(-len(images) // 4) / 4  # heights, if the width is 1
    figure = plt.figure(figsize=(width, height), layout="none")  # every part has its place on the paper
    figure.suptitle(title, fontsize=24, fontweight="bold", y=0.975)
    rows = [max(0.25, 0.86 * height / width - sum(below)), *below]
    top, middle, bottom = figure.subplots(
        3, 1, height_ratios=rows, gridspec_kw={"left": 0.06, "right": 0.94, "top": 0.93, "bottom": 0.02, "hspace": 0.12}
    )
    room = 0.88 * width * POINTS_PER_INCH
    deep = max(tree.depths) + 1
    face = min(0.8 * room / len(tree.leaves), 0.5 * rows[0] / sum(rows) * 0.9 * height * POINTS_PER_INCH / deep)
    draw_tree(tree, faces, marked=marked, axis=top, face=face)
    top.set(ylabel="", yticks=[])
    top.spines["left"].set_visible(False)
    put_grid(middle, photographs, columns)
    put_grid(bottom, images, 4)
    for axis, name in ((top, "the tree"), (middle, "photographs"), (bottom, "images")):
        axis.set_title(name, fontsize=16, loc="left", color=INK)
    return figure


def put_grid(axis: Axes, images: Float[Tensor, "n c h w"], columns: int) -> None:
    """Put images into one panel, in rows of `columns`, on white where a row is not full."""
    count, gap = -(-len(images) // columns) * columns, max(1, images.shape[-1] // 24)
    paper = -1.0 if images.shape[1] == 1 else 1.0  # gray images are shown as ink on paper
    framed = torch.nn.functional.pad(images.detach().cpu().float(), (gap, gap, gap, gap), value=paper)
    blank = framed.new_full((count - len(images), *framed.shape[1:]), paper)
    rows = torch.cat([framed, blank]).split(columns)
    put_images(axis, torch.cat([torch.cat(list(row), dim=-1) for row in rows], dim=-2)[None])
