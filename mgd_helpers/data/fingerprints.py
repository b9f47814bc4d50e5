"""A hash of the images that a set is made from: a name alone does not say which they are."""

from __future__ import annotations

import hashlib

from mgd_helpers.data.files import bytes_of
from mgd_helpers.data.image_sets import Dataset, ImageSet


def data_hash(data: Dataset) -> str:
    """SHA-256 of the training split, images and labels."""
    digest = hashlib.sha256()
    for block in data.train.batches():
        digest.update(bytes_of(block))
    digest.update(bytes_of(data.train.labels))
    return digest.hexdigest()


def images_hash(images: ImageSet) -> str:
    """The `tensor_hash` of all images of a set, in [-1, 1], which are not in memory all at once."""
    digest = hashlib.sha256(f"{images.dtype}{list(images.shape)}".encode())
    for block in images.batches():
        digest.update(bytes_of(block))
    return digest.hexdigest()
