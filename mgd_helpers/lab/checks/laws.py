"""How a judge decides: a law holds, a result equals the helper's, a number lies in a range. Each raises `Slip` or not.

A result that is wrong is compared with what known slips give, wrong formulas all of them, so that the sentence can name
the slip. The right formula stands in the package, or nowhere: a law recognises it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.lab.checks.answers import Slip, numbers


def law(holds: bool | Tensor, slip: str) -> None:
    """Raise `Slip` with this sentence unless the law holds."""
    if not holds:
        raise Slip(slip)


def same(
    got: Float[Tensor, ...],
    right: Float[Tensor, ...],
    *,
    slips: Mapping[str, Float[Tensor, ...]],
    otherwise: str,
    tolerance: float = 1e-4,
) -> None:
    """Raise `Slip` unless `got` has the shape and the values of `right`, up to `tolerance` of its largest entry.

    `slips` names what a known slip gives, the first that fits is told; then comes the shape, then `otherwise`. A slip
    that happens to give the right values is none.
    """
    if alike(got, right, tolerance=tolerance):
        return
    for slip, wrong in slips.items():
        law(not alike(got, wrong, tolerance=tolerance), slip)
    wanted = f"the shape should be {list(right.shape)}" if right.ndim else "one number is wanted"
    law(got.shape == right.shape, f"{wanted}; yours has shape {list(got.shape)}.")
    raise Slip(otherwise)


def alike(a: Float[Tensor, ...], b: Float[Tensor, ...], *, tolerance: float = 1e-4) -> bool:
    """Whether two tensors agree in shape, and in values up to `tolerance` of the largest entry of `b`."""
    if a.shape != b.shape:
        return False
    scale = b.double().abs().max().clamp_min(1e-12)
    return bool((a.double() - b.double()).abs().max() <= tolerance * scale)


def between(value: float | Tensor, low: float, high: float, *, name: str, why: str) -> None:
    """Raise `Slip` unless a number lies in the range that follows from the reader's own settings."""
    law(low <= value <= high, f"{name} is {value:.2f}, outside {low:.2f} to {high:.2f}: {why}")


def one_loss(given: Any) -> Float[Tensor, ""]:
    """What a reader's loss function gave, as one number in float64; raises `Slip` for anything else."""
    got = numbers(given, "the loss").squeeze()
    law(got.ndim == 0, f"the loss should be one number; yours has shape {list(got.shape)}.")
    return got


def trainable(given: Any) -> None:
    """Raise `Slip` unless a loss still knows what it depends on."""
    learns = isinstance(given, Tensor) and given.requires_grad
    law(learns, "the loss has lost its gradient: no `.item()`, no `no_grad`.")


def line(vector: Float[Tensor, " d"]) -> Float[Tensor, "d d"]:
    """The projection on the line along a vector: the same for both signs and for all lengths."""
    unit = vector.double() / vector.double().norm()
    return unit.outer(unit)


def wrong_weights(share: float) -> dict[str, list[float]]:
    """Slip -> the weights of the clean part and of the noise that it gives, where noise should weigh `share`."""
    return {
        "the two weights add up to 1, but it is variances that add up.": [1 - share, share],
        "the clean part keeps its full weight, so the variance grows above 1.": [1, share],
        "this takes `share` as a share of the variance; here it is the weight of the noise itself.": [
            (1 - share) ** 0.5,
            share**0.5,
        ],
        "the two weights are exchanged: `share` belongs to the noise.": [share, (1 - share**2) ** 0.5],
        "the clean part has the right variance as its weight: a root is missing.": [1 - share**2, share],
        "the noise is not weighted at all.": [(1 - share**2) ** 0.5, 1],
    }
