"""The figures of a model card, all measured on the pipeline as it was written."""

from __future__ import annotations

import statistics

import torch

import mgd_helpers as mgd
from mgd_helpers.baselines.real_images import random_real
from mgd_helpers.encoding.pipelines import LatentPipeline
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy
from mgd_helpers.linalg import nearest
from mgd_helpers.students.training import Recipe, accuracy, train_student
from mgd_helpers.training.settings import Settings


def generate(pipe: LatentPipeline, settings: Settings, n_classes: int, *, per_class: int, seed: int) -> mgd.ImageSet:
    """Sample `per_class` images of each class, without guidance towards targets, one generator per image."""
    labels = torch.arange(n_classes).repeat_interleave(per_class)
    images = mgd.sample(
        pipe, labels, seed=seed, steps=settings.sampling_steps, guidance_scale=settings.guidance_scale, batch_size=100
    )
    return mgd.ImageSet(images, labels)


CLASSIFIER = Recipe(steps=2000, batch_size=64)


def measure(
    pipe: LatentPipeline, settings: Settings, data: mgd.Dataset, *, seeds: int = 5
) -> tuple[dict, torch.Tensor]:
    """Measure the figures of the model card; returns them and the images of seed 0."""
    round_trip = mgd.decode(pipe.vae, mgd.encode(pipe.vae, data.test.images))
    train_part = data.train.images[:: max(1, len(data.train) // 5000)]
    train_error = mgd.decode(pipe.vae, mgd.encode(pipe.vae, train_part)) - train_part

    def nearest_distance(images: torch.Tensor) -> torch.Tensor:
        # Root mean square per pixel, on the [-1, 1] scale, to the nearest training image
        found = nearest(images.flatten(1), data.train.images.flatten(1), n_neighbors=1)[:, 0]
        return (images - data.train.images[found]).square().mean((1, 2, 3)).sqrt()

    n_classes = len(data.class_names)
    sets = [generate(pipe, settings, n_classes, per_class=10, seed=seed) for seed in range(seeds)]
    random_sets = [random_real(data.train, images_per_class=10, seed=seed) for seed in range(seeds)]
    classifier = train_student(data.train.images, data.train.labels, n_classes=n_classes, recipe=CLASSIFIER)
    generated, held_out = nearest_distance(torch.cat([one.images for one in sets])), nearest_distance(data.test.images)
    quantiles = torch.tensor([0.05, 0.5])
    scores = [nearest_neighbor_accuracy(one, data.test) for one in sets]
    real_scores = [nearest_neighbor_accuracy(one, data.test) for one in random_sets]
    return {
        "reconstruction_mse": {
            "train": train_error.square().mean().item(),
            "held_out": (round_trip - data.test.images).square().mean().item(),
        },
        "nearest_neighbor_accuracy": {
            "generated_100": scores,
            "generated_100_mean": statistics.mean(scores),
            "random_real_100_mean": statistics.mean(real_scores),
            "all_real_training": nearest_neighbor_accuracy(data.train, data.test),
        },
        "classifier_trained_on_real": {
            "kind": f"{CLASSIFIER.network}, width {CLASSIFIER.width}, {CLASSIFIER.steps} steps",
            "held_out": accuracy(classifier, data.test.images, data.test.labels),
            "held_out_round_trip": accuracy(classifier, round_trip, data.test.labels),
            "generated_mean": statistics.mean(accuracy(classifier, one.images, one.labels) for one in sets),
        },
        "distance_to_nearest_training_image": {
            "unit": "root mean square per pixel, images in [-1, 1]; quantiles 0.05 and 0.5",
            "generated": generated.quantile(quantiles).tolist(),
            "held_out": held_out.quantile(quantiles).tolist(),
            "generated_nearer_than_5_percent_of_held_out": (generated < held_out.quantile(0.05)).float().mean().item(),
        },
        "sampling": f"{type(pipe.scheduler).__name__}, {settings.sampling_steps} steps, guidance_scale "
        f"{settings.guidance_scale}, seeds 0 to {seeds - 1}",
    }, sets[0].images
