"""Intervals for a share and for the area under a ROC curve, and the middle 95 % of many values.

AUC = P(ours > theirs) + P(ours = theirs) / 2, which needs no curve: ranks tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Float, Tensor

Interval = tuple[float, float]


def wilson(share: float | int, n: float | int) -> Interval:
    """The 95 % interval of a share seen in `n` draws (Wilson, 1927); `n` need not be whole.

    >>> [round(end, 3) for end in wilson(0.0, 10)]
    [0.0, 0.278]
    """
    share, n = arguments.number("share", share, at_least=0, at_most=1), arguments.number("n", n, above=0)
    z = 1.959964
    center, half = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, (center - half) / (1 + z**2 / n)), min(1.0, (center + half) / (1 + z**2 / n))


def auc(
    ours: Float[Tensor, " m"], theirs: Float[Tensor, " n"], *, rounds: int = 1000, seed: int = 0
) -> tuple[float, Interval]:
    """The chance that a score of `ours` exceeds one of `theirs`, ties counting half, and its 95 % bootstrap interval.

    Both sides are resampled apart, `rounds` times. 0.5 is chance; below it the score points the wrong way.

    Raises `ValueError` for an empty side, and for NaN, which has no rank.
    """
    rounds, seed = arguments.whole("rounds", rounds, at_least=1), arguments.whole("seed", seed, at_least=0)
    scores = torch.cat([arguments.tensor("ours", ours), arguments.tensor("theirs", theirs)]).cpu()
    if min(len(ours), len(theirs)) == 0 or scores.isnan().any():
        raise ValueError(f"ours and theirs must hold scores, none of them NaN; got {len(ours)} and {len(theirs)}.")
    values, places = scores.unique(return_inverse=True)
    sides = places[: len(ours)], places[len(ours) :]

    def area(sides: Sequence[Tensor]) -> Tensor:
        won, lost = (torch.bincount(side, minlength=len(values)).double() for side in sides)
        return (won * (lost.cumsum(0) - lost / 2)).sum() / (won.sum() * lost.sum())

    generator = seeding.generator(seed)

    def resampled(side: Tensor) -> Tensor:
        return side[torch.randint(len(side), (len(side),), generator=generator)]

    areas = [area([resampled(side) for side in sides]) for _ in range(rounds)]
    return area(sides).item(), middle(torch.stack(areas))


def middle(values: Float[Tensor, " n"], *, share: float = 0.95) -> Interval:
    """The two quantiles that have `share` of the values between them, and equally many on either side."""
    arguments.tensor("values", values)
    share = arguments.number("share", share, above=0, at_most=1)
    tails = torch.tensor([(1 - share) / 2, (1 + share) / 2], dtype=values.dtype, device=values.device)
    low, high = values.quantile(tails).tolist()
    return low, high
