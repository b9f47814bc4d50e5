"""A hash of the images that a set is made from: a name alone does not say which they are."""

from __future__ import annotations

import hashlib

from mgd_helpers.data.files import bytes_of
from mgd_helpers.data.image_sets import Dataset


def data_hash(data: Dataset) -> str:
    """SHA-256 of the training split, images and labels."""
    digest = hashlib.sha256()
    for block in (*data.train.images.split(1000), data.train.labels):
        digest.update(bytes_of(block))
    return digest.hexdigest()
