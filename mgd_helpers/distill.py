"""A data set in, a folder of images out: encode, cluster, pick targets, sample under guidance, write.

Every image has its own generator, keyed by (seed, class, image): images depend on neither batch size nor order, an
interrupted run goes on where it stopped, and runs with and without a guidance are paired.
"""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.catalog import PROFILES
from mgd_helpers.clusters import bisect_classes
from mgd_helpers.data import Dataset, load_data
from mgd_helpers.guidances import GUIDANCES, Factory
from mgd_helpers.latents import encode
from mgd_helpers.manifest import MANIFEST, check_settings, data_hash, describe, plain, write
from mgd_helpers.pipelines import load_pipeline, weights_hash
from mgd_helpers.runtime import package_versions, progress
from mgd_helpers.seeding import generator, generators
from mgd_helpers.steering import steer
from mgd_helpers.targets import Targets, pick_targets


@dataclass(frozen=True, eq=False)
class Report:
    """What `distill` did: the folder, how many images it holds, how many of them are new, the seconds, the manifest."""

    folder: Path
    images: int
    new: int
    seconds: float
    manifest: dict

    def __str__(self) -> str:
        return f"{self.images} images in {self.folder} ({self.new} new, {self.seconds:.1f} s)"


def distill(
    data: str | Path | Dataset,
    *,
    images_per_class: int,
    out: str | Path,
    guidance: str | Factory = "manifold",
    pipeline=None,
    class_labels: Sequence[int] | None = None,
    latents: Float[Tensor, "n ..."] | None = None,
    strategy: str = "levels",
    representative: str = "centroid",
    steps: int = 50,
    guidance_scale: float | None = None,
    batch_size: int = 32,
    seed: int = 0,
) -> Report:
    """Distil a data set into `images_per_class` images per class: `out/<class name>/<index>.png`, `out/manifest.json`.

    `data` is a name, a folder or a `Dataset`. `guidance` is `"none"`, `"mode"`, `"mgd3"` (mode as published, which was
    with a DDPM scheduler and 50 steps), `"manifold"` (the neighbours are all images of a class that has fewer) or
    `"released"`, or a factory `(targets, cloud, seed) -> guidance`, called for
    each batch with its targets, the latents of the class, and an integer of this run and class for guidances that draw.
    The manifest knows a factory by its name, and by its options where it is a `functools.partial`.
    `pipeline` is a class-conditional pipeline, or what `load_pipeline` takes. `class_labels` are its labels of the
    classes, by default looked up by name in `pipe.labels`; `guidance_scale` is classifier-free guidance, in its own
    sense. For data of `mgd_helpers.catalog` all three have their defaults there.
    `latents` are those of the training images, where they are at hand: encoding is most of the work of a large set.

    A second call with the same settings makes only the images that are missing. Raises `ValueError` where `out` holds
    images of other settings; nothing is overwritten.
    """
    started = time.perf_counter()
    data = data if isinstance(data, Dataset) else load_data(data)
    if isinstance(guidance, str) and guidance not in GUIDANCES:
        raise ValueError(f"guidance must be one of {', '.join(GUIDANCES)}, or a factory; got {guidance!r}.")
    for name, value in (("images_per_class", images_per_class), ("batch_size", batch_size), ("steps", steps)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}.")
    profile = PROFILES.get(data.name)
    pipeline = _own_pipeline(data.name) if pipeline is None else pipeline
    pipe = load_pipeline(pipeline) if isinstance(pipeline, str | Path) else pipeline
    default_scale = _default_scale(pipe)
    is_own = profile and profile.labels and pipeline in (profile.name, profile.pipeline)
    known = dict(zip(profile.class_names, profile.labels, strict=True)) if is_own else getattr(pipe, "labels", {})
    class_labels = _class_labels(class_labels, known, data.class_names)
    factory = GUIDANCES[guidance] if isinstance(guidance, str) else guidance
    if guidance_scale is None:
        guidance_scale = profile.guidance_scale if profile else default_scale
    manifest = {
        "settings": {
            "data": data.name,
            "data_hash": data_hash(data),
            "classes": list(data.class_names),
            "class_labels": class_labels,
            "images_per_class": images_per_class,
            "guidance": guidance if isinstance(guidance, str) else describe(guidance),
            "strategy": strategy,
            "representative": representative,
            "scheduler": type(pipe.scheduler).__name__,
            "scheduler_config": {key: plain(value) for key, value in sorted(pipe.scheduler.config.items())},
            "steps": steps,
            "guidance_scale": guidance_scale,
            "seed": seed,
            "weights": weights_hash(pipe),
        },
        "note": data.note,
        "pipeline": str(pipeline) if isinstance(pipeline, str | Path) else describe(pipe),
        "versions": package_versions(),
        "device": str(pipe.device),
        "complete": False,
    }
    out = Path(out)
    check_settings(out, manifest["settings"])

    members_of = [(data.train.labels == label).nonzero()[:, 0] for label in range(len(data.class_names))]
    for name, rows in zip(data.class_names, members_of, strict=True):
        if len(rows) < images_per_class:
            raise ValueError(
                f"images_per_class must not exceed the {len(rows)} images of class {name!r}; got {images_per_class}."
            )
    if latents is None:
        latents = encode(pipe.vae, data.train.images)
    if len(latents) != len(data.train):
        raise ValueError(
            f"latents must be those of the {len(data.train)} training images, in their order; got {len(latents)}."
        )
    clouds = [latents[rows] for rows in members_of]
    trees = bisect_classes(clouds, n_leaves=images_per_class, seed=seed)
    plan = []
    records = manifest["images"] = []
    pick = {"images_per_class": images_per_class, "strategy": strategy, "representative": representative}
    for label, (name, rows, cloud, tree) in enumerate(zip(data.class_names, members_of, clouds, trees, strict=True)):
        targets = pick_targets(tree, **pick)
        for index, (node, members) in enumerate(zip(targets.nodes, targets.members, strict=True)):
            file = f"{name}/{index:05d}.png"
            records.append(
                {"file": file, "class": name, "index": index, "node": node, "members": rows[members].tolist(),
                 "generator": [seed, label, index], "guidance": manifest["settings"]["guidance"]}
            )  # fmt: skip
        missing = [index for index in range(images_per_class) if not (out / name / f"{index:05d}.png").exists()]
        plan += [(label, cloud, _take(targets, missing[i : i + batch_size]), missing[i : i + batch_size])
                 for i in range(0, len(missing), batch_size)]  # fmt: skip

    write(out / MANIFEST, lambda path: path.write_text(json.dumps(manifest, indent=1)))
    new = 0
    for label, cloud, targets, indices in progress(plan, f"distill {data.name}", unit="batch"):
        draws = generators(seed, label, indices)
        with steer(
            pipe, factory(targets, cloud.to(pipe.device), generator(seed, label).initial_seed()), generators=draws
        ):
            images = pipe(
                class_labels=[class_labels[label]] * len(indices),
                generator=draws,
                guidance_scale=guidance_scale,
                num_inference_steps=steps,
            ).images
        for index, image in zip(indices, images, strict=True):
            file = out / data.class_names[label] / f"{index:05d}.png"
            write(file, lambda path, image=image: image.save(path, format="PNG"))
            new += 1
    manifest["complete"] = True
    write(out / MANIFEST, lambda path: path.write_text(json.dumps(manifest, indent=1)))
    return Report(out, len(records), new, time.perf_counter() - started, manifest)


