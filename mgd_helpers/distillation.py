"""A data set in, a folder of images out: `resolve` checks what is asked (runs.py), `make` makes it (making.py)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike
from pathlib import Path

import torch

from mgd_helpers.arguments import flag
from mgd_helpers.choosing import choose
from mgd_helpers.commands import call_of
from mgd_helpers.data.cards import write_card
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.encoding.pipelines import Pipeline
from mgd_helpers.guidance.factories import Factory
from mgd_helpers.guidance.options import OPTIONS
from mgd_helpers.making import make
from mgd_helpers.run_pipelines import alike, asked_for
from mgd_helpers.runs import resolve
from mgd_helpers.worth import Worth, kept_or_weighed


@dataclass(frozen=True, eq=False)
class Report:
    """What `distill` did: the folder, its images, how many of them are new, the seconds it took, the manifest.

    `worth` says what the set is worth beside real images (`mgd_helpers.worth`); `None` where it was not asked for.
    `found` says what was read of the data, and what was not; and which classes are asked for by one label.
    """

    folder: Path
    images: int
    new: int
    seconds: float
    manifest: dict
    worth: Worth | None = None
    found: str = ""

    def __str__(self) -> str:
        made = f"{self.images} images in {self.folder} ({self.new} new, {self.seconds:.1f} s)"
        return "\n".join(filter(None, [self.found, made, str(self.worth or "")]))

    @property
    def labels(self) -> dict[str, int | str]:
        """The pipeline's label, or the prompt, that each class was made with, by the name of the class."""
        return asked_for(self.manifest["settings"])


def distill(
    data: str | Path | Dataset,
    *,
    images_per_class: int | Integral,
    out: str | PathLike,
    guidance: str | Factory = "match+transport",
    pipeline: str | Path | Pipeline | Mapping[str, str | Path | Pipeline] | None = None,
    class_labels: Mapping[str, int | str] | Sequence[int | str] | None = None,
    latents: torch.Tensor | None = None,
    strategy: str = "levels",
    representative: str = "centroid",
    steps: int | Integral = 50,
    guidance_scale: float | Real | None = None,
    set_size: int | Integral = 50,
    batch_size: int | Integral = 32,
    seed: int | Integral = 0,
    method: str = "diffusion",
    strength: float | Real | None = None,
    window: float | Real | None = None,
    softness: float | Real | None = None,
    n_neighbors: int | Integral | str | None = None,
    rank: int | float | Integral | str | None = None,
    class_map: str | PathLike | Mapping[str, int | str] | None = None,
    prompt: str | PathLike | Mapping[str, str] | None = None,
    image_to_image: float | Real | None = None,
    report: bool = True,
    split: float | Real | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
) -> Report:
    """Distil a data set into `images_per_class` images per class: `out/<class name>/<index>.png`, and their record.

    `data` is a name, a folder or a `Dataset`. `guidance` is one of these names, or a factory of your own:

    - `"match+transport"`: the set of a class as a whole. `"transport"` carries each image to where the class has mass
      that no other image stands for; `"match"` moves all until random networks see the mean of the real latents;
    - `"none"`: the pipeline as it is;
    - `"mode"`: straight at the target; `"mgd3"`: the same as published, with a DDPM scheduler and 50 steps;
    - `"manifold"`: to the target along the tangent space, ManifoldGD (of a class with few images, all are neighbors);
    - `"released"`: the rule of its published code;
    - `"auto"`: the one of these that teaches a quick student best, on a held-back part of the training images;
    - `(targets, cloud, seed) -> guidance`, called for each set with its targets, the latents of its class, and an
      integer of this run and set for guidances that draw. The manifest knows it by its name and a hash of its code.

    `strength`, `window` (it acts while the noise share exceeds this number), `softness`, `n_neighbors` and `rank` are
    those of the guidance with a name; `None` leaves its own. They are settings where they are given.

    `method` may also be one without a denoiser, as what any set must beat: `"nearest-real"` (the real images nearest to
    the targets: on pixels, or on the latents of a `pipeline` that is given), `"random-real"`, `"herding"`,
    `"k-center"`, `"decoded-targets"`, and `"round-trip"` (random real images through the autoencoder).

    `pipeline` is one of diffusers, or what `load_pipeline` takes: class-conditional, one that reads text, or one
    without conditions, in latents or pixels. Data given by path are read at its size. What it is asked for each class:

    - a class label, found by the name of the class, or by its WordNet number. `class_map` is a mapping from class names
      to labels or to the pipeline's names of them, or a TOML or JSON file of one; it may leave out what is found
      by name, and two classes share a label only where it maps both. `class_labels` says the same of all classes, also
      as a list in the order of `data.class_names` (a folder's are sorted as text, "10" before "2");
    - a `prompt`: a template, by default `"a photo of a {name}"`, or a mapping or file of a prompt for each class. A
      `class_map` then has words to stand for a name.

    Without conditions targets alone decide, or `pipeline` is a mapping from each class to a pipeline of its own.

    `image_to_image`, above 0 and up to 1, begins each image at this share of the steps from the real image nearest to
    its target, under noise: the remedy where a denoiser does not know the domain. `None` begins from noise.

    `guidance_scale` is classifier-free guidance, by default the pipeline's own. Data of `mgd_helpers.data.catalog`
    bring pipeline, labels and scale. `latents` are those of the training images, where they are at hand: encoding is
    most of the work of a large set.

    The images of a class are a set, which the guidance sees as a whole; more than `set_size` of them are several sets,
    as even as can be, each matched by itself. A second call with the same settings makes only the images that are
    missing or damaged, the same to the byte on the same machine: it makes their sets again. Sets of several classes
    share batches of up to `batch_size` images. That is no setting: with another one, images may differ by rounding, by
    one gray level. Class names that are no safe folders become such
    (`mgd_helpers.data.class_names`); the manifest has the true ones.

    A `report` follows in seconds, and stays in the folder: whether as many random real images would do better, and what
    then may help. Of data without a test split hold out the share `split` of each class for it, for instance 0.2:
    `evaluate` holds out the same images. Of data given by path `image_column` and `label_column` are those of
    `load_data`.

    Raises `ValueError` before any work where something does not fit, where `out` holds images of other settings, and
    where another run is at work there; nothing of others is overwritten.
    """
    given, started, report = dict(locals()), time.perf_counter(), flag("report", report)
    run = resolve(
        data,
        images_per_class=images_per_class,
        out=out,
        guidance=guidance,
        pipeline=pipeline,
        class_labels=class_labels,
        latents=latents,
        strategy=strategy,
        representative=representative,
        steps=steps,
        guidance_scale=guidance_scale,
        set_size=set_size,
        batch_size=batch_size,
        seed=seed,
        method=method,
        class_map=class_map,
        prompt=prompt,
        image_to_image=image_to_image,
        options=dict(zip(OPTIONS, (strength, window, softness, n_neighbors, rank), strict=True)),
        split=split,
        columns={"image_column": image_column, "label_column": label_column},
    )
    manifest, new = make(choose(run), command=call_of(distill, given))
    seconds = time.perf_counter() - started
    worth = kept_or_weighed(run.out, run.data, manifest, pipe=run.pipe, seed=run.settings["seed"]) if report else None
    if worth is not None:
        write_card(run.out, manifest)
    found = " ".join(filter(None, [run.data.found, alike(asked_for(run.settings))]))
    return Report(run.out, len(run.files), new, seconds, manifest, worth, found)
