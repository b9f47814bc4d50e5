"""Nearest neighbours in a cloud that is made ready once and asked many times, as at every step of a denoising run.

‖x - c‖² = ‖x‖² + ‖c‖² - 2 x·c: for the order of the points c only ‖c‖² - 2 x·c counts, one matrix product a question.
"""

from __future__ import annotations

import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.linalg import BLOCK_BYTES, at_least_float32, lowest
from mgd_helpers.tangent.dimension import mle_dimension


class Neighbors:
    """The points of a cloud, [M, D] for all that ask or [B, M, D] with one cloud each, ready on the cloud's device.

    Centred on their mean, or on a `center` near those who ask, so that what cancels is the spread and not the offset. A
    cloud in half precision stays so in memory; distances are taken in float32 all the same, block by block. `groups`,
    labels of those who will ask [B] and of the points [M], keeps neighbours within a label. Nothing here reads back
    from the device, but for labels that lie there.
    """

    def __init__(
        self,
        cloud: Float[Tensor, "*b m d"],
        *,
        groups: tuple[Tensor, Tensor] | None = None,
        center: Float[Tensor, "*b 1 d"] | None = None,
    ) -> None:
        rows = at_least_float32(cloud)
        self.cloud, self.center = cloud, rows.mean(-2, keepdim=True) if center is None else center
        centered = rows - self.center
        self.squares = torch.linalg.vector_norm(centered, dim=-1).square()
        self.centered = centered.to(cloud.dtype)
        self.parts: list[tuple[Tensor, Tensor, Neighbors]] = []
        self.measured: Tensor | None = None  # `dimensions`, where they are asked for again and again
        if groups is not None:
            labels = [part.tolist() for part in groups]
            for label in dict.fromkeys(labels[0]):
                askers, own = (
                    torch.tensor([row for row, other in enumerate(part) if other == label], device=cloud.device)
                    for part in labels
                )
                self.parts.append((askers, own, Neighbors(cloud[own])))

    def nearest(self, points: Float[Tensor, "b d"], n_neighbors: int) -> Int[Tensor, "b k"]:
        """Rows of the `n_neighbors` nearest points of the cloud, nearest first."""
        if self.parts:
            indices = torch.empty(len(points), n_neighbors, dtype=torch.long, device=points.device)
            for askers, own, part in self.parts:
                indices[askers] = own[part.nearest(points[askers], n_neighbors)]
            return indices
        one_each = self.cloud.ndim == 3
        points = (points[:, None] if one_each else points) - self.center
        copied = 0 if self.centered.dtype == points.dtype else points.shape[-1]
        bytes_of_point = points.element_size() * (len(points) + copied * (len(points) if one_each else 1))
        block = max(n_neighbors, BLOCK_BYTES // bytes_of_point)
        index = lowest(
            lambda some: self.squares[..., None, some] - 2 * points @ self.centered[..., some, :].to(points).mT,
            self.cloud.shape[-2],
            n_neighbors,
            block=block,
        )
        return index[:, 0] if one_each else index

    def take(self, indices: Int[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
        """The points of these rows, in float32 or better."""
        if self.cloud.ndim == 3:
            chosen = self.cloud.gather(1, indices[..., None].expand(-1, -1, self.cloud.shape[-1]))
        else:
            chosen = self.cloud[indices]
        return at_least_float32(chosen)

    def dimension_near(self, points: Float[Tensor, "b d"], *, most: int) -> Int[Tensor, " b"]:
        """The intrinsic dimension of the cloud at its point nearest to each of these; looked up where `measured`."""
        first = self.nearest(points, 1)
        if self.measured is None:
            return self.dimension(first[:, 0], most=most)
        return self.measured.expand(len(points), -1).gather(1, first)[:, 0]

    def dimension(self, centers: Int[Tensor, " b"], *, most: int) -> Int[Tensor, " b"]:
        """The intrinsic dimension, rounded and from 1 to `most`, at one point of the cloud for each that asks."""
        points = self.take(centers[:, None])
        around = self.take(self.nearest(points[:, 0], min(49, most)))
        distances = torch.linalg.vector_norm(around - points, dim=-1).sort(1).values[:, 1:]  # the first is the center
        return mle_dimension(distances).nan_to_num(1.0).round().clamp(1, most).long()

    def dimensions(self, *, most: int) -> Int[Tensor, "*b m"]:
        """The intrinsic dimension at every point of the cloud; 1 at points whose label nobody asks for."""
        if self.cloud.ndim == 3:
            return torch.stack([Neighbors(one).dimensions(most=most) for one in self.cloud])
        found = torch.ones(len(self.cloud), dtype=torch.long, device=self.cloud.device)
        if self.parts:
            for _, own, part in self.parts:
                found[own] = part.dimensions(most=most)
            return found
        block = max(1, BLOCK_BYTES // (4 * 49 * self.cloud.shape[-1]))  # each point takes its 48 neighbours along
        rows = torch.arange(len(self.cloud), device=self.cloud.device)
        return torch.cat([self.dimension(some, most=most) for some in rows.split(block)])
