"""2-means with many starts at once, on the device of the rows.

With t the sum of the s rows on the right of n centered rows, the centers are t/s and -t/(n-s). So a row x belongs on
the right where x . t > ‖t‖² (1/s - 1/(n-s)) / 2: an iteration is one matrix product, and one over the rows that moved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.linalg import BLOCK_BYTES

MAX_ITERATIONS = 100
SAFE = (1e-20, 1e20)  # squared lengths whose sums and products neither vanish nor overflow in float32


def two_means(rows: Float[Tensor, "n d"], *, n_init: int, generator: torch.Generator) -> Tensor:
    """The best of `n_init` 2-means splits of `rows` as a mask [N] of the second cluster; all starts run as one batch.

    The rows must hold two different points; then neither cluster can run empty. The first row is on the left.
    """
    _, block, squares, _ = center(rows, torch.arange(len(rows), device=rows.device))
    return split(block, squares, n_init=n_init, generator=generator)


def center(
    rows: Float[Tensor, "n d"], chosen: Int[Tensor, " k"], *, out: Tensor | None = None
) -> tuple[Float[Tensor, " d"], Float[Tensor, "k d"], Float[Tensor, " k"], float]:
    """The mean of the chosen rows, these rows about it, their squared lengths, and the scale of rows and lengths.

    The rows about the mean are written to `out`, where given. The scale is a power of two that keeps squares from
    vanishing or overflowing: 1 for all but extreme values.
    """
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


def split(
    rows: Float[Tensor, "n d"], squares: Float[Tensor, " n"], *, n_init: int, generator: torch.Generator
) -> Tensor:
    """`two_means` of rows that `center` has centered, with their squared lengths."""
    right = _plus_plus(rows[None], squares[None], n_init, [generator])[0].to(rows.dtype)  # [N, n_init], ones and zeros
    right, between = settle(rows, right)
    best = right[:, between.argmax()] > 0
    return best ^ best[0]  # the first row is on the left: which center was drawn first must not number the clusters


def settle(rows: Float[Tensor, "n d"], right: Float[Tensor, "n s"]) -> tuple[Float[Tensor, "n s"], Float[Tensor, " s"]]:
    """Lloyd's iterations on centered rows, from each column of ones (on the right) and zeros, until no row moves.

    Then no row is nearer to the other center. Beside the columns it gives the inertia that each of these splits takes
    away, over n.

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
    problems: Sequence[tuple[Float[Tensor, "_ _d"], Float[Tensor, " _"]]],
    *,
    n_init: int,
    generators: Sequence[torch.Generator],
) -> list[Tensor]:
    """`split` for several problems (rows, squared lengths), in batches of at most `linalg.BLOCK_BYTES`."""
    # of like sizes together: little padding; and principal components may differ in number
    order = sorted(range(len(problems)), key=lambda index: problems[index][0].shape[::-1])
    masks: dict[int, Tensor] = {}
    while order:
        largest = problems[order[-1]][0]
        count = max(1, BLOCK_BYTES // (largest.numel() * largest.element_size()))
        batch = [index for index in order[-count:] if problems[index][0].shape[1] == largest.shape[1]]
        order = order[: -len(batch)]
        found = _split_batch([problems[index] for index in batch], n_init, [generators[index] for index in batch])
        masks |= zip(batch, found, strict=True)
    return [masks[index] for index in range(len(problems))]


def _split_batch(problems: list[tuple[Tensor, Tensor]], n_init: int, generators: list[torch.Generator]) -> list[Tensor]:
    """`split` for several problems of one width at once, padded to the largest of them."""
    if len(problems) == 1:
        return [split(*problems[0], n_init=n_init, generator=generators[0])]
    sizes = [len(rows) for rows, _ in problems]
    rows, squares = (pad_sequence(list(parts), batch_first=True) for parts in zip(*problems, strict=True))
    count = torch.tensor(sizes, device=rows.device)[:, None]
    inside = (torch.arange(rows.shape[1], device=rows.device) < count)[..., None]  # [P, N, 1]
    right = _plus_plus(rows, squares, n_init, generators, inside=inside).to(rows.dtype)  # [P, N, n_init]
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


def _plus_plus(
    rows: Tensor,
    squares: Tensor,
    n_init: int,
    generators: list[torch.Generator],
    *,
    inside: Tensor | None = None,
    candidates: int = 3,
) -> Tensor:
    """Greedy k-means++ for two centers (Arthur & Vassilvitskii, 2007), for P problems of up to N rows (those `inside`).

    One center at random; then of a few candidates, drawn with probability by squared distance, the one that leaves the
    least inertia. Gives the rows nearer to the second center as a mask [P, N, n_init].
    """
    problems, most, _ = rows.shape
    draws = [torch.rand(1 + candidates, n_init, generator=one, dtype=torch.float64) for one in generators]
    uniform = torch.stack(draws).to(rows.device)  # [P, 1 + candidates, n_init]
    count = inside.sum(1) if inside is not None else torch.full((problems, 1), most, device=rows.device)

    distances = _distances((uniform[:, 0] * count).long(), rows, squares, inside)
    distances[distances < 1e-6 * distances.amax(1, keepdim=True)] = 0  # equal to the first but for rounding
    cumulative = distances.double().cumsum(1).mT.contiguous()  # [P, n_init, N]
    second = torch.searchsorted(cumulative, (uniform[:, 1:].mT * cumulative[..., -1:]).contiguous(), right=True)
    second = second.minimum(count[..., None] - 1)  # [P, n_init, candidates]
    others = _distances(second.flatten(1), rows, squares, inside).view(problems, most, n_init, candidates)
    best = others.minimum(distances[..., None]).sum(1).argmin(2)  # [P, n_init]
    others = others.gather(3, best[:, None, :, None].expand(-1, most, -1, 1))[..., 0]
    return others < distances


def _distances(centers: Tensor, rows: Tensor, squares: Tensor, inside: Tensor | None) -> Tensor:
    """Squared distances [P, N, centers] to some of the rows, by their indices [P, centers]; 0 of rows not `inside`."""
    chosen = rows.gather(1, centers[..., None].expand(-1, -1, rows.shape[2]))
    found = squares[..., None] + squares.gather(1, centers)[:, None] - 2 * (rows @ chosen.mT)
    return found.clamp_min_(0) if inside is None else found.clamp_min_(0) * inside
