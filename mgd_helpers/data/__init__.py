"""Images in: named data sets, folders and the hub become image sets; images out: folders that say what is in them."""

from mgd_helpers.data.catalog import PROFILES, Profile
from mgd_helpers.data.datasets import load_data, read_generated
from mgd_helpers.data.image_sets import Dataset, ImageSet, image_set
from mgd_helpers.data.photographs import read_photographs
from mgd_helpers.data.saving import write_images

__all__ = [
    "PROFILES",
    "Dataset",
    "ImageSet",
    "Profile",
    "image_set",
    "load_data",
    "read_generated",
    "read_photographs",
    "write_images",
]
