"""Distances in blocks, nearest neighbours, and thin eigenvectors by the Gram trick.

‖x - y‖² = ‖x‖² + ‖y‖² - 2 x·y turns all distances into one matrix product; the k x k Gram matrix of k rows has the
same non-zero eigenvalues as their D x D scatter matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor

BLOCK_BYTES = 256 * 2**20  # memory for one block


def at_least_float32(x: Tensor) -> Tensor:
    """`x` in float32, or as it is where it is float64: geometry never runs in half precision."""
    return x if x.dtype == torch.float64 else x.float()


def squared_distances(points: Float[Tensor, "*b n d"], cloud: Float[Tensor, "*b m d"]) -> Float[Tensor, "*b n m"]:
    """All squared Euclidean distances by one matrix product; never negative.

    Both sets are centered on the points' mean first: what cancels is then the spread of the data, not its offset.
    """
    center = points.mean(-2, keepdim=True)
    points, cloud = points - center, cloud - center
    squares = torch.linalg.vector_norm(points, dim=-1, keepdim=True) ** 2
    squares = squares + torch.linalg.vector_norm(cloud, dim=-1).unsqueeze(-2) ** 2
    return (squares - 2 * points @ cloud.mT).clamp_min(0)


@dataclass(frozen=True)
class Rows:
    """A cloud [count, d] of which no more rows are in memory than are looked at: `of(slice)` makes them."""

    count: int
    of: Callable[[slice], Tensor]


def nearest(
    points: Float[Tensor, "*b n d"],
    cloud: Float[Tensor, "*b m d"] | Rows,
    *,
    n_neighbors: int,
    block_bytes: int = BLOCK_BYTES,
) -> Int[Tensor, "*b n k"]:
    """Indices of the `n_neighbors` nearest rows of `cloud`, nearest first.

    The cloud is read in blocks, so that distances and centered copies take about `block_bytes` at once; the block size
    does not change the result. `Rows` are made block by block.

    Raises `ValueError` where the cloud is not finite: its distances tell.
    """
    sets, dim = points[..., 0, 0].numel(), points.shape[-1]
    row_bytes = sets * (points.shape[-2] + dim) * points.element_size()
    block = max(n_neighbors, block_bytes // row_bytes)

    total = cloud.count if isinstance(cloud, Rows) else cloud.shape[-2]
    return lowest(partial(_finite_distances, points, cloud), total, n_neighbors, block=block)


def _finite_distances(points: Tensor, cloud: Tensor | Rows, some: slice) -> Tensor:
    found = squared_distances(points, cloud.of(some) if isinstance(cloud, Rows) else cloud[..., some, :])
    if not torch.isfinite(found).all():
        raise ValueError("cloud must be finite; got NaN or infinite values. Check the latents that it is made of.")
    return found


def lowest(ranks: Callable[[slice], Tensor], total: int, count: int, *, block: int) -> Int[Tensor, "*b k"]:
    """Where the `count` lowest of `total` ranks are along the last axis, lowest first.

    `ranks(some)` gives the ranks of a slice. It is asked for `block` of them at a time, which does not change the
    result.
    """
    best, index = _sorted(ranks(slice(0, block)), count)
    for start in range(block, total, block):
        values, chosen = _sorted(ranks(slice(start, start + block)), count)
        values, chosen = torch.cat([best, values], -1), torch.cat([index, chosen + start], -1)
        best, order = _sorted(values, count)
        index = chosen.gather(-1, order)
    return index


def _sorted(ranks: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` lowest ranks and their places, or all of them where there are fewer."""
    values, places = ranks.topk(min(count, ranks.shape[-1]), dim=-1, largest=False)
    return values, places


def two_sets(
    generated: Float[Tensor, "n _"], real: Float[Tensor, "m _"], *, at_least: int = 2, remedy: str = "Generate more."
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
    """Features of two sets in float64, once it is sure that they compare.

    Raises `ValueError` for sets that are too small, of different widths, or not finite.
    """
    for name, rows in (("generated", generated), ("real", real)):
        if arguments.tensor(name, rows).ndim != 2:
            raise ValueError(f"{name} must be features [n, d]; got {list(rows.shape)}. Pass {name}.flatten(1).")
    if min(len(generated), len(real)) < at_least:
        raise ValueError(
            f"generated and real need at least {at_least} rows; got {len(generated)} and {len(real)}. {remedy}"
        )
    if generated.shape[1] != real.shape[1]:
        raise ValueError(
            f"generated and real must have features of one width; got {generated.shape[1]} and {real.shape[1]}. "
            "Take both from one network."
        )
    for name, rows in (("generated", generated), ("real", real)):
        if not torch.isfinite(rows).all():
            raise ValueError(f"{name} must be finite; got NaN or infinite features. Check the images and the network.")
    return generated.double(), real.double()


def gram_eigh(rows: Float[Tensor, "*b k d"]) -> tuple[Float[Tensor, "*b k"], Float[Tensor, "*b k k"]]:
    """Eigenvalues (largest first, never negative) and eigenvectors (columns) of the Gram matrix `rows @ rows.T`.

    The eigenvectors of the scatter matrix `rows.T @ rows` follow as rows.T w / sqrt(eigenvalue), at k^2 d, not d^3.
    """
    values, vectors = torch.linalg.eigh(rows @ rows.mT)
    return values.flip(-1).clamp_min(0), vectors.flip(-1)


def sketch(rows: Float[Tensor, "n d"], *, rank: int, generator: torch.Generator) -> Float[Tensor, "n r"]:
    """The rows' coordinates in `rank` orthonormal directions that hold much of them.

    The directions span as many random sums of the rows, drawn towards the leading components by one power iteration
    (Halko, Martinsson & Tropp, 2011). A rotation of the rows changes nothing but rounding.
    """
    basis = rows.T @ torch.randn(len(rows), rank, generator=generator, dtype=rows.dtype).to(rows.device)
    basis = rows.T @ (rows @ torch.linalg.qr(basis).Q)
    return rows @ torch.linalg.qr(basis).Q
