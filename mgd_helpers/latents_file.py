"""The latents of a data set in one file, which `distill` takes in place of encoding again."""

from __future__ import annotations

import functools
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.data.files import check_folder, write
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.encoding.compatibility import check_images
from mgd_helpers.encoding.kinds import kind_of
from mgd_helpers.encoding.latents import encode
from mgd_helpers.encoding.pipelines import Pipeline
from mgd_helpers.manifest import describe
from mgd_helpers.run_pipelines import read_for


def encode_data(
    data: str | Path | Dataset,
    *,
    pipeline: str | Path | Pipeline,
    out: str | PathLike,
    image_size: int | Integral | None = None,
    channels: int | None = None,
    per_class: int | Integral | None = None,
    split: float | Real | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
) -> str:
    """Encode the training images of a data set, and write `latents` [N, C, h, w] and `labels` [N] as safetensors.

    `data` is what `load_data` reads, with the other arguments; by default at the size and with the channels of the
    pipeline, as `distill` reads it. Returns a sentence on what was written. An existing file is replaced.

    Raises `ValueError` for images that the pipeline does not take, before any work.
    """
    from safetensors.torch import save_file

    file = Path(out)
    check_folder("out", file.parent if str(out) else out)
    if file.is_dir():
        raise ValueError(
            f"out must be a file; {str(file)!r} is a folder. Pass one inside it, such as latents.safetensors."
        )
    how: dict[str, Any] = {"image_size": image_size, "channels": channels, "per_class": per_class, "split": split}
    how |= {"image_column": image_column, "label_column": label_column}
    given = {name: value for name, value in how.items() if value is not None}
    if given and isinstance(data, Dataset):
        name, value = next(iter(given.items()))
        raise ValueError(f"{name} must be left out for a Dataset, whose images are read; got {value!r}.")
    found, pipe = read_for(data, pipeline, **given)
    if not kind_of(pipe).latent:
        raise ValueError(
            f"pipeline must have an autoencoder; {type(pipe).__name__} denoises pixels, so that there is nothing to "
            "encode. Leave latents out."
        )
    check_images(pipe, found.train)
    latents = encode(pipe.vae, found.train).cpu()
    content = {"latents": latents.contiguous(), "labels": found.train.labels.cpu().contiguous()}
    made = {"data": found.name, "pipeline": str(pipeline) if isinstance(pipeline, str | Path) else describe(pipe)}
    write(file, functools.partial(save_file, content, metadata=made))
    return f"latents of {len(latents):,} images, {list(latents.shape[1:])} each, in {file}"


def read_latents(file: str | PathLike) -> Float[Tensor, "n ..."]:
    """Read the latents that `encode_data` wrote, in the order of the training images.

    Raises `ValueError` where the file is none of its.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if Path(file).is_dir():
            raise IsADirectoryError("it is a folder")
        found: dict[str, torch.Tensor] = load_file(str(file))
        return found["latents"]
    except (OSError, SafetensorError, KeyError) as error:
        raise ValueError(f"latents must be a file that mgd encode wrote; {str(file)!r} is none: {error}.") from error


def facts_of_file(file: str | PathLike) -> tuple[list[int], dict[str, str]] | None:
    """The shape of the latents in a file of `encode_data`, and what they were made of; `None` for any other file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="pt") as found:
            return found.get_slice("latents").get_shape(), found.metadata() or {}
    except (OSError, SafetensorError):
        return None
