"""A tangent space as thin factors: projections on it cost k D, without any D x D matrix.

Y = rows that span it [k, D], Y Yᵀ = W Λ Wᵀ (k x k). Then P_T v = Yᵀ W_d Λ_d⁻¹ W_dᵀ (Y v), and P_N = I - P_T.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.linalg import at_least_float32, gram_eigh


@dataclass(frozen=True, eq=False)
class TangentSpace:
    """Tangent spaces at B points, and the projections on them.

    `base_point` [B, D] is the mean of each point's neighbours. `spectrum` [B, k] holds the local variances along the
    principal directions, largest first. `indices` [B, k] say which points of the cloud the neighbours are, nearest
    first, and -1 beyond a point's own number of neighbours. `rank` [B] is the dimension found: less than asked for
    only where the neighbours span no more.
    """

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

        Raises `ValueError` where the shapes do not fit.
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
            _weights=whitening(values, vectors, kept),
        )

    def tangent_part(self, vectors: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        """P_T v for one vector per point, in the shape and dtype of `vectors`.

        Raises `ValueError` unless there is one vector of the right length per point.
        """
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


def whitening(values: Float[Tensor, "b k"], vectors: Float[Tensor, "b k k"], kept: Tensor) -> Float[Tensor, "b k r"]:
    """W_d Λ_d^(-1/2) of the leading eigenvalues and eigenvectors, with zero columns where a direction is not `kept`."""
    columns = kept.shape[1]
    scale = torch.where(kept, values[:, :columns].clamp_min(torch.finfo(values.dtype).tiny).rsqrt(), 0.0)
    return vectors[..., :columns] * scale[:, None]
