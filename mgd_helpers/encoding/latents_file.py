"""The latents of a data set in one file, which `distill` takes in place of encoding again."""

from __future__ import annotations

import functools
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.files import check_folder, write
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.encoding.compatibility import check_images
from mgd_helpers.encoding.latents import encode
from mgd_helpers.encoding.pipelines import Pipeline, load_pipeline


def encode_data(
    data: str | Path | Dataset,
    *,
    pipeline: str | Path | Pipeline,
    out: str | PathLike,
    image_size: int | None = None,
    channels: int | None = None,
    per_class: int | None = None,
) -> str:
    """Encode the training images of a data set, and write `latents` [N, C, h, w] and `labels` [N] as safetensors.

    `data` is what `load_data` reads. Returns a sentence on what was written. An existing file is replaced.

    Raises `ValueError` for images that the pipeline does not take, before any work.
    """
    from safetensors.torch import save_file

    file = Path(out)
    check_folder("out", file.parent)
    if file.is_dir():
        raise ValueError(
            f"out must be a file; {str(file)!r} is a folder. Pass one inside it, such as latents.safetensors."
        )
    if not isinstance(data, Dataset):
        data = load_data(data, image_size=image_size, channels=channels, per_class=per_class)
    pipe: Any = load_pipeline(pipeline) if isinstance(pipeline, str | Path) else pipeline
    check_images(pipe, data.train.images)
    latents = encode(pipe.vae, data.train.images).cpu()
    content = {"latents": latents.contiguous(), "labels": data.train.labels.cpu().contiguous()}
    write(file, functools.partial(save_file, content))
    return f"latents of {len(latents):,} images, {list(latents.shape[1:])} each, in {file}"


def read_latents(file: str | PathLike) -> Float[Tensor, "n ..."]:
    """Read the latents that `encode_data` wrote, in the order of the training images.

    Raises `ValueError` where the file is none of its.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found: dict[str, torch.Tensor] = load_file(str(file))
        return found["latents"]
    except (OSError, SafetensorError, KeyError) as error:
        raise ValueError(f"latents must be a file that mgd encode wrote; {str(file)!r} is none: {error}.") from error
