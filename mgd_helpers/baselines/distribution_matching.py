"""Distribution matching: images are trained until random networks cannot tell their class means from real ones.

min over images of sum over classes ‖ mean f(real) - mean f(images) ‖²,  f a fresh random network each step
"""

from __future__ import annotations

import torch
from torch import nn

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.data.image_sets import ImageSet, image_set
from mgd_helpers.progress import progress
from mgd_helpers.students.augmentation import apply_augmentation, random_augmentation
from mgd_helpers.students.networks import build


def match_distributions(
    start: ImageSet,
    train: ImageSet,
    *,
    steps: int,
    batch_size: int = 32,
    learning_rate: float = 3.0,
    width: int = 32,
    seed: int = 0,
) -> ImageSet:
    """Change the images of `start` until their class means match those of real batches (Zhao & Bilen 2023).

    `start` holds equally many images of each class, in class order, usually random real ones. Gradient descent with
    momentum 0.5 on the pixels, which stay in [-1, 1]. Every step draws a new ConvNet-3 of `width` channels, whose
    features are compared, `batch_size` real images of each class, and one change (`dsa`) that is applied to all images
    of the step alike. Of six learning rates, for 100 steps and ten images per class, 1 and 3 did best on held-back
    images, in the mean over three data sets (`python -m studies choose`).

    Raises `ValueError` for numbers below 1, and where `start` does not fit `train`.
    """
    steps, seed = arguments.whole("steps", steps, at_least=1), arguments.whole("seed", seed, at_least=0)
    batch_size = arguments.whole("batch_size", batch_size, at_least=1)
    width = arguments.whole("width", width, at_least=1)
    learning_rate = arguments.number("learning_rate", learning_rate, above=0)
    n_classes = _check_start(start, train)
    members = [(train.labels == label).nonzero()[:, 0] for label in range(n_classes)]
    images = start.images.detach().clone()
    velocity = torch.zeros_like(images)
    generator = seeding.generator(seed)
    for _ in progress(range(steps), "distribution matching"):
        features = _random_features(images, n_classes, width, generator)
        rows = torch.cat([own[torch.randint(len(own), (batch_size,), generator=generator)] for own in members])
        parameters = random_augmentation("dsa", (1, *images.shape[1:]), generator=generator)
        with torch.no_grad():
            real = _class_means(features(_changed(train.at(rows), parameters)), n_classes)
        images.requires_grad_(True)
        loss = (_class_means(features(_changed(images, parameters)), n_classes) - real).square().sum()
        (gradient,) = torch.autograd.grad(loss, images)
        velocity = 0.5 * velocity + gradient
        images = (images.detach() - learning_rate * velocity).clamp(-1, 1)
    return ImageSet(images, start.labels)


def _check_start(start: ImageSet, train: ImageSet) -> int:
    """The number of classes, once `start` is found to fit."""
    n_classes = int(image_set("train", train).labels.max()) + 1
    image_set("start", start)
    per_class = len(start) // n_classes
    if per_class == 0 or start.labels.tolist() != [label for label in range(n_classes) for _ in range(per_class)]:
        raise ValueError(
            f"start must hold equally many images of each of the {n_classes} classes, in class order; got "
            f"{torch.bincount(start.labels, minlength=n_classes).tolist()} images of the classes."
        )
    if start.shape[1:] != train.shape[1:]:
        raise ValueError(f"start must have images {list(train.shape[1:])}, like train; got {list(start.shape[1:])}.")
    return n_classes


def _random_features(images: Tensor, n_classes: int, width: int, generator: torch.Generator) -> nn.Module:
    network = build(
        "convnet3",
        channels=images.shape[1],
        n_classes=n_classes,
        image_size=(images.shape[2], images.shape[3]),
        width=width,
        seed=int(torch.randint(2**62, (1,), generator=generator)),
    )
    return network.to(images.device).requires_grad_(False).features


def _changed(images: Float[Tensor, "b c h w"], parameters: dict[str, Tensor]) -> Float[Tensor, "b c h w"]:
    """All images changed in the one way that was drawn."""
    rows = {name: row.expand(len(images), *row.shape[1:]) for name, row in parameters.items()}
    return apply_augmentation(images, rows)


def _class_means(features: Float[Tensor, "b d"], n_classes: int) -> Float[Tensor, "classes d"]:
    return features.unflatten(0, (n_classes, -1)).mean(1)
