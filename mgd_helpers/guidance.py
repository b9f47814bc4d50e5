"""Guidances: functions `(denoised, level) -> denoised`, as frozen dataclasses. None of them knows a scheduler.

mode       x̂₀ + λ g                                  g = target - denoised
manifold   x̂₀ + λ (g - β P_N g)                      β = 1: Eq. 4 of the paper, λ P_T g;  β = 0: mode
released   x̂₀ + λ g - μ w P_N(x_t - m) / ‖…‖          what the authors' code does
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.noise import NoiseLevel
from mgd_helpers.seeding import generator
from mgd_helpers.tangent import check_neighborhood, local_tangent

Strength = float | Callable[[NoiseLevel], float | Tensor]


@runtime_checkable
class Guidance(Protocol):
    """What `steer` calls at each step: predicted clean samples [B, ...] (float32) and noise level, to moved ones."""

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class ModePull:
    """MGD³'s mode guidance: denoised + strength * (target - denoised), image j towards target j.

    `targets` [K, ...] are shaped like the pipeline's latents. `strength` is a number or a function of the noise level;
    1 puts the clean prediction on the target.
    """

    targets: Float[Tensor, "k ..."]
    strength: Strength = 0.3

    def __post_init__(self):
        _check_targets(self.targets)

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        return denoised + _value(self.strength, level) * (_like(self.targets, denoised) - denoised)


@dataclass(frozen=True, eq=False)
class ManifoldPull:
    """ManifoldGD: the pull to the target, less its part normal to the latent manifold at the clean prediction.

    denoised + strength * (g - softness * P_N g). `softness=1` is Eq. 4 of the paper, `softness=0` is `ModePull`. The
    tangent space is local PCA of rank `rank` on the `n_neighbors` points of `cloud` nearest to the clean prediction.
    `cloud` is [M, ...] for all images, or [K, M, ...] with one cloud per target.
    """

    targets: Float[Tensor, "k ..."]
    cloud: Float[Tensor, ...]
    strength: Strength = 1.0
    softness: float = 1.0
    n_neighbors: int = 12
    rank: int = 3

    def __post_init__(self):
        _check_targets(self.targets)
        if not 0 <= self.softness <= 1:
            raise ValueError(f"softness must lie in [0, 1] (0: mode pull, 1: strict projection); got {self.softness}.")
        shared, own = self.cloud.shape[1:], self.cloud.shape[2:]
        if not (
            shared == self.targets.shape[1:] or (own == self.targets.shape[1:] and len(self.cloud) == len(self.targets))
        ):
            raise ValueError(
                f"cloud must be [M, *latent] or [K, M, *latent] for targets {list(self.targets.shape)}; "
                f"got {list(self.cloud.shape)}."
            )
        check_neighborhood(self.cloud.shape[0 if self._shared else 1], self.n_neighbors, self.rank)

    @property
    def _shared(self) -> bool:
        return self.cloud.ndim == self.targets.ndim

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        pull = _like(self.targets, denoised) - denoised
        if self.softness > 0:
            cloud = self.cloud.to(denoised.device)
            if not self._shared:
                cloud = cloud.repeat(len(denoised) // len(cloud), *[1] * (cloud.ndim - 1))
            space = local_tangent(denoised, cloud, n_neighbors=self.n_neighbors, rank=self.rank)
            pull = pull - self.softness * space.normal_part(pull)
        return denoised + _value(self.strength, level) * pull


@dataclass(frozen=True, eq=False)
class ReleasedPull:
    """What the authors' released DDIM update does, which is not Eq. 4: an unprojected mode pull, plus a pull of unit
    length along the normal of a cloud of random points around the target, diffused to the noise of the step.

    strength * g - normal_strength * tanh(s / bandwidth) * P_N(x_t - m) / ‖P_N(x_t - m)‖, with m the mean of the
    `n_neighbors` cloud points nearest to the noisy sample x_t and s its distance to the nearest of them. Half of the
    `n_points` radii are evenly spaced from 0.1 to `radius`, half uniform in [0, radius]. The points are drawn anew at
    each step from `seed`, the timestep and the target's key (by default its position), so that images do not depend
    on the batch they are made in.

    Measured: in latent space the radius does nothing, since the diffused points differ by their noise alone.
    """

    targets: Float[Tensor, "k ..."]
    strength: Strength = 0.1
    normal_strength: Strength = 0.1
    radius: float = 0.1
    bandwidth: float = 0.1
    n_points: int = 300
    n_neighbors: int = 12
    rank: int = 3
    seed: int = 0
    keys: tuple[int, ...] | None = None

    def __post_init__(self):
        _check_targets(self.targets)
        check_neighborhood(self.n_points, self.n_neighbors, self.rank)
        if self.keys is not None and len(self.keys) != len(self.targets):
            raise ValueError(f"keys must be one per target; got {len(self.keys)} for {len(self.targets)} targets.")
        for name in ("radius", "bandwidth"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive; got {getattr(self, name)}.")

    @classmethod
    def preset(cls, name: str, targets: Float[Tensor, "k ..."]) -> ReleasedPull:
        """The released settings for `"imagenette"`, `"imagewoof"`, `"imagenet100"` or `"imagenet1k"`."""
        if name not in RELEASED_SETTINGS:
            raise ValueError(f"name must be one of {', '.join(RELEASED_SETTINGS)}; got {name!r}.")
        radius, bandwidth = RELEASED_SETTINGS[name]
        return cls(targets, radius=radius, bandwidth=bandwidth)

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        targets = _like(self.targets, denoised)
        sample = level.sample.float()
        cloud = self._diffused_cloud(targets, level)
        space = local_tangent(sample, cloud, n_neighbors=self.n_neighbors, rank=self.rank)
        normal = space.normal_part(sample - space.base_point.view_as(sample)).flatten(1)
        distance = (cloud.flatten(2) - sample.flatten(1)[:, None]).norm(dim=-1).min(1).values
        length = torch.tanh(distance / self.bandwidth) / (normal.norm(dim=1) + 1e-8)
        pull = -(length[:, None] * normal).view_as(denoised)
        mode = _value(self.strength, level) * (targets - denoised)
        return denoised + mode + _value(self.normal_strength, level) * pull

    def _diffused_cloud(self, targets, level) -> Float[Tensor, "b m ..."]:
        """[B, n_points, ...]; drawn on the CPU per target, so that it depends on neither batch nor device."""
        half = self.n_points // 2
        clouds = []
        for key in self.keys or range(len(self.targets)):
            draw = generator(self.seed, key, int(1000 * float(level.timestep)))
            directions, epsilon = torch.randn(2, self.n_points, targets[0].numel(), generator=draw)
            uniform = self.radius * torch.rand(self.n_points - half, generator=draw)
            radii = torch.cat([torch.linspace(0.1, self.radius, half), uniform])
            clouds.append(torch.stack([radii[:, None] * directions / directions.norm(dim=1, keepdim=True), epsilon]))
        offsets, epsilon = torch.stack(clouds, 1).to(targets.device).view(2, -1, self.n_points, *targets.shape[1:])
        copies = [len(targets) // len(self.targets), *[1] * (offsets.ndim - 1)]
        return level.signal * (targets[:, None] + offsets.repeat(copies)) + level.noise * epsilon.repeat(copies)


# (radius, bandwidth); shared: strengths 0.1, 300 points, 12 neighbours, rank 3, guidance in the first half of 50 steps
RELEASED_SETTINGS = {
    "imagenette": (0.05, 0.2),
    "imagewoof": (0.1, 0.2),
    "imagenet100": (0.1, 0.1),
    "imagenet1k": (0.1, 0.1),
}


def window(guidance: Guidance, *, above: float = 0.0, below: float = 1.0) -> Guidance:
    """`guidance` only while the noise share lies in (above, below]; elsewhere the step stays as it is.

    The noise share, not the step number, is what schedulers have in common.
    """
    if not 0 <= above < below <= 1:
        raise ValueError(f"above and below must satisfy 0 <= above < below <= 1; got above={above}, below={below}.")

    def windowed(denoised: Tensor, level: NoiseLevel) -> Tensor:
        return guidance(denoised, level) if above < level.share <= below + 1e-6 else denoised

    return windowed


def _value(strength: Strength, level: NoiseLevel):
    return strength(level) if callable(strength) else strength


def _check_targets(targets):
    if targets.ndim < 2 or len(targets) == 0:
        raise ValueError(f"targets must be [K, *latent] with K at least 1; got {list(targets.shape)}.")
    if not torch.isfinite(targets).all():
        raise ValueError("targets must be finite; got NaN or infinite values. Check the latents they were made from.")


def _like(targets, denoised):
    """The targets on the device of `denoised`, once per copy of the batch: classifier-free guidance doubles it."""
    if denoised.shape[1:] != targets.shape[1:]:
        raise ValueError(
            f"targets are {list(targets.shape[1:])} each, but the pipeline denoises {list(denoised.shape[1:])}; "
            "encode them with this pipeline's own VAE."
        )
    if len(denoised) % len(targets):
        raise ValueError(
            f"targets must be one per image; got {len(targets)} targets for {len(denoised)} rows in the "
            "scheduler's step."
        )
    copies = len(denoised) // len(targets)
    return targets.to(denoised).repeat(copies, *[1] * (targets.ndim - 1))
