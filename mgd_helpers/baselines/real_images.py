"""What a distilled set is compared with: rules that choose real images, and targets without any denoising.

herding:   argmin_x ‖ mean of the class - mean of the chosen and x ‖    k-centre:   argmax_x min over the chosen ‖x - c‖
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.image_sets import ImageSet, image_set
from mgd_helpers.encoding.latents import decode, encode
from mgd_helpers.evaluation.chosen_rows import herding_rows, k_center_rows, nearest_rows, random_rows
from mgd_helpers.evaluation.fidelity import FeatureFunction


def random_real(train: ImageSet, *, images_per_class: int, seed: int) -> ImageSet:
    """Draw images without replacement, class by class: what takes no cleverness."""
    return _taken(train, random_rows(train, images_per_class=images_per_class, seed=seed))


def herding(train: ImageSet, *, images_per_class: int, features: FeatureFunction | None = None) -> ImageSet:
    """Choose images whose mean feature stays closest to the mean of their class (Welling 2009), one after the other.

    No image is taken twice. `features` maps images to rows [n, d], by default their pixels; it is given batches.
    """
    return _taken(train, herding_rows(train, images_per_class=images_per_class, features=features))


def k_center(train: ImageSet, *, images_per_class: int, features: FeatureFunction | None = None) -> ImageSet:
    """Choose images that leave no other one far from its nearest (greedy k-centre, Sener & Savarese 2018).

    First the one nearest to the class mean, then always the one farthest from all chosen. `features` as in `herding`.
    """
    return _taken(train, k_center_rows(train, images_per_class=images_per_class, features=features))


def nearest_real(
    train: ImageSet, latents: Float[Tensor, "n ..."], targets: Sequence[Float[Tensor, "k ..."]]
) -> ImageSet:
    """Choose for each target the training image whose latent is nearest, none twice; `targets` has an entry per class.

    `latents` are those of `train`. Targets of a class choose in their order.

    Raises `ValueError` where targets are not equally many, or more than a class has images.
    """
    return _taken(train, nearest_rows(train, latents, targets))


def round_trip(vae: Any, images: ImageSet) -> ImageSet:
    """Encode and decode the same images: what the autoencoder alone costs."""
    return ImageSet(decode(vae, encode(vae, image_set("images", images))), images.labels)


def decoded_targets(vae: Any, targets: Sequence[Float[Tensor, "k ..."]]) -> ImageSet:
    """Decode the targets themselves, one entry per class: whether diffusion is needed at all."""
    labels = [torch.full((len(of_class),), label, device=of_class.device) for label, of_class in enumerate(targets)]
    return ImageSet(decode(vae, torch.cat(list(targets))), torch.cat(labels))


def _taken(train: ImageSet, rows: Int[Tensor, " k"]) -> ImageSet:
    """These images, with their labels beside them."""
    taken = train.take(rows)
    return taken.with_labels(taken.labels.to(taken.device))
