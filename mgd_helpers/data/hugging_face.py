"""Any data set of the package `datasets`: its splits, its columns, and its images by the thousand."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from mgd_helpers.data.class_names import splits_among
from mgd_helpers.data.columns import ARRAYS, choose_columns, class_names_of, labels_in
from mgd_helpers.data.image_sets import Dataset, ImageSet, first_rows
from mgd_helpers.data.images import padding_of, read_images
from mgd_helpers.data.listed import class_order, label_of


def read_hugging_face(
    source: Any,
    how: dict[str, Any],
    per_class: int | None = None,
    *,
    image_column: str | None = None,
    label_column: str | None = None,
    name: str | None = None,
) -> Dataset:
    """Read a `datasets.Dataset`, as the training split, or a `DatasetDict`.

    The test split is the first of `test`, `validation`, … that has labels. `how` is passed on to `read_images`.
    """
    import datasets

    if not isinstance(source, datasets.Dataset | datasets.DatasetDict):
        raise ValueError(
            f"source must be a datasets.Dataset or DatasetDict; got {type(source).__name__}. For a stream, call "
            "load_dataset(…) without streaming=True."
        )
    splits = source if isinstance(source, dict) else {"train": source}
    known = splits_among(list(splits))
    train = next((splits[split] for split in known["train"] if len(splits[split])), None)
    if not train:
        sizes = {split: len(part) for split, part in splits.items()}
        raise ValueError(
            f"source must have a split 'train' with images in it; got the splits (and sizes) {sizes}. Rename one."
        )
    images, labels, said = choose_columns(train.features, image_column, label_column)
    columns, name = (images, labels), name or train.info.dataset_name or "dataset"
    found = next((split for split in known["test"] if _is_labeled(splits[split], labels)), None)
    test = None if found is None else splits[found]
    class_names = class_names_of(train, labels)
    if test is not None and images not in test.features:
        raise ValueError(
            f"source must have its images in column {images!r} in both splits; got {list(test.features)} for "
            "testing. Rename one with dataset.rename_column(…)."
        )
    if test is not None and class_names_of(test, labels) != class_names:
        raise ValueError(
            f"source must have the same classes in the same order in both splits; got {list(class_names)[:10]} for "
            f"training and {list(class_names_of(test, labels))[:10]} for testing. Give names to plain numbers with "
            f"test.cast_column({labels!r}, train.features[…]), or put names in order with "
            "test.align_labels_with_mapping(…)."
        )
    if not class_names:
        class_names = tuple(class_order(_named(train, labels, name)))
    seen: Counter[str] = Counter()
    how = {**how, "seen": seen}
    train_set = read_part(train, columns, name, per_class, how, names=class_names)
    test_set = train_set.take([]) if test is None else read_part(test, columns, name, per_class, how, names=class_names)
    count = f"{len(train_set):,} images of {len(class_names)} classes"
    unread = sorted(set(splits) - {*known["train"][:1], found})
    said = [
        f"Read: {count}." if test is None else f"Read: {count}, and {len(test_set):,} test images of {found!r}.",
        *said,
        *([f"Not read: the splits {', '.join(map(repr, unread))}."] if unread else []),
        *(f"{number:,} images are {what}." for what, number in sorted(seen.items()) if number),
    ]
    padding = padding_of(seen, len(train_set) + len(test_set))
    return Dataset(name, train_set, test_set, class_names, found=" ".join(said), padding=padding)


def read_part(
    part: Any,
    columns: tuple[str, str],
    name: str,
    per_class: int | None,
    how: dict[str, Any],
    *,
    names: Sequence[str] = (),
) -> ImageSet:
    """Read the images and labels of a split; `how` is passed on to `read_images`.

    Labels that are no numbers of classes are looked up in `names`.
    """
    labels = labels_in(part, columns[1])
    if names and not hasattr(part.features[columns[1]], "names"):
        labels = _numbers(_named(part, columns[1], name), names, name)
    bare = [row for row, label in enumerate(labels) if label is None or label < 0]
    if bare:
        raise ValueError(
            f"every image of {name!r} must have a label >= 0; row {bare[0]} has {labels[bare[0]]}, as have "
            f"{len(bare) - 1} others. Take them out with dataset.filter(…)."
        )
    rows = first_rows(labels, per_class)
    files = _files(part, columns[0], range(len(part)) if per_class is None else rows)
    images = read_images(files, len(rows), name, **how)
    return ImageSet.of_bytes(images, torch.tensor([labels[row] for row in rows]))


def _named(part: Any, column: str, name: str) -> list[str]:
    labels = enumerate(labels_in(part, column))
    return [label_of(label, f"row {row} of {name!r}, column {column!r},") for row, label in labels]


def _numbers(labels: list[str], names: Sequence[str], name: str) -> list[int]:
    known = {label: number for number, label in enumerate(names)}
    unknown = sorted(set(labels) - set(known))
    if unknown:
        raise ValueError(f"classes of {name!r} must be those of the training split; got also {unknown[:5]}.")
    return [known[label] for label in labels]


def _is_labeled(part: Any, column: str) -> bool:
    return column in part.features and not set(labels_in(part, column)) <= {None, -1}


def _files(part: Any, column: str, rows: Sequence[int]) -> Iterator[tuple[str, Any]]:
    """Name and file of the images in these rows, by the thousand: reading row by row takes five times as long."""
    import datasets

    arrays = type(part.features[column]).__name__ in ARRAYS
    part = part.with_format("numpy") if arrays else part.with_format(None)
    part = part if arrays else part.cast_column(column, datasets.Image(decode=False))
    for start in range(0, len(rows), 1000):
        some = rows[start : start + 1000]
        for number, row in zip(some, part[some][column], strict=True):
            if arrays:
                yield f"row {number}", _picture(row, f"row {number}")
            elif row is None:
                raise ValueError(f"row {number} must have an image in column {column!r}; it has none. Take it out.")
            else:
                yield f"row {number}", row["path"] if row["bytes"] is None else io.BytesIO(row["bytes"])


def _picture(pixels: Any, where: str) -> Any:
    """An array of bytes [H, W], [H, W, C] or [C, H, W] as an image of PIL."""
    import numpy as np
    from PIL import Image

    pixels = np.asarray(pixels)
    if pixels.ndim == 3 and pixels.shape[-1] not in (1, 3, 4) and pixels.shape[0] in (1, 3, 4):
        pixels = pixels.transpose(1, 2, 0)
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[-1] in (3, 4))
    whole = np.issubdtype(pixels.dtype, np.integer) and pixels.size and pixels.min() >= 0 and pixels.max() <= 255
    if not fits or not whole:
        raise ValueError(
            f"{where} must be whole numbers 0 to 255, [H, W], [H, W, 1 or 3] or [1 or 3, H, W]; got {pixels.dtype}, "
            f"{list(pixels.shape)}. Multiply numbers from 0 to 1 by 255 and round them."
        )
    return Image.fromarray(pixels.astype(np.uint8))
