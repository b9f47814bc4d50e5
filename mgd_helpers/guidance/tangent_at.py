"""Where a guidance takes the tangent space: three places, each a function `(denoised, level) -> TangentSpace`.

denoised   at the clean prediction, among clean points
target     at the targets, once and for all steps
sample     at the noisy sample, among points under the same noise: Eq. 5 of the paper
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.guidance.clouds import diffuse
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.tangent.local_pca import TangentSpaces, check_neighborhood
from mgd_helpers.tangent.spaces import TangentSpace

Tangent = Callable[[Tensor, NoiseLevel], TangentSpace]
N_NEIGHBORS, RANK = 24, 8  # none was better on held-back images of three data sets (studies/choose.py)


def denoised(
    cloud: Float[Tensor, "m ..."],
    *,
    n_neighbors: int | str = N_NEIGHBORS,
    rank: int | float | str = RANK,
    groups: tuple[Tensor, Tensor] | None = None,
) -> Tangent:
    """At the clean prediction, among the points of `cloud`, [M, ...] for all images or [K, M, ...] with one for each.

    Options are those of `local_tangent`; `groups` are labels of the images [K] and of the points [M]. The cloud is
    prepared once for each device.

    Raises `ValueError` for a cloud that is too small or not finite.
    """
    check_cloud(cloud, n_neighbors, rank, groups)
    ready: dict[torch.device, TangentSpaces] = {}

    def at_denoised(denoised: Tensor, level: NoiseLevel) -> TangentSpace:
        if denoised.device not in ready:
            flat = _flat(cloud.to(denoised.device), denoised)
            ready[denoised.device] = TangentSpaces(flat, n_neighbors=n_neighbors, rank=rank, groups=groups)
        return ready[denoised.device](denoised)

    return at_denoised


def target(
    targets: Float[Tensor, "k ..."],
    cloud: Float[Tensor, "m ..."],
    *,
    n_neighbors: int | str = N_NEIGHBORS,
    rank: int | float | str = RANK,
    groups: tuple[Tensor, Tensor] | None = None,
) -> Tangent:
    """At the targets, once for each device: cheaper, but less exact the farther a prediction is from its target.

    Options as for `denoised`.
    """
    fresh = denoised(cloud, n_neighbors=n_neighbors, rank=rank, groups=groups)
    ready: dict[torch.device, TangentSpace] = {}

    def at_target(denoised: Tensor, level: NoiseLevel) -> TangentSpace:
        if denoised.device not in ready:
            ready[denoised.device] = fresh(targets.to(denoised.device), level)
        return ready[denoised.device]

    return at_target


def sample(
    cloud: Float[Tensor, "m ..."],
    *,
    n_neighbors: int | str = N_NEIGHBORS,
    rank: int | float | str = RANK,
    seed: int = 0,
    keys: Sequence[int] | None = None,
) -> Tangent:
    """At the noisy sample, among the points of `cloud` under the noise of the step: Eq. 5 of the paper.

    The noise is drawn anew at each step, on the CPU, from `seed`, the timestep and, with a cloud for each image, the
    image's key, by default its position. Projected on the space of few noisy neighbours, next to nothing of a pull
    is left. Other options as for `denoised`.
    """
    check_cloud(cloud, n_neighbors, rank, None)
    copies: dict[torch.device, Tensor] = {}

    def at_sample(denoised: Tensor, level: NoiseLevel) -> TangentSpace:
        if denoised.device not in copies:
            copies[denoised.device] = cloud.to(denoised.device)
        clean = copies[denoised.device]
        noisy = diffuse(clean, level, per_target=cloud.ndim > denoised.ndim, seed=seed, keys=keys)
        spaces = TangentSpaces(_flat(noisy, denoised), n_neighbors=n_neighbors, rank=rank)
        return spaces(level.sample.float())

    return at_sample


def check_cloud(
    cloud: Tensor, n_neighbors: int | str, rank: int | float | str, groups: tuple[Tensor, Tensor] | None
) -> None:
    """Check that neighbours can be looked for in a cloud.

    Raises `ValueError` where it holds too few points, or values that are not finite, or other labels than points.
    """
    if not torch.isfinite(cloud).all():
        raise ValueError("cloud must be finite; got NaN or infinite values. Check the latents that it is made of.")
    if groups is not None and len(groups[1]) != len(cloud):
        raise ValueError(f"groups must label the {len(cloud)} points of the cloud; got {len(groups[1])} labels.")
    check_neighborhood(cloud.shape[:2].numel(), n_neighbors, rank)  # how many points there are shows at the first step


def _flat(cloud: Tensor, denoised: Tensor) -> Tensor:
    shared, own = cloud.shape[1:] == denoised.shape[1:], cloud.shape[2:] == denoised.shape[1:]
    if not shared and not (own and len(cloud) == len(denoised)):
        raise ValueError(
            f"cloud must be [M, *latent] or [K, M, *latent] for {len(denoised)} images {list(denoised.shape[1:])}; got "
            f"{list(cloud.shape)}. Encode it with this pipeline's own VAE."
        )
    return cloud.flatten(1 if shared else 2)
