"""Pulls to a target: guidances `(denoised, level) -> denoised`, as frozen dataclasses. None knows a scheduler.

mode       ẑ₀ + λ g                                  g = target - denoised
manifold   ẑ₀ + λ (g - β P_N g)                      β = 1: Eq. 4 of the paper, λ P_T g;  β = 0: mode
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.guidance import tangent_at
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.guidance.strengths import Strength, check_strength, posterior, value_at
from mgd_helpers.tangent.local_pca import check_neighborhood


@runtime_checkable
class Guidance(Protocol):
    """What `steer` calls at each step: predicted clean samples [B, ...] (float32) and noise level, to moved ones.

    It gets one row per image, in the order of the images, and answers in the same shape, dtype and device.
    """

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class ModePull:
    """MGD³'s mode guidance: denoised + strength * (target - denoised), image j towards target j.

    `targets` [K, ...] are shaped like the pipeline's latents, one for each image. `strength` is a number or a function
    of the noise level (`mgd_helpers.guidance.strengths`); 1 puts the clean prediction on the target.
    """

    targets: Float[Tensor, "k ..."]
    strength: Strength = 0.3
    _copies: dict[tuple, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_targets(self.targets)
        check_strength(self.strength)

    @classmethod
    def preset(cls, name: str, targets: Float[Tensor, "k ..."]) -> ModePull:
        """`"mgd3"`: the baseline as published, 0.1 times the deviation of a DDPM step added to the step's mean.

        Use it with 50 DDPM steps, inside `window(…, above=mgd_helpers.guidance.released.WINDOW)`.
        """
        if name != "mgd3":
            raise ValueError(f"name must be 'mgd3'; got {name!r}.")
        return cls(targets, strength=posterior(0.1))

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        targets = targets_for(self.targets, denoised, self._copies)
        return denoised + value_at(self.strength, level) * (targets - denoised)


@dataclass(frozen=True, eq=False)
class ManifoldPull:
    """ManifoldGD: the pull to the target, less its part normal to the latent manifold.

    denoised + strength * (g - softness * P_N g). `softness=1` is Eq. 4 of the paper, `softness=0` is `ModePull`.

    The tangent space is by default that at the clean prediction, local PCA of rank `rank` on the `n_neighbors` nearest
    points of `cloud` (see `local_tangent`, also for `"auto"`), which is [M, ...] for all images, or [K, M, ...] with
    one cloud per target. With one cloud for many classes, `groups` (labels of the targets [K], labels of the points
    [M]) keeps neighbours within a class.

    Or give `tangent`, a function `(denoised, level) -> TangentSpace`, in place of a cloud: one of
    `mgd_helpers.guidance.tangent_at`, or one of your own, by `local_tangent` or `TangentSpace.from_basis`.

    Strength, neighbours and rank are by default among the best on held-back images of three data sets: no other that
    was tried was ahead by more than a tenth of a point (`python -m studies choose`).
    """

    targets: Float[Tensor, "k ..."]
    cloud: Float[Tensor, "*shape"] | None = None
    strength: Strength = 1.0
    softness: float = 1.0
    n_neighbors: int | str = tangent_at.N_NEIGHBORS
    rank: int | float | str = tangent_at.RANK
    groups: tuple[Int[Tensor, " k"], Int[Tensor, " m"]] | None = None
    tangent: tangent_at.Tangent | None = None
    _tangent: tangent_at.Tangent = field(init=False, repr=False)
    _copies: dict[tuple, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_targets(self.targets)
        check_strength(self.strength)
        arguments.number("softness", self.softness, at_least=0, at_most=1)
        if (self.cloud is None) == (self.tangent is None):
            got = "neither" if self.cloud is None else "both"
            raise ValueError(
                f"cloud or tangent must be given, exactly one of them; got {got}. Pass cloud=latents, of one class."
            )
        if self.cloud is None:
            object.__setattr__(self, "_tangent", arguments.function("tangent", self.tangent))
            return
        shared, own = self.cloud.shape[1:] == self.targets.shape[1:], self.cloud.shape[2:] == self.targets.shape[1:]
        if not (shared or (own and len(self.cloud) == len(self.targets))):
            raise ValueError(
                f"cloud must be [M, *latent] or [K, M, *latent] for targets {list(self.targets.shape)}; "
                f"got {list(self.cloud.shape)}."
            )
        check_neighborhood(self.cloud.shape[0 if shared else 1], self.n_neighbors, self.rank)
        if self.groups is not None and (len(self.groups[0]), len(self.groups[1])) != (
            len(self.targets),
            len(self.cloud),
        ):
            raise ValueError(
                f"groups must label the {len(self.targets)} targets and the {len(self.cloud)} points of one cloud; got "
                f"{len(self.groups[0])} and {len(self.groups[1])} labels."
            )
        at = tangent_at.denoised(self.cloud, n_neighbors=self.n_neighbors, rank=self.rank, groups=self.groups)
        object.__setattr__(self, "_tangent", at)

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        pull = targets_for(self.targets, denoised, self._copies) - denoised
        if self.softness > 0:
            pull = pull - self.softness * self._tangent(denoised, level).normal_part(pull)
        return denoised + value_at(self.strength, level) * pull


def check_answer(moved: object, denoised: Tensor) -> Tensor:
    """What a guidance answered, if it is a tensor like the one that it was given.

    Raises `ValueError` for any other answer.
    """
    if not isinstance(moved, Tensor):
        raise ValueError(f"guidance must answer with a tensor, the moved samples; got {type(moved).__name__}.")
    wanted, got = ((x.shape, x.dtype, x.device) for x in (denoised, moved))
    if wanted != got:
        raise ValueError(
            f"guidance must answer in the shape, dtype and device of what it is given, {list(wanted[0])}, {wanted[1]}, "
            f"{wanted[2]}; got {list(got[0])}, {got[1]}, {got[2]}."
        )
    return moved


def check_targets(targets: Tensor, name: str = "targets") -> None:
    """Check that `targets` are `[K, *latent]` and finite.

    Raises `ValueError` where they are not.
    """
    if not isinstance(targets, Tensor):
        raise ValueError(f"{name} must be a tensor [K, *latent]; got {type(targets).__name__}.")
    if targets.ndim < 2 or len(targets) == 0:
        raise ValueError(f"{name} must be [K, *latent] with K at least 1; got {list(targets.shape)}.")
    if not torch.isfinite(targets).all():
        raise ValueError(f"{name} must be finite; got NaN or infinite values. Check the latents that they are made of.")


def targets_for(
    targets: Tensor, denoised: Tensor, copies: dict[tuple, Tensor], name: str = "targets", *, one_each: bool = True
) -> Tensor:
    """The targets in the dtype and on the device of `denoised`, kept in `copies`.

    Raises `ValueError` unless they are of the images' shape, and, with `one_each`, one per image.
    """
    if denoised.shape[1:] != targets.shape[1:]:
        raise ValueError(
            f"{name} must be {list(denoised.shape[1:])} each, as the pipeline denoises them; got "
            f"{list(targets.shape[1:])}. Encode them with this pipeline's own VAE."
        )
    if one_each and len(denoised) != len(targets):
        raise ValueError(
            f"{name} must be one per image; got {len(targets)} targets for {len(denoised)} images. Where each serves "
            "several images in a row, as with num_images_per_prompt=n, pass targets.repeat_interleave(n, 0)."
        )
    place = denoised.device, denoised.dtype
    if place not in copies:
        copies[place] = targets.to(denoised)
    return copies[place]
