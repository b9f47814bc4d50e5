"""The local tangent space of a point cloud, by PCA on the nearest neighbours of each point.

The k neighbours, centered, are the rows Y of a `TangentSpace`; the eigenvalues of Y Yᵀ, over k - 1, are the variances.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.linalg import at_least_float32, gram_eigh
from mgd_helpers.tangent.neighbors import Neighbors
from mgd_helpers.tangent.spaces import TangentSpace, whitening


def local_tangent(
    points: Float[Tensor, "b ..."],
    cloud: Float[Tensor, "*shape"],
    *,
    n_neighbors: int | str = 12,
    rank: int | float | str = 3,
    groups: tuple[Int[Tensor, " b"], Int[Tensor, " m"]] | None = None,
) -> TangentSpace:
    """Tangent spaces of rank `rank` at `points` [B, D], from the `n_neighbors` nearest points of `cloud`.

    `cloud` is [M, D] for all points, or [B, M, D] with one cloud per point; `groups`, labels of the points [B] and of
    the cloud [M], keeps neighbours within a label. Latents may keep their shape [C, H, W] in place of D.

    `rank` between 0 and 1 takes the fewest directions that hold that share of the local variance. `"auto"` adapts to
    the place by the intrinsic dimension d of the cloud around its point nearest to ours (`mle_dimension` of 48
    neighbours; a prediction that lies off the cloud would see too many): `rank="auto"` is d, rounded, and
    `n_neighbors="auto"` is 8 (d + 3), at most a quarter of the cloud. Measured on known manifolds with 1 % of noise,
    fewer neighbours follow the noise.

    Costs one matrix product for the distances and k² D for the rest, in float32 or better; beside a centered copy of
    the cloud and the neighbours themselves, [B, k, D], memory stays below `linalg.BLOCK_BYTES`. Directions whose
    variance is zero to rounding are dropped, so that the space may have a lower rank than asked for; equal neighbours
    span nothing.

    Raises `ValueError` where the cloud holds too few points, rank is not below n_neighbors, or values are not finite.

    >>> line = torch.linspace(0, 1, 50)[:, None] * torch.tensor([3.0, 4.0])
    >>> space = local_tangent(torch.tensor([[1.5, 2.0]]), line, n_neighbors=5, rank=1)
    >>> space.tangent_part(torch.tensor([[4.0, -3.0]])).abs().max() < 1e-5   # at right angles to the line
    tensor(True)
    """
    points, cloud = _flattened(points, cloud, groups)
    size = _smallest(cloud, groups)
    n_neighbors, rank = check_neighborhood(size, n_neighbors, rank)
    if not torch.isfinite(points).all():
        raise ValueError("points must be finite; got NaN or infinite values. Check where they come from.")
    points = at_least_float32(points)
    center = points[:, None] if cloud.ndim == 3 else points.mean(0, keepdim=True)
    search = Neighbors(cloud, groups=groups, center=center)
    if not torch.isfinite(search.squares).all():  # the lengths tell
        raise ValueError("cloud must be finite; got NaN or infinite values. Check the latents that it is made of.")
    space = _space(search, points, n_neighbors, rank, size)
    if isinstance(rank, int):
        return space
    return replace(space, _weights=space._weights[..., : max(int(space.rank.max()), 1)])


class TangentSpaces:
    """`local_tangent` in one cloud, made ready once and asked at many steps; nothing is read back from the device.

    Options, costs and errors are those of `local_tangent`. `"auto"` looks at every point beforehand: M² D operations.
    """

    def __init__(
        self,
        cloud: Float[Tensor, "*shape"],
        *,
        n_neighbors: int | str = 12,
        rank: int | float | str = 3,
        groups: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.size, self.labels = _smallest(cloud, groups), None if groups is None else len(groups[0])
        self.n_neighbors, self.rank = check_neighborhood(self.size, n_neighbors, rank)
        self.search = Neighbors(cloud, groups=groups)
        self.largest: int | None = None
        if "auto" in (n_neighbors, rank):
            self.search.measured = self.search.dimensions(most=self.size)
        if n_neighbors == "auto":
            self.largest = int(_counts(self.search.measured, self.size).max())

    def __call__(self, points: Float[Tensor, "b ..."]) -> TangentSpace:
        """The tangent spaces at these points, on the device of the cloud."""
        if self.labels not in (None, len(points)):
            raise ValueError(f"groups must label the {len(points)} points; got {self.labels} labels.")
        points = at_least_float32(points.flatten(1))
        return _space(self.search, points, self.n_neighbors, self.rank, self.size, largest=self.largest)


def check_neighborhood(
    n_points: int, n_neighbors: int | str, rank: int | float | str
) -> tuple[int | str, int | float | str]:
    """Both as plain numbers; `"auto"`, and a rank that is a share of the variance in (0, 1), stay as they are.

    Raises `ValueError` unless 1 <= rank < n_neighbors <= n_points: k points span k - 1 directions.
    """
    for name, value in (("n_neighbors", n_neighbors), ("rank", rank)):
        if isinstance(value, str) and value != "auto":
            raise ValueError(f"{name} must be a number or 'auto'; got {value!r}.")
    if "auto" in (n_neighbors, rank) and n_points < 8:
        raise ValueError(f"cloud must hold at least 8 points for 'auto' to look around; got {n_points}.")
    most = n_points
    if n_neighbors != "auto":
        n_neighbors = most = arguments.whole("n_neighbors", n_neighbors)
        if not 2 <= most <= n_points:
            raise ValueError(f"n_neighbors must lie between 2 and the {n_points} points of the cloud; got {most}.")
    if isinstance(rank, float):
        if not 0 < rank < 1:
            raise ValueError(f"rank must be a whole number, or a share of the variance between 0 and 1; got {rank}.")
    elif rank != "auto":
        rank = arguments.whole("rank", rank)
        if not 1 <= rank < most:
            raise ValueError(f"rank must lie between 1 and n_neighbors - 1 = {most - 1}; got {rank}.")
    return n_neighbors, rank


def _flattened(points: Tensor, cloud: Tensor, groups: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """Points [B, D] and cloud [M, D] or [B, M, D], or the `ValueError` that says why they do not fit."""
    own = cloud.ndim == points.ndim + 1
    fits = (own or cloud.ndim == points.ndim) and cloud.shape[1 + own :].numel() == points.shape[1:].numel()
    if not fits or (own and len(cloud) != len(points)):
        raise ValueError(
            "cloud must be [M, D] for all points [B, D], or [B, M, D] with one cloud per point; got "
            f"{list(cloud.shape)} for points {list(points.shape)}."
        )
    if groups is not None and (own or len(groups[0]) != len(points) or len(groups[1]) != len(cloud)):
        raise ValueError(
            f"groups must label the {len(points)} points and the points of one shared cloud; got {len(groups[0])} and "
            f"{len(groups[1])} labels for a cloud {list(cloud.shape)}."
        )
    return points.flatten(1), cloud.flatten(1 + own)


def _smallest(cloud: Tensor, groups: tuple[Tensor, Tensor] | None) -> int:
    """How many points a point can choose its neighbours from: those of the rarest label that is asked for."""
    if groups is None:
        return cloud.shape[-2]
    wanted, labels = (part.tolist() for part in groups)
    return min(map(Counter(labels).__getitem__, wanted))


def _counts(dimension: Any, size: int) -> Tensor:
    """How many neighbours follow from the dimension of the cloud."""
    return (8 * (dimension + 3)).clamp_max(max(size // 4, 2))


def _space(
    search: Neighbors,
    points: Tensor,
    n_neighbors: int | str,
    rank: int | float | str,
    size: int,
    *,
    largest: int | None = None,
) -> TangentSpace:
    """Local PCA at the points. `largest` bounds an `"auto"` number of neighbours; without it, it is read back."""
    dimension: Any = search.dimension_near(points, most=size) if "auto" in (n_neighbors, rank) else None
    counts: Tensor | int
    if isinstance(n_neighbors, int):
        counts = n_neighbors
        indices = search.nearest(points, counts)
        neighbors = search.take(indices)
        base_point = neighbors.mean(1)
        rows = neighbors - base_point[:, None]
    else:
        counts = _counts(dimension, size)[:, None]
        indices = search.nearest(points, largest or int(counts.max()))
        inside = torch.arange(indices.shape[1], device=points.device) < counts
        neighbors = search.take(indices) * inside[..., None]
        base_point = neighbors.sum(1) / counts
        rows = (neighbors - base_point[:, None]) * inside[..., None]
        indices = indices.masked_fill(~inside, -1)
    values, vectors = gram_eigh(rows)
    kept = _readable(values, base_point, counts)
    if isinstance(rank, int):
        kept = kept[:, :rank]
    else:
        wanted = _share_rank(values, rank) if isinstance(rank, float) else dimension[:, None]
        kept &= torch.arange(kept.shape[1], device=kept.device) < wanted  # at most k - 1: the last variance is zero
    return TangentSpace(
        base_point=base_point,
        spectrum=values / (counts - 1),
        indices=indices,
        rank=kept.sum(1),
        _rows=rows,
        _weights=whitening(values, vectors, kept),
    )


def _readable(values: Tensor, base_point: Tensor, counts: Tensor | int) -> Tensor:
    """Which variances rounding leaves readable, beside the largest one and beside the points themselves."""
    eps = torch.finfo(values.dtype).eps
    lengths = values.sum(1, keepdim=True) + counts * torch.linalg.vector_norm(base_point, dim=1, keepdim=True) ** 2
    return values > torch.maximum(10 * eps * counts * values[:, :1], eps**2 * lengths)


def _share_rank(values: Tensor, share: float) -> Int[Tensor, "b 1"]:
    """How many directions hold the share of the variance: one is needed while those before it hold less."""
    before = values.cumsum(1) - values
    return (before < share * values.sum(1, keepdim=True)).sum(1, keepdim=True)
