"""Intrinsic dimension from neighbour distances: in d dimensions, the number of neighbours within r grows like r^d.

maximum likelihood   1 / d = mean of log(T_k / T_j), j < k                (Levina & Bickel, 2004)
two neighbours       1 / d = mean of log(T_2 / T_1) over all points       (Facco et al., 2017)
"""

from __future__ import annotations

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Tensor


def mle_dimension(distances: Float[Tensor, "b k"]) -> Float[Tensor, " b"]:
    """The local dimension at B points, from their distances to their k nearest neighbours, nearest first.

    (k - 2) / Σ log(T_k / T_j), which is unbiased for points spread evenly; its deviation is about d / √k. Pool several
    estimates as 1 / mean(1 / d) (MacKay & Ghahramani, 2005). Neighbours at distance zero are duplicates of the point
    and do not count; where all that are left lie equally far, nothing can be said and the answer is nan.

    Raises `ValueError` for fewer than three neighbours, or distances that are NaN.

    >>> mle_dimension(torch.arange(1.0, 101)[None]).round().item()   # evenly spaced on a line
    1.0
    """
    _check(distances, at_least=3)
    positive = distances > 0
    logs = torch.where(positive, (distances[:, -1:] / distances.clamp_min(torch.finfo(distances.dtype).tiny)).log(), 0)
    total = logs.sum(1)
    return torch.where(total > 0, (positive.sum(1) - 2).clamp_min(1) / total, torch.nan)


def two_nn_dimension(distances: Float[Tensor, "b k"], *, discard: float = 0.1) -> float:
    """One dimension for a whole cloud, from the distances of its points to their two nearest neighbours.

    It is the slope of a line through the origin: -log(1 - F) against log(T_2 / T_1), with F the share of points with a
    smaller ratio. The largest `discard` of the ratios are left out. It sees the finest scale, and so the noise before
    all else. Points with a duplicate do not count.

    Raises `ValueError` for distances that do not say: too few neighbours, NaN, or all equally far.
    """
    _check(distances, at_least=2)
    discard = arguments.number("discard", discard, at_least=0, below=1)
    kept = distances[distances[:, 0] > 0]
    ratios = (kept[:, 1] / kept[:, 0]).log().sort().values
    count = int(len(ratios) * (1 - discard))
    if count < 2 or not ratios[count - 1] > 0:
        raise ValueError("distances must hold at least two points with two neighbours at different distances.")
    share = torch.arange(1, count + 1, dtype=torch.float64) / len(ratios)
    y = -torch.log1p(-share.clamp_max(1 - 0.5 / len(ratios)))
    x = ratios[:count].double().cpu()
    return (x @ y / (x @ x)).item()


def _check(distances: Tensor, *, at_least: int) -> None:
    fits = arguments.tensor("distances", distances).ndim == 2 and distances.shape[1] >= at_least
    if not (fits and distances.isnan().logical_not().all()):
        raise ValueError(
            f"distances must be [B, k] with k at least {at_least} and no NaN; got {list(distances.shape)}. "
            "Ask for more neighbours, or leave out the rows with NaN."
        )
