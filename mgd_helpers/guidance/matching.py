"""Matching: the images of a class are moved, all of them, until random networks see the mean that real images have.

    J = ‖ mean_j φ(ẑ₀ⱼ) - mean_i φ(zᵢ) ‖²,    V ← V / 2 + ∇J / rms(∇J),    ẑ₀ ← ẑ₀ - (η / Q) V,    Q times

with a fresh random network φ and fresh real latents zᵢ at each step of the sampler: distribution matching (Zhao & Bilen
2023) along its path. No gradient ever goes through the denoiser.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.guidance.clouds import timestep_key, to_device_of
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.guidance.strengths import Strength, check_strength, value_at

MOMENTUM = 0.5
CONVOLUTIONS: tuple[Callable[..., Tensor], ...] = (F.conv1d, F.conv2d, F.conv3d)  # by the number of dimensions
POOLINGS: tuple[Callable[..., Tensor], ...] = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
Change = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, eq=False)
class MatchPull:
    """Pull the images of one class together, towards the mean features of its real latents `real` [M, ...].

    `rate` (η above) is a number or a function of the noise level: about how far one step moves an entry, in the units
    of the latents; 0 changes nothing. Each step takes `inner_steps` looks (Q above) through a new network of `depth`
    blocks (convolution of size 3 to `width` channels, instance norm, ReLU, mean pooling) and at up to `n_real` of the
    real latents: [C, h, w] each, or video [C, t, h, w], or Flux's tokens [n, packed]. With `fresh`, each look draws
    network and real latents of its own.

    All of it is drawn on the CPU from `seed`, the timestep and the look, never from the images: the pull depends on
    neither their order (but for rounding) nor on what else is denoised.

    To match images in place of latents, give real images and `decode`, a differentiable function from latents to
    images such as `functools.partial(mgd_helpers.encoding.latents.decoded, vae)`. `change(images, generator)` then
    changes generated and real images alike before they are looked at, by what it draws.

    Raises `ValueError` for real latents that are not finite, and for sizes below 1.
    """

    real: Float[Tensor, "m ..."]
    rate: Strength = 0.1
    inner_steps: int = 2
    n_real: int = 64
    width: int = 32
    depth: int = 2
    seed: int = 0
    fresh: bool = False
    decode: Callable[[Tensor], Tensor] | None = None
    change: Change | None = None
    _copies: dict[torch.device, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if arguments.tensor("real", self.real).ndim not in (3, 4, 5) or len(self.real) == 0:
            raise ValueError(f"real must be latents [M, C, h, w] with M at least 1; got {list(self.real.shape)}.")
        if not torch.isfinite(self.real).all():
            raise ValueError("real must be finite; got NaN or infinite values. Check the latents it is made of.")
        check_strength(self.rate, "rate")
        for name in ("inner_steps", "n_real", "width", "depth"):
            arguments.whole(name, getattr(self, name), at_least=1)
        arguments.whole("seed", self.seed, at_least=0)
        for name in ("decode", "change"):
            if getattr(self, name) is not None:
                arguments.function(name, getattr(self, name))
        sides = list(channels_first(self.real[:1]).shape[2:])
        if min(sides) < 2**self.depth:
            raise ValueError(
                f"depth must leave something to pool: sides of at least 2**depth = {2**self.depth}; got {sides}. Take "
                "fewer blocks."
            )

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        if self.decode is None and denoised.shape[1:] != self.real.shape[1:]:
            raise ValueError(
                f"real must be {list(denoised.shape[1:])} each, as the pipeline denoises them; got "
                f"{list(self.real.shape[1:])}. Encode them with this pipeline's own VAE."
            )
        rate, moved, velocity = value_at(self.rate, level), denoised, torch.zeros_like(denoised)
        drawn = self._drawn(denoised, level, 0)
        for look in range(self.inner_steps):
            if self.fresh and look > 0:
                drawn = self._drawn(denoised, level, look)
            velocity = MOMENTUM * velocity + unit(self._gradient(moved, *drawn))
            moved = moved - rate / self.inner_steps * velocity
        return moved

    def gradient(self, denoised: Tensor, level: NoiseLevel, look: int = 0) -> Tensor:
        """∇J at `denoised`, up to a positive factor, by what is drawn for this step, or for a look of this number."""
        return self._gradient(denoised, *self._drawn(denoised, level, look))

    def _drawn(
        self, denoised: Tensor, level: NoiseLevel, look: int
    ) -> tuple[list[Tensor], Float[Tensor, "*shape"], torch.Generator]:
        """A random network, what it sees in real latents, and the generator that changes of images draw from."""
        generator = seeding.generator(self.seed, timestep_key(level), look)
        real = self._draw(denoised.device, generator)
        weights = random_weights(channels_first(real), self.width, self.depth, generator=generator)
        with torch.no_grad():
            return weights, mean_features(self._changed(real, generator), weights), generator

    def _gradient(self, denoised: Tensor, weights: list[Tensor], goal: Tensor, generator: torch.Generator) -> Tensor:
        with torch.enable_grad():
            moved = denoised.detach().requires_grad_()
            images = moved if self.decode is None else self.decode(moved)
            leaf = images.detach().requires_grad_()
            energy = (mean_features(self._changed(leaf, generator), weights) - goal).square().sum()
            (gradient,) = torch.autograd.grad(energy, leaf)
            if self.decode is None:
                return gradient
            return torch.autograd.grad(images, moved, unit(gradient))[0]  # of length one: a half-precision VAE bears it

    def _draw(self, device: torch.device, generator: torch.Generator) -> Tensor:
        """Real latents for one look, in float32."""
        if device not in self._copies:
            self._copies[device] = self.real.to(device, torch.float32)
        real = self._copies[device]
        if len(real) <= self.n_real:
            return real
        rows = torch.randperm(len(real), generator=generator)[: self.n_real]
        return real[to_device_of(rows, real, dtype=torch.long)]

    def _changed(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """The images, changed by what a copy of the generator draws: the same for every call."""
        return images if self.change is None else self.change(images, generator.clone_state())


def channels_first(latents: Float[Tensor, "*shape"]) -> Float[Tensor, "*other"]:
    """Latents as convolutions take them: a sequence of tokens has its channels last."""
    return latents.mT if latents.ndim == 3 else latents


def random_weights(
    images: Float[Tensor, "b c *sides"], width: int, depth: int, *, generator: torch.Generator
) -> list[Tensor]:
    """The convolutions of a random network for such images: drawn on the CPU by He's rule, moved to their device."""
    size, weights = (3,) * (images.ndim - 2), []
    for before in [images.shape[1], *[width] * (depth - 1)]:
        drawn = torch.randn(width, before, *size, generator=generator) * (2 / (before * 3 ** len(size))) ** 0.5
        weights.append(to_device_of(drawn, images))
    return weights


def mean_features(images: Float[Tensor, "*shape"], weights: list[Tensor]) -> Float[Tensor, "*other"]:
    """The mean over images of what a random network sees: convolution, instance norm, ReLU and mean pooling, in blocks.

    The last pooling comes after the mean, which is the same, and cheaper.
    """
    images = channels_first(images)
    convolve, pool = CONVOLUTIONS[images.ndim - 3], POOLINGS[images.ndim - 3]
    for block, weight in enumerate(weights, start=1):
        images = F.group_norm(convolve(images, weight, padding=1), len(weight)).relu_()
        images = pool(images.mean(0, keepdim=True) if block == len(weights) else images, 2)
    return images


def unit(gradient: Tensor) -> Tensor:
    """A gradient of root mean square one; zero stays zero."""
    return gradient / gradient.square().mean().sqrt().clamp_min(1e-20)
