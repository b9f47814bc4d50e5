"""The untrained networks of a profile, and the scheduler that goes with them: all stock classes of diffusers."""

from __future__ import annotations

from typing import Any

from mgd_helpers.encoding.callers import NULL_CLASS
from tools.training.profiles import Profile


def make_vae(profile: Profile, channels: int, size: int) -> Any:
    """Factor 4, no attention: small enough for two CPU cores."""
    from diffusers import AutoencoderKL

    blocks = len(profile.vae_channels)
    return AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        latent_channels=profile.latent_channels,
        sample_size=size,
        block_out_channels=profile.vae_channels,
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
        down_block_types=["DownEncoderBlock2D"] * blocks,
        up_block_types=["UpDecoderBlock2D"] * blocks,
    )


def make_dit(profile: Profile, latent_size: int) -> Any:
    """A DiT with 1000 class slots and a null class.

    Label dropout inside it is off: every block would drop on its own.
    """
    from diffusers import DiTTransformer2DModel

    dit = DiTTransformer2DModel(
        num_attention_heads=profile.heads,
        attention_head_dim=profile.head_dim,
        in_channels=profile.latent_channels,
        out_channels=profile.latent_channels,
        num_layers=profile.layers,
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
