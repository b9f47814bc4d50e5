"""What a pipeline is trained on, and what it is measured on: read, resized, and where need be held back."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from mgd_helpers import arguments
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.data.datasets import load_data
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.data.reach import check_columns, check_outside
from mgd_helpers.data.splits import SHARE, split_rows

SIZE = 32  # pixels: what a folder is read at by default


def read_material(
    data: Any, out: Path, *, size: Any = None, channels: int | None = None, split: Any = None, **columns: Any
) -> tuple[Dataset, str]:
    """The data with a test split, and a sentence on where that comes from. Arguments are those of `train`.

    Raises `ValueError` where `out` lies in the folder of the data, and where `size` or `split` do not fit.
    """
    size = None if size is None else arguments.whole("size", size, at_least=8, remedy="Usual are 32 and 64.")
    split = None if split is None else arguments.number("split", split, above=0, below=1)
    check_columns(data, **columns)
    if not isinstance(data, Dataset):
        data = _read(data, out, size, channels, columns)
    elif {size or data.train.shape[-1], channels or data.train.shape[1]} - set(data.train.shape):
        _, *shape = data.train.shape
        raise ValueError(
            f"size and channels are for data that are yet to be read; got size={size}, channels={channels}, and images "
            f"of shape {shape}. Load them so: load_data(…, image_size={size}, channels={channels})."
        )
    if not len(data.train):
        return data, ""
    if len(data.test):
        return data, f"Held out were the {len(data.test):,} images of the data's own test split."
    train, held = split_rows(data.train.labels, split or SHARE, seed=0)
    if not len(held):
        held, told = train, "No class has a second image to hold back: the figures are those of the training images."
    else:
        told = f"Held out were {len(held):,} of {len(data.train):,} images, {split or SHARE:.0%} of each class."
    return replace(data, train=data.train.take(train), test=data.train.take(held)), told


def _read(source: Any, out: Path, size: int | None, channels: int | None, columns: dict[str, Any]) -> Dataset:
    if isinstance(source, str) and source in PROFILES:
        return load_data(source, image_size=size, channels=channels, **columns)
    if isinstance(source, os.PathLike):
        source = Path(os.fspath(source))
    check_outside(out, source)
    return load_data(source, image_size=size or SIZE, channels=channels, **columns)
