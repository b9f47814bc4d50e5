"""Small worlds where everything is known: point clouds with their exact denoiser, and random tiny pipelines.

For a cloud of points p_i, all equally likely, the best prediction of the clean sample is their weighted mean with
weights softmax(-‖z_t - signal p_i‖² / (2 noise²)): no training, no error.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.guidance.noise import LevelTable, output_slope, prediction_type, to_denoised
from mgd_helpers.linalg import squared_distances


def spiral(n_points: int, *, noise: float = 0.0, seed: int = 0) -> Float[Tensor, "n 2"]:
    """Points on a spiral of about one turn in the plane, evenly spaced in angle, at most 2 from the origin."""
    angle = torch.linspace(0.25, 1.0, n_points) * 3 * torch.pi
    points = angle[:, None] / (1.5 * torch.pi) * torch.stack([angle.cos(), angle.sin()], 1)
    generator = torch.Generator().manual_seed(seed)
    return points + noise * torch.randn(points.shape, generator=generator)


class PointCloudPipeline:
    """A pipeline in miniature: the exact denoiser of a cloud of points [N, ...] under any scheduler that `steer` takes.

    Call it like a diffusers pipeline; `.images` are the samples, `.trajectory` all samples from noise on.
    """

    def __init__(self, points: Float[Tensor, "n ..."], scheduler: Any):
        self.points, self.scheduler = points, scheduler

    def denoise(self, sample: Tensor, *, signal: float | Tensor, noise: float | Tensor) -> Tensor:
        """E[z_0 | z_t]: the mean of the points, weighted by how likely each is to have become `sample`."""
        squares = squared_distances(sample.flatten(1), signal * self.points.flatten(1))
        weights = torch.softmax(-squares / (2 * noise**2), dim=1)
        return (weights @ self.points.flatten(1)).view_as(sample)

    def __call__(
        self, n_images: int, num_inference_steps: int = 50, *, generator: torch.Generator | None = None
    ) -> SimpleNamespace:
        self.scheduler.set_timesteps(num_inference_steps)
        scale = float(getattr(self.scheduler, "init_noise_sigma", 1.0))
        sample = scale * torch.randn(n_images, *self.points.shape[1:], generator=generator)
        trajectory, prediction, table = [sample], prediction_type(self.scheduler), LevelTable(self.scheduler)
        for timestep in self.scheduler.timesteps:
            if hasattr(self.scheduler, "scale_model_input"):
                # some schedulers insist on it; our denoiser takes samples as they are
                self.scheduler.scale_model_input(sample, timestep)
            level, _ = table.at(timestep, sample)
            denoised = self.denoise(sample, signal=level.signal, noise=level.noise)
            rest = denoised - to_denoised(torch.zeros_like(sample), level, prediction)  # what the output has to add
            sample = self.scheduler.step(output_slope(level, prediction) * rest, timestep, sample).prev_sample
            trajectory.append(sample)
        return SimpleNamespace(images=sample, trajectory=torch.stack(trajectory))


def tiny_pipeline(scheduler: Any = None, *, image_size: int = 16, out_channels: int = 4, seed: int = 0) -> Any:
    """A stock DiTPipeline with a few thousand random weights: it runs in a moment, and its images mean nothing.

    Its latents have four channels; with `out_channels=8` it predicts a variance as well.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, DiTPipeline, DiTTransformer2DModel

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would change the state of GPUs, too
        vae = AutoencoderKL(
            in_channels=1,
            out_channels=1,
            latent_channels=4,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            layers_per_block=1,
            down_block_types=["DownEncoderBlock2D"] * 2,
            up_block_types=["UpDecoderBlock2D"] * 2,
            sample_size=image_size,
        )
        transformer = DiTTransformer2DModel(
            num_attention_heads=2,
            attention_head_dim=4,
            in_channels=4,
            out_channels=out_channels,
            num_layers=1,
            sample_size=image_size // 2,
            patch_size=2,
            num_embeds_ada_norm=1000,
        )
        # a fresh DiT predicts almost nothing: give its last layer weights to be felt
        torch.nn.init.normal_(transformer.proj_out_2.weight, std=0.3)
    scheduler = scheduler or DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    labels = {0: "zero", 1: "one"}
    pipe = DiTPipeline(transformer.eval(), vae.eval(), scheduler, id2label=labels)
    pipe.register_to_config(id2label=labels)  # or save_pretrained forgets them
    pipe.set_progress_bar_config(disable=True)
    return pipe
