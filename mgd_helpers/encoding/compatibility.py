"""Whether a pipeline, a data set, labels and latents fit together: asked before any work, with the remedy."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.arguments import did_you_mean, whole
from mgd_helpers.encoding.callers import is_dit
from mgd_helpers.encoding.pipelines import LatentPipeline, Pipeline

LARGEST_LATENT = 1e4  # scaled latents have about unit variance


def check_pipeline(pipe: Any) -> float:
    """The default guidance scale of a pipeline, once it is known that `distill` can use it.

    Whether its scheduler can be steered is another question.

    Raises `ValueError` for a pipeline that is not latent and class-conditional.
    """
    parameters = inspect.signature(type(pipe).__call__).parameters if callable(pipe) else {}
    if not ({"class_labels", "guidance_scale"} <= set(parameters) and hasattr(pipe, "vae")):
        raise ValueError(
            "pipeline must be latent and class-conditional (a vae, class_labels and guidance_scale, like DiTPipeline); "
            f"got {type(pipe).__name__}. Steer other pipelines with mgd.steer."
        )
    shift = getattr(pipe.vae.config, "shift_factor", None)
    if shift and is_dit(pipe):
        raise ValueError(
            f"pipeline must have a vae without a shift_factor, since DiTPipeline decodes without it; got {shift:g}, "
            "which would move the images away from their targets. Use the vae that the denoiser was trained with, or "
            "steer a pipeline that decodes with the shift."
        )
    return parameters["guidance_scale"].default


def train_steps(pipe: Pipeline) -> int | None:
    """How many steps the pipeline's noise schedule has: a run takes at most as many. `None` where it does not say."""
    return getattr(pipe.scheduler.config, "num_train_timesteps", None)


def labels_of(pipe: Pipeline, given: Any, known: Mapping[str, int], class_names: Sequence[str]) -> list[int]:
    """The pipeline's label of each class, in the order of `class_names`.

    `given` is a mapping from class names, a sequence in the order of the classes, or `None` to look the names up in
    `known`; labels are whole numbers, or names in `known`.

    Raises `ValueError` for labels that the pipeline does not have.
    """
    order = f"in the order of data.class_names ({_some(class_names)})"
    if given is None:
        missing = [name for name in class_names if name not in known]
        if missing:
            raise ValueError(
                f"class_labels must be given: the pipeline knows no class named {missing[:5]}. Pass the pipeline's "
                f"label of each class, as a mapping {{class name: label}} or {order}.{did_you_mean(missing[0], known)}"
            )
        given = [known[name] for name in class_names]
    elif isinstance(given, Mapping):
        unknown = [name for name in given if name not in class_names]
        missing = [name for name in class_names if name not in given]
        if unknown or missing:
            raise ValueError(
                f"class_labels must map each class of the data; got no label for {missing[:5]}, and unknown names "
                f"{unknown[:5]}. The classes are {_some(class_names)}."
            )
        given = [given[name] for name in class_names]
    given = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != len(class_names):
        count = len(given) if isinstance(given, Sequence) and not isinstance(given, str) else repr(given)
        raise ValueError(
            f"class_labels must be one per class, {len(class_names)}; got {count}. Pass them {order}, or as a mapping "
            "{class name: label}."
        )
    labels = [_label(pipe, value, name, known, order) for value, name in zip(given, class_names, strict=True)]
    unnamed = sorted(set(labels) - set(known.values())) if known else []
    if unnamed:
        warnings.warn(
            f"class_labels {unnamed[:5]} have no name in the pipeline: it may never have learned them.", stacklevel=5
        )
    return labels


