"""A data set in, a folder of images out: resolve, ask what lacks, encode, cluster, plan, sample and write.

Every image has its own generator, keyed by (seed, class, image), and its own place in a batch that all runs of the same
settings share: an interrupted run goes on where it stopped, to the same bytes, and runs with and without a guidance are
paired.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from mgd_helpers import seeding
from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.clustering.targets import Targets, pick_targets
from mgd_helpers.data.files import check_folder, checksum, remove_parts, write
from mgd_helpers.data.folders import MISSING, NOT_MADE, check_unused, faults, maker, read_manifest, write_manifest
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.data.images import png
from mgd_helpers.data.lock import locked
from mgd_helpers.encoding.latents import encode
from mgd_helpers.encoding.pipelines import Pipeline
from mgd_helpers.guidance.factories import Factory
from mgd_helpers.manifest import adopt, check_settings
from mgd_helpers.progress import progress
from mgd_helpers.runs import Batch, Run, resolve
from mgd_helpers.sampling import sample


@dataclass(frozen=True, eq=False)
class Report:
    """What `distill` did: the folder, its images, how many of them are new, the seconds it took, the manifest."""

    folder: Path
    images: int
    new: int
    seconds: float
    manifest: dict

    def __str__(self) -> str:
        return f"{self.images} images in {self.folder} ({self.new} new, {self.seconds:.1f} s)"

    @property
    def labels(self) -> dict[str, int]:
        """The pipeline's label that each class was made with, by the name of the class."""
        return dict(zip(*(self.manifest["settings"][key] for key in ("classes", "class_labels")), strict=True))


def distill(
    data: str | Path | Dataset,
    *,
    images_per_class: int | Integral,
    out: str | PathLike,
    guidance: str | Factory = "match+transport",
    pipeline: str | Path | Pipeline | None = None,
    class_labels: Mapping[str, int | str] | Sequence[int | str] | None = None,
    latents: torch.Tensor | None = None,
    strategy: str = "levels",
    representative: str = "centroid",
    steps: int | Integral = 50,
    guidance_scale: float | Real | None = None,
    set_size: int | Integral = 50,
    batch_size: int | Integral = 32,
    seed: int | Integral = 0,
) -> Report:
    """Distil a data set into `images_per_class` images per class: `out/<class name>/<index>.png`, `out/manifest.json`.

    `data` is a name, a folder or a `Dataset`. `guidance` is one of these names, or a factory of your own:

    - `"match+transport"`: the set of a class as a whole. `"transport"` carries each image to where the class has mass
      that no other image stands for; `"match"` moves all until random networks see the mean of the real latents;
    - `"none"`: the pipeline as it is;
    - `"mode"`: straight at the target; `"mgd3"`: the same as published, with a DDPM scheduler and 50 steps;
    - `"manifold"`: to the target along the tangent space, ManifoldGD (of a class with few images, all are neighbors);
    - `"released"`: the rule of its published code;
    - `(targets, cloud, seed) -> guidance`, called for each set with its targets, the latents of its class, and an
      integer of this run and set for guidances that draw. The manifest knows it by its name and a hash of its code.

    `pipeline` is a class-conditional pipeline, or what `load_pipeline` takes. `class_labels` are its labels of the
    classes: a mapping from class names to labels, or to names in `pipe.labels`, or a list in the order of
    `data.class_names` (a folder's are sorted as text, "10" before "2"); by default they are looked up by name.
    `guidance_scale` is classifier-free guidance. For data of `mgd_helpers.data.catalog` all three have their defaults
    there. `latents` are those of the training images, where they are at hand: encoding is most of the work of a large
    set.

    The images of a class are a set, which the guidance sees as a whole; more than `set_size` of them are several sets,
    as even as can be, each matched by itself. A second call with the same settings makes only the images that are
    missing or damaged, the same to the byte on the same machine: it makes their sets again. Sets of several classes
    share batches of up to `batch_size` images. That is no setting: with another one, images may differ by rounding, by
    one gray level. Class names that are no safe folders become such
    (`mgd_helpers.data.class_names`); the manifest has the true ones.

    Raises `ValueError` before any work where something does not fit, where `out` holds images of other settings, and
    where another run is at work there; nothing of others is overwritten.
    """
    started = time.perf_counter()
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
    )
    manifest, lacking = _what_lacks(run)
    new = 0
    if lacking or not manifest["complete"]:
        with locked(run.out):
            manifest, lacking = _what_lacks(run)  # again: another run may just have ended
            _warn(run, lacking)
            clouds = _encode(run, lacking)
            targets = _cluster(run, clouds)
            manifest = _record(run, manifest, lacking, targets)
            new = _sample_and_write(run, manifest, run.plan(lacking), clouds, targets)
    return Report(run.out, len(run.files), new, time.perf_counter() - started, manifest)


def _what_lacks(run: Run) -> tuple[dict, dict[tuple[int, int], str]]:
    """The manifest of the folder, empty where there is none, and which images lack there, with the reason."""
    manifest = read_manifest(run.out)
    if manifest is None:
        check_unused(run.out)
        return {}, dict.fromkeys(run.files, NOT_MADE)
    check_settings(run.out, manifest, run.settings)
    for folder in {(run.out / file).parent for file in run.files.values()}:
        check_folder("out", folder)
    listed, wrong = {image["file"] for image in manifest["images"]}, faults(run.out, manifest)
    lacking = {key: wrong.get(file, "") if file in listed else NOT_MADE for key, file in run.files.items()}
    return manifest, {key: why for key, why in lacking.items() if why}


