"""What a call of `distill` comes down to: data, pipeline, labels and settings, looked up and checked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from mgd_helpers.arguments import number, one_of, whole
from mgd_helpers.clustering.targets import REPRESENTATIVES, STRATEGIES
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.data.class_names import folder_names
from mgd_helpers.data.files import check_folder, tensor_hash
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.data.reach import check_columns, check_outside
from mgd_helpers.data.splits import hold_out
from mgd_helpers.encoding.compatibility import check_images, check_latents, train_steps
from mgd_helpers.encoding.kinds import as_denoised, knows_classes
from mgd_helpers.guidance.factories import GUIDANCES, Factory
from mgd_helpers.guidance.options import given_options, with_options
from mgd_helpers.manifest import code_of, data_hash, describe
from mgd_helpers.methods import DIFFUSION, METHODS, prepare, takes_pipeline
from mgd_helpers.provenance import package_versions
from mgd_helpers.run_pipelines import choose, describe_pipeline, pipes_of, read_for, sides

AUTO = "auto"  # the guidance that is chosen by trying


@dataclass(frozen=True)
class Batch:
    """Images that are denoised together, as pairs of class and index, and those of them that are `wanted`.

    A batch holds whole sets, each of another class, all of them the `part`-th set of theirs.
    """

    keys: list[tuple[int, int]]
    wanted: list[tuple[int, int]]
    part: int = 0


@dataclass(frozen=True, eq=False)
class Run:
    """Everything that decides about the images (`settings`), and what makes them; `note` is for the manifest.

    A method that needs no pipeline has none, and its `factory` answers with no guidance.
    """

    data: Dataset
    out: Path
    pipe: Any
    pipeline: str
    factory: Factory
    latents: torch.Tensor | None
    settings: dict
    note: str
    batch_size: int
    chosen: dict | None = None  # by `choosing`, of the guidances that it tried
    pipes: tuple[Any, ...] = ()  # one for each class, where they have their own

    def pipe_of(self, label: int) -> Any:
        """The pipeline that makes the images of a class."""
        return self.pipes[label] if self.pipes else self.pipe

    @property
    def method(self) -> str:
        """How the images are made: by diffusion, or as `methods` says."""
        return self.settings.get("method", DIFFUSION)

    @property
    def representative(self) -> str:
        """What stands for a node of the tree: as the chosen guidance asks, or as the settings say."""
        return (self.chosen or {}).get("options", {}).get("representative", self.settings["representative"])

    @cached_property
    def files(self) -> dict[tuple[int, int], str]:
        """The file of each image, by class and index, in the order in which they are made."""
        folders = list(folder_names(self.data.class_names).values())
        count = self.settings["images_per_class"]
        return {
            (label, index): f"{folder}/{index:05d}.png"
            for label, folder in enumerate(folders)
            for index in range(count)
        }

    def plan(self, lacking: Iterable[tuple[int, int]]) -> list[Batch]:
        """Whole sets in batches as even as can be, of at most `batch_size` images or one set; those that lack an image.

        A guidance sees the images of a set together, so that a set is never cut, whatever the batch.
        """
        count, classes, lacking = self.settings["images_per_class"], range(len(self.data.class_names)), set(lacking)
        parts = _evenly(count, math.ceil(count / self.settings.get("set_size", count)))
        batches = []
        for part, (low, high) in enumerate(parts):
            together = max(1, self.batch_size // (high - low))
            for first, last in _evenly(len(classes), math.ceil(len(classes) / together)):
                keys = [(label, index) for label in classes[first:last] for index in range(low, high)]
                batches.append(Batch(keys, [key for key in keys if key in lacking], part))
        return [batch for batch in batches if batch.wanted]


def resolve(
    data: Any,
    *,
    images_per_class: Any,
    out: Any,
    guidance: Any,
    pipeline: Any,
    class_labels: Any,
    latents: Any,
    strategy: Any,
    representative: Any,
    steps: Any,
    guidance_scale: Any,
    set_size: Any,
    batch_size: Any,
    seed: Any,
    method: Any = DIFFUSION,
    class_map: Any = None,
    prompt: Any = None,
    image_to_image: Any = None,
    options: Mapping[str, Any] | None = None,
    split: Any = None,
    columns: Mapping[str, Any] | None = None,
) -> Run:
    """The arguments of `distill`, checked one by one and against each other."""
    numbers: dict[str, Any] = {
        "images_per_class": whole("images_per_class", images_per_class, at_least=1),
        "steps": whole("steps", steps, at_least=1),
        "set_size": whole("set_size", set_size, at_least=1),
        "seed": whole("seed", seed, at_least=0),
    }
    batch_size = whole("batch_size", batch_size, at_least=1)
    words = {
        "strategy": one_of("strategy", strategy, STRATEGIES),
        "representative": one_of("representative", representative, REPRESENTATIVES),
    }
    one_of("method", method, METHODS)
    out = check_folder("out", out)
    at_hand = isinstance(data, Dataset) or (isinstance(data, str) and data in PROFILES)
    check_outside(out, data)
    check_columns(data, **(columns or {}))
    data, pipe = read_for(data, pipeline if takes_pipeline(method, pipeline) else None, **(columns or {}))
    _check_counts(data, numbers["images_per_class"])
    if split is not None:
        data = _held_out(data, split, numbers["images_per_class"])
        numbers["split"] = number("split", split)
    given = given_options(options or {}, points=int(data.train.labels.bincount().min()))
    factory = _factory(guidance, given, method)
    if method != DIFFUSION:
        if image_to_image is not None:
            raise ValueError(f"image_to_image must be left out with method={method!r}; got {image_to_image!r}.")
        looks = takes_pipeline(method, pipeline)
        pipe, name, _ = choose(data, pipeline, pipe, at_hand=at_hand) if looks else (None, "", None)
        latents, settings = prepare(method, data, pipe, latents, numbers | words)
        return Run(data, out, pipe, name, GUIDANCES["none"], latents, settings, data.note, batch_size)
    pipes = pipes_of(pipe, data)
    pipe, name, profile = choose(data, pipeline, pipes[0] if pipes else pipe, at_hand=at_hand)
    asked = {"class_labels": class_labels, "class_map": class_map, "prompt": prompt}
    settings = describe_pipeline(pipe, data, profile, pipes=pipes, guidance_scale=guidance_scale, **asked)
    if image_to_image is not None:
        settings["image_to_image"] = number("image_to_image", image_to_image, above=0, at_most=1)
    elif guidance == "none" and len(data.class_names) > 1 and not pipes and not knows_classes(pipe):
        raise ValueError(
            f"guidance must not be 'none' with {type(pipe).__name__}, which takes no conditions: all classes would "
            "look alike. Name a guidance with targets ('mode'), or give pipeline={class: pipeline}."
        )
    numbers["steps"] = whole("steps", steps, at_least=1, at_most=train_steps(pipe))
    if latents is None:
        check_images(pipe, data.train)
    else:
        latents = check_latents(pipe, latents, len(data.train))
    settings |= sides(pipe, data, latents)
    code, unknown = code_of(guidance) if callable(guidance) else (None, [])
    settings = {
        "data": data.name,
        "data_hash": data_hash(data),
        "classes": list(data.class_names),
        "guidance": describe(guidance) if callable(guidance) else guidance,
        "guidance_code": code,
        **given,
        "latents": None if latents is None else tensor_hash(latents),
        "package": package_versions()["mgd-helpers"],
        **numbers,
        **words,
        **settings,
    }
    note = f"The guidance also uses {', '.join(unknown)}, of which nothing is known here." if unknown else ""
    note = " ".join(filter(None, [data.note, note]))
    latents = None if latents is None else as_denoised(pipe, latents)
    return Run(data, out, pipe, name, factory, latents, settings, note, batch_size, pipes=pipes)


def _evenly(total: int, parts: int) -> list[tuple[int, int]]:
    """Where each of some parts of a total begins and ends; no two of them differ by more than one."""
    return list(itertools.pairwise(total * part // parts for part in range(parts + 1)))


def _factory(guidance: Any, given: dict, method: str) -> Factory:
    if given and (callable(guidance) or method != DIFFUSION):
        whose = "a guidance of your own: bind it with functools.partial" if callable(guidance) else f"method={method!r}"
        raise ValueError(f"{', '.join(given)} must be left out with {whose}; got {next(iter(given.values()))!r}.")
    if callable(guidance):
        return guidance
    or_else = ", or a factory (targets, cloud, seed) -> guidance"
    one_of("guidance", guidance, [*GUIDANCES, AUTO], or_else=or_else)
    if guidance == AUTO and given:
        raise ValueError(
            f"{', '.join(given)} must be left out with guidance='auto', which tries its own; got "
            f"{next(iter(given.values()))!r}."
        )
    return GUIDANCES["none"] if guidance == AUTO else with_options(guidance, given)


def _held_out(data: Dataset, split: Any, images_per_class: int) -> Dataset:
    data = hold_out(data, split)
    _check_counts(data, images_per_class)
    return data


def _check_counts(data: Dataset, images_per_class: int) -> None:
    if data.train.kept.is_meta:
        raise ValueError("data must have images with values; got images on the device 'meta'. Load them first.")
    if not data.class_names:
        raise ValueError(f"data must have at least one class; {data.name!r} has none.")
    for label, name in enumerate(data.class_names):
        count = len(data.train.rows_of(label))
        if count < images_per_class:
            raise ValueError(
                f"images_per_class must not exceed the {count} images of class {name!r}; got {images_per_class}."
            )
