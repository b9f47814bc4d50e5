"""Data sets read with the package `datasets`: those of the catalogue by name, and any other one."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.catalog import Profile
from mgd_helpers.images import pixels, stack
from mgd_helpers.runtime import is_quiet, progress

Part = tuple[Tensor, Tensor]  # images [N, C, H, W] in [-1, 1], labels [N]
JPEG_COPY = "The images are a JPEG copy, not the original bytes: figures do not compare with published ones."
SPLITS = {"train": ("train",), "test": ("test", "validation", "valid", "val")}  # by the names they go by


def read_named(profile: Profile, image_size: int) -> tuple[Part, Part, str]:
    """Training split, test split, and what a table made with them has to say; from the local mirror or from the hub."""
    _check_memory(sum(profile.sizes), profile.channels, image_size, profile.name)
    with _quiet_datasets() as datasets:
        local = profile.local()
        try:
            if local:
                folder = profile.folder if profile.folder and (local / profile.folder).is_dir() else None
                found = datasets.load_dataset(str(local), data_dir=folder)
            else:
                found = datasets.load_dataset(profile.hub_id, data_dir=profile.folder, revision=profile.revision)
        except (OSError, ValueError, RuntimeError) as error:
            where = f"the local copy {str(local)!r}" if local else f"the hub ({profile.hub_id})"
            raise FileNotFoundError(
                f"{profile.name!r} could not be read from {where}. It is a download of about {profile.megabytes} MB "
                f"(licence: {profile.licence}). Connect to the network once, or put a copy of the data set "
                f"{profile.hub_id!r} into a folder {profile.name!r} and name its parent in MGD_DATA_DIR."
            ) from error
    _check_contents(found, profile, str(local or profile.hub_id))
    parts = [found[split] for split in profile.splits]
    train, test = (_read(part, *profile.columns, image_size, profile.channels, profile.name) for part in parts)
    copied = profile.lossless and _encoded(parts[0], profile.columns[0])[:2] == b"\xff\xd8"
    return train, test, " ".join(filter(None, [profile.note, JPEG_COPY if copied else ""]))


def read_hugging_face(
    source, image_size: int | None, channels: int | None
) -> tuple[str, Part, Part | None, tuple[str, ...]]:
    """Name, training split, test split (or `None`) and class names of a `datasets.Dataset` or `DatasetDict`."""
    parts = source if hasattr(source, "keys") else {"train": source}
    found = {ours: next((parts[name] for name in names if name in parts), None) for ours, names in SPLITS.items()}
    if found["train"] is None:
        raise ValueError(f"source must have a split 'train'; got {list(parts)}.")
    kinds = {type(feature).__name__: column for column, feature in found["train"].features.items()}
    if not {"Image", "ClassLabel"} <= set(kinds):
        raise ValueError(
            f"source must have a column of images and one of class labels (datasets.Image, datasets.ClassLabel); got "
            f"{ {column: type(feature).__name__ for column, feature in found['train'].features.items()} }. "
            "dataset.cast_column(…) declares them, class_encode_column(…) makes labels of text."
        )
    columns, name = (kinds["Image"], kinds["ClassLabel"]), found["train"].info.dataset_name or "dataset"
    channels = channels or (1 if found["train"][0][columns[0]].mode in ("1", "L") else 3)
    train, test = (part and _read(part, *columns, image_size, channels, name) for part in found.values())
    return name, train, test, _class_names(found["train"], columns[1])


def _check_contents(found, profile: Profile, where: str) -> None:
    """Splits and columns by name, sizes, and the classes in one of the ways that copies of the set name them."""
    wanted = {split: profile.columns for split in profile.splits}
    got = {split: tuple(part.features) for split, part in found.items()}
    if any(not set(columns) <= set(got.get(split, ())) for split, columns in wanted.items()):
        raise ValueError(
            f"{profile.name!r} must have the splits and columns {wanted}; got {got}. Is {where!r} that data set?"
        )
    sizes = tuple(len(found[split]) for split in profile.splits)
    if sizes != profile.sizes:
        raise ValueError(
            f"{profile.name!r} must hold {profile.sizes} images (training, test); got {sizes}. Is {where!r} complete?"
        )
    known = (profile.class_names, *profile.other_names)
    for split in profile.splits:
        # of ImageNet's synonyms the first one, as a name
        names = tuple(name.split(",")[0] for name in _class_names(found[split], profile.columns[1]))
        if names and names not in known:
            position = next((i for i, pair in enumerate(zip(names, known[0], strict=False)) if pair[0] != pair[1]), 0)
            raise ValueError(
                f"{profile.name!r} must have the {len(known[0])} classes {list(known[0])[:10]}, in this order; split "
                f"{split!r} of {where!r} has {len(names)}, and class {position} is {names[position]!r}. Labels of "
                "another order would mean other classes: pass it as a datasets.Dataset instead."
            )


def _class_names(part, column: str) -> tuple[str, ...]:
    """Names that can be folders, too."""
    names = getattr(part.features[column], "names", None) or ()
    return tuple(name.replace(" / ", " or ").replace("/", " or ") for name in names)


def _encoded(part, column: str) -> bytes:
    """The file of the first image, as it is stored."""
    import datasets

    first = part.with_format(None).cast_column(column, datasets.Image(decode=False))[0][column]
    return first["bytes"] or Path(first["path"]).read_bytes()


def _read(part, image_column: str, label_column: str, image_size, channels, name) -> Part:
    """Encoded images by the thousand, for reading row by row takes five times as long."""
    import datasets
    from PIL import Image

    part = part.with_format(None).cast_column(image_column, datasets.Image(decode=False))
    images, labels = [], []
    for start in progress(range(0, len(part), 1000), f"read {name}", unit="thousand"):
        rows = part[start : start + 1000]
        labels += rows[label_column]
        for row in rows[image_column]:
            with Image.open(row["path"] if row["bytes"] is None else io.BytesIO(row["bytes"])) as image:
                images.append(pixels(image, image_size, channels))
    return stack(images, name), torch.tensor(labels)


def _check_memory(count: int, channels: int, image_size: int, name: str) -> None:
    need = 4 * count * channels * image_size**2
    have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else need
    if need > have:
        raise MemoryError(
            f"{name!r} at image_size={image_size} takes {need / 2**30:.0f} GiB, and this machine has "
            f"{have / 2**30:.0f}. Pass a smaller image_size, or a datasets.Dataset with fewer rows or classes."
        )


@contextlib.contextmanager
def _quiet_datasets():
    """The package `datasets`, with its progress bars only where ours are shown."""
    try:
        import datasets
    except ImportError as error:
        raise ImportError("Data sets from the hub need the package datasets: pip install datasets") from error
    shown = datasets.is_progress_bar_enabled()
    if is_quiet():
        datasets.disable_progress_bars()
    try:
        yield datasets
    finally:
        if shown:
            datasets.enable_progress_bars()
