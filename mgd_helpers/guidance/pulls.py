"""Guidances: functions `(denoised, level) -> denoised`, as frozen dataclasses. None of them knows a scheduler.

mode       x̂₀ + λ g                                  g = target - denoised
manifold   x̂₀ + λ (g - β P_N g)                      β = 1: Eq. 4 of the paper, λ P_T g;  β = 0: mode
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    _copies: dict = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        check_targets(self.targets)
        check_strength(self.strength)

    @classmethod
    def preset(cls, name: str, targets: Float[Tensor, "k ..."]) -> ModePull:
        """`"mgd3"`: the baseline as published, 0.1 times the deviation of a DDPM step added to the step's mean.

        To be used with 50 DDPM steps, inside `window(…, above=mgd_helpers.released.WINDOW)`.
        """
        if name != "mgd3":
            raise ValueError(f"name must be 'mgd3'; got {name!r}.")
        return cls(targets, strength=posterior(0.1))

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        targets = for_images(self.targets, denoised, self._copies)
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

    Strength, neighbours and rank are by default those that won on held-back images of three data sets
    (`studies/tune.py`).
    """

    targets: Float[Tensor, "k ..."]
    cloud: Float[Tensor, ...] | None = None
    strength: Strength = 1.0
    softness: float = 1.0
    n_neighbors: int | str = 24
    rank: int | float | str = 8
    groups: tuple[Int[Tensor, " k"], Int[Tensor, " m"]] | None = None
    tangent: tangent_at.Tangent | None = None
    _tangent: tangent_at.Tangent | None = field(default=None, init=False, repr=False)
    _copies: dict = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        check_targets(self.targets)
        check_strength(self.strength)
        arguments.number("softness", self.softness, at_least=0, at_most=1)
        if (self.cloud is None) == (self.tangent is None):
            raise ValueError("cloud or tangent must be given, and not both: a tangent brings the points it needs.")
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
        options = {"n_neighbors": self.n_neighbors, "rank": self.rank, "groups": self.groups}
        object.__setattr__(self, "_tangent", tangent_at.denoised(self.cloud, **options))

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        pull = for_images(self.targets, denoised, self._copies) - denoised
        if self.softness > 0:
            pull = pull - self.softness * self._tangent(denoised, level).normal_part(pull)
        return denoised + value_at(self.strength, level) * pull


@dataclass(frozen=True, eq=False)
class Window:
    """A guidance that acts only while the noise share lies in (above, below]; see `window`."""

    guidance: Guidance
    above: float
    below: float

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        return self.guidance(denoised, level) if self.opens(level.share) else denoised

    def opens(self, share: float) -> bool:
        """Whether the guidance acts at this noise share."""
        return self.above < share <= self.below + 1e-6 and acts(self.guidance, share)


def window(guidance: Guidance, *, above: float = 0.0, below: float = 1.0) -> Guidance:
    """`guidance` only while the noise share lies in (above, below]; elsewhere the step stays as it is.

    The noise share, not the step number, is what schedulers have in common.
    """
    for name, value in (("above", above), ("below", below)):
        arguments.number(name, value)
    if not 0 <= above < below <= 1:
        raise ValueError(f"above and below must satisfy 0 <= above < below <= 1; got above={above}, below={below}.")
    return Window(guidance, above, below)


def acts(guidance, share: float) -> bool:
    """Whether a guidance moves anything at a noise share, as far as it says; those that say nothing do."""
    return guidance is not None and getattr(guidance, "opens", lambda share: True)(share)


class PerClass:
    """One guidance per class, each of which sees the images of its own class alone, all of them at every step.

    `classes` names the class of every image, in the order of the images; classes without a guidance stay as they are.
    """

    def __init__(self, guidances: Mapping[object, Guidance | None], classes: Sequence):
        self._parts = []
        for one in dict.fromkeys(classes):
            rows = [row for row, other in enumerate(classes) if other == one]
            if guidances.get(one) is not None:
                self._parts.append((guidances[one], torch.tensor(rows)))
        self.count, self._rows = len(classes), {}

    def opens(self, share: float) -> bool:
        """Whether any of the guidances acts at this noise share."""
        return any(acts(guidance, share) for guidance, _ in self._parts)

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        if len(denoised) != self.count:
            raise ValueError(f"images must be the {self.count} that the guidances were given for; got {len(denoised)}.")
        if denoised.device not in self._rows:
            self._rows[denoised.device] = [rows.to(denoised.device) for _, rows in self._parts]
        moved = denoised
        for (guidance, _), rows in zip(self._parts, self._rows[denoised.device], strict=True):
            if not acts(guidance, level.share):
                continue
            moved = moved.clone() if moved is denoised else moved
            variance = level.variance if level.variance is None else level.variance[rows]
            part = denoised[rows]
            moved[rows] = checked(guidance(part, replace(level, sample=level.sample[rows], variance=variance)), part)
        return moved


def checked(moved, denoised: Tensor) -> Tensor:
    """What a guidance answered, or the `ValueError` that says what it should have."""
    if not isinstance(moved, Tensor):
        raise ValueError(f"guidance must answer with a tensor, the moved samples; got {type(moved).__name__}.")
    wanted, got = ((x.shape, x.dtype, x.device) for x in (denoised, moved))
    if wanted != got:
        raise ValueError(
            f"guidance must answer in the shape, dtype and device of what it is given, {list(wanted[0])}, {wanted[1]}, "
            f"{wanted[2]}; got {list(got[0])}, {got[1]}, {got[2]}."
        )
    return moved


def check_targets(targets: Tensor) -> None:
    """Raise `ValueError` unless `targets` are `[K, *latent]` and finite."""
    if not isinstance(targets, Tensor):
        raise ValueError(f"targets must be a tensor [K, *latent]; got {type(targets).__name__}.")
    if targets.ndim < 2 or len(targets) == 0:
        raise ValueError(f"targets must be [K, *latent] with K at least 1; got {list(targets.shape)}.")
    if not torch.isfinite(targets).all():
        raise ValueError("targets must be finite; got NaN or infinite values. Check the latents they were made from.")


def for_images(targets: Tensor, denoised: Tensor, copies: dict) -> Tensor:
    """The targets in the dtype and on the device of `denoised`, kept in `copies`; one per image, or `ValueError`."""
    if denoised.shape[1:] != targets.shape[1:]:
        raise ValueError(
            f"targets are {list(targets.shape[1:])} each, but the pipeline denoises {list(denoised.shape[1:])}; "
            "encode them with this pipeline's own VAE."
        )
    if len(denoised) != len(targets):
        raise ValueError(
            f"targets must be one per image; got {len(targets)} targets for {len(denoised)} images. Where each serves "
            "several images in a row, as with num_images_per_prompt=n, pass targets.repeat_interleave(n, 0)."
        )
    place = denoised.device, denoised.dtype
    if place not in copies:
        copies[place] = targets.to(denoised)
    return copies[place]
