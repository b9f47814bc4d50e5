"""What a distilled set is compared with: rules that choose real images, and targets without any denoising.

herding:   argmin_x ‖ mean of the class - mean of the chosen and x ‖    k-centre:   argmax_x min over the chosen ‖x - c‖
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.image_sets import ImageSet, image_set
from mgd_helpers.encoding.latents import decode, encode
from mgd_helpers.evaluation.fidelity import FeatureFunction, feature_rows
from mgd_helpers.linalg import squared_distances


def random_real(train: ImageSet, *, images_per_class: int, seed: int) -> ImageSet:
    """Draw images without replacement, class by class: what takes no cleverness."""
    seed = arguments.whole("seed", seed, at_least=0)

    def choose(label: int, images: Tensor) -> Tensor:
        return torch.randperm(len(images), generator=seeding.generator(seed, label))[:images_per_class]

    return _per_class(train, images_per_class, choose)


def herding(train: ImageSet, *, images_per_class: int, features: FeatureFunction | None = None) -> ImageSet:
    """Choose images whose mean feature stays closest to the mean of their class (Welling 2009), one after the other.

    No image is taken twice. `features` maps images to rows [n, d], by default their pixels; it is given batches.
    """

    def choose(label: int, images: Tensor) -> Tensor:
        rows = feature_rows(images, features)
        rows = rows - rows.mean(0)
        total, free = torch.zeros_like(rows[0]), torch.ones(len(rows), dtype=torch.bool)
        chosen: list[int] = []
        for _ in range(images_per_class):
            # ‖total + x‖² is smallest; the division by the number of images is the same for all
            badness = (rows.square().sum(1) + 2 * rows @ total).masked_fill(~free.to(rows.device), torch.inf)
            chosen.append(int(badness.argmin()))
            total, free[chosen[-1]] = total + rows[chosen[-1]], False
        return torch.tensor(chosen)

    return _per_class(train, images_per_class, choose)


def k_center(train: ImageSet, *, images_per_class: int, features: FeatureFunction | None = None) -> ImageSet:
    """Choose images that leave no other one far from its nearest (greedy k-centre, Sener & Savarese 2018).

    First the one nearest to the class mean, then always the one farthest from all chosen. `features` as in `herding`.
    """

    def choose(label: int, images: Tensor) -> Tensor:
        rows = feature_rows(images, features)
        chosen = [int(squared_distances(rows.mean(0, keepdim=True), rows)[0].argmin())]
        nearest = squared_distances(rows[chosen], rows)[0]
        while len(chosen) < images_per_class:
            nearest[chosen] = -1  # without replacement, also among equal images
            chosen.append(int(nearest.argmax()))
            nearest = torch.minimum(nearest, squared_distances(rows[chosen[-1:]], rows)[0])
        return torch.tensor(chosen)

    return _per_class(train, images_per_class, choose)


def nearest_real(
    train: ImageSet, latents: Float[Tensor, "n ..."], targets: Sequence[Float[Tensor, "k ..."]]
) -> ImageSet:
    """Choose for each target the training image whose latent is nearest, none twice; `targets` has an entry per class.

    `latents` are those of `train`. Targets of a class choose in their order.

    Raises `ValueError` where targets are not equally many, or more than a class has images.
    """
    if len(arguments.tensor("latents", latents)) != len(image_set("train", train)):
        raise ValueError(f"latents must be those of the {len(train)} training images; got {len(latents)}.")
    counts, most = [len(of_class) for of_class in targets], train.labels.bincount()
    if len(counts) != len(most) or len(set(counts)) != 1 or not 1 <= counts[0] <= most.min():
        raise ValueError(
            f"targets must be equally many for each of the {len(most)} classes, from 1 to the {most.min()} images of "
            f"the smallest; got {counts}."
        )

    def choose(label: int, images: Tensor) -> Tensor:
        distances = squared_distances(targets[label].flatten(1), latents[train.labels == label].flatten(1))
        chosen: list[int] = []
        for line in distances:
            line[chosen] = torch.inf
            chosen.append(int(line.argmin()))
        return torch.tensor(chosen)

    return _per_class(train, counts[0], choose)


def round_trip(vae: Any, images: ImageSet) -> ImageSet:
    """Encode and decode the same images: what the autoencoder alone costs."""
    return ImageSet(decode(vae, encode(vae, image_set("images", images).images)), images.labels)


def decoded_targets(vae: Any, targets: Sequence[Float[Tensor, "k ..."]]) -> ImageSet:
    """Decode the targets themselves, one entry per class: whether diffusion is needed at all."""
    labels = [torch.full((len(of_class),), label, device=of_class.device) for label, of_class in enumerate(targets)]
    return ImageSet(decode(vae, torch.cat(list(targets))), torch.cat(labels))


def _per_class(train: Any, images_per_class: Any, choose: Callable[[int, Tensor], Int[Tensor, " k"]]) -> ImageSet:
    """What `choose(label, images of the class)` picks, class after class."""
    images, labels, counts = [], [], image_set("train", train).labels.bincount()
    if len(counts) == 0:
        raise ValueError("train must hold at least one image; got none.")
    for label in range(len(counts)):
        members, remedy = train.of_class(label), f"Class {label} has no more images."
        count = arguments.whole("images_per_class", images_per_class, at_least=1, at_most=len(members), remedy=remedy)
        images.append(members[choose(label, members).to(members.device)])
        labels.append(torch.full((count,), label, device=members.device))
    return ImageSet(torch.cat(images), torch.cat(labels))
