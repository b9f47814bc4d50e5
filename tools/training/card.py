"""The model card: a text whose every figure comes from metrics.json, the settings or the weights."""

from __future__ import annotations

from mgd_helpers.data.catalog import PROFILES as CATALOG
from mgd_helpers.encoding.pipelines import LatentPipeline
from mgd_helpers.training.settings import Settings

CARD = """---
license: apache-2.0
library_name: diffusers
pipeline_tag: unconditional-image-generation
---
# The `{name}` pipeline

A stock `DiTPipeline`, trained from scratch on {data_line} by `python -m tools train {name}`.
It is small enough for a CPU, and made for teaching and for measuring, not for beautiful images.

![100 generated images, one row per class](samples.png)

| what | figure |
|---|---|
| parameters | VAE {vae_parameters:.2f} M, DiT {dit_parameters:.2f} M, stored as {dtype} |
| latents | {latent_shape}, zero mean and unit variance over the training images |
| mean squared reconstruction error, held-out images ([-1, 1] scale) | {mse:.2e} |
| accuracy of a classifier trained on real images ({classifier}): on held-out images | {held_out:.3f} |
| the same classifier on held-out images after encoding and decoding | {round_trip:.3f} |
| the same classifier on generated images | {on_generated:.3f} |
| 1-nearest-neighbour accuracy on held-out images, fed 100 generated images (mean, {seeds} seeds) | {nn:.3f} |
| the same, fed 100 random real images | {nn_real:.3f} |
| the same, fed all {n_train:,} training images | {nn_all:.3f} |
| distance of generated images to the nearest training image, median (5 % quantile) | {g50:.3f} ({g05:.3f}) |
| the same for held-out images | {h50:.3f} ({h05:.3f}) |
| generated images nearer to a training image than the nearest 5 % of held-out images | {near:.1%} |
| training (wall clock, with other work on the machine) | VAE {vae_steps} steps, {vae_minutes:.1f} min; \
DiT {dit_steps} steps, {dit_minutes:.1f} min |
| machine | {machine} |

Sampling: {sampling}. Distances are root mean squares per pixel on the [-1, 1] scale. All figures are in `metrics.json`.
**Does it memorise?** The lines on distance answer: a model that copies its training images would come nearer to them
than images it has never seen do, far more often than 5 % of the time.

The held-out images ({n_test:,} of {n_all:,}{split}) were used for this table alone: not in training, not for any
choice of size, length or guidance scale. Data: {data_credit}.{note}
"""

# What the data are, how they were split, and whom to credit
DATA_LINES = {
    "digits": (
        "the 1,797 scans of handwritten digits that come with scikit-learn, resized from 8x8 to 32x32",
        ", stratified, `random_state=0`",
        "Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI repository (1998), CC BY 4.0",
    ),
    "fashion_mnist": (
        "the 60,000 training images of Fashion-MNIST, 28x28 with a border of two pixels to 32x32",
        ", the data set's own test split",
        "Xiao, Rasul & Vollgraf, Fashion-MNIST (arXiv 1708.07747), MIT",
    ),
    "cifar10": (
        "the 50,000 training images of CIFAR-10",
        ", the data set's own test split",
        "Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009), for research",
    ),
}


def card(name: str, settings: Settings, pipe: LatentPipeline, metrics: dict) -> str:
    """Write the model card of a pipeline from its settings, its metrics and its weights."""
    scores, distances = metrics["nearest_neighbor_accuracy"], metrics["distance_to_nearest_training_image"]
    classifier = metrics["classifier_trained_on_real"]
    latent = [settings.latent_channels, pipe.transformer.config.sample_size, pipe.transformer.config.sample_size]
    n_train, n_test = CATALOG[name].sizes
    return CARD.format(
        name=name,
        data_line=DATA_LINES[name][0],
        split=DATA_LINES[name][1],
        data_credit=DATA_LINES[name][2],
        note=f" {metrics['note']}" if metrics["note"] else "",
        dtype=settings.stored_as,
        vae_parameters=sum(p.numel() for p in pipe.vae.parameters()) / 1e6,
        dit_parameters=sum(p.numel() for p in pipe.transformer.parameters()) / 1e6,
        latent_shape="x".join(map(str, latent)),
        mse=metrics["reconstruction_mse"]["held_out"],
        nn=scores["generated_100_mean"],
        nn_real=scores["random_real_100_mean"],
        nn_all=scores["all_real_training"],
        seeds=len(scores["generated_100"]),
        classifier=classifier["kind"],
        held_out=classifier["held_out"],
        round_trip=classifier["held_out_round_trip"],
        on_generated=classifier["generated_mean"],
        g05=distances["generated"][0],
        g50=distances["generated"][1],
        h05=distances["held_out"][0],
        h50=distances["held_out"][1],
        near=distances["generated_nearer_than_5_percent_of_held_out"],
        vae_steps=settings.vae_steps,
        dit_steps=settings.dit_steps,
        vae_minutes=metrics["training"]["vae_seconds"] / 60,
        dit_minutes=metrics["training"]["dit_seconds"] / 60,
        machine=metrics["training"]["machine"],
        sampling=metrics["sampling"],
        n_train=n_train,
        n_test=n_test,
        n_all=n_train + n_test,
    )
