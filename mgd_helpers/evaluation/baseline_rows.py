"""The rows that every table has beside its sets: real images, as many of each class, and what an autoencoder costs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from mgd_helpers.data.image_sets import ImageSet
from mgd_helpers.encoding.compatibility import check_images
from mgd_helpers.encoding.latents import decode, encode
from mgd_helpers.encoding.pipelines import load_pipeline
from mgd_helpers.evaluation.chosen_rows import herding_rows, random_rows
from mgd_helpers.evaluation.reading import Reading

RANDOM, HERDING, AUTOENCODER = "random real", "herding", "through autoencoder"


def baseline_sets(reading: Reading, *, pipeline: Any, seed: int) -> tuple[dict[str, ImageSet], str]:
    """Rows by name for each number of images that a set has per class, and a note on those that are left out.

    `random real` is drawn by `seed`, `herding` chosen on pixels, and `through autoencoder` are the random real images,
    encoded and decoded by that of `pipeline`. A set of one of these names stands for the row.
    """
    train, classes = reading.data.train, len(reading.data.class_names)
    notes: list[str] = []
    most = train.labels.bincount(minlength=classes).tolist()
    counts: dict[tuple[int, ...], str] = {}
    for name, images in reading.sets.items():
        counts.setdefault(tuple(images.labels.bincount(minlength=classes).tolist()), name)
    vae = _autoencoder(pipeline, train, notes)
    rows: dict[str, ImageSet] = {}
    for asked, name in counts.items():
        if any(count > there or count == 0 for count, there in zip(asked, most, strict=True)):
            notes.append(f"There are not as many real images of each class as in {name!r}.")
            continue
        kind = _kind(asked, name) if len(counts) > 1 else ""
        drawn = train.take(random_rows(train, images_per_class=asked, seed=seed))
        found = {RANDOM: drawn, HERDING: train.take(herding_rows(train, images_per_class=asked))}
        if vae is not None:
            found[AUTOENCODER] = ImageSet(decode(vae, encode(vae, drawn)), drawn.labels)
        rows |= {f"{row}{kind}": images.to(reading.device) for row, images in found.items()}
    return {row: images for row, images in rows.items() if row not in reading.sets}, " ".join(notes)


def _kind(asked: Collection[int], name: str) -> str:
    return f" ({max(asked)} per class)" if len(set(asked)) == 1 else f" (as many as {name!r})"


def _autoencoder(pipeline: Any, images: ImageSet, notes: list[str]) -> Any:
    """The pipeline's autoencoder, if it has one and takes such images."""
    if pipeline is None:
        return None
    pipe = load_pipeline(pipeline) if isinstance(pipeline, str | Path) else pipeline
    if getattr(pipe, "vae", None) is None:
        return None
    try:
        check_images(pipe, images)
    except ValueError:
        notes.append("The autoencoder of the pipeline does not take images of this size.")
        return None
    return pipe.vae