def _label(pipe: Pipeline, value: Any, name: str, known: Mapping[str, int], order: str) -> int:
    if isinstance(value, str):
        if value not in known:
            hint = did_you_mean(value, known)
            raise ValueError(
                f"class_labels must be labels that the pipeline knows; got {value!r} for class {name!r}.{hint}"
            )
        value = known[value]
    classes = count_classes(pipe)
    if classes is not None and value == classes and not isinstance(value, bool):
        raise ValueError(
            f"class_labels must be classes of the pipeline, 0 to {classes - 1}; got {value} for {name!r}, which is "
            f"its null class, the label of no class. Labels are {order}."
        )
    try:
        return whole("class_labels", value, at_least=0, at_most=classes and classes - 1)
    except ValueError as error:
        raise ValueError(f"{str(error).rstrip('.')} for class {name!r}. Labels are {order}.") from None


def count_classes(pipe: Pipeline) -> int | None:
    """How many classes the pipeline was built for, without its null class; `None` where its denoiser does not say.

    The null class is the label right after them: `callers.NULL_CLASS` in a DiTPipeline.
    """
    return getattr(_denoiser_config(pipe), "num_embeds_ada_norm", None)


def latent_shape(pipe: Pipeline) -> tuple[int, int, int] | None:
    """The shape [C, h, w] of the latents that the pipeline denoises; `None` where its denoiser does not say."""
    config = _denoiser_config(pipe)
    size, channels = getattr(config, "sample_size", None), getattr(config, "in_channels", None)
    if size is None or channels is None:
        return None
    return (channels, size, size) if isinstance(size, int) else (channels, *size)


def check_images(pipe: LatentPipeline, images: Tensor) -> None:
    """Raise `ValueError` for images whose latents would not have the shape that the pipeline denoises."""
    channels, (height, width) = pipe.vae.config.in_channels, images.shape[2:]
    if images.shape[1] != channels:
        raise ValueError(
            f"data must have images of {channels} channels for this pipeline; got {images.shape[1]}. Load them with "
            f"load_data(…, channels={channels})."
        )
    shape, stages = latent_shape(pipe), getattr(pipe.vae.config, "block_out_channels", None)
    if shape is None or not stages:
        return
    wanted = tuple(side * 2 ** (len(stages) - 1) for side in shape[1:])
    if (height, width) != wanted:
        how = f"image_size={wanted[0]}" if wanted[0] == wanted[1] else "image_size=…, or resize them"
        raise ValueError(
            f"data must have images of {wanted[0]} x {wanted[1]} for this pipeline; got {height} x {width}. Load them "
            f"with load_data(…, {how})."
        )


def check_latents(pipe: Pipeline, latents: Any, count: int) -> Tensor:
    """Latents as a tensor.

    Raises `ValueError` where they are not those of `count` images for this pipeline.
    """
    if not isinstance(latents, torch.Tensor):
        try:
            latents = torch.as_tensor(latents)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"latents must be a tensor; got {type(latents).__name__}: {error}.") from error
    shape = latent_shape(pipe)
    if latents.ndim == 0 or len(latents) != count:
        got = list(latents.shape) if latents.ndim == 0 else len(latents)
        raise ValueError(f"latents must be those of the {count} training images, in their order; got {got}.")
    if not latents.is_floating_point() or (shape is not None and tuple(latents.shape[1:]) != shape):
        wanted = ["N", *shape] if shape else "[N, ...]"
        raise ValueError(
            f"latents must be floating-point numbers {wanted}, as this pipeline denoises them; got {latents.dtype}, "
            f"{list(latents.shape)}. Make them with mgd.encode(pipe.vae, data.train.images)."
        )
    low, high = (end.item() for end in latents.aminmax())
    if not math.isfinite(low + high) or max(-low, high) > LARGEST_LATENT:
        raise ValueError(
            f"latents must be finite, and within ±{LARGEST_LATENT:g}; got [{low:.3g}, {high:.3g}]. Make them with "
            "mgd.encode(pipe.vae, data.train.images)."
        )
    return latents.detach()


def _denoiser_config(pipe: Pipeline) -> Any:
    return getattr(getattr(pipe, "transformer", None) or getattr(pipe, "unet", None), "config", None)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
