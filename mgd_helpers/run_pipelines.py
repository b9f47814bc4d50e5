"""The pipeline of a run: chosen and loaded, the data read at its size, and what it is asked for each class.

Size, channels, padding and guidance scale are the pipeline's own, whatever the data are called. Only a set of the
catalogue that is named, or is at hand as a `Dataset`, brings a pipeline with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgd_helpers.arguments import number
from mgd_helpers.data.catalog import PROFILES, Profile
from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.encoding.class_maps import prompts_of
from mgd_helpers.encoding.compatibility import labels_of, warn_of_border
from mgd_helpers.encoding.kinds import (
    CLASSES,
    TEXT,
    encoder_dtype,
    image_shape,
    kind_of,
    knows_classes,
    own_guidance_scale,
    own_padding,
    reduction,
)
from mgd_helpers.encoding.pipelines import PRETRAINED, load_pipeline, weights_hash
from mgd_helpers.guidance import steering
from mgd_helpers.manifest import describe, plain

LARGEST_SCALE = 100  # of classifier-free guidance; images are noise long before


@dataclass(frozen=True)
class MappedClass:
    """A class of the data: its name, how many training images it has, and what the pipeline is `asked` for it.

    That is a label, a prompt, or `None` for an unconditional pipeline; `known_as` are the pipeline's names of a label.
    """

    name: str
    images: int
    asked: int | str | None
    known_as: str = ""


def class_mapping(
    pipe: Any, data: Dataset, *, class_labels: Any = None, class_map: Any = None, prompt: Any = None
) -> list[MappedClass]:
    """What a pipeline is asked for each class of the data; the arguments are those of `distill`.

    Raises `ValueError` for a class that the pipeline does not know, and for arguments that are not for its kind.

    >>> from mgd_helpers.guidance.toys import tiny_pipeline
    >>> from mgd_helpers.data import ImageSet
    >>> import torch
    >>> train = ImageSet(torch.zeros(4, 1, 16, 16), torch.tensor([0, 1, 1, 1]))
    >>> class_mapping(tiny_pipeline(), Dataset("two", train, train, ("One", "zero")))[0]
    MappedClass(name='One', images=1, asked=1, known_as='one')
    """
    settings = _asked(pipe, data, class_labels, class_map, prompt, {})
    counts = data.train.labels.bincount(minlength=len(data.class_names)).tolist()
    asked = settings.get(CLASSES) or settings.get("prompts") or [None] * len(counts)
    names: dict[Any, list[str]] = {}
    for name, label in getattr(pipe, "labels", {}).items():
        names.setdefault(label, []).append(name)
    return [
        MappedClass(name, count, one, ", ".join(names.get(one, [])))
        for name, count, one in zip(data.class_names, counts, asked, strict=True)
    ]


def read_for(data: Any, pipeline: Any, **more: Any) -> tuple[Dataset, Any]:
    """The data as a `Dataset`, and the pipeline that was given, loaded.

    A source is read at the size of the pipeline, with its channels, and with the black border that it was trained with.

    `more` are other arguments of `load_data`, and win.
    """
    pipe = _loaded(pipeline)
    one = next(iter(pipe.values()), None) if isinstance(pipe, Mapping) else pipe
    if isinstance(data, Dataset):
        warn_of_border(one, data)
        return data, pipe
    by_name = _is_name(pipeline)
    if pipe is None or (by_name and str(pipeline) in _own(data)):
        return load_data(data, **more), pipe
    channels, *sides = image_shape(one) or (None, None)
    how = {"image_size": sides[0] if len(set(sides)) == 1 else None, "channels": channels} | more
    return load_data(data, **how, padding=own_padding(one) if how["image_size"] else None), pipe


def pipes_of(pipe: Any, data: Dataset) -> tuple[Any, ...]:
    """The pipeline of each class, in their order, where a mapping of pipelines was given; else none.

    Raises `ValueError` where they are not one for each class, all without conditions and for images of one shape.
    """
    if not isinstance(pipe, Mapping):
        return ()
    if set(pipe) != set(data.class_names):
        odd = sorted(set(data.class_names) ^ set(pipe), key=str)
        raise ValueError(
            f"pipeline must have one for each class of the data, {', '.join(data.class_names[:12])}; it differs in "
            f"{odd[:5]}."
        )
    pipes = tuple(pipe[name] for name in data.class_names)
    for name, one in zip(data.class_names, pipes, strict=True):
        if knows_classes(one) or image_shape(one) != image_shape(pipes[0]):
            raise ValueError(
                "pipeline must map classes to pipelines without conditions that make images of one shape; that of "
                f"{name!r} is a {type(one).__name__} for {image_shape(one)}. One that knows classes serves them all."
            )
        steering.check(one)
    return pipes


def sides(pipe: Any, data: Dataset, latents: Any) -> dict[str, list[int]]:
    """Height and width of the images, as a setting, where the pipeline lets one choose them; else nothing."""
    if not kind_of(pipe).sized:
        return {}
    height, width = data.train.shape[2:]
    if latents is not None and latents.ndim == 4 and (factor := reduction(pipe)):
        height, width = (side * factor for side in latents.shape[2:])
    return {"image_size": [height, width]}


def choose(data: Dataset, pipeline: Any, pipe: Any, *, at_hand: bool) -> tuple[Any, str, Profile | None]:
    """The pipeline, its name for the record, and the profile whose own one it is; `pipe` is what was loaded of it.

    Raises `ValueError` where none is given, and the data have none of their own.
    """
    profile = PROFILES.get(data.profile) if at_hand else None
    if pipeline is None:
        if profile is None:
            raise ValueError(
                f"pipeline must be given for data {data.name!r}: only {', '.join(PROFILES)} have one of their own. "
                "Pass a pipeline that was trained on such images; mgd.train(data, out) (mgd train DATA --out OUT) "
                'makes one, and method="nearest-real" (--method nearest-real) takes real images, without any.'
            )
        pipeline = profile.pipeline or profile.name  # the name of a set without one is refused with its remedy
        pipe = load_pipeline(pipeline)
    if isinstance(pipeline, Mapping):
        return pipe, ", ".join(str(one) if _is_name(one) else describe(one) for one in pipeline.values()), None
    by_name = _is_name(pipeline)
    own = (
        profile is not None
        and profile.pipeline
        and (str(pipeline) in (profile.name, profile.pipeline) if by_name else _is_from(pipe, profile.pipeline))
    )
    return pipe, str(pipeline) if by_name else describe(pipe), profile if own else None


def describe_pipeline(
    pipe: Any,
    data: Dataset,
    profile: Profile | None,
    *,
    pipes: Sequence[Any] = (),
    class_labels: Any,
    class_map: Any,
    prompt: Any,
    guidance_scale: Any,
) -> dict:
    """The settings that say what a pipeline is and what it is asked, once it is known that it can be steered."""
    kind = kind_of(pipe)
    steering.check(pipe)
    own = dict(zip(profile.class_names, profile.labels, strict=True)) if profile and profile.labels else {}
    if guidance_scale is None:
        guidance_scale = profile.guidance_scale if profile else own_guidance_scale(pipe)
    elif kind.guidance_scale is None:
        raise ValueError(
            f"guidance_scale must be left out for {type(pipe).__name__}, which has no classifier-free guidance; got "
            f"{guidance_scale!r}."
        )
    if guidance_scale is not None:
        guidance_scale = number("guidance_scale", guidance_scale, at_least=0, at_most=LARGEST_SCALE)
    return {
        **_asked(pipe, data, class_labels, class_map, prompt, own),
        "scheduler": type(pipe.scheduler).__name__,
        # but for notes of diffusers to itself: its version, and names that each process puts in another order
        "scheduler_config": {
            key: plain(value) for key, value in sorted(pipe.scheduler.config.items()) if not key.startswith("_")
        },
        "guidance_scale": guidance_scale,
        "weights": " ".join(weights_hash(one) for one in pipes or [pipe]),
        "encoder_dtype": encoder_dtype(pipe),
    }


def asked_for(settings: Mapping[str, Any]) -> dict[str, int | str]:
    """The label or prompt of each class that has one, by its name, as the settings of a run tell it."""
    asked = settings.get(CLASSES) or settings.get("prompts") or ()
    return dict(zip(settings["classes"], asked, strict=False))


def alike(asked: Mapping[str, Any]) -> str:
    """A sentence on each label or prompt that several classes are asked for by; empty where each has its own.

    >>> alike({"tabby": 281, "tom": 281, "dog": 7})
    'tabby and tom are asked for alike, by 281.'
    """
    names: dict[Any, list[str]] = {}
    for name, one in asked.items():
        names.setdefault(one, []).append(name)
    shared = ((", ".join(first), last, one) for one, (*first, last) in names.items() if first)
    return " ".join(f"{first} and {last} are asked for alike, by {one!r}." for first, last, one in shared)


def _asked(
    pipe: Any, data: Dataset, class_labels: Any, class_map: Any, prompt: Any, own: Mapping[str, int]
) -> dict[str, Any]:
    kind = kind_of(pipe)
    given = {"class_labels": class_labels, "class_map": class_map, "prompt": prompt}
    takes = {CLASSES: ("class_labels", "class_map"), TEXT: ("class_map", "prompt")}.get(kind.asked_by, ())
    if odd := [name for name, value in given.items() if value is not None and name not in takes]:
        what = {CLASSES: "is asked by class labels", TEXT: "reads text"}.get(kind.asked_by, "takes no conditions")
        raise ValueError(f"{odd[0]} must be left out for {type(pipe).__name__}, which {what}; got {given[odd[0]]!r}.")
    if kind.asked_by == TEXT:
        return {"prompts": prompts_of(prompt, class_map, data.class_names)}
    if kind.asked_by == CLASSES:
        return {CLASSES: labels_of(pipe, class_labels, own, data.class_names, class_map=class_map)}
    return {}


def _own(data: Any) -> tuple[str, ...]:
    """The names of the pipeline that comes with a set of the catalogue."""
    profile = PROFILES.get(data) if isinstance(data, str) else None
    return (profile.name, profile.pipeline) if profile else ()


def _is_name(pipeline: Any) -> bool:
    return isinstance(pipeline, str | Path)


def _loaded(pipeline: Any) -> Any:
    if isinstance(pipeline, Mapping):
        return {name: _loaded(one) for name, one in pipeline.items()}
    return load_pipeline(pipeline) if _is_name(pipeline) else pipeline


def _is_from(pipe: Any, name: str) -> bool:
    return str(getattr(pipe, "name_or_path", None)) in (name, str(PRETRAINED / name))
