"""The local tangent space of a point cloud, by PCA on nearest neighbours, without any D x D matrix.

Y = centred neighbours [k, D], Y Yᵀ = W Λ Wᵀ (k x k). Then P_T v = Yᵀ W_d Λ_d⁻¹ W_dᵀ (Y v), and P_N = I - P_T.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.linalg import at_least_float32, gram_eigh, nearest


@dataclass(frozen=True, eq=False)
class TangentSpace:
    """Tangent spaces at B points. `spectrum` [B, k] holds the local variances along the principal directions, largest
    first; `base_point` [B, D] the neighbours' mean; `indices` [B, k] which points of the cloud they are, nearest first;
    `rank` [B] the dimension found, less than asked for only where the neighbours span no more."""

    base_point: Float[Tensor, "b d"]
    spectrum: Float[Tensor, "b k"]
    indices: Int[Tensor, "b k"]
    rank: Int[Tensor, " b"]
    _rows: Float[Tensor, "b k d"]  # Y
    _weights: Float[Tensor, "b k r"]  # W_d Λ_d^(-1/2), zero columns beyond the rank

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
    points: Float[Tensor, "b ..."], cloud: Float[Tensor, ...], *, n_neighbors: int = 12, rank: int = 3
) -> TangentSpace:
    """Tangent spaces of rank `rank` at `points` [B, D], from the `n_neighbors` nearest points of `cloud`.

    `cloud` is [M, D] for all points, or [B, M, D] with one cloud per point. Latents may keep their shape [C, H, W] in
    place of D. Costs one matrix product for the distances and k² D for the rest; runs in float32 or better. Directions
    whose variance is zero to rounding are dropped, so that the space may have a lower rank than asked for.

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
    check_neighborhood(cloud.shape[-2], n_neighbors, rank)
    for name, values in (("points", points), ("cloud", cloud)):
        if not torch.isfinite(values).all():
            raise ValueError(f"{name} must be finite; got NaN or infinite values.")
    points, cloud = at_least_float32(points), at_least_float32(cloud)
    if per_point:
        indices = nearest(points[:, None], cloud, n_neighbors=n_neighbors)[:, 0]
        neighbors = cloud.gather(1, indices[..., None].expand(-1, -1, cloud.shape[-1]))
    else:
        indices = nearest(points, cloud, n_neighbors=n_neighbors)
        neighbors = cloud[indices]
    base_point = neighbors.mean(1)
    rows = neighbors - base_point[:, None]
    values, vectors = gram_eigh(rows)
    # the smallest variance that rounding leaves readable, beside the largest one and beside the points themselves
    floor = 10 * n_neighbors * torch.finfo(rows.dtype).eps
    offset = torch.finfo(rows.dtype).eps ** 2 * neighbors.square().sum((1, 2))
    kept = (values > (floor * values[:, :1]).clamp_min(offset[:, None]))[:, :rank]
    scale = torch.where(kept, values[:, :rank].clamp_min(torch.finfo(rows.dtype).tiny).rsqrt(), 0.0)
    return TangentSpace(
        base_point=base_point,
        spectrum=values / (n_neighbors - 1),
        indices=indices,
        rank=kept.sum(1),
        _rows=rows,
        _weights=vectors[..., :rank] * scale[:, None],
    )


def check_neighborhood(n_points: int, n_neighbors: int, rank: int) -> None:
    """Raise `ValueError` unless 1 <= rank < n_neighbors <= n_points: k points span at most k - 1 directions."""
    if not 2 <= n_neighbors <= n_points:
        raise ValueError(f"n_neighbors must lie between 2 and the {n_points} points of the cloud; got {n_neighbors}.")
    if not 1 <= rank < n_neighbors:
        raise ValueError(f"rank must lie between 1 and n_neighbors - 1 = {n_neighbors - 1}; got {rank}.")