def _own_pipeline(name: str) -> str:
    if name not in PROFILES:
        known = ", ".join(PROFILES)
        raise ValueError(f"pipeline must be given, trained on such images: none belongs to {name!r}, only to {known}.")
    return PROFILES[name].pipeline or name  # the name of a set without one is refused with its remedy


def _default_scale(pipe) -> float:
    parameters = inspect.signature(pipe.__call__).parameters
    if not ({"class_labels", "guidance_scale"} <= set(parameters) and hasattr(pipe, "vae")):
        raise ValueError(
            "pipeline must be latent and class-conditional (a vae, class_labels and guidance_scale, like DiTPipeline); "
            f"got {type(pipe).__name__}. Others can be steered with mgd.steer."
        )
    return parameters["guidance_scale"].default


def _class_labels(class_labels, known: dict[str, int], class_names: tuple[str, ...]) -> list[int]:
    if class_labels is None:
        missing = [name for name in class_names if name not in known]
        if missing:
            raise ValueError(
                f"class_labels must be given: the pipeline knows no class named {missing[:5]}. Pass the pipeline's "
                "label of each class, in the order of data.class_names."
            )
        class_labels = [known[name] for name in class_names]
    if len(class_labels) != len(class_names):
        raise ValueError(f"class_labels must be one per class, {len(class_names)}; got {len(class_labels)}.")
    return list(class_labels)


def _take(targets: Targets, indices: list[int]) -> Targets:
    return Targets(
        targets.latents[indices],
        tuple(targets.nodes[index] for index in indices),
        tuple(targets.members[index] for index in indices),
    )
