"""Distances between two sets of features.

MMD² = E k(x, x') + E k(y, y') - 2 E k(x, y), with the kernel k(x, y) = exp(-‖x - y‖² / (2 h²)).
"""

from __future__ import annotations

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.linalg import squared_distances


def mmd(*, generated: Float[Tensor, "n d"], real: Float[Tensor, "m d"], bandwidth: float | None = None) -> float:
    """The unbiased squared maximum mean discrepancy (Gretton et al., 2012, Eq. 3) with a Gaussian kernel.

    Zero in expectation where both sets come from one distribution, hence at times slightly negative. `bandwidth` h
    defaults to the median distance among the real features, so that values compare only against the same real set.
    Say of which features you speak. Needs two rows on each side; runs in float64.
    """
    if min(len(generated), len(real)) < 2:
        raise ValueError(f"generated and real need at least two rows; got {len(generated)} and {len(real)}.")
    generated, real = generated.double(), real.double()
    within_real = squared_distances(real, real)
    if bandwidth is None:
        rows = within_real.flatten()[1:].view(len(real) - 1, len(real) + 1)[:, :-1]  # all but the diagonal
        bandwidth = rows.median().sqrt().item()
    if not bandwidth > 0:
        raise ValueError(f"bandwidth must be positive; got {bandwidth} (are most real features the same?).")

    def kernel(squares):
        return (-squares / (2 * bandwidth**2)).exp()

    def unbiased_mean(squares):  # without the diagonal, which is 1 on every row
        n = len(squares)
        return (kernel(squares).sum() - n) / (n * (n - 1))

    within_generated = squared_distances(generated, generated)
    for squares in (within_generated, within_real):
        squares.fill_diagonal_(0)  # but for rounding it is
    across = kernel(squared_distances(generated, real)).mean()
    return (unbiased_mean(within_generated) + unbiased_mean(within_real) - 2 * across).item()
