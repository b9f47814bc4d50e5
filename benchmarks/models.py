"""The shape of DiT-XL/2-256 with random weights: times depend on shapes, not on values.

In diffusers it has 750 million parameters, not 675: each of the 28 blocks embeds time and label anew.
"""

from __future__ import annotations

from typing import Any

import torch

DIT_XL_2_256 = {
    "num_attention_heads": 16,
    "attention_head_dim": 72,
    "in_channels": 4,
    "out_channels": 8,
    "num_layers": 28,
    "sample_size": 32,
    "patch_size": 2,
    "num_embeds_ada_norm": 1000,
}
QUICK = DIT_XL_2_256 | {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 1, "sample_size": 8}


def denoiser(device: str, *, quick: bool = False, dtype: torch.dtype | None = None) -> Any:
    """The transformer, by default in `working_dtype`; `quick` is a tiny one of the same build."""
    from diffusers import DiTTransformer2DModel

    with torch.device(device):
        model = DiTTransformer2DModel(**(QUICK if quick else DIT_XL_2_256))
    return model.to(dtype or working_dtype(device)).eval().requires_grad_(False)


def dit_pipeline(device: str, *, quick: bool = False, dtype: torch.dtype | None = None) -> Any:
    """A stock DiTPipeline: the transformer above, an autoencoder of Stable Diffusion's shape, DDIM."""
    from diffusers import AutoencoderKL, DDIMScheduler, DiTPipeline

    widths = (8, 8, 8, 8) if quick else (128, 256, 512, 512)
    with torch.device(device):
        vae = AutoencoderKL(
            block_out_channels=widths,
            layers_per_block=1 if quick else 2,
            norm_num_groups=8 if quick else 32,
            down_block_types=["DownEncoderBlock2D"] * 4,
            up_block_types=["UpDecoderBlock2D"] * 4,
            sample_size=256,
        )
    vae = vae.to(dtype or working_dtype(device)).eval().requires_grad_(False)
    scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    pipe = DiTPipeline(denoiser(device, quick=quick, dtype=dtype), vae, scheduler)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def working_dtype(device: str) -> torch.dtype:
    """As `mgd.setup` chooses it: bfloat16 where the GPU has it, float16 on older ones, float32 on a CPU."""
    if device == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16
