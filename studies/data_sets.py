"""The data sets of the studies, each named once: to add one, add its line here (and its profile to the catalogue)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What a study must know of a data set beside the images."""

    title: str  # as tables show it
    test_images: int
    validation_images: int  # held back from the training images: see `protocol.held_back`
    students: int  # ConvNet-3 of each set; more sets say more
    real_steps: int  # of training, for students of all real images


DATA_SETS = {
    "digits": Settings("digits", 297, 300, students=2, real_steps=500),
    "fashion_mnist": Settings("Fashion-MNIST", 10_000, 2_000, students=1, real_steps=2000),
    "cifar10": Settings("CIFAR-10 (JPEG copy)", 10_000, 2_000, students=1, real_steps=2000),
}