def _warn(run: Run, lacking: dict[tuple[int, int], str]) -> None:
    damaged = [f"{run.files[key]} ({why})" for key, why in lacking.items() if why not in (MISSING, NOT_MADE)]
    if damaged:
        warnings.warn(
            f"{len(damaged)} images in {str(run.out)!r} are damaged, and made again: {', '.join(damaged[:5])}"
            f"{', …' if len(damaged) > 5 else ''}",
            stacklevel=3,
        )


def _encode(run: Run, lacking: Iterable[tuple[int, int]]) -> dict[int, torch.Tensor]:
    """The latents of each class that lacks an image: class by class, so that they do not depend on what else lacks."""
    train, labels = run.data.train, sorted({label for label, _ in lacking})
    if run.latents is not None:
        return {label: run.latents[train.rows_of(label).to(run.latents.device)] for label in labels}
    shown = progress(labels, f"encode {run.data.name}", unit="class")
    return {label: encode(run.pipe.vae, train.of_class(label)) for label in shown}


def _cluster(run: Run, clouds: dict[int, torch.Tensor]) -> dict[int, Targets]:
    """The targets of each class. Trees grow one by one: in step they would depend on what else lacks, by rounding."""
    count, seed = run.settings["images_per_class"], run.settings["seed"]
    pick = {key: run.settings[key] for key in ("images_per_class", "strategy", "representative")}
    shown = progress(clouds.items(), f"cluster {run.data.name}", unit="class")
    return {label: pick_targets(bisect(cloud, n_leaves=count, seed=seed), **pick) for label, cloud in shown}


def _record(run: Run, before: dict, lacking: Iterable[tuple[int, int]], targets: dict[int, Targets]) -> dict:
    """The manifest to go on with: what is known of earlier images stays, those that lack are listed anew."""
    labels = dict(zip(run.data.class_names, run.settings["class_labels"], strict=True))
    new: dict[str, Any] = {
        "settings": run.settings,
        "note": run.note,
        "pipeline": run.pipeline,
        "labels": labels,
        "images": [],
        "made_by": [],
    }
    manifest = {"labels": labels} | before if before else new
    adopt(run.out, manifest)
    known = {image["file"]: image for image in manifest["images"]}
    rows = {label: run.data.train.rows_of(label).cpu() for label in targets}
    for label, index in lacking:
        file = run.files[label, index]
        known[file] = {
            "file": file,
            "class": run.data.class_names[label],
            "index": index,
            "node": targets[label].nodes[index],
            "members": rows[label][targets[label].members[index]].tolist(),
            "generator": [run.settings["seed"], label, index],
            "guidance": run.settings["guidance"],
        }
    return manifest | {"complete": False, "images": [known[file] for file in run.files.values()]}


def _sample_and_write(
    run: Run, manifest: dict, plan: list[Batch], clouds: dict[int, torch.Tensor], targets: dict[int, Targets]
) -> int:
    """Make the batches; write the images that lack, and what made them. Nothing is written before the first batch."""
    entry, records = maker(str(run.pipe.device), images=0), {image["file"]: image for image in manifest["images"]}
    remove_parts(run.out)
    due = 0.0
    try:
        for batch in progress(plan, f"distill {run.data.name}", unit="batch"):
            images = _sample_batch(run, batch, clouds, targets)
            if not entry["images"]:
                manifest["made_by"].append(entry)
                write_manifest(run.out, manifest)  # whose images these are, before there are any
            for key in batch.wanted:
                content, file = png(images[batch.keys.index(key)]), run.files[key]
                write(run.out / file, functools.partial(Path.write_bytes, data=content))
                records[file] |= {"sha256": checksum(content), "made_by": len(manifest["made_by"]) - 1}
                entry["images"] += 1
            if time.perf_counter() > due:  # of many images it is long: at most a twentieth of the time
                due = time.perf_counter() + 20 * write_manifest(run.out, manifest)
        manifest["complete"] = True
    finally:
        if entry["images"] or manifest["complete"]:
            write_manifest(run.out, manifest)
    return entry["images"]


def _sample_batch(run: Run, batch: Batch, clouds: dict[int, torch.Tensor], targets: dict[int, Targets]) -> torch.Tensor:
    """All images of a batch, each in its place; guided are the sets that lack one, in full."""
    settings = run.settings
    guidances: dict[int, Any] = {}
    for label in dict.fromkeys(label for label, _ in batch.wanted):
        chosen = targets[label].take([index for of, index in batch.keys if of == label])
        key = (settings["seed"], label, batch.part) if batch.part else (settings["seed"], label)
        set_seed = seeding.generator(*key).initial_seed()
        guidances[label] = run.factory(chosen, clouds[label].to(run.pipe.device), set_seed)
    return sample(
        run.pipe,
        [settings["class_labels"][label] for label, _ in batch.keys],
        keys=batch.keys,
        guidance={label: guidances.get(label) for label, _ in batch.keys},
        seed=settings["seed"],
        steps=settings["steps"],
        guidance_scale=settings["guidance_scale"],
        batch_size=run.batch_size,
    )
