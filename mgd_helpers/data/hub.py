"""Data sets read with the package `datasets`: those of the catalogue by name, and any other one."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from pathlib import Path

import torch

from mgd_helpers.data.catalog import Profile
from mgd_helpers.data.class_names import SPLITS
from mgd_helpers.data.images import Part, check_memory, read_images
from mgd_helpers.progress import is_quiet

JPEG_COPY = "The images are a JPEG copy, not the original bytes: figures do not compare with published ones."


def read_named(profile: Profile, image_size: int) -> tuple[Part, Part, str]:
    """Training split, test split, and what a table made with them has to say; from the local mirror or from the hub."""
    check_memory(sum(profile.sizes), (image_size, image_size, profile.channels), profile.name)
    with _quiet_datasets() as datasets:
        local = profile.local()
        try:
            if local:
                folder = profile.folder if profile.folder and (local / profile.folder).is_dir() else None
                found = datasets.load_dataset(str(local), data_dir=folder)
            else:
                found = datasets.load_dataset(profile.hub_id, data_dir=profile.folder, revision=profile.revision)
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            raise FileNotFoundError(_missing(profile, local, error)) from error
    _check_contents(found, profile, str(local or profile.hub_id))
    parts = [found[split] for split in profile.splits]
    train, test = (_read(part, profile.columns, image_size, profile.channels, profile.name) for part in parts)
    copied = profile.lossless and _encoded(parts[0], profile.columns[0])[:2] == b"\xff\xd8"
    return train, test, " ".join(filter(None, [profile.note, JPEG_COPY if copied else ""]))


def read_hugging_face(
    source, image_size: int | None, channels: int | None
) -> tuple[str, Part, Part | None, tuple[str, ...]]:
    """Name, training split, test split (or `None`) and class names of a `datasets.Dataset` or `DatasetDict`.

    The test split is the first of `test`, `validation`, … that has labels.
    """
    import datasets

    if not isinstance(source, datasets.Dataset | datasets.DatasetDict):
        raise ValueError(
            f"source must be a datasets.Dataset or DatasetDict; got {type(source).__name__}. Of a stream, pass what "
            "load_dataset(…) gives without streaming=True."
        )
    splits = source if isinstance(source, dict) else {"train": source}
    train = splits.get("train")
    if not train:
        sizes = {split: len(part) for split, part in splits.items()}
        raise ValueError(f"source must have a split 'train' with images in it; got {sizes}, by split. Rename one.")
    kinds = {column: type(feature).__name__ for column, feature in train.features.items()}
    images, labels = ([column for column in kinds if kinds[column] == kind] for kind in ("Image", "ClassLabel"))
    if len(images) != 1 or len(labels) != 1:
        raise ValueError(
            "source must have one column of images and one of class labels (datasets.Image, datasets.ClassLabel); got "
            f"{kinds}. dataset.cast_column(…) declares them, class_encode_column(…) makes labels of text, "
            "remove_columns(…) takes away others."
        )
    columns, name = (images[0], labels[0]), train.info.dataset_name or "dataset"
    found = [splits[split] for split in SPLITS["test"] if split in splits]
    test = next((part for part in found if _is_labelled(part, columns[1])), None)
    class_names = _class_names(train, columns[1])
    if test is not None and columns[0] not in test.features:
        raise ValueError(
            f"source must have its images in column {columns[0]!r} in both splits; got {list(test.features)} for "
            "testing. dataset.rename_column(…) makes them alike."
        )
    if test is not None and _class_names(test, columns[1]) != class_names:
        raise ValueError(
            f"source must have the same classes in the same order in both splits; got {list(class_names)[:10]} for "
            f"training and {list(_class_names(test, columns[1]))[:10]} for testing. test.cast_column({columns[1]!r}, "
            "train.features[…]) names plain numbers, test.align_labels_with_mapping(…) puts other names in order."
        )
    train, test = (part and _read(part, columns, image_size, channels, name) for part in (train, test))
    return name, train, test, class_names


def _missing(profile: Profile, local: Path | None, error: Exception) -> str:
    # one that says no more than "An error occurred while generating the dataset" has the reason beneath it
    reason = (type(error).__name__ == "DatasetGenerationError" and error.__cause__) or error
    reason = str(reason).partition("\n")[0] or type(reason).__name__
    if local:
        return (
            f"{profile.name!r} could not be read from the local copy {str(local)!r}: {reason!r}. Fetch "
            f"{profile.hub_id!r} into that folder anew, or remove the folder, and it is read from the hub."
        )
    return (
        f"{profile.name!r} could not be read from the hub: {reason!r}. It is a download of about {profile.megabytes} "
        f"MB (licence: {profile.license}). Connect to the network once, or put a copy of the data set "
        f"{profile.hub_id!r} into a folder {profile.name!r} and name its parent in MGD_DATA_DIR."
    )


def _check_contents(found, profile: Profile, where: str) -> None:
    """Splits and columns by name, sizes, the classes in one of the ways that copies of the set name them, and that
    each is there, equally often where the original has them so."""
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
    labels = range(len(profile.class_names))
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
        counts = Counter(_labels(found[split], profile.columns[1]))
        if set(counts) != set(labels) or (profile.balanced and len(set(counts.values())) > 1):
            odd = sorted({*labels, *counts}, key=lambda label: (label in labels, counts[label]))  # strange, rare first
            raise ValueError(
                f"{profile.name!r} must have the labels 0 to {labels[-1]}, "
                f"{'all equally often' if profile.balanced else 'each at least once'}; split {split!r} of {where!r} "
                f"has (label: images) { {label: counts[label] for label in (*odd[:3], odd[-1])} }. Is it that data set?"
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


def _labels(part, column: str) -> list:
    """Read without the images."""
    return part.with_format(None).select_columns([column])[:][column]


def _is_labelled(part, column: str) -> bool:
    return column in part.features and not set(_labels(part, column)) <= {None, -1}


def _read(part, columns: tuple[str, str], image_size: int | None, channels: int | None, name: str) -> Part:
    labels = _labels(part, columns[1])
    bare = [row for row, label in enumerate(labels) if label is None or label < 0]
    if bare:
        raise ValueError(
            f"every image of {name!r} must have a label from 0 on; row {bare[0]} has {labels[bare[0]]}, as have "
            f"{len(bare) - 1} others. dataset.filter(…) takes them out."
        )
    images = read_images(_files(part, columns[0]), len(part), name, image_size=image_size, channels=channels)
    return images, torch.tensor(labels)


def _files(part, column: str):
    """Name and file of each image, by the thousand: reading row by row takes five times as long."""
    import datasets

    part = part.with_format(None).cast_column(column, datasets.Image(decode=False))
    for start in range(0, len(part), 1000):
        for number, row in enumerate(part[start : start + 1000][column], start):
            yield f"row {number}", row["path"] if row["bytes"] is None else io.BytesIO(row["bytes"])


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
