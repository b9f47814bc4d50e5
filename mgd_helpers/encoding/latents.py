"""Images to scaled VAE latents and back.

z = (E(x) - shift) * scale: the posterior *mean* of the VAE, so that one image always has one latent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.data.image_sets import ImageSet, at, tensor_or_set
from mgd_helpers.encoding.cache import remembered
from mgd_helpers.encoding.memory import BatchSize
from mgd_helpers.progress import progress
from mgd_helpers.threads import for_decoding, for_encoding


@torch.no_grad()
def encode(
    vae: Any, images: Float[Tensor, "n c h w"] | ImageSet, *, batch_size: int = 64, cache: str | PathLike | None = None
) -> Float[Tensor, "n lc lh lw"]:
    """Encode images in [-1, 1] to scaled posterior means, in batches on the VAE's device; float32 on the images' own.

    Of an `ImageSet` that is kept as bytes, only a batch at a time becomes numbers.

    `vae` is a diffusers `AutoencoderKL`: its `scaling_factor` gives latents of roughly unit variance, as its denoiser
    expects them. Where the VAE has a `shift_factor`, it is subtracted first.

    `cache` is a folder that keeps the latents: another call with the same images and the same VAE, by their values,
    reads them from there (`mgd_helpers.encoding.cache`).

    Where a GPU is short of memory, batches halve themselves (`mgd_helpers.encoding.memory`).

    Raises `ValueError` where the images do not fit the VAE or leave [-1, 1], and where the VAE overflows.
    """
    channels, batch_size = vae.config.in_channels, arguments.whole("batch_size", batch_size, at_least=1)
    if len(tensor_or_set("images", images).shape) != 4 or images.shape[1] != channels:
        raise ValueError(f"images must be [N, {channels}, H, W] for this VAE; got {list(images.shape)}.")
    if not isinstance(images, ImageSet):  # which has looked at its values
        arguments.pixels("images", images)
    if cache is None:
        return _encoded(vae, images, batch_size)
    return remembered(Path(cache), vae, images, lambda: _encoded(vae, images, batch_size))


def _encoded(vae: Any, images: Tensor | ImageSet, batch_size: int) -> Tensor:
    of_block = partial(_encoded_block, vae, images)
    with for_encoding(vae, at(images, slice(batch_size))):
        return _finite("latents", vae, _in_blocks(of_block, len(images), batch_size, "encode"))


def _encoded_block(vae: Any, images: Tensor | ImageSet, start: int, stop: int) -> Tensor:
    mean = vae.encode(at(images, slice(start, stop)).to(vae.device, vae.dtype)).latent_dist.mean
    return ((mean - _shift(vae)) * vae.config.scaling_factor).float().to(images.device)


def decibels(error: float) -> float:
    """The peak signal-to-noise ratio of a mean square error on images from -1 to 1.

    >>> decibels(0.04)
    20.0
    """
    return 10 * math.log10(4 / max(arguments.number("error", error, at_least=0), 1e-12))


@torch.no_grad()
def decode(vae: Any, latents: Float[Tensor, "n lc lh lw"], *, batch_size: int = 64) -> Float[Tensor, "n c h w"]:
    """Decode scaled latents to images in [-1, 1], in batches on the VAE's device; float32 on the latents' device.

    Where a GPU is short of memory, batches halve themselves.
    """
    channels, batch_size = vae.config.latent_channels, arguments.whole("batch_size", batch_size, at_least=1)
    if arguments.tensor("latents", latents).ndim != 4 or latents.shape[1] != channels:
        raise ValueError(f"latents must be [N, {channels}, h, w] for this VAE; got {list(latents.shape)}.")
    if not (latents.is_meta or latents.isfinite().all()):
        raise ValueError("latents must be finite; got NaN or infinite values. Find out where they come from.")
    of_block = partial(_decoded_block, vae, latents)
    with for_decoding(vae, latents[:batch_size]):
        return _finite("images", vae, _in_blocks(of_block, len(latents), batch_size, "decode"))


def _decoded_block(vae: Any, latents: Tensor, start: int, stop: int) -> Tensor:
    return decoded(vae, latents[start:stop]).clamp(-1, 1).to(latents.device)


def decoded(vae: Any, latents: Float[Tensor, "n lc lh lw"]) -> Float[Tensor, "n c h w"]:
    """What the VAE itself makes of scaled latents, all at once: not cut off at -1 and 1, float32, differentiable.

    Unlike `decode` it is not seen by whoever watches the decoder of a sampling run, so that a guidance may call it.
    """
    unscaled = latents.to(vae.device, vae.dtype) / vae.config.scaling_factor + _shift(vae)
    return type(vae).decode(vae, unscaled).sample.float()


def pack(latents: Float[Tensor, "n c h w"]) -> Float[Tensor, "n tokens packed"]:
    """Latents in the order in which Flux denoises them: every 2 x 2 patch a row, [N, h/2 * w/2, 4 C].

    Only the order changes, so distances, means and tangents do not: pack targets and cloud, and guide as ever.
    """
    count, channels, height, width = latents.shape
    if height % 2 or width % 2:
        raise ValueError(f"latents must have even height and width to be packed; got {list(latents.shape)}.")
    patches = latents.view(count, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return patches.reshape(count, height // 2 * (width // 2), 4 * channels)


def _in_blocks(call: Callable[[int, int], Tensor], rows: int, batch_size: int, what: str) -> Tensor:
    found, done = torch.empty(0), 0
    blocks = BatchSize(batch_size).blocks(call, rows)
    for block in progress(blocks, what, unit="batch", total=max(1, -(-rows // batch_size))):
        if not done:  # all at once: kept one by one they would part the memory that the next batch could take again
            found = block.new_empty(rows, *block.shape[1:])
        found[done : done + len(block)] = block
        done += len(block)
    return found


def _finite(name: str, vae: Any, found: Tensor) -> Tensor:
    if not (found.is_meta or found.isfinite().all()):
        raise ValueError(
            f"the VAE must give finite {name}; got NaN or infinite values in {vae.dtype}. Some autoencoders overflow "
            "in float16: load the pipeline with dtype=torch.bfloat16 or torch.float32. Else check its weights."
        )
    return found


def _shift(vae: Any) -> float:
    return getattr(vae.config, "shift_factor", None) or 0.0
