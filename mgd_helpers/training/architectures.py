"""The untrained networks of a pipeline, and the scheduler that goes with them: all stock classes of diffusers."""

from __future__ import annotations

from typing import Any

from mgd_helpers.encoding.callers import NULL_CLASS
from mgd_helpers.training.settings import Settings


def make_vae(settings: Settings, channels: int, size: int) -> Any:
    """An autoencoder without attention: small enough for two CPU cores.

    It halves the side of an image once less often than it has entries in `vae_channels`.
    """
    from diffusers import AutoencoderKL

    blocks = len(settings.vae_channels)
    return AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        latent_channels=settings.latent_channels,
        sample_size=size,
        block_out_channels=settings.vae_channels,
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
        down_block_types=["DownEncoderBlock2D"] * blocks,
        up_block_types=["UpDecoderBlock2D"] * blocks,
    )


def make_dit(settings: Settings, latent_size: int) -> Any:
    """A DiT with 1000 class slots and a null class.

    Label dropout inside it is off: every block would drop on its own.
    """
    from diffusers import DiTTransformer2DModel

    dit = DiTTransformer2DModel(
        num_attention_heads=settings.heads,
        attention_head_dim=settings.head_dim,
        in_channels=settings.latent_channels,
        out_channels=settings.latent_channels,
        num_layers=settings.layers,
        sample_size=latent_size,
        patch_size=2,
        num_embeds_ada_norm=NULL_CLASS,
    )
    for block in dit.transformer_blocks:
        block.norm1.emb.class_embedder.dropout_prob = 0.0
    return dit


def make_scheduler() -> Any:
    """DDIM from the full noise level down to exactly zero noise, without clamping latents."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=2e-2,
        beta_schedule="linear",
        clip_sample=False,
        timestep_spacing="trailing",
    )
