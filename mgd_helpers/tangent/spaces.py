"""The local tangent space of a point cloud, by PCA on nearest neighbours, without any D x D matrix.

Y = centred neighbours [k, D], Y Yᵀ = W Λ Wᵀ (k x k). Then P_T v = Yᵀ W_d Λ_d⁻¹ W_dᵀ (Y v), and P_N = I - P_T.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.linalg import at_least_float32, gram_eigh
from mgd_helpers.tangent.neighbors import Neighbors


@dataclass(frozen=True, eq=False)
class TangentSpace:
    """Tangent spaces at B points. `spectrum` [B, k] holds the local variances along the principal directions, largest
    first; `base_point` [B, D] the neighbours' mean; `indices` [B, k] which points of the cloud they are, nearest first,
    and -1 beyond a point's own number of neighbours; `rank` [B] the dimension found, less than asked for only where
    the neighbours span no more."""

    base_point: Float[Tensor, "b d"]
    spectrum: Float[Tensor, "b k"]
    indices: Int[Tensor, "b k"]
    rank: Int[Tensor, " b"]
    _rows: Float[Tensor, "b k d"]  # Y
    _weights: Float[Tensor, "b k r"]  # W_d Λ_d^(-1/2), zero columns beyond the rank

    @classmethod
    def from_basis(cls, base_point: Float[Tensor, "b ..."], basis: Float[Tensor, "b r ..."]) -> TangentSpace:
        """The spaces that the rows of `basis` span at `base_point`, one set of directions per point: built by hand.

        The directions need be neither of unit length nor at right angles; zero rows, and rows that the others span
        already, add nothing. `spectrum` holds the squared lengths along the principal directions of the rows, and
        there are no neighbours: `indices` are -1.
        """
        if basis.ndim < 3 or (len(basis), *basis.shape[2:]) != tuple(base_point.shape):
            raise ValueError(
                "basis must be [B, rank, D] for base_point [B, D] (latents may keep their shape in place of D); got "
                f"{list(basis.shape)} and {list(base_point.shape)}."
            )
        rows = at_least_float32(basis.flatten(2))
        values, vectors = gram_eigh(rows)
        kept = values > 10 * torch.finfo(rows.dtype).eps * rows.shape[1] * values[:, :1]
        return cls(
            base_point=at_least_float32(base_point.flatten(1)).to(rows),
            spectrum=values,
            indices=torch.full(values.shape, -1, device=rows.device),
            rank=kept.sum(1),
            _rows=rows,
            _weights=_weights(values, vectors, kept),
        )

    def tangent_part(self, vectors: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        """P_T v for one vector per point, in the shape and dtype of `vectors`."""
        if len(vectors) != len(self._rows) or vectors[0].numel() != self._rows.shape[-1]:
            raise ValueError(
                f"vectors must be one per base point, [{len(self._rows)}, {self._rows.shape[-1]}] when flat; "
                f"got {list(vectors.shape)}."
            )
        flat = vectors.reshape(len(vectors), -1, 1).to(self._rows)
        coordinates = self._weights.mT @ (self._rows @ flat)
        return (self._rows.mT @ (self._weights @ coordinates)).view_as(vectors).to(vectors.dtype)

    def normal_part(self, vectors: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        """P_N v = v - P_T v."""
        return vectors - self.tangent_part(vectors)

    @property
    def basis(self) -> Float[Tensor, "b r d"]:
        """Orthonormal tangent directions as rows, made on demand; rows beyond the rank are zero."""
        return self._weights.mT @ self._rows


def local_tangent(
    points: Float[Tensor, "b ..."],
    cloud: Float[Tensor, ...],
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

    Costs one matrix product for the distances and k² D for the rest, in float32 or better; beside a centred copy of
    the cloud and the neighbours themselves, [B, k, D], memory stays below `linalg.BLOCK_BYTES`. Directions whose
    variance is zero to rounding are dropped, so that the space may have a lower rank than asked for; equal neighbours
    span nothing.

    Raises `ValueError` where the cloud holds too few points, rank is not below n_neighbors, or values are not finite.

    >>> line = torch.linspace(0, 1, 50)[:, None] * torch.tensor([3.0, 4.0])
    >>> space = local_tangent(torch.tensor([[1.5, 2.0]]), line, n_neighbors=5, rank=1)
    >>> space.tangent_part(torch.tensor([[4.0, -3.0]])).abs().max() < 1e-5   # at right angles to the line
    tensor(True)
    """
    per_point = cloud.ndim == points.ndim + 1
    if not per_point and cloud.ndim != points.ndim:
        raise ValueError(f"cloud must be [M, D] or [B, M, D] for points {list(points.shape)}; got {list(cloud.shape)}.")
    points, cloud = points.flatten(1), cloud.flatten(2 if per_point else 1)
    if cloud.shape[-1] != points.shape[-1] or (per_point and len(cloud) != len(points)):
        raise ValueError(f"cloud {list(cloud.shape)} does not fit points {list(points.shape)} (flattened).")
    if groups is not None and (per_point or len(groups[0]) != len(points) or len(groups[1]) != len(cloud)):
        raise ValueError(
            f"groups must label the {len(points)} points and the points of one shared cloud; got {len(groups[0])} and "
            f"{len(groups[1])} labels for a cloud {list(cloud.shape)}."
        )
    size = cloud.shape[-2] if groups is None else _smallest(*groups)
    n_neighbors, rank = check_neighborhood(size, n_neighbors, rank)
    if not torch.isfinite(points).all():
        raise ValueError("points must be finite; got NaN or infinite values.")
    points, dimension, largest = at_least_float32(points), None, n_neighbors
    search = Neighbors(cloud, groups=groups, center=points[:, None] if per_point else points.mean(0, keepdim=True))
    if not torch.isfinite(search.squares).all():  # the lengths tell
        raise ValueError("cloud must be finite; got NaN or infinite values.")
    if "auto" in (n_neighbors, rank):
        dimension = search.dimension(search.nearest(points, 1)[:, 0], most=size)
        largest = int(_counts(dimension, size).max()) if n_neighbors == "auto" else n_neighbors
    space = _space(search, points, n_neighbors, rank, size, dimension, largest)
    if isinstance(rank, int):
        return space
    return replace(space, _weights=space._weights[..., : max(int(space.rank.max()), 1)])


