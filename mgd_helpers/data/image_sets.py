"""Labelled image sets, in memory, as tensors: float32 [N, C, H, W] in [-1, 1] with int64 labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.class_names import check_class_names


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images [N, C, H, W] in [-1, 1] (float32) with their labels [N] (int64, from 0 on).

    Raises `ValueError` for uint8 images, for values that are NaN or leave [-1, 1] by more than rounding, and for other
    labels.
    """

    images: Float[Tensor, "n c h w"]
    labels: Int[Tensor, " n"]

    def __post_init__(self) -> None:
        images, labels = arguments.tensor("images", self.images), arguments.tensor("labels", self.labels)
        if arguments.pixels("images", images).ndim != 4:
            raise ValueError(
                f"images must be [N, C, H, W]; got {list(images.shape)}. For one image pass images[None], for gray "
                "images without channels pass images[:, None]."
            )
        if labels.ndim != 1 or labels.dtype != torch.int64:
            raise ValueError(
                f"labels must be int64 [N]; got {labels.dtype}, {list(labels.shape)}. For other whole numbers pass "
                "labels.long(), for one-hot rows labels.argmax(1)."
            )
        if len(images) != len(labels):
            raise ValueError(f"images and labels must have the same length; got {len(images)} and {len(labels)}.")
        if len(labels) and not labels.is_meta and labels.min() < 0:
            raise ValueError(f"labels must be >= 0; got {labels.min()}. Take out the images that have no label.")

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

    def take(self, rows: Any) -> ImageSet:
        """These rows, in their order: whole numbers from 0 on (a list, an array, a tensor), or a mask of all rows.

        >>> from mgd_helpers import load_data
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
            raise ValueError(f"rows must be from 0 to {len(self) - 1}; got {rows.min()} to {rows.max()}.")
        rows = rows if is_mask else rows.long()
        return ImageSet(self.images[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set with a train and a test split (empty where there is none); class `i` is `class_names[i]`.

    `note` is what a table made with it has to say, for instance that the images are a copy of lower quality. `found`
    says in sentences what was read, what was not, and why. `profile` is the name of a set of the catalogue, which
    brings pipeline and settings with it; whatever is only called like one has none.
    """

    name: str
    train: ImageSet
    test: ImageSet
    class_names: Sequence[str]  # kept as a tuple
    note: str = ""
    found: str = ""
    profile: str = ""

    def __post_init__(self) -> None:
        most = max(
            (int(part.labels.max()) + 1 for part in (self.train, self.test) if len(part) and not part.labels.is_meta),
            default=0,
        )
        object.__setattr__(self, "class_names", check_class_names(self.class_names, at_least=most))


def first_rows(labels: Iterable[int], per_class: int | None) -> list[int]:
    """The rows of the first `per_class` images of each label, ascending; of all images where it is `None`.

    >>> first_rows([1, 0, 1, 1, 0, 2], 2)
    [0, 1, 2, 4, 5]
    """
    counts: Counter[int] = Counter()
    rows = []
    for row, label in enumerate(labels):
        counts[label] += 1
        if per_class is None or counts[label] <= per_class:
            rows.append(row)
    return rows


def image_set(name: str, value: object, *, or_else: str = "") -> ImageSet:
    """An `ImageSet` as it is; for anything else the `ValueError` that says what to pass."""
    if isinstance(value, ImageSet):
        return value
    remedy = "Make one of tensors with ImageSet(images, labels)."
    if isinstance(value, Dataset):
        remedy = "Pass one of its splits, .train or .test."
    raise ValueError(f"{name} must be an ImageSet{or_else}; got {type(value).__name__}. {remedy}")
