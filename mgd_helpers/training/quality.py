"""What a pipeline is worth, in figures on images that it was not trained on.

Two judges see real images, the same after a round trip through the autoencoder, and images without guidance: the
nearest neighbour among ten images per class, and a network that was trained on all real images.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import torch

from mgd_helpers.baselines.real_images import random_real, round_trip
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.encoding.latents import decibels
from mgd_helpers.evaluation.copies import nearest_images
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy
from mgd_helpers.students.recipes import Recipe
from mgd_helpers.students.training import accuracy, train_student

PER_CLASS = 10  # images of a class in the sets that are compared


def figures(
    vae: Any, data: Dataset, sampled: Sequence[ImageSet], *, recipe: Recipe, device: str | torch.device = "cpu"
) -> dict[str, Any]:
    """Figures of an autoencoder, and of sets that its pipeline has `sampled` without guidance, one for each seed.

    `data.test` are the held-out images, at least one. `recipe` is that of the network that judges.
    """
    train, test, n_classes = data.train, data.test, len(data.class_names)
    part = train.take(range(0, len(train), max(1, len(train) // 5000)))
    passed, passed_train = round_trip(vae, test), round_trip(vae, part)
    real = [random_real(train, images_per_class=_fewest(train, n_classes), seed=seed) for seed in range(len(sampled))]
    own = train.to(device)
    judge = train_student(own, own.labels, n_classes=n_classes, recipe=recipe).cpu()
    quantiles = torch.tensor([0.05, 0.5])
    apart, _ = nearest_images(torch.cat([one.images for one in sampled]), train)
    apart_test, _ = nearest_images(test, train)
    scores = {
        "generated": [nearest_neighbor_accuracy(one, test) for one in sampled],
        "random_real": [nearest_neighbor_accuracy(one, test) for one in real],
        "random_real_round_trip": [nearest_neighbor_accuracy(round_trip(vae, one), test) for one in real],
    }
    error = (passed.images - test.images).square().mean().item()
    return {
        "reconstruction_mse": {"train": (passed_train.images - part.images).square().mean().item(), "held_out": error},
        "reconstruction_psnr": decibels(error),
        "nearest_neighbor_accuracy": scores
        | {f"{name}_mean": statistics.mean(each) for name, each in scores.items()}
        | {"all_real_training": nearest_neighbor_accuracy(train, test)},
        "classifier_trained_on_real": {
            "kind": f"{recipe.network}, width {recipe.width}, {recipe.steps} steps",
            "held_out": accuracy(judge, test, test.labels),
            "held_out_round_trip": accuracy(judge, passed.images, test.labels),
            "generated_mean": statistics.mean(accuracy(judge, one.images, one.labels) for one in sampled),
        },
        "distance_to_nearest_training_image": {
            "unit": "root mean square per pixel, images in [-1, 1]; quantiles 0.05 and 0.5",
            "generated": apart.quantile(quantiles).tolist(),
            "held_out": apart_test.quantile(quantiles).tolist(),
            "generated_nearer_than_5_percent_of_held_out": (apart < apart_test.quantile(0.05)).float().mean().item(),
        },
    }


def _fewest(train: ImageSet, n_classes: int) -> int:
    """Ten, or what the smallest class has."""
    return max(1, min(PER_CLASS, int(train.labels.bincount(minlength=n_classes).min())))
