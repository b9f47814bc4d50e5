"""The two trainings that make a pipeline: an autoencoder of images, then a denoiser of its latents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.image_sets import ImageSet, at
from mgd_helpers.encoding.latents import encode
from mgd_helpers.threads import mean_weights
from mgd_helpers.training.architectures import make_dit, make_vae
from mgd_helpers.training.crew import ALONE, Crew
from mgd_helpers.training.losses import autoencoder_loss, hide, noise_loss
from mgd_helpers.training.resumable import Watch, run
from mgd_helpers.training.settings import Settings

LossOf = Callable[[Any, torch.Generator], Tensor]


def train_vae(
    images: Float[Tensor, "n c h w"] | ImageSet,
    settings: Settings,
    *,
    work: str | Path,
    loss: Callable[..., Tensor] = autoencoder_loss,
    watch: Watch | None = None,
    crew: Crew = ALONE,
) -> tuple[Any, float]:
    """Train the autoencoder on images in [-1, 1], on their device; returns it, with white latents, and the seconds.

    Checkpoint and log lie in the folder `work`, and a second call resumes. `loss` and `watch` are as in `losses` and
    `resumable.run`.

    Raises `ValueError` for images that are not square, or of a side that latents and patches do not divide.
    """
    side = check_side(images, settings)
    vae = seeded(settings.seed, lambda: make_vae(settings, images.shape[1], side)).to(images.device)
    vae, seconds = run(
        "vae",
        vae,
        vae_loss_of(images, settings, loss=loss, crew=crew),
        steps=settings.vae_steps,
        learning_rate=2 * settings.learning_rate,
        ema_decay=min(0.99, settings.ema_decay),
        seed=settings.seed,
        work=_made(work),
        watch=watch,
        crew=crew,
        multiply_adds=vae_work(vae, settings, side),
    )
    whiten_channels(vae, images)
    return vae, seconds


def check_side(images: Float[Tensor, "n c h w"] | ImageSet, settings: Settings) -> int:
    """The side of square images that latents and patches divide; for others the `ValueError` that says which do."""
    height, width = images.shape[2:]
    least = 2 ** len(settings.vae_channels)
    if height != width or height % least:
        fits = least * max(1, round(min(height, width) / least))
        raise ValueError(
            f"images must be square, with a side that is a multiple of {least}; got {height}x{width}. Load them at "
            f"such a size: load_data(…, image_size={fits}), or train(…, size={fits})."
        )
    return height


def vae_loss_of(
    images: Float[Tensor, "n c h w"] | ImageSet,
    settings: Settings,
    *,
    loss: Callable[..., Tensor] = autoencoder_loss,
    crew: Crew = ALONE,
) -> LossOf:
    """What one step of the autoencoder makes small, on a batch that it draws."""
    batch, mine, factor = settings.vae_batch, crew.rows(settings.vae_batch), 2 ** (len(settings.vae_channels) - 1)
    latent = (batch, settings.latent_channels, images.shape[2] // factor, images.shape[3] // factor)

    def loss_of(vae: Any, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(images), (batch,), generator=generator, device=images.device)
        noise = torch.randn(latent, generator=generator, device=images.device)
        return crew.weight(batch) * loss(vae, at(images, rows[mine]), noise[mine], settings.kl_weight)

    return loss_of


@torch.no_grad()
def whiten_channels(vae: Any, images: Float[Tensor, "n c h w"] | ImageSet) -> None:
    """Give every latent channel zero mean and unit variance, exactly, by the 1x1 convolutions around the latent.

    A stock DiTPipeline knows one scaling factor and no shift; the rest must live in the weights.
    """
    vae.register_to_config(scaling_factor=1.0)
    latents = encode(vae, images)
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
    latents: Float[Tensor, "n c h w"],
    labels: Int[Tensor, " n"],
    settings: Settings,
    *,
    alphas: Float[Tensor, " levels"],
    work: str | Path,
    loss: Callable[..., Tensor] = noise_loss,
    hide: Callable[..., Tensor] = hide,
    watch: Watch | None = None,
    crew: Crew = ALONE,
) -> tuple[Any, float]:
    """Train the denoiser on latents and the labels 0 to 999 of their classes; returns it and the seconds.

    It predicts the noise. `alphas` are the `alphas_cumprod` of its scheduler. In a share of the rows, `label_drop`, the
    class is hidden, so that classifier-free guidance works. `work`, `loss`, `hide` and `watch` are as for `train_vae`.
    """
    dit = seeded(settings.seed + 1, lambda: make_dit(settings, latents.shape[-1])).to(latents.device)
    return run(
        "dit",
        dit,
        dit_loss_of(latents, labels, settings, alphas=alphas, loss=loss, hide=hide, crew=crew),
        steps=settings.dit_steps,
        learning_rate=settings.learning_rate,
        ema_decay=settings.ema_decay,
        seed=settings.seed + 1,
        work=_made(work),
        watch=watch,
        crew=crew,
        multiply_adds=dit_work(dit, settings, latents.shape[-1]),
    )


def dit_loss_of(
    latents: Float[Tensor, "n c h w"],
    labels: Int[Tensor, " n"],
    settings: Settings,
    *,
    alphas: Float[Tensor, " levels"],
    loss: Callable[..., Tensor] = noise_loss,
    hide: Callable[..., Tensor] = hide,
    crew: Crew = ALONE,
) -> LossOf:
    """What one step of the denoiser makes small, on a batch that it draws."""
    device, batch, mine = latents.device, settings.dit_batch, crew.rows(settings.dit_batch)
    alphas = alphas.to(device)

    def loss_of(dit: Any, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(latents), (batch,), generator=generator, device=device)
        # one timestep per stratum: every noise level is in every batch
        uniform = torch.rand(batch, generator=generator, device=device)
        timesteps = ((torch.arange(batch, device=device) + uniform) / batch * len(alphas)).long()
        clean = latents[rows]
        noise = torch.randn(clean.shape, generator=generator, device=device)
        classes = hide(labels[rows], torch.rand(batch, generator=generator, device=device), settings.label_drop)
        return crew.weight(batch) * loss(dit, clean[mine], classes[mine], timesteps[mine], noise[mine], alphas)

    return loss_of


def vae_work(vae: Any, settings: Settings, side: int) -> float:
    """Multiply-adds of a layer of the autoencoder, on average, on a batch: its sides halve at each level but one."""
    return settings.vae_batch * side**2 / 2 ** (len(settings.vae_channels) - 1) * mean_weights(vae)


def dit_work(dit: Any, settings: Settings, side: int) -> float:
    """The same of the denoiser, whose tokens are patches of latents."""
    return settings.dit_batch * (side / dit.config.patch_size) ** 2 * mean_weights(dit)


def seeded(seed: int, make: Callable[[], Any]) -> Any:
    """A network with the first weights of a seed; random numbers outside go on as if nothing had happened."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _made(work: str | Path) -> Path:
    Path(work).mkdir(parents=True, exist_ok=True)
    return Path(work)
