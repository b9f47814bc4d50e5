"""Data sets by name, from a folder, or from the package `datasets`; and generated images, with the labels of a set.

`load_data` knows the sets of the catalogue by name, and reads any image folder with one sub-folder per class (`distill`
writes such folders) and any `datasets.Dataset`.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.arguments import did_you_mean, number, whole
from mgd_helpers.data.catalog import PROFILES, Profile
from mgd_helpers.data.class_names import as_named
from mgd_helpers.data.folders import read_folder
from mgd_helpers.data.free_memory import check_memory
from mgd_helpers.data.hub import read_named
from mgd_helpers.data.hugging_face import read_hugging_face
from mgd_helpers.data.image_sets import Dataset, ImageSet, first_rows
from mgd_helpers.data.reach import check_columns
from mgd_helpers.data.sources import is_folder_of_images, is_readable, opened
from mgd_helpers.data.splits import hold_out


def load_data(
    source: Any,
    *,
    image_size: int | None = None,
    channels: int | None = None,
    padding: int | Integral | None = None,
    per_class: int | Integral | None = None,
    split: float | Real | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
) -> Dataset:
    """Load a labeled image set: one of the catalogue by name, files on this machine, or what `datasets` reads.

    - A name. `"digits"` is bundled: scikit-learn's 1,797 scans, resized from 8x8 to 1x32x32, with a fixed stratified
      split. `"fashion_mnist"`, `"cifar10"`, `"tiny_imagenet"`, `"imagenette"`, `"imagewoof"` and `"imagenet100"` are
      read from the hub with the package `datasets`, or from the folder of that name inside `MGD_DATA_DIR`. Sizes,
      class order and labels are checked against `mgd_helpers.data.catalog`.
    - A folder with one sub-folder per class, in alphabetical order, each with the images below it. It becomes the
      training split, unless its sub-folders are `train` and `test` (or `Validation`, `val`, …, in any case) and hold
      the classes. Or a folder of images with `metadata.jsonl` or `metadata.csv`, whose columns name file and class. A
      folder that `distill` or `write_images` made has the classes of its manifest, and exactly the images listed there.
    - A Parquet file, a folder of such, one of `datasets.save_to_disk`, or the id of a set on the hub, `"owner/name"`.
    - A `datasets.Dataset` (the training split) or `DatasetDict`. Its images are of `datasets.Image`, or arrays of
      bytes; labels are class labels, text or whole numbers. The test split is the first of `test`, `validation`, `val`,
      … that has labels.

    Where several columns could be meant, `image_column` and `label_column` name them. Images are turned upright as
    their EXIF entry says, and transparent ones laid on white, but those of named sets are as published. `found` of the
    data says what was read, and what was not.

    `image_size` resizes images of other sizes (shorter side, then center crop). Of this size `padding` pixels are a
    black border on each side; by default images of 28 pixels that are read at 32 get one of two, and others none. Named
    sets come at the size of their pipeline by default. `channels` makes images gray (1) or colored (3); by default they
    are colored if any of them is, and those of a named set are what they are.

    `per_class` reads the first so many images of each class, in the set's own order and in both splits, and no others:
    of a large set only these are decoded, and need memory. A class that has fewer comes whole. Whether a named set is
    what its name says is checked on the whole set all the same. Of data without a test split `split` is the share of
    each class that is held out for it, drawn by seed 0.

    Raises `ValueError` for an unknown name, a folder or class without images, a file that is no image of 8 bits, images
    of different sizes, missing labels, or a set that is not what its name says; `FileNotFoundError`, with the way to
    get it, for a named set that is not at hand; `MemoryError` for one that would not fit into memory at that size.

    >>> data = load_data("digits")
    >>> len(data.train), len(data.test), tuple(data.train.shape[1:])
    (1500, 297, (1, 32, 32))
    """
    if channels not in (None, 1, 3) or isinstance(channels, bool | float):
        raise ValueError(f"channels must be 1 (gray), 3 (color) or None (as the images are); got {channels!r}.")
    per_class = None if per_class is None else whole("per_class", per_class, at_least=1)
    image_size = None if image_size is None else whole("image_size", image_size, at_least=1)
    split = None if split is None else number("split", split, above=0, below=1)
    profile = PROFILES.get(source) if isinstance(source, str) else None
    if profile:
        image_size, channels = image_size or profile.image_size, channels or profile.channels
    if padding is not None:
        if image_size is None:
            raise ValueError(f"padding must come with image_size, of which it is a part; got {padding!r}. Pass both.")
        padding = whole("padding", padding, at_least=0, at_most=(image_size - 1) // 2)
    how: dict[str, Any] = {"image_size": image_size, "channels": channels, "padding": padding}
    columns = {"image_column": image_column, "label_column": label_column}
    check_columns(source, **columns)
    if profile:
        _check_no_columns(columns, f"the named set {source!r}")
        data = _load_named(profile, how, per_class)
        if Path(source).is_dir():
            said = f"A folder {source!r} lies here, too: pass './{source}' for its images."
            data = replace(data, found=" ".join(filter(None, [data.found, said])))
    else:
        data = _load_other(source, how, per_class, columns)
    return data if split is None else hold_out(data, split)


def _load_other(source: Any, how: dict[str, Any], per_class: int | None, columns: dict[str, str | None]) -> Dataset:
    if type(source).__module__.split(".")[0] == "datasets":
        data = read_hugging_face(source, how, per_class, **columns)
    elif isinstance(source, str | Path) and is_folder_of_images(source):
        data = read_folder(Path(source), how, per_class, **columns)
    elif isinstance(source, str | Path) and is_readable(source):
        with opened(source) as (found, name):
            data = read_hugging_face(found, how, per_class, name=name, **columns)
    else:
        raise ValueError(
            f"source must be one of {', '.join(PROFILES)}, a folder with one sub-folder of images per class, a Parquet "
            f"file, the id of a data set on the hub, or a datasets.Dataset; got {str(source)!r}. Check the "
            f"spelling, or the working directory.{did_you_mean(source, PROFILES)}"
        )
    train, test = data.train.shape[1:], data.test.shape[1:]
    if train != test:
        raise ValueError(
            f"images of {data.name!r} must have one size and number of channels; got {list(train)} for training and "
            f"{list(test)} for testing. Pass image_size=…, channels=…"
        )
    return data


def _check_no_columns(columns: dict[str, str | None], what: str) -> None:
    for name, value in columns.items():
        if value is not None:
            raise ValueError(f"{name} must be left out for {what}; got {value!r}.")


def read_generated(folder: str | Path, data: Dataset, *, image_size: int | None = None) -> ImageSet:
    """Read a folder of generated images, made by any method, with the labels of `data`.

    Its sub-folders carry class names of `data`, in any order. Images become gray or colored as those of `data` are.
    They must have the size of those of `data`, because what a resized image is worth is another question. To ask it on
    purpose, pass `image_size`, and they are resized as by `load_data`.

    Of a folder with a manifest of this package exactly the listed images are read.

    Raises `ValueError` where the folder holds other classes or sizes, and where images of its manifest are missing or
    damaged, or others lie beside them.
    """
    if not (isinstance(folder, str | Path) and str(folder) and Path(folder).is_dir()):
        raise ValueError(
            f"generated must be a folder of images, with one sub-folder per class; got {str(folder)!r}, which is no "
            "folder. Check the spelling, or the working directory."
        )
    channels, *size = data.train.shape[1:]
    found = load_data(Path(folder), image_size=image_size, channels=channels)
    if (got := list(found.train.shape[2:])) != size:
        resized = f", or pass mgd.data.read_generated(folder, data, image_size={size[0]})" if size[0] == size[1] else ""
        raise ValueError(
            f"generated folder {str(folder)!r} must hold images of {size[0]}x{size[1]} pixels, like {data.name!r}; got "
            f"{got[0]}x{got[1]}. Generate at that size{resized}."
        )
    names, known = ([as_named(name) for name in one.class_names] for one in (found, data))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"generated folder {str(folder)!r} must hold classes of {data.name!r}, which are "
            f"{list(data.class_names)[:12]}; got also {unknown[:5]}. Rename these sub-folders, or take them out."
        )
    order = torch.tensor([known.index(name) for name in names])
    return found.train.with_labels(order[found.train.labels])


def _load_named(profile: Profile, how: dict[str, Any], per_class: int | None) -> Dataset:
    if profile.name != "digits":
        return read_named(profile, how, per_class)
    image_size, channels, padding = how["image_size"], how["channels"], how["padding"] or 0
    few = [part.take(first_rows(part.labels.tolist(), per_class)) for part in _scans()]
    check_memory(sum(map(len, few)), (image_size, image_size, channels), profile.name, bytes_each=4)
    train, test = (
        ImageSet(_resized(part.images, image_size, padding).repeat(1, channels, 1, 1), part.labels) for part in few
    )
    return Dataset(profile.name, train, test, profile.class_names, profile=profile.name, padding=padding)


def _resized(scans: Float[Tensor, "n c h w"], image_size: int, padding: int) -> Float[Tensor, "n c s s"]:
    resized = F.interpolate(scans, size=image_size - 2 * padding, mode="bicubic").clamp(-1, 1)
    return F.pad(resized, [padding] * 4, value=-1)


@functools.cache
def _scans() -> tuple[ImageSet, ImageSet]:
    """The digits as they were scanned, 8x8, for training and for testing."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    scans, digits = load_digits(return_X_y=True)
    images = torch.from_numpy(scans).float().view(-1, 1, 8, 8) / 8 - 1  # ink 0..16 to [-1, 1]
    train, test = train_test_split(  # the same split for everybody
        np.arange(len(digits)), test_size=PROFILES["digits"].sizes[1], stratify=digits, random_state=0
    )
    whole = ImageSet(images, torch.from_numpy(digits).long())
    return whole.take(np.sort(train)), whole.take(np.sort(test))
