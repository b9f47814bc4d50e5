"""Latents on disk, found again by the hash of what they were made from.

key = SHA-256 of SCHEME, of the pixels, and of the VAE: its weights with their dtype, its scaling factor and shift
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.data.files import tensor_hash, write
from mgd_helpers.data.fingerprints import images_hash
from mgd_helpers.data.image_sets import ImageSet
from mgd_helpers.encoding.pipelines import add_weights
from mgd_helpers.progress import tell

SCHEME = 1  # add one where `encode` gives other latents of the same images


def remembered(
    folder: Path, vae: Any, images: Float[Tensor, "n c h w"] | ImageSet, make: Callable[[], Tensor]
) -> Float[Tensor, "n lc lh lw"]:
    """The latents that `make()` gives, or those that an earlier call kept in `folder`.

    The folder is made where it is missing. A file that is damaged, or of another origin, is made again. It is written
    whole or not at all, so that processes that keep the same latents at once do no harm. Where it cannot be written,
    that is told in a line, and all goes on.
    """
    key = key_of(vae, images)
    file = folder / f"latents-{key[:32]}.safetensors"
    latents = _read(file, key)
    if latents is not None:
        tell(f"{len(latents):,} latents were read from {str(folder)!r}, where an earlier call kept them.")
        return latents.to(images.device)
    latents = make()
    try:
        write(file, lambda path: _save(path, key, latents))
    except OSError as error:  # a full disk, a drive that is gone
        tell(f"The latents could not be kept in {str(folder)!r}: {error}.")
    return latents


def key_of(vae: Any, images: Float[Tensor, "n c h w"] | ImageSet) -> str:
    """The hash of everything that decides about the latents of these images, but for rounding: 64 digits."""
    pixels = images_hash(images) if isinstance(images, ImageSet) else tensor_hash(images)
    digest = hashlib.sha256(f"latents, scheme {SCHEME}, {pixels}".encode())
    settings = (vae.config.scaling_factor, getattr(vae.config, "shift_factor", None))
    digest.update(f"{type(vae).__name__}{settings}".encode())
    add_weights(digest, "vae", vae)
    return digest.hexdigest()


def _save(path: Path, key: str, latents: Tensor) -> None:
    from safetensors.torch import save_file

    latents = latents.cpu().contiguous()
    save_file({"latents": latents}, path, metadata={"key": key, "sha256": tensor_hash(latents)})


def _read(file: Path, key: str) -> Tensor | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as kept:
            said, latents = kept.metadata() or {}, kept.get_tensor("latents")
    except (OSError, SafetensorError):
        return None
    return latents if said == {"key": key, "sha256": tensor_hash(latents)} else None
