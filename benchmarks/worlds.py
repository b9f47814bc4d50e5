"""The two pipelines that are timed: the bundled one with its data, and the shape of DiT-XL/2-256 among noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import torch

from mgd_helpers import Targets, bisect, encode, load_data, load_pipeline, pick_targets, sample, seeding

LABEL = 3


@dataclass(frozen=True, eq=False)
class World:
    """A pipeline, and what guides it: the latents of one class and a target for each image."""

    name: str
    pipe: Any
    cloud: torch.Tensor
    targets: Targets
    guidance_scale: float

    def guidance(self, factory: Callable, *, seed: int, images: int | None = None) -> Any:
        """What a named guidance makes for the first `images` of the targets."""
        rows = slice(images)
        kept = replace(self.targets, latents=self.targets.latents[rows], nodes=self.targets.nodes[rows], members=())
        return factory(kept, self.cloud, seed)

    def sample(self, guidance: Any, *, images: int, seed: int, **options: Any) -> torch.Tensor:
        """`mgd.sample`, all images of one class."""
        given = {"guidance_scale": self.guidance_scale, "batch_size": images} | options
        return sample(self.pipe, [LABEL] * images, guidance=guidance, seed=seed, **given)


def digits(device: str, *, images: int, seed: int, dtype: torch.dtype = torch.float32) -> World:
    """The shipped pipeline; latents and targets are always those of its VAE in float32, on the CPU.

    The data come with scikit-learn; where that is missing, random latents stand in.
    """
    pipe = load_pipeline("digits", device=device, dtype=dtype)
    pipe.set_progress_bar_config(disable=True)
    if find_spec("sklearn") is None:
        return replace(among_noise(pipe, images=images, seed=seed, points=150), name="digits", guidance_scale=1.5)
    cloud = encode(load_pipeline("digits", device="cpu").vae, load_data("digits").train.of_class(LABEL))
    targets = pick_targets(bisect(cloud, n_leaves=images, seed=seed), images_per_class=images)
    return World("digits", pipe, cloud.to(device), replace(targets, latents=targets.latents.to(device)), 1.5)


def among_noise(pipe: Any, *, images: int, seed: int, points: int) -> World:
    """A pipeline with random weights among random latents: its images are noise, its times real."""
    config, generator = pipe.transformer.config, seeding.generator(seed)
    shape = (config.in_channels, config.sample_size, config.sample_size)
    cloud = torch.randn(points, *shape, generator=generator).to(pipe.device)
    latents = torch.randn(images, *shape, generator=generator).to(pipe.device)
    return World("DiT-XL/2-256", pipe, cloud, Targets(latents, tuple(range(images)), ()), 4.0)
