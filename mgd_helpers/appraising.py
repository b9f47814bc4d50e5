"""The numbers behind a report: small images of a set, of real ones beside it, and of those that judge both.

At most 5,000 real images are looked at, drawn by a seed, of each class equally many; all at 32 pixels a side or less.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from mgd_helpers import seeding
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.image_sets import Dataset, ImageSet, at, first_rows
from mgd_helpers.data.splits import SHARE, split_rows
from mgd_helpers.encoding.compatibility import check_images
from mgd_helpers.encoding.facts import facts_of
from mgd_helpers.encoding.latents import decode, encode
from mgd_helpers.evaluation.chosen_rows import nearest_each, random_rows
from mgd_helpers.evaluation.copies import DUPLICATE_SHARE, nearest_images
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy

JUDGES, REAL, SIDE = 1000, 4000, 32
PIXELS = 2**19  # that an autoencoder is given: half a second for a small one, half a minute for a large one on a CPU


@dataclass(frozen=True, eq=False)
class Parts:
    """Small images, on the CPU: `generated`, `real` ones to choose from, and `judges`, which are neither.

    `targets` has for each class the means of the members of its images, on small images, and is empty where no members
    are known.
    """

    draws: ClassVar[int] = 5

    generated: ImageSet
    real: ImageSet
    judges: ImageSet
    targets: list[Tensor]
    said: str


def parts_of(folder: Path, data: Dataset, images: list[dict], *, seed: int = 0) -> Parts:
    """Read the set in a folder, whose manifest lists `images`, and draw the real images that it is compared with."""
    train, channels, classes = data.train, data.train.shape[1], len(data.class_names)
    at_most = max(1, (JUDGES + REAL) // classes)
    generated = load_data(folder, channels=channels, per_class=at_most).train
    side = min(SIDE, *train.shape[2:], *generated.shape[2:])
    pool, judged_by, rows = torch.arange(len(train)), data.test, torch.arange(len(data.test))
    said = "test images"
    if len(data.test) == 0:
        pool, rows = split_rows(train.labels.cpu(), SHARE, seed)
        judged_by, said = train, "training images (there are no others; the set was made from all of them)"
    rows = rows[_drawn(judged_by.labels.cpu()[rows], max(1, JUDGES // classes), seed)]
    counts = generated.labels.bincount(minlength=classes)
    pool = pool[_drawn(train.labels.cpu()[pool], max(int(counts.max()), REAL // classes), seed)]
    real = ImageSet(small(train, pool, side), train.labels.cpu()[pool])
    return Parts(
        generated=ImageSet(small(generated, torch.arange(len(generated)), side), generated.labels),
        real=real,
        judges=ImageSet(small(judged_by, rows, side), judged_by.labels.cpu()[rows]),
        targets=_targets(images, generated, real, pool, data),
        said=f"{len(rows)} {said}" + ("" if side == train.shape[-1] else f", {side} pixels a side"),
    )


def scores(parts: Parts, *, seed: int = 0) -> tuple[float, float, float, float | None]:
    """Accuracies of 1-NN: of the set; the mean of random real images and its deviation; of the nearest real ones."""
    counts = parts.generated.labels.bincount(minlength=int(parts.real.labels.max()) + 1)
    offered = parts.real.labels.bincount(minlength=len(counts))
    asked = torch.minimum(counts, offered).clamp_min(1).tolist()
    drawn = []
    for draw in range(parts.draws):
        rows = random_rows(parts.real, images_per_class=asked, seed=seed + draw)
        drawn.append(nearest_neighbor_accuracy(parts.real.take(rows), parts.judges))
    found = torch.tensor(drawn, dtype=torch.float64)
    nearest = None
    if parts.targets:
        of_class = [parts.real.rows_of(label) for label in range(len(parts.targets))]
        pairs = zip(parts.targets, of_class, strict=True)
        rows = torch.cat([own[nearest_each(means[: len(own)], parts.real.images[own])] for means, own in pairs])
        nearest = nearest_neighbor_accuracy(parts.real.take(rows), parts.judges)
    return (
        nearest_neighbor_accuracy(parts.generated, parts.judges),
        found.mean().item(),
        found.std().item(),
        nearest,
    )


def copies_of(parts: Parts) -> int:
    """How many images are nearer to a training image than 99.9 % of those that judge, or the same but for rounding."""
    found, _ = nearest_images(parts.generated.images, parts.real.images)
    held_out, _ = nearest_images(parts.judges.images, parts.real.images)
    near = held_out.quantile(DUPLICATE_SHARE, interpolation="lower").item()
    return int(((found < near) | (found <= 1 / 255)).sum())


def autoencoder_error(pipe: Any, data: Dataset, *, seed: int = 0) -> tuple[float | None, float | None]:
    """Mean square error of a round trip of some training images, and the one that the pipeline was trained to.

    `None` stands for what cannot be known: without an autoencoder, with images that it does not take, without facts.
    """
    vae, train = getattr(pipe, "vae", None), data.train
    if vae is None:
        return None, None
    try:
        check_images(pipe, train)
    except ValueError:
        return None, None
    count = max(4, min(256, PIXELS // train.shape[2:].numel()))
    rows = torch.randperm(len(train), generator=seeding.generator(seed))[:count]
    images = train.at(rows).float()
    error = (decode(vae, encode(vae, images)) - images).square().mean().item()
    known = facts_of(pipe).get("reconstruction_error")
    return error, known if isinstance(known, int | float) else None


def small(images: Tensor | ImageSet, rows: Int[Tensor, " k"], side: int) -> Float[Tensor, "k c s s"]:
    """These images at `side` pixels a side, in float32 on the CPU; a few at a time, since they may be large."""
    parts = []
    for some in rows.split(200):
        block = at(images, some.to(images.device)).detach().float().cpu()
        parts.append(block if block.shape[2:] == (side, side) else F.interpolate(block, (side, side), mode="area"))
    return torch.cat(parts).clamp(-1, 1) if parts else torch.empty(0, images.shape[1], side, side)


def _drawn(labels: Int[Tensor, " n"], per_class: int, seed: int) -> Int[Tensor, " k"]:
    """Places of at most `per_class` of each label, drawn by a seed, ascending."""
    order = torch.randperm(len(labels), generator=seeding.generator(seed))
    return order[first_rows(labels[order].tolist(), per_class)].sort().values


def _targets(
    images: list[dict], generated: ImageSet, real: ImageSet, pool: Int[Tensor, " n"], data: Dataset
) -> list[Tensor]:
    """The mean small image of the members of each image, those in the pool; class after class."""
    place = {row: index for index, row in enumerate(pool.tolist())}
    numbers = {name: label for label, name in enumerate(data.class_names)}
    found: list[list[Tensor]] = [[] for _ in numbers]
    counts = generated.labels.bincount(minlength=len(numbers)).tolist()
    for image in images:
        label = numbers[image["class"]]
        if len(found[label]) < counts[label]:
            members = list(itertools.islice((place[row] for row in image.get("members", ()) if row in place), 200))
            if members:
                found[label].append(real.images[members].mean(0))
    return [torch.stack(means) for means in found] if all(found) else []
