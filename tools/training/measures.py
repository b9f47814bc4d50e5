"""The figures of a model card, all measured on the pipeline as it was written."""

from __future__ import annotations

import torch

import mgd_helpers as mgd
from mgd_helpers.encoding.pipelines import LatentPipeline
from mgd_helpers.students.recipes import Recipe
from mgd_helpers.training.quality import figures
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
    n_classes = len(data.class_names)
    sets = [generate(pipe, settings, n_classes, per_class=10, seed=seed) for seed in range(seeds)]
    found = figures(pipe.vae, data, sets, recipe=CLASSIFIER)
    near = found["nearest_neighbor_accuracy"]
    return {
        "reconstruction_mse": found["reconstruction_mse"],
        "nearest_neighbor_accuracy": {
            "generated_100": near["generated"],
            "generated_100_mean": near["generated_mean"],
            "random_real_100_mean": near["random_real_mean"],
            "all_real_training": near["all_real_training"],
        },
        "classifier_trained_on_real": found["classifier_trained_on_real"],
        "distance_to_nearest_training_image": found["distance_to_nearest_training_image"],
        "sampling": f"{type(pipe.scheduler).__name__}, {settings.sampling_steps} steps, guidance_scale "
        f"{settings.guidance_scale}, seeds 0 to {seeds - 1}",
    }, sets[0].images
