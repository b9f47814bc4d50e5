"""Which training images a rule chooses, as rows of the training split: real images are what any set must beat.

herding:   argmin_x ‖ mean of the class - mean of the chosen and x ‖    k-centre:   argmax_x min over the chosen ‖x - c‖
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.image_sets import ImageSet, image_set
from mgd_helpers.evaluation.fidelity import FeatureFunction, feature_rows
from mgd_helpers.linalg import squared_distances


def random_rows(train: Any, *, images_per_class: Any, seed: Any) -> Int[Tensor, " k"]:
    """Rows drawn without replacement, class after class; see `baselines.random_real`."""
    seed = arguments.whole("seed", seed, at_least=0)
    return _per_class(
        train,
        images_per_class,
        lambda label, rows, count: torch.randperm(len(rows), generator=seeding.generator(seed, label))[:count],
    )


def herding_rows(train: Any, *, images_per_class: Any, features: FeatureFunction | None = None) -> Int[Tensor, " k"]:
    """Rows whose mean feature stays closest to that of their class, class after class; see `baselines.herding`."""

    def choose(label: int, members: Tensor, count: int) -> Tensor:
        rows = feature_rows(train.at(members), features)
        rows = rows - rows.mean(0)
        total, free = torch.zeros_like(rows[0]), torch.ones(len(rows), dtype=torch.bool)
        chosen: list[int] = []
        for _ in range(count):
            # ‖total + x‖² is smallest; the division by the number of images is the same for all
            badness = (rows.square().sum(1) + 2 * rows @ total).masked_fill(~free.to(rows.device), torch.inf)
            chosen.append(int(badness.argmin()))
            total, free[chosen[-1]] = total + rows[chosen[-1]], False
        return torch.tensor(chosen, dtype=torch.int64)

    return _per_class(train, images_per_class, choose)


def k_center_rows(train: Any, *, images_per_class: Any, features: FeatureFunction | None = None) -> Int[Tensor, " k"]:
    """Rows that leave no other one far from its nearest, class after class; see `baselines.k_center`."""

    def choose(label: int, members: Tensor, count: int) -> Tensor:
        rows = feature_rows(train.at(members), features)
        chosen = [int(squared_distances(rows.mean(0, keepdim=True), rows)[0].argmin())]
        nearest = squared_distances(rows[chosen], rows)[0]
        while len(chosen) < count:
            nearest[chosen] = -1  # without replacement, also among equal images
            chosen.append(int(nearest.argmax()))
            nearest = torch.minimum(nearest, squared_distances(rows[chosen[-1:]], rows)[0])
        return torch.tensor(chosen)

    return _per_class(train, images_per_class, choose)


def nearest_rows(
    train: ImageSet, latents: Float[Tensor, "n ..."], targets: Sequence[Float[Tensor, "k ..."]]
) -> Int[Tensor, " rows"]:
    """The row of the nearest latent of its class for each target, none twice; see `baselines.nearest_real`."""
    if len(arguments.tensor("latents", latents)) != len(image_set("train", train)):
        raise ValueError(f"latents must be those of the {len(train)} training images; got {len(latents)}.")
    counts, most = [len(of_class) for of_class in targets], train.labels.bincount()
    if len(counts) != len(most) or len(set(counts)) != 1 or not 1 <= counts[0] <= most.min():
        raise ValueError(
            f"targets must be equally many for each of the {len(most)} classes, from 1 to the {most.min()} images of "
            f"the smallest; got {counts}."
        )

    def choose(label: int, members: Tensor, count: int) -> Tensor:
        return nearest_each(targets[label], latents[members.to(latents.device)])

    return _per_class(train, counts[0], choose)


def nearest_each(targets: Float[Tensor, "k ..."], cloud: Float[Tensor, "n ..."]) -> Int[Tensor, " k"]:
    """The nearest point of a cloud for each target, none twice; targets choose in their order."""
    chosen: list[int] = []
    for line in squared_distances(targets.flatten(1), cloud.flatten(1)):
        line[chosen] = torch.inf
        chosen.append(int(line.argmin()))
    return torch.tensor(chosen)


def _per_class(train: Any, images_per_class: Any, choose: Callable[[int, Tensor, int], Tensor]) -> Int[Tensor, " k"]:
    """What `choose(label, rows of the class, count)` picks of these rows, class after class."""
    found, counts = [], image_set("train", train).labels.bincount()
    if len(counts) == 0:
        raise ValueError("train must hold at least one image; got none.")
    is_list = isinstance(images_per_class, list | tuple) and len(images_per_class) == len(counts)
    asked = images_per_class if is_list else [images_per_class] * len(counts)
    for label, count in enumerate(asked):
        members, remedy = train.rows_of(label), f"Class {label} has no more images."
        count = arguments.whole("images_per_class", count, at_least=1, at_most=len(members), remedy=remedy)
        found.append(members[choose(label, members, count).to(members.device)])
    return torch.cat(found)
