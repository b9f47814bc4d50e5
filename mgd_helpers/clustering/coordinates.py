"""The rows that are clustered: latents as they are, means over windows, or leading principal components.

With the centered rows X = U S Vᵀ, the k leading components are U_k S_k = X V_k. They come from the smaller of X Xᵀ and
Xᵀ X.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.clustering.two_means import center
from mgd_helpers.linalg import at_least_float32, gram_eigh

SPACES = ("raw", "pooled", "pca")
LARGEST = 1e30  # a hundred million latents of this size can be summed in float32
KEPT_VARIANCE = 0.95  # what `space="pca"` keeps by default


def as_rows(latents: Float[Tensor, "n ..."]) -> Float[Tensor, "n d"]:
    """Latents as rows, in float32 or better.

    Raises `ValueError` where there are none, or values are not finite or beyond 1e30.
    """
    if not latents.numel():
        raise ValueError(f"latents must not be empty; got shape {list(latents.shape)}.")
    rows = at_least_float32(latents.reshape(len(latents), -1))
    low, high = (bound.item() for bound in rows.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("latents must be finite; got NaN or infinite values. Check the images that they encode.")
    if max(-low, high) > LARGEST:
        raise ValueError(
            f"latents must lie within ±{LARGEST:g}; got [{low:.3g}, {high:.3g}]. Divide them by a constant."
        )
    return rows


def in_space(
    rows: Float[Tensor, "n d"], shape: Sequence[int], space: str, *, pool: int = 2, n_components: int | None = None
) -> Float[Tensor, "n k"]:
    """What is clustered of latents of this `shape`, given as rows: the rows, window means, or principal components.

    `space` is `"raw"`, `"pooled"` or `"pca"` (see `bisect`). Equal latents stay equal.

    Raises `ValueError` for options that do not fit the latents.
    """
    arguments.one_of("space", space, SPACES)
    if space == "pooled":
        return _pooled(rows, shape, pool)
    return rows if space == "raw" else _principal_components(rows, n_components)


def numbered(rows: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
    """A number for each row, from 0 on: the same one for equal rows."""
    for columns in (16, rows.shape[1]):  # a few columns tell most rows apart
        numbers = torch.unique(rows[:, :columns], dim=0, return_inverse=True)[1]
        if int(numbers.max()) + 1 == len(rows):
            break
    return numbers


def _pooled(rows: Tensor, shape: Sequence[int], pool: int) -> Tensor:
    if len(shape) != 4:
        raise ValueError(f"latents must be [N, C, H, W] for space='pooled'; got {list(shape)}.")
    n, channels, height, width = shape
    pool = arguments.whole("pool", pool, at_least=1)
    if height % pool or width % pool:
        raise ValueError(f"pool must divide the latents' height and width, {height} and {width}; got {pool}.")
    return rows.view(n, channels, height // pool, pool, width // pool, pool).mean((3, 5)).flatten(1)


def _principal_components(rows: Tensor, n_components: int | None) -> Tensor:
    n, dim = rows.shape
    if n_components is not None:
        remedy = f"They are {n} latents of {dim} numbers each."
        n_components = arguments.whole("n_components", n_components, at_least=1, at_most=min(n, dim), remedy=remedy)
    _, block, _, _ = center(rows, torch.arange(n, device=rows.device))
    values, vectors = gram_eigh(block if n <= dim else block.mT)  # never larger than the smaller side
    if n_components is None:
        short = values.cumsum(0) < KEPT_VARIANCE * values.sum()
        n_components = min(int(short.sum()) + 1, len(values))
    leading = vectors[:, :n_components]
    points = leading * values[:n_components].sqrt() if n <= dim else block @ leading
    numbers = numbered(rows)  # rounding must not part equal latents
    first = torch.full_like(numbers, n).scatter_reduce(0, numbers, torch.arange(n, device=rows.device), "amin")
    return points[first[numbers]]
