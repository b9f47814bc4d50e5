"""A pull in the plane and its two parts, on axes that are given: a panel of a figure, or the frame under sliders."""

from __future__ import annotations

from typing import Any

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.lab.plots.style import INK
from mgd_helpers.tangent.local_pca import local_tangent


def draw_parts(
    axis: Any,
    cloud: Float[Tensor, "n 2"],
    point: Float[Tensor, " 2"],
    target: Float[Tensor, " 2"],
    *,
    n_neighbors: int,
    rank: int,
) -> None:
    """Draw the pull from a point to a target, and its parts by the point's neighbours, which are squares.

    A line in the corner tells how much of the squared pull the tangent part keeps.
    """
    pull = target - point
    space = local_tangent(point[None], cloud, n_neighbors=n_neighbors, rank=rank)
    along = space.tangent_part(pull[None])[0]
    kept = (along.square().sum() / pull.square().sum().clamp_min(1e-12)).item()
    axis.scatter(*cloud.T, s=5, color="0.65", lw=0)
    axis.scatter(*cloud[space.indices[0]].T, s=14, color="C2", marker="s", lw=0, zorder=2)
    for start, vector, color, width in (
        (point, pull, "C1", 0.012),
        (point, along, "C0", 0.018),
        (point + along, pull - along, "C3", 0.012),
    ):
        axis.quiver(
            *start, *vector, color=color, angles="xy", scale_units="xy", scale=1, width=width, minlength=0.1, zorder=3
        )
    axis.scatter(*point, s=30, color="black", zorder=5)
    axis.scatter(*target, s=110, color="white", edgecolor="black", marker="*", zorder=5)
    axis.text(0.02, 0.02, f"{kept:.0%} kept", transform=axis.transAxes, fontsize=10.5, color=INK)
    low, high = cloud.amin(0) - 0.5, cloud.amax(0) + 0.5  # the same for every place and target
    axis.set(aspect="equal", xticks=[], yticks=[], xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    for side in axis.spines.values():
        side.set_visible(False)
