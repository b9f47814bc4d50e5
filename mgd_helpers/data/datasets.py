"""Labelled image sets, in memory, as tensors: float32 [N, C, H, W] in [-1, 1] with int64 labels.

`load_data` knows the sets of the catalogue by name, and reads any image folder with one sub-folder per class (`distill`
writes just such folders) and any `datasets.Dataset`.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.data.class_names import check_class_names
from mgd_helpers.data.folders import read_folder
from mgd_helpers.data.hub import read_hugging_face, read_named


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images [N, C, H, W] in [-1, 1] (float32) with their labels [N] (int64, from 0 on).

    Raises `ValueError` for images of bytes, outside of [-1, 1] by more than rounding, or NaN, and for other labels.
    """

    images: Float[Tensor, "n c h w"]
    labels: Int[Tensor, " n"]

    def __post_init__(self):
        images, labels = arguments.tensor("images", self.images), arguments.tensor("labels", self.labels)
        if arguments.pixels("images", images).ndim != 4:
            raise ValueError(
                f"images must be [N, C, H, W]; got {images.dtype} {list(images.shape)}. images[None] makes a set of "
                "one image, images[:, None] one of grey images."
            )
        if labels.ndim != 1 or labels.dtype != torch.int64:
            raise ValueError(
                f"labels must be int64 [N]; got {labels.dtype}, {list(labels.shape)}. labels.long() makes such of "
                "whole numbers, labels.argmax(1) of one-hot rows."
            )
        if len(images) != len(labels):
            raise ValueError(
                f"images and labels must be equally many; got {len(images)} images and {len(labels)} labels."
            )
        if len(labels) and not labels.is_meta and labels.min() < 0:
            raise ValueError(f"labels must be 0 or more; got {labels.min()}. Take out the images that have no label.")

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: str | torch.device) -> ImageSet:
        """The same set on a device."""
        device = arguments.device("device", device)
        return ImageSet(self.images.to(device), self.labels.to(device))

    def of_class(self, label: int) -> Float[Tensor, "n c h w"]:
        """The images of one class, in their order."""
        return self.images[self.labels == label]

    def rows_of(self, label: int) -> Int[Tensor, " k"]:
        """The rows of one class, ascending."""
        return (self.labels == label).nonzero()[:, 0]

    def take(self, rows) -> ImageSet:
        """These rows, in their order: whole numbers from 0 on (a list, an array, a tensor), or a mask of all rows.

        >>> load_data("digits").train.take([3, 1]).labels.tolist()
        [3, 1]
        """
        try:
            rows = torch.as_tensor(rows, device=self.labels.device)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"rows must be whole numbers, or a mask; got {rows!r}.") from error
        rows = rows.long() if not rows.numel() else rows  # an empty list has no type
        is_mask = rows.dtype == torch.bool
        if rows.ndim != 1 or rows.is_floating_point() or rows.is_complex() or (is_mask and len(rows) != len(self)):
            raise ValueError(
                f"rows must be whole numbers [K], or a mask [{len(self)}]; got {rows.dtype}, {list(rows.shape)}."
            )
        if not is_mask and len(rows) and not (rows.min() >= 0 and rows.max() < len(self)):
            raise ValueError(f"rows must lie from 0 to {len(self) - 1}; got {rows.min()} to {rows.max()}.")
        rows = rows if is_mask else rows.long()
        return ImageSet(self.images[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set with a train and a test split (empty for a folder); class `i` is called `class_names[i]`.

    `note` is what a table made with it has to say, for instance that the images are a copy of lower quality.
    """

    name: str
    train: ImageSet
    test: ImageSet
    class_names: Sequence[str]  # kept as a tuple
    note: str = ""

    def __post_init__(self):
        most = max(
            (int(part.labels.max()) + 1 for part in (self.train, self.test) if len(part) and not part.labels.is_meta),
            default=0,
        )
        object.__setattr__(self, "class_names", check_class_names(self.class_names, at_least=most))


def load_data(source, *, image_size: int | None = None, channels: int | None = None) -> Dataset:
    """Load a labelled image set: one of the catalogue by name, an image folder, or a `datasets.Dataset`.

    - A name. `"digits"` is bundled: scikit-learn's 1,797 scans, resized from 8x8 to 1x32x32, with a fixed stratified
      split. `"fashion_mnist"`, `"cifar10"`, `"tiny_imagenet"`, `"imagenette"`, `"imagewoof"` and `"imagenet100"` are
      read from the hub with the package `datasets`, or from the folder of that name inside `MGD_DATA_DIR`. Sizes,
      class order and labels are asserted against `mgd_helpers.data.catalog`.
    - A folder with one sub-folder per class, in alphabetical order; it becomes the training split, unless its
      sub-folders are called `train` and `test` (or `val`) and hold the classes. One that `distill` or `write_images`
      made has the classes of its manifest, in their order, and just the images that are listed there.
    - A `datasets.Dataset` (the training split) or `DatasetDict`, with one image and one class-label column. The test
      split is the first of `test`, `validation`, `valid` and `val` that has labels.

    `image_size` resizes (shorter side, then centre crop); named sets come at the size of their pipeline by default.
    `channels` makes images grey (1) or coloured (3); by default they are coloured if any of them is, and those of a
    named set are what they are.

    Raises `ValueError` for an unknown name, a folder or class without images, a file that is no image of 8 bits, images
    of different sizes, missing labels, or a set that is not what its name says; `FileNotFoundError`, with the way to
    get it, for a named set that is not at hand; `MemoryError` for one that would not fit into memory at that size.

    >>> data = load_data("digits")
    >>> len(data.train), len(data.test), tuple(data.train.images.shape[1:])
    (1500, 297, (1, 32, 32))
    """
    if channels not in (None, 1, 3):
        raise ValueError(f"channels must be 1 (grey), 3 (colour) or None (as the images are); got {channels!r}.")
    if isinstance(source, str) and source in PROFILES and channels not in (None, PROFILES[source].channels):
        raise ValueError(
            f"channels must be {PROFILES[source].channels} for {source!r}, or None; got {channels}. Only folders and "
            "a datasets.Dataset are converted."
        )
    if source == "digits":
        if image_size not in (None, 32):
            raise ValueError(f"image_size must be 32 for 'digits' (the shipped pipeline's size); got {image_size}.")
        return copy.deepcopy(_digits())  # so that no caller can change what the next one gets
    if isinstance(source, str) and source in PROFILES:
        profile = PROFILES[source]
        train, test, note = read_named(profile, image_size or profile.image_size)
        return Dataset(source, ImageSet(*train), ImageSet(*test), profile.class_names, note)
    if type(source).__module__.split(".")[0] == "datasets":
        name, train, test, names = read_hugging_face(source, image_size, channels)
    elif isinstance(source, str | Path) and Path(source).is_dir():
        name, train, test, names = read_folder(Path(source), image_size, channels)
    else:
        raise ValueError(
            f"source must be one of {', '.join(PROFILES)}, a folder with one sub-folder of images per class, or a "
            f"datasets.Dataset; got {str(source)!r}, which is none. Check the spelling, or the working directory."
            f"{arguments.did_you_mean(source, PROFILES)}"
        )
    if test is None:
        test = train[0][:0], train[1][:0]
    elif train[0].shape[1:] != test[0].shape[1:]:
        raise ValueError(
            f"images of {name!r} must have one size and number of channels; those for training have "
            f"{list(train[0].shape[1:])}, those for testing {list(test[0].shape[1:])}. Pass image_size=…, channels=…"
        )
    return Dataset(name, ImageSet(*train), ImageSet(*test), names)


def read_generated(folder: str | Path, data: Dataset, *, image_size: int | None = None) -> ImageSet:
    """Read an image folder, made by any method, with the labels of `data`: its sub-folders carry class names of `data`,
    in any order. Images become grey or coloured as those of `data`.

    They must have the size of those of `data`, because what a resized image is worth is another question. To ask it on
    purpose, pass `image_size`, and they are resized as by `load_data`.

    Of a folder with a manifest of this package just its images are read, and `ValueError` is raised where one of them
    lacks or is damaged, or where others lie beside them.
    """
    if not (isinstance(folder, str | Path) and Path(folder).is_dir()):
        raise ValueError(
            f"generated must be a folder of images, with one sub-folder per class; got {str(folder)!r}, which is none. "
            "Check the spelling, or the working directory."
        )
    channels, *size = data.train.images.shape[1:]
    found = load_data(Path(folder), image_size=image_size, channels=channels)
    if (got := list(found.train.images.shape[2:])) != size:
        resized = f", or pass mgd.data.read_generated(folder, data, image_size={size[0]})" if size[0] == size[1] else ""
        raise ValueError(
            f"generated folder {str(folder)!r} must hold images of {size[0]}x{size[1]} pixels, like {data.name!r}; got "
            f"{got[0]}x{got[1]}. Generate at that size{resized}."
        )
    unknown = [name for name in found.class_names if name not in data.class_names]
    if unknown:
        raise ValueError(
            f"generated folder {str(folder)!r} holds classes {unknown[:5]} that {data.name!r} does not know; "
            f"its classes are {list(data.class_names)[:12]}."
        )
    order: Int[Tensor, " classes"] = torch.tensor([data.class_names.index(name) for name in found.class_names])
    return ImageSet(found.train.images, order[found.train.labels])


def image_set(name: str, value, *, or_else: str = "") -> ImageSet:
    """An `ImageSet` as it is, or the `ValueError` that says which part of a `Dataset` to pass."""
    if isinstance(value, ImageSet):
        return value
    remedy = "ImageSet(images, labels) makes one of tensors."
    if isinstance(value, Dataset):
        remedy = "Pass one of its splits, .train or .test."
    raise ValueError(f"{name} must be an ImageSet{or_else}; got {type(value).__name__}. {remedy}")


@functools.cache
def _digits() -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    scans, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(scans).float().view(-1, 1, 8, 8) / 8 - 1  # ink 0..16 to [-1, 1]
    images = F.interpolate(images, size=32, mode="bicubic").clamp(-1, 1)
    labels = torch.from_numpy(labels).long()
    train, test = train_test_split(
        np.arange(len(labels)), test_size=PROFILES["digits"].sizes[1], stratify=labels.numpy(), random_state=0
    )  # the same split for everybody
    train, test = torch.from_numpy(np.sort(train)), torch.from_numpy(np.sort(test))
    return Dataset(
        name="digits",
        train=ImageSet(images[train], labels[train]),
        test=ImageSet(images[test], labels[test]),
        class_names=PROFILES["digits"].class_names,
    )
