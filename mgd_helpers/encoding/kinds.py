"""What kind of pipeline this is: what it is asked by, which images it makes, and in which space it denoises them.

Asked by the signature of its call and by its parts, never by the name of the data.
"""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from typing import Any

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.encoding.callers import is_a, is_dit
from mgd_helpers.encoding.facts import facts_of
from mgd_helpers.encoding.latents import encode, pack

CLASSES, TEXT, NOTHING = "class_labels", "prompt", ""  # what an image is asked by
PACKED = ("FluxPipeline", "ChromaPipeline")  # they denoise 2 x 2 patches as rows


@dataclass(frozen=True)
class Kind:
    """A pipeline as `distill` sees it.

    `asked_by` is the keyword of what an image shows, empty for an unconditional pipeline. `guidance_scale` is its own
    of classifier-free guidance, `None` where it has none. `sized` says that height and width can be chosen. It denoises
    pixels where it has no `latent`s, and rows of patches where these are `packed`.
    """

    asked_by: str
    guidance_scale: float | None
    sized: bool
    latent: bool
    packed: bool


def kind_of(pipe: Any) -> Kind:
    """The kind of a pipeline.

    Raises `ValueError` for what is no pipeline, and for one that makes no images from noise.
    """
    parameters = inspect.signature(type(pipe).__call__).parameters if callable(pipe) else {}
    if "num_inference_steps" not in parameters or not hasattr(pipe, "scheduler"):
        raise ValueError(
            f"pipeline must be one of diffusers that makes images from noise, or its name or folder; got "
            f"{type(pipe).__name__}."
        )
    if odd := [name for name in ("image", "mask_image", "num_frames", "audio_length_in_s") if name in parameters]:
        raise ValueError(
            f"pipeline must make images from noise; {type(pipe).__name__} takes {', '.join(odd)}. Take the "
            "text-to-image pipeline of these weights; image_to_image=0.6 starts it from real images."
        )
    latent = getattr(pipe, "vae", None) is not None
    if not latent and (name := next((n for n in ("vqvae", "movq", "vqgan", "prior") if hasattr(pipe, n)), None)):
        raise ValueError(
            f"pipeline must have an autoencoder called vae, or denoise pixels; {type(pipe).__name__} has a {name}. "
            "Its latents are of another kind."
        )
    if hasattr(pipe, "_pack_latents") and not is_a(pipe, PACKED):
        raise ValueError(
            f"pipeline must denoise latents as they are, or packed as {' and '.join(PACKED)} do; "
            f"{type(pipe).__name__} packs them in its own way."
        )
    shift = getattr(pipe.vae.config, "shift_factor", None) if latent else None
    if shift and is_dit(pipe):
        raise ValueError(
            f"pipeline must have a vae without a shift_factor, since DiTPipeline decodes without it; got {shift:g}, "
            "which would move the images away from their targets. Use the vae that the denoiser was trained with, or "
            "steer a pipeline that decodes with the shift."
        )
    own = parameters.get("guidance_scale")
    return Kind(
        asked_by=next((name for name in (CLASSES, TEXT) if name in parameters), NOTHING),
        guidance_scale=own.default if own is not None and isinstance(own.default, int | float) else None,
        sized={"height", "width"} <= set(parameters),
        latent=latent,
        packed=is_a(pipe, PACKED),
    )


def knows_classes(pipe: Any) -> bool:
    """Whether the pipeline can be told what an image shows."""
    return kind_of(pipe).asked_by != NOTHING


def own_guidance_scale(pipe: Any) -> float | None:
    """The scale that the pipeline's `mgd.json` tells, else the one of its call; `None` where it takes none."""
    default = kind_of(pipe).guidance_scale
    told = facts_of(pipe).get("guidance_scale")
    return told if default is not None and isinstance(told, int | float) else default


def own_padding(pipe: Any) -> int | None:
    """The width of the black border around the images that the pipeline learned; `None` where nothing says it."""
    told = facts_of(pipe).get("padding")
    return told if isinstance(told, int) else None


def image_shape(pipe: Any) -> tuple[int, int, int] | None:
    """The shape [C, H, W] of the images that the pipeline makes unless told otherwise; `None` where nothing says it."""
    facts, kind, config = facts_of(pipe), kind_of(pipe), denoiser_config(pipe)
    size = getattr(config, "sample_size", None) or getattr(pipe, "default_sample_size", None)
    channels = pipe.vae.config.in_channels if kind.latent else getattr(config, "in_channels", None)
    factor = reduction(pipe)
    if channels is None or factor is None or not size:
        return None
    sides = (size, size) if isinstance(size, int) else tuple(size)
    height, width = (side * factor for side in sides)
    told = facts.get("image_size") if kind.sized else None
    return (channels, told, told) if isinstance(told, int) else (channels, height, width)


def reduction(pipe: Any) -> int | None:
    """How many pixels a side become one of what is denoised: 1 without an autoencoder; `None` where it does not say."""
    if getattr(pipe, "vae", None) is None:
        return 1
    stages = getattr(pipe.vae.config, "block_out_channels", None)
    return 2 ** (len(stages) - 1) if stages else None


def multiple(pipe: Any) -> int:
    """Height and width of what a `sized` pipeline makes are multiples of this: of 8 in diffusers, or of a patch."""
    patch = 2 if hasattr(pipe, "transformer") else 1
    return math.lcm(8, patch * (reduction(pipe) or 1))


def denoised_from(pipe: Any, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n ..."]:
    """Images in [-1, 1] as the pipeline denoises them: pixels, latents, or packed latents."""
    if getattr(pipe, "vae", None) is None:
        return images.float()
    return as_denoised(pipe, encode(pipe.vae, images))


def as_denoised(pipe: Any, latents: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
    """Latents as `encode` gives them in the order in which the pipeline denoises them."""
    return pack(latents) if kind_of(pipe).packed and latents.ndim == 4 else latents


def denoiser_config(pipe: Any) -> Any:
    """The configuration of the pipeline's denoiser, whatever that is called; `None` where it has none."""
    return getattr(getattr(pipe, "transformer", None) or getattr(pipe, "unet", None), "config", None)


def encoder_dtype(pipe: Any) -> str:
    """The type of the numbers that images are encoded in, or denoised in where there is no autoencoder."""
    network = getattr(pipe, "vae", None) or getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
    return str(getattr(network, "dtype", "float32")).removeprefix("torch.")
