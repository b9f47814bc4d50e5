"""The data sets of the studies, each named once: to add one, add its line here (and its profile to the catalogue)."""

from __future__ import annotations

from dataclasses import dataclass

from mgd_helpers.data.catalog import PROFILES

VALIDATION, LARGEST_SHARE = 2000, 0.2  # images of real train on which settings are chosen, at most a fifth of it


@dataclass(frozen=True)
class Settings:
    """What a study must know of a data set beside the images."""

    title: str  # as tables show it
    students: int  # ConvNet-3 of each set; more sets say more
    real_steps: int  # of training, for students of all real images
    scale: float  # of classifier-free guidance, for rows that were measured before it was tuned


DATA_SETS = {
    "digits": Settings("digits", students=2, real_steps=500, scale=1.5),
    "fashion_mnist": Settings("Fashion-MNIST", students=1, real_steps=2000, scale=1.5),
    "cifar10": Settings("CIFAR-10 (JPEG copy)", students=1, real_steps=2000, scale=2.0),
}


def test_images(data: str) -> int:
    """How many images the test split holds."""
    return PROFILES[data].sizes[1]


def validation_images(data: str) -> int:
    """How many training images are held back: see `protocol.held_back`."""
    return round(min(VALIDATION, LARGEST_SHARE * PROFILES[data].sizes[0]))
