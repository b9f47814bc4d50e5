"""The rule of the authors' released code, which is not the paper's Eq. 4; for comparison.

ẑ₀ + λ g - μ ω P_N(z_t - m) / ‖P_N(z_t - m)‖          g = target - denoised
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.guidance.clouds import diffuse, generators_for, sphere_points, timestep_key
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.guidance.pulls import check_targets, targets_for
from mgd_helpers.guidance.strengths import Strength, annealed, check_strength, mean, posterior, value_at
from mgd_helpers.tangent.local_pca import TangentSpaces, check_neighborhood

# Released settings: (radius, bandwidth); shared: strengths 0.1, 300 points, 12 neighbours, rank 3, and a radius that
# starts at its double. Guidance acts in the first 24 of 50 steps: those whose noise share exceeds WINDOW.
SETTINGS = {
    "imagenette": (0.05, 0.2),
    "imagewoof": (0.1, 0.2),
    "imagenet100": (0.1, 0.1),
    "imagenet1k": (0.1, 0.1),
}
WINDOW = 0.965


@dataclass(frozen=True, eq=False)
class ReleasedPull:
    """The rule of the authors' released code, which is not Eq. 4 of the paper.

    It is an unprojected mode pull, plus a pull of unit length along the normal of a cloud of random points around the
    target, diffused to the noise of the step:

    strength * g - normal_strength * tanh(s / bandwidth) * P_N(z_t - m) / ‖P_N(z_t - m)‖, with m the mean of the
    `n_neighbors` cloud points nearest to the noisy sample z_t and s its distance to the nearest of them. Constant
    strengths make the released DDIM update, `posterior` and `mean` of `mgd_helpers.guidance.strengths` the
    DDPM one. The `n_points` points are `sphere_points`, drawn anew at each step from `seed`, the timestep and the
    target's key (by default its position), so that images do not depend on the batch they are made in. `radius` may
    follow the level.

    Measured: in latent space the radius does nothing, since the diffused points differ by their noise alone.
    """

    targets: Float[Tensor, "k ..."]
    strength: Strength = 0.1
    normal_strength: Strength = 0.1
    radius: Strength = 0.1
    bandwidth: float = 0.1
    n_points: int = 300
    n_neighbors: int = 12
    rank: int = 3
    seed: int = 0
    keys: tuple[int, ...] | None = None
    _copies: dict[tuple, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_targets(self.targets)
        for name in ("strength", "normal_strength"):
            check_strength(getattr(self, name), name)
        generators_for(self.targets, self.keys, self.seed)
        check_neighborhood(self.n_points, self.n_neighbors, self.rank)
        if not callable(self.radius):
            arguments.number("radius", self.radius, above=0)
        arguments.number("bandwidth", self.bandwidth, above=0)

    @classmethod
    def preset(cls, name: str, targets: Float[Tensor, "k ..."], *, update: str = "ddpm") -> ReleasedPull:
        """The released settings of a data set, with the strengths of the released `"ddpm"` or `"ddim"` update.

        The data sets are `"imagenette"`, `"imagewoof"`, `"imagenet100"` and `"imagenet1k"`. Use a preset with 50 steps
        and classifier-free guidance 4.0 on three channels (`steer(…, cfg_channels=3)`), inside
        `window(…, above=WINDOW)`.

        Raises `ValueError` for other names.
        """
        if name not in SETTINGS:
            raise ValueError(f"name must be one of {', '.join(SETTINGS)}; got {name!r}.")
        if update not in ("ddpm", "ddim"):
            raise ValueError(f"update must be 'ddpm' or 'ddim'; got {update!r}.")
        radius, bandwidth = SETTINGS[name]
        strength, normal_strength = (posterior(0.1), mean(0.1)) if update == "ddpm" else (0.1, 0.1)
        return cls(targets, strength, normal_strength, annealed(radius), bandwidth)

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        targets = targets_for(self.targets, denoised, self._copies)
        sample = level.sample.float()
        cloud = self._diffused_cloud(targets.float(), level).flatten(2)
        space = TangentSpaces(cloud, n_neighbors=self.n_neighbors, rank=self.rank)(sample)
        normal = space.normal_part(sample - space.base_point.view_as(sample)).flatten(1)
        distance = (cloud - sample.flatten(1)[:, None]).norm(dim=-1).min(1).values
        length = torch.tanh(distance / self.bandwidth) / (normal.norm(dim=1) + 1e-8)
        pull = -(length[:, None] * normal).view_as(denoised)
        mode = value_at(self.strength, level) * (targets - denoised)
        return denoised + mode + value_at(self.normal_strength, level) * pull

    def _diffused_cloud(self, targets: Tensor, level: NoiseLevel) -> Float[Tensor, "k m ..."]:
        points = sphere_points(
            targets,
            radius=float(value_at(self.radius, level)),
            n_points=self.n_points,
            seed=self.seed,
            keys=self.keys,
            step=timestep_key(level),
        )
        return diffuse(points, level, per_target=True, seed=self.seed, keys=self.keys)
