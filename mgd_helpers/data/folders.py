"""A folder of images with one sub-folder per class: read as it is, or as its manifest says that it must be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from mgd_helpers.data.class_names import SPLIT_NAMES, SPLITS
from mgd_helpers.data.image_sets import Dataset, ImageSet, first_rows
from mgd_helpers.data.images import read_images
from mgd_helpers.data.records import MISSING, NOT_MADE, check_listed, faults, is_record, read_manifest, record_of

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


def read_folder(folder: Path, image_size: int | None, channels: int | None, per_class: int | None = None) -> Dataset:
    """Read a folder with one sub-folder of images per class, or with splits `train` and `test` of such sub-folders.

    Where a manifest of this package lies in the folder, the images are exactly those that it lists, and classes have
    the names and the order that it gives. Of each class at most `per_class` images are read, the first ones by name or
    in the manifest.

    Raises `ValueError` where one of these is missing or damaged, or others lie beside them.
    """
    manifest = read_manifest(folder)
    if manifest is not None and is_record(manifest):
        names = tuple(manifest["settings"]["classes"])
        train = _read_listed(folder, manifest, names, image_size, channels, per_class)
        return Dataset(folder.name, train, train.take([]), names)
    inside = {path.name for path in _sub_folders(folder)}
    has_splits = "train" in inside and inside <= SPLIT_NAMES
    train_folder = folder / "train" if has_splits else folder
    names = tuple(path.name for path in _sub_folders(train_folder))
    train = _read_plain(train_folder, names, image_size, channels, per_class)
    tests = [folder / name for name in SPLITS["test"] if has_splits and name in inside]
    test = _read_plain(tests[0], names, image_size, channels, per_class) if tests else train.take([])
    return Dataset(folder.name, train, test, names)


def _read_listed(
    folder: Path,
    manifest: dict,
    names: tuple[str, ...],
    image_size: int | None,
    channels: int | None,
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
    images = read_images(files, len(records), folder, image_size=image_size, channels=channels)
    return ImageSet(images, torch.tensor([names.index(image["class"]) for image in records]))


def _rest(some: list) -> str:
    return f" and {len(some) - 3} others" if len(some) > 3 else ""


def _foreign(folder: Path, listed: set[str]) -> Iterator[str]:
    for inside in _sub_folders(folder):
        for path in _pictures(inside):
            file = f"{inside.name}/{path.name}"
            if file not in listed and not path.name.startswith(".") and not path.is_dir():
                yield file


def _sub_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def _read_plain(
    folder: Path,
    class_names: tuple[str, ...],
    image_size: int | None,
    channels: int | None,
    per_class: int | None,
) -> ImageSet:
    inside = [path.name for path in _sub_folders(folder)]
    unknown = [name for name in inside if name not in class_names]
    if unknown:
        raise ValueError(f"classes of {str(folder)!r} must be those of the training split; got also {unknown[:5]}.")
    files = {name: _pictures(folder / name)[:per_class] for name in inside}
    bare = [name for name in inside if not files[name]]
    if bare or not files:
        raise ValueError(
            f"source must hold images in one sub-folder per class; {str(folder)!r} holds none"
            f"{f' of {bare[:5]}' if bare else ''}. Use {', '.join(IMAGE_SUFFIXES)} files."
        )
    labels = [class_names.index(name) for name in inside for _ in files[name]]
    found = ((f"{path.parent.name}/{path.name}", path) for name in inside for path in files[name])
    images = read_images(found, len(labels), folder, image_size=image_size, channels=channels)
    return ImageSet(images, torch.tensor(labels))
