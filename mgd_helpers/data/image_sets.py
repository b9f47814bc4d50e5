"""Labelled image sets, in memory: images [N, C, H, W] in [-1, 1] with int64 labels, kept as bytes where they were read.

What is kept as bytes takes a quarter of the memory, and becomes float32 part by part: as many rows as are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.class_names import check_class_names
from mgd_helpers.data.images import from_uint8


@dataclass(frozen=True, eq=False, init=False)
class ImageSet:
    """Images [N, C, H, W] in [-1, 1] with their labels [N] (int64, from 0 on).

    `kept` are the images as they lie in memory: the floating-point numbers that the set was made of, or bytes 0 to 255
    (uint8), which `load_data` keeps. `images` gives all of them as numbers; of bytes it makes these anew each time it
    is asked, as float32, four times as large. `at`, `batches`, `of_class` and `take` do so for no more than they give.

    Raises `ValueError` for uint8 images (`ImageSet.of_bytes` takes them), for values that are NaN or leave [-1, 1] by
    more than rounding, and for other labels.
    """

    kept: Tensor
    labels: Int[Tensor, " n"]

    def __init__(self, images: Float[Tensor, "n c h w"], labels: Int[Tensor, " n"]) -> None:
        arguments.pixels("images", arguments.tensor("images", images))
        _check("images", images, labels)
        self._keep(images, labels)

    @classmethod
    def of_bytes(cls, pixels: Tensor, labels: Int[Tensor, " n"]) -> ImageSet:
        """A set of images given as bytes 0 to 255, [N, C, H, W] (uint8), and kept so.

        Raises `ValueError` for pixels of another type or shape, and for labels that do not fit.

        >>> ImageSet.of_bytes(torch.full((1, 1, 2, 2), 255, dtype=torch.uint8), torch.tensor([3])).images.mean().item()
        1.0
        """
        if arguments.tensor("pixels", pixels).dtype != torch.uint8:
            raise ValueError(
                f"pixels must be bytes (uint8) [N, C, H, W]; got {pixels.dtype}, {list(pixels.shape)}. For images in "
                "[-1, 1] pass ImageSet(images, labels)."
            )
        _check("pixels", pixels, labels)
        return object.__new__(cls)._keep(pixels, labels)

    def _keep(self, kept: Tensor, labels: Tensor) -> ImageSet:
        object.__setattr__(self, "kept", kept)
        object.__setattr__(self, "labels", labels)
        return self

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> Float[Tensor, "n c h w"]:
        """All images, in [-1, 1]; of a set kept as bytes a new tensor, each time."""
        return _numbers(self.kept)

    @property
    def shape(self) -> torch.Size:
        """The shape of all images, [N, C, H, W]."""
        return self.kept.shape

    @property
    def dtype(self) -> torch.dtype:
        """The type of the numbers that `images` gives."""
        return torch.float32 if self.kept.dtype == torch.uint8 else self.kept.dtype

    @property
    def device(self) -> torch.device:
        """Where the images lie."""
        return self.kept.device

    def at(self, rows: Any) -> Float[Tensor, "*k c h w"]:
        """The images in these rows, in [-1, 1]: whatever a tensor is indexed by, such as a row, a slice or a list."""
        return _numbers(self.kept[rows])

    def batches(self, size: int | None = None) -> Iterator[Float[Tensor, "n c h w"]]:
        """All images in their order, `size` at a time; by default as many as have a million numbers."""
        size = size or max(1, 2**20 // max(1, self.shape[1:].numel()))
        return (self.at(slice(start, start + size)) for start in range(0, len(self), size))

    def to(self, device: str | torch.device) -> ImageSet:
        """The same set on a device."""
        device = arguments.device("device", device)
        return self._like(self.kept.to(device), self.labels.to(device))

    def with_labels(self, labels: Int[Tensor, " n"]) -> ImageSet:
        """The same images with other labels."""
        _check("images", self.kept, labels)
        return self._like(self.kept, labels)

    def _like(self, kept: Tensor, labels: Tensor) -> ImageSet:
        return object.__new__(ImageSet)._keep(kept, labels)

    def of_class(self, label: int) -> Float[Tensor, "n c h w"]:
        """The images of one class, in their order."""
        return self.at(self.labels == label)

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
        return self._like(self.kept[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set with a train and a test split (empty where there is none); class `i` is `class_names[i]`.

    `note` is what a table made with it has to say, for instance that the images are a copy of lower quality. `found`
    says in sentences what was read, what was not, and why. `profile` is the name of a set of the catalogue, which
    brings pipeline and settings with it; whatever is only called like one has none. `padding` is the width of the black
    border that all images were set in when they were read; `None` where that is not known.
    """

    name: str
    train: ImageSet
    test: ImageSet
    class_names: Sequence[str]  # kept as a tuple
    note: str = ""
    found: str = ""
    profile: str = ""
    padding: int | None = None

    def __post_init__(self) -> None:
        most = max(
            (int(part.labels.max()) + 1 for part in (self.train, self.test) if len(part) and not part.labels.is_meta),
            default=0,
        )
        object.__setattr__(self, "class_names", check_class_names(self.class_names, at_least=most))


def _numbers(kept: Tensor) -> Tensor:
    return from_uint8(kept) if kept.dtype == torch.uint8 else kept


def _check(name: str, images: Tensor, labels: Any) -> None:
    """Whether images, or their pixels, are [N, C, H, W], with a label for each."""
    if images.ndim != 4:
        raise ValueError(
            f"{name} must be [N, C, H, W]; got {list(images.shape)}. For one image pass {name}[None], for gray images "
            f"without channels pass {name}[:, None]."
        )
    if arguments.tensor("labels", labels).ndim != 1 or labels.dtype != torch.int64:
        raise ValueError(
            f"labels must be int64 [N]; got {labels.dtype}, {list(labels.shape)}. For other whole numbers pass "
            "labels.long(), for one-hot rows labels.argmax(1)."
        )
    if len(images) != len(labels):
        raise ValueError(f"{name} and labels must have the same length; got {len(images)} and {len(labels)}.")
    if len(labels) and not labels.is_meta and labels.min() < 0:
        raise ValueError(f"labels must be >= 0; got {labels.min()}. Take out the images that have no label.")


def tensor_or_set(name: str, images: Any) -> Any:
    """A tensor or an `ImageSet`, as it is; anything else is refused."""
    return images if isinstance(images, ImageSet) else arguments.tensor(name, images)


def at(images: Float[Tensor, "n c h w"] | ImageSet, rows: Any) -> Float[Tensor, "*k c h w"]:
    """The images in these rows, in [-1, 1], of a tensor of images or of a set."""
    return images.at(rows) if isinstance(images, ImageSet) else arguments.tensor("images", images)[rows]


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
