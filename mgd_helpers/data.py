"""Labelled image sets, in memory, as tensors: float32 [N, C, H, W] in [-1, 1] with int64 labels.

`load_data` knows the bundled sets by name and reads any image folder with one sub-folder per class; `distill` writes
just such folders.
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from mgd_helpers._shapes import Float, Int, Tensor

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
DIGITS_TEST_SIZE = 297  # of 1,797 scans; stratified, chosen by random_state=0, the same for everybody


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images [N, C, H, W] in [-1, 1] (float32) with their labels [N] (int64)."""

    images: Float[Tensor, "n c h w"]
    labels: Int[Tensor, " n"]

    def __post_init__(self):
        if len(self.images) != len(self.labels):
            raise ValueError(
                f"images and labels must be equally many; got {len(self.images)} images and {len(self.labels)} labels."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def of_class(self, label: int) -> Float[Tensor, "n c h w"]:
        """The images of one class, in their order."""
        return self.images[self.labels == label]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set with a train and a test split (empty for a folder); class `i` is called `class_names[i]`."""

    name: str
    train: ImageSet
    test: ImageSet
    class_names: tuple[str, ...]


def load_data(source: str | Path, *, image_size: int | None = None) -> Dataset:
    """Load a labelled image set: the bundled `"digits"`, or a folder with one sub-folder per class.

    `"digits"` is scikit-learn's 1,797 scans of handwritten digits, resized from 8x8 to 1x32x32, with a fixed stratified
    split into 1,500 training and 297 test scans. A folder becomes the training split, its sub-folders in alphabetical
    order the classes; `image_size` resizes its images (shorter side, then centre crop), needed where they differ.

    Raises `ValueError` for an unknown name, an empty folder, or images of different sizes.

    >>> data = load_data("digits")
    >>> len(data.train), len(data.test), tuple(data.train.images.shape[1:])
    (1500, 297, (1, 32, 32))
    """
    if source == "digits":
        if image_size not in (None, 32):
            raise ValueError(f"image_size must be 32 for 'digits' (the shipped pipeline's size); got {image_size}.")
        return copy.deepcopy(_digits())  # so that no caller can change what the next one gets
    if not Path(source).is_dir():
        raise ValueError(
            f"source must be 'digits' or a folder with one sub-folder of images per class; got {str(source)!r}, "
            "which is neither. Check the spelling, or the working directory."
        )
    return _folder(Path(source), image_size)


@functools.cache
def _digits() -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    scans, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(scans).float().view(-1, 1, 8, 8) / 8 - 1  # ink 0..16 to [-1, 1]
    images = F.interpolate(images, size=32, mode="bicubic").clamp(-1, 1)
    labels = torch.from_numpy(labels).long()
    train, test = train_test_split(
        np.arange(len(labels)), test_size=DIGITS_TEST_SIZE, stratify=labels.numpy(), random_state=0
    )
    train, test = torch.from_numpy(np.sort(train)), torch.from_numpy(np.sort(test))
    return Dataset(
        name="digits",
        train=ImageSet(images[train], labels[train]),
        test=ImageSet(images[test], labels[test]),
        class_names=tuple(str(digit) for digit in range(10)),
    )


def _folder(folder: Path, image_size: int | None) -> Dataset:
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    images, labels = [], []
    for label, class_folder in enumerate(classes):
        for path in sorted(class_folder.iterdir()):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                images.append(_read_image(path, image_size))
                labels.append(label)
    if not images:
        raise ValueError(f"source must hold images in one sub-folder per class; {str(folder)!r} holds none.")
    shapes = {tuple(image.shape) for image in images}
    if len(shapes) > 1:
        raise ValueError(
            f"images of {str(folder)!r} must have one size and one number of channels; found {sorted(shapes)[:4]}. "
            "Pass image_size=…, and convert the odd ones to grey or to colour."
        )
    train = ImageSet(torch.stack(images), torch.tensor(labels))
    empty = ImageSet(train.images[:0], train.labels[:0])
    return Dataset(folder.name, train, empty, tuple(path.name for path in classes))


def _read_image(path: Path, image_size: int | None) -> Float[Tensor, "c h w"]:
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        image = image if image.mode in ("L", "RGB") else image.convert("RGB")
        if image_size is not None:
            image = ImageOps.fit(image, (image_size, image_size), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(image)).float() / 127.5 - 1
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
