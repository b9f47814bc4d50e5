"""Guidances: functions `(denoised, level) -> denoised`, as frozen dataclasses. None of them knows a scheduler.

mode       x̂₀ + λ g                                  g = target - denoised
manifold   x̂₀ + λ (g - β P_N g)                      β = 1: Eq. 4 of the paper, λ P_T g;  β = 0: mode
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.clouds import diffuse, draws_of
from mgd_helpers.noise import NoiseLevel
from mgd_helpers.schedules import Strength, posterior, value_at
from mgd_helpers.tangent import TangentSpace, check_neighborhood, local_tangent


@runtime_checkable
class Guidance(Protocol):
    """What `steer` calls at each step: predicted clean samples [B, ...] (float32) and noise level, to moved ones."""

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class ModePull:
    """MGD³'s mode guidance: denoised + strength * (target - denoised), image j towards target j.

    `targets` [K, ...] are shaped like the pipeline's latents. `strength` is a number or a function of the noise level
    (`mgd_helpers.schedules`); 1 puts the clean prediction on the target.
    """

    targets: Float[Tensor, "k ..."]
    strength: Strength = 0.3

    def __post_init__(self):
        check_targets(self.targets)

    @classmethod
    def preset(cls, name: str, targets: Float[Tensor, "k ..."]) -> ModePull:
        """`"mgd3"`: the baseline as published, 0.1 times the deviation of a DDPM step added to the step's mean.

        To be used with 50 DDPM steps, inside `window(…, above=mgd_helpers.released.WINDOW)`.
        """
        if name != "mgd3":
            raise ValueError(f"name must be 'mgd3'; got {name!r}.")
        return cls(targets, strength=posterior(0.1))

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        return denoised + value_at(self.strength, level) * (per_row(self.targets, denoised) - denoised)


@dataclass(frozen=True, eq=False)
class ManifoldPull:
    """ManifoldGD: the pull to the target, less its part normal to the latent manifold.

    denoised + strength * (g - softness * P_N g). `softness=1` is Eq. 4 of the paper, `softness=0` is `ModePull`. The
    tangent space is local PCA of rank `rank` on the `n_neighbors` nearest points of `cloud` (see `local_tangent`, also
    for `"auto"`), which is [M, ...] for all images, or [K, M, ...] with one cloud per target. With one cloud for many
    classes, `groups` (labels of the targets [K], labels of the points [M]) keeps neighbours within a class.

    `tangent_at` says where: `"denoised"`, at the clean prediction; `"target"`, at the target, once and for all steps,
    cheaper, and the less exact the farther the prediction is; `"sample"`, at the noisy sample among points under the
    same noise, Eq. 5 of the paper, drawn from `seed`, the timestep and (with a cloud per target) the target's key, by
    default its position. With few noisy neighbours the last is close to no guidance at all.

    Strength, neighbours and rank are by default those that won on held-back images of three data sets
    (`studies/tune.py`).
    """

    targets: Float[Tensor, "k ..."]
    cloud: Float[Tensor, ...]
    strength: Strength = 1.0
    softness: float = 1.0
    n_neighbors: int | str = 24
    rank: int | float | str = 8
    groups: tuple[Int[Tensor, " k"], Int[Tensor, " m"]] | None = None
    tangent_at: str = "denoised"
    seed: int = 0
    keys: tuple[int, ...] | None = None

    def __post_init__(self):
        check_targets(self.targets)
        draws_of(self.targets, self.keys, self.seed)
        if not 0 <= self.softness <= 1:
            raise ValueError(f"softness must lie in [0, 1] (0: mode pull, 1: strict projection); got {self.softness}.")
        if self.tangent_at not in ("denoised", "target", "sample"):
            raise ValueError(f"tangent_at must be 'denoised', 'target' or 'sample'; got {self.tangent_at!r}.")
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
        pull = per_row(self.targets, denoised) - denoised
        if self.softness > 0:
            pull = pull - self.softness * self._normal_part(pull, denoised, level)
        return denoised + value_at(self.strength, level) * pull

    def _normal_part(self, pull, denoised, level):
        if self.tangent_at == "target":
            halves = pull.to(self.targets.device).split(len(self.targets))  # two under classifier-free guidance
            return torch.cat([self._at_targets.normal_part(half) for half in halves]).to(pull.device)
        if self.tangent_at == "denoised":
            return self._tangent(denoised, self.cloud.to(denoised.device)).normal_part(pull)
        cloud = diffuse(
            self.cloud.to(denoised.device), level, per_target=not self._shared, seed=self.seed, keys=self.keys
        )
        return self._tangent(level.sample.float(), cloud).normal_part(pull)

    @cached_property
    def _at_targets(self) -> TangentSpace:
        return self._tangent(self.targets, self.cloud.to(self.targets.device))

    def _tangent(self, points, cloud) -> TangentSpace:
        copies, groups = len(points) // len(self.targets), None
        if not self._shared:
            cloud = cloud.repeat(copies, *[1] * (cloud.ndim - 1))
        if self.groups is not None:
            groups = (self.groups[0].repeat(copies).to(points.device), self.groups[1].to(points.device))
        return local_tangent(points, cloud, n_neighbors=self.n_neighbors, rank=self.rank, groups=groups)


def window(guidance: Guidance, *, above: float = 0.0, below: float = 1.0) -> Guidance:
    """`guidance` only while the noise share lies in (above, below]; elsewhere the step stays as it is.

    The noise share, not the step number, is what schedulers have in common.
    """
    if not 0 <= above < below <= 1:
        raise ValueError(f"above and below must satisfy 0 <= above < below <= 1; got above={above}, below={below}.")

    def windowed(denoised: Tensor, level: NoiseLevel) -> Tensor:
        return guidance(denoised, level) if above < level.share <= below + 1e-6 else denoised

    return windowed


def check_targets(targets: Tensor) -> None:
    """Raise `ValueError` unless `targets` are `[K, *latent]` and finite."""
    if targets.ndim < 2 or len(targets) == 0:
        raise ValueError(f"targets must be [K, *latent] with K at least 1; got {list(targets.shape)}.")
    if not torch.isfinite(targets).all():
        raise ValueError("targets must be finite; got NaN or infinite values. Check the latents they were made from.")


def per_row(targets: Tensor, denoised: Tensor) -> Tensor:
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
