"""2-means with many starts at once, on the device of the rows.

With t the sum of the s rows on the right of n centred rows, the centres are t/s and -t/(n-s). So a row x belongs on the
right where x . t > ‖t‖² (1/s - 1/(n-s)) / 2: an iteration is one matrix product, and one over the rows that moved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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
    right = _plus_plus(rows[None], squares[None], n_init, [draw])[0].to(rows.dtype)  # [N, n_init], ones and zeros
    right, between = settle(rows, right)
    best = right[:, between.argmax()] > 0
    return best ^ best[0]  # the first row is on the left: which centre was drawn first must not number the clusters


def settle(rows: Float[Tensor, "n d"], right: Float[Tensor, "n s"]) -> tuple[Float[Tensor, "n s"], Float[Tensor, " s"]]:
    """Lloyd's iterations on centred rows from each column of ones (on the right) and zeros, until no row is nearer to
    the other centre; and the inertia that each of these splits takes away, over n.

    The two sides of a column must differ in their mean. They differ more with each iteration, so neither runs empty.
    """
    count = len(rows)
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
    return right, total.square().sum(1) / (size * (count - size))


def split_many(
    problems: Sequence[tuple[Float[Tensor, "_ d"], Float[Tensor, " _"]]], *, n_init: int, draws: list[torch.Generator]
) -> list[Tensor]:
    """`split` for several problems (rows, squared lengths) as one batch, padded to the largest of them."""
    sizes = [len(rows) for rows, _ in problems]
    if len(problems) == 1:
        return [split(*problems[0], n_init=n_init, draw=draws[0])]
    rows, squares = (torch.nn.utils.rnn.pad_sequence(parts, batch_first=True) for parts in zip(*problems, strict=True))
    count = torch.tensor(sizes, device=rows.device)[:, None]
    inside = (torch.arange(rows.shape[1], device=rows.device) < count)[..., None]  # [P, N, 1]
    right = _plus_plus(rows, squares, n_init, draws, inside=inside).to(rows.dtype)  # [P, N, n_init]
    for _ in range(MAX_ITERATIONS):
        total, size = right.mT @ rows, right.sum(1).clamp_min(1).minimum(count - 1)
        bound = total.square().sum(2) * (count / 2 - size) / (size * (count - size))
        now = ((rows @ total.mT > bound[:, None]) & inside).to(rows.dtype)
        if torch.equal(now, right):
            break
        right = now
    between = total.square().sum(2) / (size * (count - size))
    best = right.gather(2, between.argmax(1)[:, None, None].expand(-1, right.shape[1], 1))[..., 0] > 0
    return [mask[:size] ^ mask[0] for mask, size in zip(best, sizes, strict=True)]


def _plus_plus(rows, squares, n_init, draws, *, inside=None, candidates=3) -> Tensor:
    """Greedy k-means++ for two centres (Arthur & Vassilvitskii, 2007): one at random; then of a few candidates, drawn
    with probability by squared distance, the one that leaves the least inertia. Gives the rows nearer to the second
    centre as a mask [P, N, n_init], for P problems of up to N rows each (those `inside`)."""
    problems, most, _ = rows.shape
    uniform = [torch.rand(1 + candidates, n_init, generator=draw, dtype=torch.float64) for draw in draws]
    uniform = torch.stack(uniform).to(rows.device)  # [P, 1 + candidates, n_init]
    count = inside.sum(1) if inside is not None else torch.full((problems, 1), most, device=rows.device)

    def distances_to(centers):  # [P, N, centers]
        chosen = rows.gather(1, centers[..., None].expand(-1, -1, rows.shape[2]))
        found = squares[..., None] + squares.gather(1, centers)[:, None] - 2 * (rows @ chosen.mT)
        return found.clamp_min_(0) if inside is None else found.clamp_min_(0) * inside

    distances = distances_to((uniform[:, 0] * count).long())
    distances[distances < 1e-6 * distances.amax(1, keepdim=True)] = 0  # equal to the first but for rounding
    cumulative = distances.double().cumsum(1).mT.contiguous()  # [P, n_init, N]
    second = torch.searchsorted(cumulative, (uniform[:, 1:].mT * cumulative[..., -1:]).contiguous(), right=True)
    second = second.minimum(count[..., None] - 1)  # [P, n_init, candidates]
    others = distances_to(second.flatten(1)).view(problems, most, n_init, candidates)
    best = others.minimum(distances[..., None]).sum(1).argmin(2)  # [P, n_init]
    others = others.gather(3, best[:, None, :, None].expand(-1, most, -1, 1))[..., 0]
    return others < distances
