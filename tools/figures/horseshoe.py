"""The toy world of the figures: points on a horseshoe, and guidance of their exact denoiser.

The horseshoe is the outer half of the labs' spiral.
"""

from __future__ import annotations

import torch

import mgd_helpers as mgd
from mgd_helpers.guidance.toys import PointCloudPipeline, spiral


def horseshoe(n_points: int, *, noise: float, seed: int) -> torch.Tensor:
    """Points [n, 2] along a bend, from the lower right over the top to the left, each off by some noise."""
    return spiral(2 * n_points, noise=noise, seed=seed)[n_points:]


def denoise(points: torch.Tensor, guidance: mgd.Guidance | None, *, n_samples: int, seed: int) -> torch.Tensor:
    """Denoise samples under a guidance by fifty steps of DDIM, with the exact denoiser of points [n, 2].

    Returns their paths, [51, n_samples, 2].
    """
    from diffusers import DDIMScheduler

    pipe = PointCloudPipeline(points, DDIMScheduler(clip_sample=False, timestep_spacing="trailing"))
    with mgd.steer(pipe, guidance):
        return pipe(n_samples, 50, generator=torch.Generator().manual_seed(seed)).trajectory