class TangentSpaces:
    """`local_tangent` in one cloud, made ready once and asked at many steps; nothing is read back from the device.

    Options, costs and errors are those of `local_tangent`. `"auto"` looks at every point beforehand: M² D operations.
    """

    def __init__(
        self,
        cloud: Float[Tensor, ...],
        *,
        n_neighbors: int | str = 12,
        rank: int | float | str = 3,
        groups: tuple[Tensor, Tensor] | None = None,
    ):
        self.size, self.labels = (cloud.shape[-2], None) if groups is None else (_smallest(*groups), len(groups[0]))
        self.n_neighbors, self.rank = check_neighborhood(self.size, n_neighbors, rank)
        self.search, self.dimensions, self.largest = Neighbors(cloud, groups=groups), None, n_neighbors
        if "auto" in (n_neighbors, rank):
            self.dimensions = self.search.dimensions(most=self.size)
        if n_neighbors == "auto":
            self.largest = int(_counts(self.dimensions, self.size).max())

    def __call__(self, points: Float[Tensor, "b ..."]) -> TangentSpace:
        """The tangent spaces at these points, on the device of the cloud."""
        if self.labels not in (None, len(points)):
            raise ValueError(f"groups must label the {len(points)} points; got {self.labels}.")
        points, dimension = at_least_float32(points.flatten(1)), self.dimensions
        if dimension is not None:
            first = self.search.nearest(points, 1)
            dimension = dimension.expand(len(points), -1).gather(1, first)[:, 0]
        return _space(self.search, points, self.n_neighbors, self.rank, self.size, dimension, self.largest)


