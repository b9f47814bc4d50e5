"""What the two networks of a pipeline are trained to make small, and how classes are hidden from the second.

autoencoder: squared error + absolute error / 10 + kl_weight * KL;  denoiser: squared error of the predicted noise
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.encoding.callers import NULL_CLASS


def autoencoder_loss(
    vae: Any, images: Float[Tensor, "b c h w"], noise: Float[Tensor, "b lc lh lw"], kl_weight: float
) -> Float[Tensor, ""]:
    """The loss of an `AutoencoderKL` on images in [-1, 1], with unit normal noise of the shape of their latents.

    The latent that is decoded is mean + standard deviation * noise. The divergence from the unit normal distribution is
    a mean over images and latent dimensions, so that its weight means the same at every size.
    """
    posterior = vae.encode(images).latent_dist
    decoded = vae.decode(posterior.mean + posterior.std * noise).sample
    kl = posterior.kl().mean() / posterior.mean[0].numel()
    return F.mse_loss(decoded, images) + 0.1 * F.l1_loss(decoded, images) + kl_weight * kl


def noise_loss(
    dit: Any,
    latents: Float[Tensor, "b c h w"],
    labels: Int[Tensor, " b"],
    timesteps: Int[Tensor, " b"],
    noise: Float[Tensor, "b c h w"],
    alphas: Float[Tensor, " levels"],
) -> Float[Tensor, ""]:
    """The mean squared error of the noise that a class-conditional transformer finds in noisy latents.

    `alphas` are the squared signals of the noise levels, `scheduler.alphas_cumprod`; `timesteps` number them.
    """
    level = alphas[timesteps].view(-1, 1, 1, 1)
    noisy = level.sqrt() * latents + (1 - level).sqrt() * noise
    return F.mse_loss(dit(noisy, timestep=timesteps, class_labels=labels).sample, noise)


def hide(labels: Int[Tensor, " b"], draws: Float[Tensor, " b"], share: float) -> Int[Tensor, " b"]:
    """Labels in which a `share` gives way to the null class: those whose uniform draw from [0, 1) lies below it.

    >>> hide(torch.tensor([3, 7]), torch.tensor([0.05, 0.6]), 0.1).tolist()
    [1000, 7]
    """
    return torch.where(draws < share, NULL_CLASS, labels)
