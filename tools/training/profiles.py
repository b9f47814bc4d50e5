"""What each data set's pipeline is made with: sizes, steps and learning rates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """All that one data set's pipeline is made with."""

    data: str
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


PROFILES = {
    "digits": Profile(
        data="digits",
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
    "fashion_mnist": Profile(
        data="fashion_mnist",
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
    "cifar10": Profile(
        data="cifar10",
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
