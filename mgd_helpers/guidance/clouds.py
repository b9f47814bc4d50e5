"""Reference points other than real latents: points on spheres around a target, and points under noise.

    diffused point = signal * point + noise * epsilon        (Eq. 5 of the paper, with the paper's √ᾱ and √(1 - ᾱ))

Real latents and the centroids of a tree's nodes (`tree.centroids`) need no help: they are clouds as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.guidance.noise import NoiseLevel


def sphere_points(
    targets: Float[Tensor, "k ..."],
    *,
    radius: float,
    n_points: int = 300,
    seed: int = 0,
    keys: Sequence[int] | None = None,
    step: int | None = None,
) -> Float[Tensor, "k m ..."]:
    """Draw `n_points` points around each target [K, ...] in random directions: a cloud per target, [K, n_points, ...].

    As in the released code, half of the distances are evenly spaced from 0.1 to `radius`, half uniform in [0, radius].
    Each target's points are drawn on the CPU from `seed`, the target's key (by default its position) and `step`, so
    that a cloud depends on neither the batch nor the device.
    """
    radius = arguments.number("radius", radius, above=0)
    generators = generators_for(targets, keys, seed, *(() if step is None else (step, 0)))
    directions = _normal(generators, (n_points, targets[0].numel()))
    half = n_points // 2
    even = torch.linspace(0.1, radius, half).expand(len(generators), half)
    uniform = radius * torch.stack([torch.rand(n_points - half, generator=generator) for generator in generators])
    offsets = torch.cat([even, uniform], 1)[..., None] * directions / directions.norm(dim=-1, keepdim=True)
    return targets[:, None] + to_device_of(offsets, targets).view(len(generators), n_points, *targets.shape[1:])


def diffuse(
    cloud: Float[Tensor, "*shape"],
    level: NoiseLevel,
    *,
    per_target: bool = False,
    seed: int = 0,
    keys: Sequence[int] | None = None,
) -> Float[Tensor, "*shape"]:
    """Add the noise of a level to a cloud, in float32: every point gets noise of its own.

    For a cloud [M, ...] that all images share, the noise is drawn from `seed` and the timestep; for one cloud per
    target, [K, M, ...] (`per_target`), from the key of each target as well.
    """
    step = timestep_key(level)
    if per_target:
        epsilon = _normal(generators_for(cloud, keys, seed, step), cloud.shape[1:])
    else:
        epsilon = torch.randn(cloud.shape, generator=seeding.generator(seed, step))
    return level.signal * cloud.float() + level.noise * to_device_of(epsilon, cloud.float())


def to_device_of(tensor: Tensor, where: Tensor, *, dtype: torch.dtype | None = None) -> Tensor:
    """Copy what was drawn on the CPU to the device and dtype of another tensor, without making a GPU wait."""
    if where.device.type == "cuda" and torch.cuda.is_available():
        tensor = tensor.pin_memory()  # from other memory a copy waits for all that the GPU has still to do
    return tensor.to(where.device, dtype or where.dtype, non_blocking=True)


def timestep_key(level: NoiseLevel) -> int:
    """A timestep as an integer that can key a generator; flow schedulers have fractional ones."""
    return int(1000 * float(level.timestep))


def generators_for(targets: Tensor, keys: Sequence[int] | None, seed: int, *more: int) -> list[torch.Generator]:
    """One generator per target, keyed by (seed, key, more); by default a target's key is its position."""
    if keys is not None and len(keys) != len(targets):
        raise ValueError(f"keys must be one per target; got {len(keys)} for {len(targets)} targets.")
    return [seeding.generator(seed, key, *more) for key in (range(len(targets)) if keys is None else keys)]


def _normal(generators: Sequence[torch.Generator], shape: tuple[int, ...]) -> Tensor:
    return torch.stack([torch.randn(shape, generator=generator) for generator in generators])
