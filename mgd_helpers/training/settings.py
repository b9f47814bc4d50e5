"""What a pipeline is trained with: sizes, steps and learning rates; those of the shipped pipelines by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mgd_helpers.data.image_sets import Dataset


@dataclass(frozen=True)
class Settings:
    """All that a pipeline is trained with, beside its data. `dataclasses.replace` makes others of them."""

    vae_channels: tuple[int, ...]
    vae_steps: int
    vae_batch: int
    kl_weight: float  # per latent dimension, beside the mean squared error per pixel
    layers: int
    heads: int
    head_dim: int
    dit_steps: int
    dit_batch: int
    learning_rate: float = 1e-3
    latent_channels: int = 4
    label_drop: float = 0.1
    ema_decay: float = 0.999
    seed: int = 0
    stored_as: str = "float16"  # the shipped weights; training runs in float32
    guidance_scale: float = 1.5  # classifier-free guidance, and DDIM steps, used for the figures of the card
    sampling_steps: int = 50


SETTINGS = {
    "digits": Settings(
        vae_channels=(16, 32, 32),
        vae_steps=900,
        vae_batch=64,
        kl_weight=2e-5,
        layers=4,
        heads=4,
        head_dim=32,
        dit_steps=8000,
        dit_batch=128,
        stored_as="float32",
    ),
    "fashion_mnist": Settings(
        vae_channels=(16, 32, 64),
        vae_steps=2400,
        vae_batch=32,
        kl_weight=2e-5,
        layers=5,
        heads=4,
        head_dim=40,
        dit_steps=9000,
        dit_batch=64,
    ),
    "cifar10": Settings(
        vae_channels=(16, 32, 64),
        vae_steps=2400,
        vae_batch=32,
        kl_weight=2e-5,
        latent_channels=8,
        layers=6,
        heads=4,
        head_dim=48,
        dit_steps=7000,
        dit_batch=64,
        learning_rate=8e-4,
        guidance_scale=2.0,
    ),
}

FEW = 10_000  # images


def settings_for(data: Dataset) -> Settings:
    """Settings by what the training images are, whatever they are called: those of the shipped pipeline most alike.

    Colored images get those of CIFAR-10; gray ones those of Fashion-MNIST, or of the digits where they are few.

    >>> from mgd_helpers.data import load_data
    >>> settings_for(load_data("digits")).dit_steps
    8000
    """
    if data.train.shape[1] > 1:
        return SETTINGS["cifar10"]
    return SETTINGS["digits" if len(data.train) < FEW else "fashion_mnist"]


def small_settings(settings: Settings) -> Settings:
    """The same with smaller networks, for a machine or a time that cannot train those asked for."""
    return replace(
        settings,
        vae_channels=tuple(max(8, width // 2) for width in settings.vae_channels),
        vae_batch=min(32, settings.vae_batch),
        layers=max(1, settings.layers - 2),
        head_dim=max(8, settings.head_dim // 16 * 8),
        dit_batch=min(64, settings.dit_batch),
    )


def fit_to_side(settings: Settings, side: int) -> Settings:
    """The same for images of this side: the autoencoder halves them until latents are at most 16 wide.

    >>> fit_to_side(SETTINGS["digits"], 128).vae_channels
    (16, 32, 32, 32)
    """
    widths = settings.vae_channels
    while side // 2 ** (len(widths) - 1) > 16:
        widths = (*widths, widths[-1])
    return replace(settings, vae_channels=widths)
