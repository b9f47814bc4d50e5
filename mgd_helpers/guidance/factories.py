"""The guidances that have a name, each made for the images of one class: `(targets, cloud, seed) -> guidance`.

`distill`, the command line and the studies take them from here. Bind other settings with `functools.partial`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from mgd_helpers import arguments
from mgd_helpers.clustering.targets import Targets
from mgd_helpers.guidance import tangent_at
from mgd_helpers.guidance.pulls import Guidance, ManifoldPull, ModePull
from mgd_helpers.guidance.released import WINDOW, ReleasedPull
from mgd_helpers.guidance.strengths import Strength
from mgd_helpers.guidance.windows import window

Factory = Callable[[Targets, torch.Tensor, int], Guidance | None]
ABOVE = 0.5  # guidance is on while the noise share exceeds one half


def none(targets: Targets, cloud: torch.Tensor, seed: int) -> None:
    """No guidance: the stock pipeline."""
    return None


def mode(
    targets: Targets, cloud: torch.Tensor, seed: int, *, strength: Strength = 0.3, above: float = ABOVE
) -> Guidance:
    """`ModePull` of this `strength` while the noise share exceeds `above`."""
    return window(ModePull(targets.latents, strength), above=above)


def mgd3(targets: Targets, cloud: torch.Tensor, seed: int) -> Guidance:
    """MGD³ as published: for a DDPM scheduler and 50 steps."""
    return window(ModePull.preset("mgd3", targets.latents), above=WINDOW)


def manifold(
    targets: Targets,
    cloud: torch.Tensor,
    seed: int,
    *,
    strength: Strength = 1.0,
    softness: float = 1.0,
    n_neighbors: int | str | None = None,
    rank: int | float | str | None = None,
    above: float = ABOVE,
    tangent: str = "denoised",
) -> Guidance:
    """`ManifoldPull` while the noise share exceeds `above`, in the tangent space among the latents of the class.

    `n_neighbors` and `rank` are by default those of `ManifoldPull`, or what a class of fewer images allows; `tangent`
    names the place, one of `mgd_helpers.guidance.tangent_at`.
    """
    if n_neighbors is None:
        n_neighbors = min(tangent_at.N_NEIGHBORS, len(cloud))
    if rank is None:
        rank = tangent_at.RANK if isinstance(n_neighbors, str) else max(1, min(tangent_at.RANK, n_neighbors - 1))
    arguments.one_of("tangent", tangent, ("denoised", "target", "sample"))
    if tangent == "denoised":
        pull = ManifoldPull(targets.latents, cloud, strength, softness, n_neighbors, rank)
        return window(pull, above=above)
    if tangent == "target":
        at = tangent_at.target(targets.latents, cloud, n_neighbors=n_neighbors, rank=rank)
    else:
        at = tangent_at.sample(cloud, n_neighbors=n_neighbors, rank=rank, seed=seed, keys=targets.nodes)
    pull = ManifoldPull(targets.latents, strength=strength, softness=softness, tangent=at)
    return window(pull, above=above)


def released(
    targets: Targets,
    cloud: torch.Tensor,
    seed: int,
    *,
    strength: Strength = 0.1,
    normal_strength: Strength | None = None,
    above: float = WINDOW,
) -> Guidance:
    """`ReleasedPull`, the rule of the authors' code, both of its pulls of this `strength` unless told otherwise."""
    normal_strength = strength if normal_strength is None else normal_strength
    pull = ReleasedPull(targets.latents, strength, normal_strength, seed=seed, keys=targets.nodes)
    return window(pull, above=above)


GUIDANCES: dict[str, Factory] = {
    "none": none,
    "mode": mode,
    "mgd3": mgd3,
    "manifold": manifold,
    "released": released,
}
