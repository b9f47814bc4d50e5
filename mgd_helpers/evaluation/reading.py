"""Sets of images, opened beside the data that they are measured against: the one check that all measures share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Int, Tensor
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.data.datasets import load_data, read_generated
from mgd_helpers.data.image_sets import Dataset, ImageSet, image_set
from mgd_helpers.data.reach import check_columns
from mgd_helpers.data.splits import with_test
from mgd_helpers.evaluation.origins import origin_notes, record_of, seen_notes, shape_of

Source = str | Path | ImageSet


@dataclass(frozen=True, eq=False)
class Reading:
    """`sets` by name and the `data` they are measured against, float32 and on one `device`, without gradients.

    The training images stay where they lie; whoever needs them moves them. `note` is what a table has to say, and
    `records` what the folders among the sets say of themselves.
    """

    sets: dict[str, ImageSet]
    data: Dataset
    device: torch.device
    note: str
    records: dict[str, dict] = field(default_factory=dict)


def read_sets(
    generated: Any,
    *,
    against: Any,
    device: Any = None,
    every_class: bool = True,
    split: Any = None,
    image_column: Any = None,
    label_column: Any = None,
) -> Reading:
    """Open one set (a `Source`), or several {name: set}, and the data; refuse what does not fit before any work.

    A set is an `ImageSet`, or a folder with one sub-folder per class (`data.read_generated`); one without a name is
    called by its folder, or `generated`. `against` is whatever `load_data` reads, or a `Dataset`, with a test split.
    Data that are given by path are read at the size of the sets, where `distill` made these. Of data without a test
    split `split` is the share that is held out, drawn class by class (`data.splits`, seed 0).
    The columns are those of `load_data`. `device` is by default that of the test images. With
    `every_class` a set must hold all classes of the data.

    Raises `ValueError` for anything else: no images, another size, unknown labels, a folder of `distill` that lacks
    images. That a set holds test images is said in `note`, and that it was made from other data.

    >>> data = load_data("digits")
    >>> read_sets({"all": data.train}, against=data).sets["all"].shape
    torch.Size([1500, 1, 32, 32])
    """
    if not isinstance(generated, Mapping):
        generated = {str(generated) if isinstance(generated, str | Path) else "generated": generated}
    if not generated:
        raise ValueError("generated must hold at least one set; got none.")
    records = {name: record_of(source) for name, source in generated.items()}
    split = None if split is None else arguments.number("split", split, above=0, below=1)
    how: dict[str, Any] = {"image_column": image_column, "label_column": label_column}
    if not (isinstance(against, str) and against in PROFILES):
        how |= shape_of(generated.values(), records.values())
    whole = _data(against, split, how)
    data, split_note = with_test(whole, split)
    device = data.test.device if device is None else arguments.device("device", device)
    sets = {name: _set(name, source, data) for name, source in generated.items()}
    for name, images in sets.items():
        _check_fits(name, images, data, every_class)
    said = [*origin_notes(records, data, whole), *seen_notes(sets, data.test)]
    data = replace(data, train=_plain(data.train), test=_plain(data.test).to(device))
    sets = {name: _plain(images).to(device) for name, images in sets.items()}
    return Reading(sets, data, device, " ".join(filter(None, [data.note, split_note, *said])), records)


def read_rows(name: str, rows: Any, *, of: int) -> Int[Tensor, " k"]:
    """Read rows of a training split of `of` images, each once and in order: rows, a mask, or None for all.

    >>> read_rows("members", [True, False, True], of=3)
    tensor([0, 2])
    """
    try:
        found = torch.as_tensor(range(of) if rows is None else rows).cpu()
    except (TypeError, ValueError, RuntimeError):  # text, None, rows of unequal length
        found = torch.empty(0)
    if found.dtype == torch.bool and list(found.shape) == [of]:
        found = found.nonzero()[:, 0]
    whole, found = not found.is_floating_point() and found.dtype != torch.bool, found.long().unique()
    if not whole or len(found) == 0 or found[0] < 0 or found[-1] >= of:
        raise ValueError(
            f"{name} must be rows of the training split, 0 to {of - 1}, or {of} booleans, one True at least; got "
            f"{rows!r}."
        )
    return found


def _data(against: Any, split: Any, how: dict[str, Any]) -> Dataset:
    if isinstance(against, ImageSet):
        raise ValueError(
            "against must be a Dataset, a data set by name or a folder; got an ImageSet. "
            "Dataset(name, train, test, class_names) makes one of two."
        )
    try:
        check_columns(against, image_column=how["image_column"], label_column=how["label_column"])
        data = against
        if not isinstance(against, Dataset):
            data = load_data(against, **how)
            data = replace(data, note=" ".join(filter(None, [data.note, data.found])))
    except ValueError as error:
        raise ValueError(f"against: {error}") from error
    if len(data.test) == 0 and split is None:
        raise ValueError(
            f"against must have a test split; {data.name!r} has none. Pass a Dataset with .test filled, or split=0.2, "
            "which holds out a part of its images."
        )
    return data


def _set(name: str, source: Any, data: Dataset) -> ImageSet:
    if not isinstance(source, str | Path):
        return image_set(_called(name), source, or_else=" or a folder of images")
    return read_generated(source, data)


def _called(name: str) -> str:
    return "generated" if name == "generated" else f"generated {name!r}"


def _plain(part: ImageSet) -> ImageSet:
    if part.dtype == torch.float32 and not part.kept.requires_grad:
        return part
    return ImageSet(part.images.detach().float(), part.labels)


def _check_fits(name: str, images: ImageSet, data: Dataset, every_class: bool) -> None:
    if len(images) == 0:
        raise ValueError(f"{_called(name)} must hold at least one image; got none.")
    expected, got = list(data.train.shape[1:]), list(images.shape[1:])
    if expected != got:
        raise ValueError(f"{_called(name)} must have images {expected}, like {data.name!r}; got {got}.")
    labels, classes = set(images.labels.tolist()), len(data.class_names)
    if max(labels) >= classes:
        raise ValueError(
            f"{_called(name)} must have labels 0 to {classes - 1}, like {data.name!r}; got labels up to {max(labels)}."
        )
    missing = sorted(set(range(classes)) - labels) if every_class else []
    if missing:
        raise ValueError(
            f"{_called(name)} must hold images of every class, or the comparison is not fair; got none of class "
            f"{[data.class_names[label] for label in missing][:5]}."
        )
