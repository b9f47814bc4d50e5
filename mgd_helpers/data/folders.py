"""A folder of images: read as it is laid out, or as its manifest says that it must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mgd_helpers.data.image_sets import Dataset, ImageSet, first_rows
from mgd_helpers.data.images import padding_of, read_images
from mgd_helpers.data.layouts import find_layout
from mgd_helpers.data.listed import has_table, listed_layout
from mgd_helpers.data.records import MISSING, NOT_MADE, check_listed, faults, is_record, read_manifest, record_of
from mgd_helpers.data.walking import IMAGE_SUFFIXES, TABLES, sub_folders

__all__ = ["IMAGE_SUFFIXES", "read_folder"]


def read_folder(
    folder: Path,
    how: dict[str, Any],
    per_class: int | None = None,
    *,
    image_column: str | None = None,
    label_column: str | None = None,
) -> Dataset:
    """Read a folder: one sub-folder of images per class, splits of such, or images with a table of their classes.

    Where a manifest of this package lies in the folder, the images are exactly those that it lists, and classes have
    the names and the order that it gives. Of each class at most `per_class` images are read, the first ones by name or
    in the manifest. The columns are those of a table (`data.listed`); `how` is passed on to `read_images`.

    Raises `ValueError` where one of these is missing or damaged, or others lie beside them.
    """
    manifest, seen = read_manifest(folder), Counter[str]()
    how = {**how, "seen": seen}
    if manifest is not None and is_record(manifest):
        names = tuple(manifest["settings"]["classes"])
        train = _read_listed(folder, manifest, names, how, per_class)
        return Dataset(folder.name, train, train.take([]), names, padding=padding_of(seen, len(train)))
    if has_table(folder, label_column):
        layout = listed_layout(folder, image_column=image_column, label_column=label_column)
    elif image_column or label_column:
        raise ValueError(
            f"{'image_column' if image_column else 'label_column'} must be left out for a folder without a table; got "
            f"{image_column or label_column!r}, and {str(folder)!r} has neither of {', '.join(TABLES)}."
        )
    else:
        layout = find_layout(folder)
    names = tuple(name for name, _ in layout.train)
    train = _read_classes(folder, layout.train, names, per_class, how)
    test = _read_classes(folder, layout.test, names, per_class, how) if layout.test else train.take([])
    if lacking := sorted(set(names) - {name for name, _ in layout.test}) if layout.test else []:
        layout.said.append(f"The test split has no images of {', '.join(map(repr, lacking[:5]))}{_rest(lacking[2:])}.")
    count = f"{len(train):,} images of {len(names)} classes" + (f", and {len(test):,} test images" if len(test) else "")
    turned = [f"{number:,} images are {what}." for what, number in sorted(seen.items()) if number]
    said = " ".join([f"Read: {count}.", *layout.said, *turned])
    return Dataset(folder.name, train, test, names, found=said, padding=padding_of(seen, len(train) + len(test)))


def _read_listed(
    folder: Path,
    manifest: dict,
    names: tuple[str, ...],
    how: dict[str, Any],
    per_class: int | None,
) -> ImageSet:
    check_listed(folder, manifest)
    wrong, records = faults(folder, manifest), manifest["images"]
    lacking = [file for file, why in wrong.items() if why in (MISSING, NOT_MADE)]
    damaged = [f"{file} ({why})" for file, why in wrong.items() if why not in (MISSING, NOT_MADE)]
    foreign = sorted(_foreign(folder, {image["file"] for image in records}))
    if lacking or damaged or foreign:
        kinds = (("missing", lacking), ("damaged", damaged), ("not of this run", foreign))
        said = "; ".join(f"{kind}: {', '.join(some[:3])}{_rest(some)}" for kind, some in kinds if some)
        again = f": {manifest['command']}" if manifest.get("command") else " with the same settings"
        raise ValueError(
            f"folder {str(folder)!r} must hold the {len(records)} images of its manifest and no others; {said}. Repeat "
            f"the call that made it{again}, take out other images, or take out "
            f"{record_of(folder)} to read all images there."
        )
    rows = first_rows([names.index(image["class"]) for image in records], per_class)
    records = [records[row] for row in rows]
    files = ((image["file"], folder / image["file"]) for image in records)
    images = read_images(files, len(records), folder, **how)
    return ImageSet.of_bytes(images, torch.tensor([names.index(image["class"]) for image in records]))


def _rest(some: list) -> str:
    return f" and {len(some) - 3} others" if len(some) > 3 else ""


def _foreign(folder: Path, listed: set[str]) -> Iterator[str]:
    for inside in sub_folders(folder):
        for path in _pictures(inside):
            file = f"{inside.name}/{path.name}"
            if file not in listed and not path.name.startswith(".") and not path.is_dir():
                yield file


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def _read_classes(
    folder: Path, classes: list[tuple[str, list[Path]]], names: tuple[str, ...], per_class: int | None, how: Any
) -> ImageSet:
    files = {name: found[:per_class] for name, found in classes}
    labels = [names.index(name) for name in files for _ in files[name]]
    found = ((file.relative_to(folder).as_posix(), file) for name in files for file in files[name])
    return ImageSet.of_bytes(read_images(found, len(labels), folder, **how), torch.tensor(labels))
