"""The guidances that have a name, each made for the images of one class: `(targets, cloud, seed) -> guidance`.

`distill`, the command line and the studies take them from here. Bind other settings with `functools.partial`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.clustering.coordinates import numbered
from mgd_helpers.clustering.targets import Targets
from mgd_helpers.guidance import tangent_at
from mgd_helpers.guidance.chains import chain
from mgd_helpers.guidance.matching import MatchPull
from mgd_helpers.guidance.pulls import Guidance, ManifoldPull, ModePull
from mgd_helpers.guidance.released import WINDOW, ReleasedPull
from mgd_helpers.guidance.strengths import Strength
from mgd_helpers.guidance.transport import TransportPull
from mgd_helpers.guidance.windows import window

Factory = Callable[[Targets, torch.Tensor, int], Guidance | None]
ABOVE = 0.5  # guidance is on while the noise share exceeds one half
N_CENTERS = 50  # leaves of the tree that mass is carried to


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


def match(
    targets: Targets,
    cloud: torch.Tensor,
    seed: int,
    *,
    rate: Strength = 0.1,
    inner_steps: int = 2,
    n_real: int = 64,
    width: int = 32,
    depth: int = 2,
    fresh: bool = False,
    above: float = 0.0,
    below: float = 1.0,
) -> Guidance:
    """`MatchPull` to the latents of the class while the noise share is in a window, by default on the whole path.

    It looks at the whole set, and knows no targets.
    """
    return window(MatchPull(cloud, rate, inner_steps, n_real, width, depth, seed, fresh), above=above, below=below)


def transport(
    targets: Targets,
    cloud: torch.Tensor,
    seed: int,
    *,
    strength: Strength = 0.5,
    epsilon: float = 0.02,
    n_centers: int = N_CENTERS,
    above: float = ABOVE,
) -> Guidance:
    """`TransportPull` while the noise share exceeds `above`, to the leaves of a tree of the class.

    The tree has `n_centers` leaves, or as many as there are distinct latents; the targets are not looked at.
    """
    distinct = int(numbered(cloud.flatten(1)).max()) + 1
    tree = bisect(cloud, n_leaves=min(n_centers, distinct), seed=seed)
    return window(TransportPull.of_tree(tree, strength=strength, epsilon=epsilon), above=above)


def match_transport(
    targets: Targets,
    cloud: torch.Tensor,
    seed: int,
    *,
    rate: Strength = 0.1,
    strength: Strength = 0.5,
    **matching: Any,
) -> Guidance:
    """First `transport`, then `match`: each image goes where mass is missing, then the set is matched as a whole.

    Other settings are those of `match`. The defaults won on held-back images (`python -m studies choose`).
    """
    first = transport(targets, cloud, seed, strength=strength)
    return chain(first, match(targets, cloud, seed, rate=rate, **matching))


GUIDANCES: dict[str, Factory] = {
    "none": none,
    "mode": mode,
    "mgd3": mgd3,
    "manifold": manifold,
    "released": released,
    "match": match,
    "transport": transport,
    "match+transport": match_transport,
}
