"""The test images that the project of lab 10 holds back: looks at them, each counted, and what a look shows.

Files on disk cannot keep a secret: whoever deletes the count, or looks by other means, fools nobody else.
"""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.baselines import real_images
from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.files import checksum, write
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.encoding.latents import encode
from mgd_helpers.encoding.pipelines import load_pipeline
from mgd_helpers.evaluation import paired_difference
from mgd_helpers.lab.checks.laws import law
from mgd_helpers.seeding import generator
from mgd_helpers.students.recipes import Recipe
from mgd_helpers.students.training import train_students

DATA = "digits"
LOOKS = "looks.json"
RECIPE = Recipe(steps=100, batch_size=10, learning_rate=0.02, width=16)
STUDENTS = range(100, 105)  # seeds of students that only this check trains


def halves(data: Dataset) -> tuple[Dataset, Dataset]:
    """The data with half of its test images to tune on, and with the other half, held back; each class is halved."""
    parts: tuple[list, list] = ([], [])
    for label in range(len(data.class_names)):
        members = data.test.rows_of(label)
        dealt = members[torch.randperm(len(members), generator=generator(0, label))]
        parts[0].append(dealt[::2])
        parts[1].append(dealt[1::2])
    tuning, held_back = (replace(data, test=data.test.take(torch.cat(rows).sort().values)) for rows in parts)
    return tuning, held_back


@functools.cache
def latents_of_training() -> Tensor:
    """The latents of all training images, encoded once."""
    return encode(load_pipeline(DATA).vae, load_data(DATA).train.images)


@functools.cache
def nearest_real() -> ImageSet:
    """The rival: for each class the training image whose latent is nearest to the mean of the class."""
    train, latents = load_data(DATA).train, latents_of_training()
    means = [latents[train.labels == label].mean(0, keepdim=True) for label in train.labels.unique()]
    return real_images.nearest_real(train, latents, means)


def count_look(folder: Path, images: ImageSet) -> tuple[int, int]:
    """Note a look at the held-back half in `looks.json` beside the folder; gives the looks, and at how many sets.

    Raises `Slip` where that file cannot be read or written: who cannot count must not look.
    """
    file = folder.absolute().parent / LOOKS
    try:
        seen = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
        fits = isinstance(seen, list) and all(isinstance(one, str) for one in seen)
    except ValueError:
        fits = False
    law(fits, f"{LOOKS} beside the folder is not as this check wrote it, so looks cannot be counted. Put it back.")
    seen.append(checksum(images.images.numpy().tobytes())[:16])
    write(file, lambda path: path.write_text(json.dumps(seen, indent=1), encoding="utf-8"))
    return len(seen), len(set(seen))


def outcome(images: ImageSet, looks: int, sets: int) -> list[str]:
    """The lines on the held-back half. With every other set that was looked at the interval grows (Bonferroni)."""
    _, held_back = halves(load_data(DATA))
    mine, theirs = right_answers(images, held_back), right_answers(nearest_real(), held_back)
    found = paired_difference(mine, theirs, confidence=1 - 0.05 / sets)
    return [
        f"looks at the held-back half, this one with them: {looks}, at {sets} different set{'s' * (sets > 1)}.",
        f"accuracy on its {len(mine)} images, {len(STUDENTS)} students: {100 * mine.mean():.1f} %, "
        f"nearest real images {100 * theirs.mean():.1f} %.",
        f"difference: {100 * found.mean:+.1f} points ({100 * found.low:+.1f} to {100 * found.high:+.1f}; "
        f"95 % for all sets looked at): {found.verdict}.",
    ]


def right_answers(images: ImageSet, data: Dataset) -> Float[Tensor, "n students"]:
    """For each test image and each student of these images: 1 where the student names it, else 0."""
    options: dict[str, Any] = {"n_classes": len(data.class_names), "recipe": RECIPE, "seeds": STUDENTS}
    students = train_students(images.images, images.labels, **options)
    with torch.no_grad():
        named = torch.stack([student(data.test.images).argmax(1) for student in students], dim=1)
    return (named == data.test.labels[:, None]).double()
