"""The two trainings that make a pipeline: an autoencoder of images, then a denoiser of its latents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

import mgd_helpers as mgd
from mgd_helpers.encoding.callers import NULL_CLASS
from tools.training.networks import make_dit, make_vae
from tools.training.profiles import Profile
from tools.training.resumable import train


def train_vae(
    profile: Profile, images: torch.Tensor, work: Path, log: Callable[[str], None]
) -> tuple[torch.nn.Module, float]:
    """Train the autoencoder on images [N, C, H, W]; returns it, with white latents, and the seconds.

    Loss: mean squared and absolute error per pixel, and a light pull of the posterior to the unit normal.
    """
    device = images.device

    def loss_of(vae: Any, generator: torch.Generator) -> torch.Tensor:
        rows = torch.randint(len(images), (profile.vae_batch,), generator=generator, device=device)
        batch = images[rows]
        posterior = vae.encode(batch).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator, device=device)
        decoded = vae.decode(posterior.mean + posterior.std * noise).sample
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        return F.mse_loss(decoded, batch) + 0.1 * F.l1_loss(decoded, batch) + profile.kl_weight * kl

    torch.manual_seed(profile.seed)
    vae = make_vae(profile, images.shape[1], images.shape[-1]).to(device)
    vae, seconds = train(
        "vae",
        vae,
        loss_of,
        steps=profile.vae_steps,
        learning_rate=2 * profile.learning_rate,
        ema_decay=0.99,
        seed=profile.seed,
        work=work,
        log=log,
    )
    whiten_channels(vae, images)
    return vae, seconds


@torch.no_grad()
def whiten_channels(vae: Any, images: torch.Tensor) -> None:
    """Give every latent channel zero mean and unit variance, exactly, by the 1x1 convolutions around the latent.

    A stock DiTPipeline knows one scaling factor and no shift; the rest must live in the weights.
    """
    vae.register_to_config(scaling_factor=1.0)
    latents = mgd.encode(vae, images)
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    scale = std.mean() / std
    n = len(mean)
    vae.quant_conv.weight[:n] *= scale.view(-1, 1, 1, 1)
    vae.quant_conv.bias[:n] = (vae.quant_conv.bias[:n] - mean) * scale
    vae.quant_conv.bias[n:] += 2 * scale.log()  # the posterior's log variance
    vae.post_quant_conv.bias += vae.post_quant_conv.weight[:, :, 0, 0] @ mean
    vae.post_quant_conv.weight /= scale.view(1, -1, 1, 1)
    vae.register_to_config(scaling_factor=1 / std.mean().item())


def train_dit(
    profile: Profile,
    latents: torch.Tensor,
    labels: torch.Tensor,
    scheduler: Any,
    work: Path,
    log: Callable[[str], None],
) -> tuple[torch.nn.Module, float]:
    """Train the denoiser on latents [N, C, h, w] and their labels [N]; returns it and the seconds.

    It predicts the noise. In one batch row in ten the class is hidden, so that classifier-free guidance works.
    """
    device = latents.device
    signal, noise = scheduler.alphas_cumprod.to(device).sqrt(), (1 - scheduler.alphas_cumprod.to(device)).sqrt()

    def loss_of(dit: Any, generator: torch.Generator) -> torch.Tensor:
        rows = torch.randint(len(latents), (profile.dit_batch,), generator=generator, device=device)
        # one timestep per stratum: every noise level is in every batch
        strata = torch.arange(profile.dit_batch, device=device)
        uniform = torch.rand(profile.dit_batch, generator=generator, device=device)
        timesteps = ((strata + uniform) / profile.dit_batch * len(signal)).long()
        epsilon = torch.randn(latents[rows].shape, generator=generator, device=device)
        hide = torch.rand(profile.dit_batch, generator=generator, device=device) < profile.label_drop
        classes = torch.where(hide, NULL_CLASS, labels[rows])
        column = (-1, 1, 1, 1)
        noisy = signal[timesteps].view(column) * latents[rows] + noise[timesteps].view(column) * epsilon
        return F.mse_loss(dit(noisy, timestep=timesteps, class_labels=classes).sample, epsilon)

    torch.manual_seed(profile.seed + 1)
    dit = make_dit(profile, latents.shape[-1]).to(device)
    return train(
        "dit",
        dit,
        loss_of,
        steps=profile.dit_steps,
        learning_rate=profile.learning_rate,
        ema_decay=profile.ema_decay,
        seed=profile.seed + 1,
        work=work,
        log=log,
    )
