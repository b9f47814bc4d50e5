"""2-means with many starts at once, on the device of the rows.

With t the sum of the s rows on the right of n centred rows, the centres are t/s and -t/(n-s). So a row x belongs on the
right where x . t > ‖t‖² (1/s - 1/(n-s)) / 2: an iteration is one matrix product, and one over the rows that moved.
"""

from __future__ import annotations

import math

import torch

from mgd_helpers._shapes import Float, Int, Tensor

MAX_ITERATIONS = 100
SAFE = (1e-20, 1e20)  # squared lengths whose sums and products neither vanish nor overflow in float32


def two_means(rows: Float[Tensor, "n d"], *, n_init: int, draw: torch.Generator) -> Tensor:
    """The best of `n_init` 2-means splits of `rows` as a mask [N] of the second cluster; all starts run as one batch.

    The rows must hold two different points; then neither cluster can run empty. The first row is on the left.
    """
    _, block, squares, _ = centre(rows, torch.arange(len(rows), device=rows.device))
    return split(block, squares, n_init=n_init, draw=draw)


def centre(
    rows: Float[Tensor, "n d"], chosen: Int[Tensor, " k"], *, out: Tensor | None = None
) -> tuple[Float[Tensor, " d"], Float[Tensor, "k d"], Float[Tensor, " k"], float]:
    """The mean of the chosen rows; these rows about it, in `out` where given; their squared lengths; and the power of
    two that rows and lengths were scaled by, lest squares vanish or overflow (1 for all but extreme values)."""
    block = torch.index_select(rows, 0, chosen, out=out)
    mean = block.mean(0)
    block -= mean
    squares = torch.linalg.vector_norm(block, dim=1).square()
    scale = 1.0
    if not SAFE[0] < squares.max().item() < SAFE[1] and (largest := block.abs().max().item()):
        scale = 2.0 ** min(-math.frexp(largest)[1], 126)
        block *= scale
        squares = torch.linalg.vector_norm(block, dim=1).square()
    return mean, block, squares, scale


def split(rows: Float[Tensor, "n d"], squares: Float[Tensor, " n"], *, n_init: int, draw: torch.Generator) -> Tensor:
    """`two_means` of rows that `centre` has centred, with their squared lengths."""
    count = len(rows)
    right = _plus_plus(rows, squares, n_init, draw).to(rows.dtype)  # [N, n_init], ones and zeros
    total, size = right.T @ rows, right.sum(0)
    for _ in range(MAX_ITERATIONS):
        bound = total.square().sum(1) * (count / 2 - size) / (size * (count - size))
        now = (rows @ total.T > bound).to(rows.dtype)
        moves = now - right
        moved = moves.any(1).nonzero()[:, 0]
        if not len(moved):
            break
        right = now
        total += moves[moved].T @ rows[moved]
        size = right.sum(0).clamp(1, count - 1)
    between = total.square().sum(1) / (size * (count - size))  # inertia that the split takes away, over n
    best = right[:, between.argmax()] > 0
    return best ^ best[0]  # the first row is on the left: which centre was drawn first must not number the clusters


def _plus_plus(rows, squares, n_init, draw, candidates=3) -> Tensor:
    """Greedy k-means++ for two centres (Arthur & Vassilvitskii, 2007): one at random; then of a few candidates, drawn
    with probability by squared distance, the one that leaves the least inertia. Gives the rows nearer to the second
    centre as a mask [N, n_init]."""
    uniform = torch.rand(1 + candidates, n_init, generator=draw, dtype=torch.float64).to(rows.device)

    def distances_to(centers):  # [N, len(centers)]
        return (squares[:, None] + squares[centers] - 2 * (rows @ rows[centers].T)).clamp_min_(0)

    distances = distances_to((uniform[0] * len(rows)).long())
    distances[distances < 1e-6 * distances.max(0).values] = 0  # equal to the first but for rounding
    cumulative = distances.double().cumsum(0)
    second = torch.searchsorted(cumulative.T.contiguous(), (uniform[1:] * cumulative[-1]).T.contiguous(), right=True)
    second = second.clamp_max(len(rows) - 1)  # [n_init, candidates]
    others = distances_to(second.flatten()).view(-1, n_init, candidates)
    best = others.minimum(distances[:, :, None]).sum(0).argmin(1)
    return others[:, torch.arange(n_init, device=rows.device), best] < distances
