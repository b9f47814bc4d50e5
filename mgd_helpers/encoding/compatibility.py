"""Whether a pipeline, a data set, labels and latents fit together: asked before any work, with the remedy."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.arguments import did_you_mean, whole
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.encoding.class_maps import as_words, check_apart, label_named, names_of, read_class_map
from mgd_helpers.encoding.kinds import denoiser_config, image_shape, kind_of, multiple, own_padding
from mgd_helpers.encoding.pipelines import Pipeline

LARGEST_LATENT = 1e4  # scaled latents have about unit variance


def train_steps(pipe: Pipeline) -> int | None:
    """How many steps the pipeline's noise schedule has: a run takes at most as many. `None` where it does not say."""
    return getattr(pipe.scheduler.config, "num_train_timesteps", None)


def labels_of(
    pipe: Pipeline, given: Any, own: Mapping[str, int], class_names: Sequence[str], *, class_map: Any = None
) -> list[int]:
    """The pipeline's label of each class, in the order of `class_names`.

    `given` is a mapping from class names, a sequence in the order of the classes, or `None` to look the names up: in
    `own`, the labels that come with a data set, and then in the names of the pipeline, as they are spelled, and as
    words. Labels are whole numbers, or names. `class_map`, in place of `given`, is a mapping or a file that may leave
    out what is found by name.

    Raises `ValueError` for labels that the pipeline does not have, names that it does not know, and two classes that
    come to one label, unless both were given it.
    """
    if class_map is not None and given is not None:
        raise ValueError("class_map must be left out where class_labels are given: both say the same thing.")
    names, mapped = names_of(pipe), {} if class_map is None else read_class_map(class_map, class_names)
    words = as_words(names)
    known = {name: label for name, (label, *others) in names.items() if not others} | dict(own)
    looked_up = given is None
    order = f"in the order of data.class_names ({_some(class_names)})"
    if given is None:
        by_name = [name for name in class_names if name not in mapped]
        found = mapped | {name: known[name] if name in known else label_named(name, words) for name in by_name}
        missing = [name for name, label in found.items() if label is None]
        if missing:
            raise ValueError(
                f"class_labels must be given: the pipeline knows no class named {missing[:5]}. Pass the pipeline's "
                f"label of each class, as a mapping {{class name: label}} or {order}; or pass class_map=…, a "
                f"file with a line for each such class.{_nearest(missing, {**known, **words})}"
            )
        given = [found[name] for name in class_names]
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
    labels = [_label(pipe, value, name, known, words, order) for value, name in zip(given, class_names, strict=True)]
    if looked_up:
        check_apart(class_names, labels, mapped)
    unnamed = sorted(set(labels).difference(own.values(), *words.values())) if words else []
    if unnamed:
        warnings.warn(
            f"class_labels {unnamed[:5]} have no name in the pipeline: it may never have learned them.", stacklevel=5
        )
    return labels


def _label(
    pipe: Pipeline, value: Any, name: str, known: Mapping[str, int], names: Mapping[str, set[int]], order: str
) -> int:
    if isinstance(value, str):
        label = known[value] if value in known else label_named(value, names)
        if label is None:
            hint = did_you_mean(value, {**known, **names})
            raise ValueError(
                f"class_labels must be labels that the pipeline knows; got {value!r} for class {name!r}.{hint}"
            )
        value = label
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
    config = denoiser_config(pipe)
    return getattr(config, "num_embeds_ada_norm", None) or getattr(config, "num_class_embeds", None)


def latent_shape(pipe: Pipeline) -> tuple[int, int, int] | None:
    """The shape [C, h, w] of the latents that the pipeline denoises; `None` where its denoiser does not say."""
    config = denoiser_config(pipe)
    size, channels = getattr(config, "sample_size", None), getattr(config, "in_channels", None)
    if size is None or channels is None:
        return None
    return (channels, size, size) if isinstance(size, int) else (channels, *size)


def check_images(pipe: Any, images: Tensor | ImageSet) -> None:
    """Raise `ValueError` for images whose latents would not have the shape that the pipeline denoises."""
    shape, (channels, height, width) = image_shape(pipe), images.shape[1:]
    wanted = pipe.vae.config.in_channels if kind_of(pipe).latent else shape and shape[0]
    if wanted is not None and channels != wanted:
        raise ValueError(
            f"data must have images of {wanted} channels for this pipeline; got {channels}. Load them with "
            f"load_data(…, channels={wanted})."
        )
    if kind_of(pipe).sized:
        step = multiple(pipe)
        if height % step or width % step:
            raise ValueError(
                f"data must have images whose height and width are multiples of {step} for this pipeline; got {height} "
                f"x {width}. Load them with load_data(…, image_size={max(step, round(height / step) * step)})."
            )
    elif shape is not None and (height, width) != shape[1:]:
        how = f"image_size={shape[1]}" if shape[1] == shape[2] else "image_size=…, or resize them"
        raise ValueError(
            f"data must have images of {shape[1]} x {shape[2]} for this pipeline; got {height} x {width}. Load them "
            f"with load_data(…, {how})."
        )


def warn_of_border(pipe: Any, data: Dataset) -> None:
    """Warn where images that are in memory were set in another border than the pipeline learned."""
    padding = own_padding(pipe)
    if data.padding and padding is not None and data.padding != padding:
        warnings.warn(
            f"data {data.name!r} were read with a black border of width {data.padding}, and the pipeline learned "
            f"images with one of {padding}. Load them with load_data(…, image_size={data.train.shape[-1]}, "
            f"padding={padding}).",
            stacklevel=4,
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
    shape = None if kind_of(pipe).sized else latent_shape(pipe)
    if latents.ndim == 0 or len(latents) != count:
        got = list(latents.shape) if latents.ndim == 0 else len(latents)
        raise ValueError(f"latents must be those of the {count} training images, in their order; got {got}.")
    if not latents.is_floating_point() or (shape is not None and tuple(latents.shape[1:]) != shape):
        wanted = ["N", *shape] if shape else "[N, ...]"
        raise ValueError(
            f"latents must be floating-point numbers {wanted}, as this pipeline denoises them; got {latents.dtype}, "
            f"{list(latents.shape)}. Make them with mgd.encode(pipe.vae, data.train)."
        )
    low, high = (end.item() for end in latents.aminmax())
    if not math.isfinite(low + high) or max(-low, high) > LARGEST_LATENT:
        raise ValueError(
            f"latents must be finite, and within ±{LARGEST_LATENT:g}; got [{low:.3g}, {high:.3g}]. Make them with "
            "mgd.encode(pipe.vae, data.train)."
        )
    return latents.detach()


def _nearest(missing: Sequence[str], known: Mapping[str, Any]) -> str:
    """The nearest names that are known of each of some that are not."""
    hints = (did_you_mean(name, known) for name in missing[:5])
    if len(missing) == 1:
        return next(hints)
    said = [f"{name!r}:{hint}" for name, hint in zip(missing, hints, strict=False) if hint]
    return f" {' '.join(said)}" if said else ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