def _space(search, points, n_neighbors, rank, size, dimension, largest) -> TangentSpace:
    """Local PCA at the points; `dimension` [B] of the cloud there for `"auto"`, `largest` number of neighbours."""
    indices = search.nearest(points, largest)
    neighbors = search.take(indices)
    if n_neighbors == "auto":
        counts = _counts(dimension, size)[:, None]
        inside = torch.arange(largest, device=points.device) < counts
        neighbors = neighbors * inside[..., None]
        base_point = neighbors.sum(1) / counts
        rows = (neighbors - base_point[:, None]) * inside[..., None]
        indices = indices.masked_fill(~inside, -1)
    else:
        counts = n_neighbors
        base_point = neighbors.mean(1)
        rows = neighbors - base_point[:, None]
    values, vectors = gram_eigh(rows)
    # the smallest variance that rounding leaves readable, beside the largest one and beside the points themselves
    eps = torch.finfo(rows.dtype).eps
    lengths = values.sum(1, keepdim=True) + counts * torch.linalg.vector_norm(base_point, dim=1, keepdim=True) ** 2
    kept = values > torch.maximum(10 * eps * counts * values[:, :1], eps**2 * lengths)
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
        _weights=_weights(values, vectors, kept),
    )


def _weights(values, vectors, kept):
    """W_d Λ_d^(-1/2), with zero columns where a direction is not kept."""
    columns = kept.shape[1]
    scale = torch.where(kept, values[:, :columns].clamp_min(torch.finfo(values.dtype).tiny).rsqrt(), 0.0)
    return vectors[..., :columns] * scale[:, None]


def _counts(dimension, size):
    """How many neighbours follow from the dimension of the cloud."""
    return (8 * (dimension + 3)).clamp_max(max(size // 4, 2))


def check_neighborhood(n_points: int, n_neighbors, rank) -> tuple[int | str, int | float | str]:
    """Both as plain numbers; `ValueError` unless 1 <= rank < n_neighbors <= n_points: k points span k - 1 directions.

    `"auto"` fits itself to the cloud, and so does a rank that is a share of the variance, in (0, 1).
    """
    for name, value in (("n_neighbors", n_neighbors), ("rank", rank)):
        if isinstance(value, str) and value != "auto":
            raise ValueError(f"{name} must be a number or 'auto'; got {value!r}.")
    if n_neighbors != "auto":
        n_neighbors = arguments.whole("n_neighbors", n_neighbors)
    if not isinstance(rank, str | float):
        rank = arguments.whole("rank", rank)
    if "auto" in (n_neighbors, rank) and n_points < 8:
        raise ValueError(f"cloud must hold at least 8 points for 'auto' to look around; got {n_points}.")
    if n_neighbors != "auto" and not 2 <= n_neighbors <= n_points:
        raise ValueError(f"n_neighbors must lie between 2 and the {n_points} points of the cloud; got {n_neighbors}.")
    if isinstance(rank, float) and not 0 < rank < 1:
        raise ValueError(f"rank must be a whole number, or a share of the variance between 0 and 1; got {rank}.")
    most = (n_points if n_neighbors == "auto" else n_neighbors) - 1
    if isinstance(rank, int) and not 1 <= rank <= most:
        raise ValueError(f"rank must lie between 1 and n_neighbors - 1 = {most}; got {rank}.")
    return n_neighbors, rank


def _share_rank(values, share) -> Int[Tensor, "b 1"]:
    """How many directions hold the share of the variance: one is needed while those before it hold less."""
    before = values.cumsum(1) - values
    return (before < share * values.sum(1, keepdim=True)).sum(1, keepdim=True)


def _smallest(wanted, labels) -> int:
    """How many points of the cloud the rarest of the labels has that some point asks for."""
    return min(map(Counter(labels.tolist()).__getitem__, wanted.tolist()))
