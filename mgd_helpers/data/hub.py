"""Data sets read with the package `datasets`: those of the catalogue by name, and any other one."""

from __future__ import annotations

import contextlib
import io
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from mgd_helpers.data.catalog import Profile
from mgd_helpers.data.class_names import SPLITS
from mgd_helpers.data.image_sets import Dataset, ImageSet, first_rows
from mgd_helpers.data.images import check_memory, read_images
from mgd_helpers.progress import is_quiet

JPEG_COPY = "The images are a JPEG copy, not the original bytes: figures do not compare with published ones."


def read_named(profile: Profile, image_size: int, per_class: int | None = None) -> Dataset:
    """Read a set of the catalogue, from the local mirror or from the hub, and check that it is what its name says."""
    most = math.inf if per_class is None else per_class * len(profile.class_names)
    count = int(sum(min(size, most) for size in profile.sizes))
    check_memory(count, (image_size, image_size, profile.channels), profile.name)
    with _quiet_datasets() as datasets:
        local = profile.local()
        try:
            copy = local or _from_hub(profile)
            folder = profile.folder if profile.folder and (copy / profile.folder).is_dir() else None
            found = datasets.load_dataset(str(copy), data_dir=folder)
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            raise FileNotFoundError(_missing(profile, local, error)) from error
    _check_contents(found, profile, str(local or profile.hub_id))
    parts = [found[split] for split in profile.splits]
    how = (profile.columns, image_size, profile.channels, profile.name, per_class)
    train, test = (_read(part, *how) for part in parts)
    copied = profile.lossless and _encoded(parts[0], profile.columns[0])[:2] == b"\xff\xd8"
    note = " ".join(filter(None, [profile.note, JPEG_COPY if copied else ""]))
    return Dataset(profile.name, train, test, profile.class_names, note)


def read_hugging_face(
    source: Any, image_size: int | None, channels: int | None, per_class: int | None = None
) -> Dataset:
    """Read a `datasets.Dataset`, as the training split, or a `DatasetDict`.

    The test split is the first of `test`, `validation`, … that has labels.
    """
    import datasets

    if not isinstance(source, datasets.Dataset | datasets.DatasetDict):
        raise ValueError(
            f"source must be a datasets.Dataset or DatasetDict; got {type(source).__name__}. For a stream, call "
            "load_dataset(…) without streaming=True."
        )
    splits = source if isinstance(source, dict) else {"train": source}
    train = splits.get("train")
    if not train:
        sizes = {split: len(part) for split, part in splits.items()}
        raise ValueError(
            f"source must have a split 'train' with images in it; got the splits (and sizes) {sizes}. Rename one."
        )
    kinds = {column: type(feature).__name__ for column, feature in train.features.items()}
    images, labels = ([column for column in kinds if kinds[column] == kind] for kind in ("Image", "ClassLabel"))
    if len(images) != 1 or len(labels) != 1:
        raise ValueError(
            "source must have one column of images and one of class labels (datasets.Image, datasets.ClassLabel); got "
            f"{kinds}. Declare them with dataset.cast_column(…), turn text to labels with class_encode_column(…), or "
            "take other columns out with remove_columns(…)."
        )
    columns, name = (images[0], labels[0]), train.info.dataset_name or "dataset"
    found = [splits[split] for split in SPLITS["test"] if split in splits]
    test = next((part for part in found if _is_labeled(part, columns[1])), None)
    class_names = _class_names(train, columns[1])
    if test is not None and columns[0] not in test.features:
        raise ValueError(
            f"source must have its images in column {columns[0]!r} in both splits; got {list(test.features)} for "
            "testing. Rename one with dataset.rename_column(…)."
        )
    if test is not None and _class_names(test, columns[1]) != class_names:
        raise ValueError(
            f"source must have the same classes in the same order in both splits; got {list(class_names)[:10]} for "
            f"training and {list(_class_names(test, columns[1]))[:10]} for testing. Give names to plain numbers with "
            f"test.cast_column({columns[1]!r}, train.features[…]), or put names in order with "
            "test.align_labels_with_mapping(…)."
        )
    how = (columns, image_size, channels, name, per_class)
    train_set = _read(train, *how)
    test_set = train_set.take([]) if test is None else _read(test, *how)
    return Dataset(name, train_set, test_set, class_names)


def _from_hub(profile: Profile) -> Path:
    """The set's folder in the cache of the hub, downloaded where it is not there; without a network as it is there.

    `datasets.load_dataset` could read it from the hub itself, but finds part of a repository only with a network.
    """
    from huggingface_hub import snapshot_download

    files = f"{profile.folder}/*.parquet" if profile.folder else "*.parquet"
    found = snapshot_download(str(profile.hub_id), repo_type="dataset", revision=profile.revision, allow_patterns=files)
    return Path(found)


def _missing(profile: Profile, local: Path | None, error: Exception) -> str:
    # one that says no more than "An error occurred while generating the dataset" has the reason beneath it
    cause = (type(error).__name__ == "DatasetGenerationError" and error.__cause__) or error
    reason = str(cause).partition("\n")[0] or type(cause).__name__
    if local:
        return (
            f"{profile.name!r} could not be read from the local copy {str(local)!r}: {reason!r}. Download "
            f"{profile.hub_id!r} into that folder again, or remove the folder to read it from the hub."
        )
    return (
        f"{profile.name!r} could not be read from the hub: {reason!r}. It is a download of about {profile.megabytes} "
        f"MB (license: {profile.license}). Connect to the network once, or put a copy of the data set "
        f"{profile.hub_id!r} into a folder {profile.name!r} and name its parent in MGD_DATA_DIR."
    )


def _check_contents(found: Any, profile: Profile, where: str) -> None:
    """Check splits, columns, sizes, the names of the classes and their order, and how often each class is there."""
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
                f"{split!r} of {where!r} has {len(names)}, and class {position} is {names[position]!r}. Its "
                "labels would mean other classes. Pass it as a datasets.Dataset instead."
            )
        counts = Counter(_labels(found[split], profile.columns[1]))
        if set(counts) != set(labels) or (profile.balanced and len(set(counts.values())) > 1):
            odd = sorted({*labels, *counts}, key=lambda label: (label in labels, counts[label]))  # strange, rare first
            raise ValueError(
                f"{profile.name!r} must have the labels 0 to {labels[-1]}, "
                f"{'all equally often' if profile.balanced else 'each at least once'}; split {split!r} of {where!r} "
                f"has (label: images) { {label: counts[label] for label in (*odd[:3], odd[-1])} }. Is it that data set?"
            )


def _class_names(part: Any, column: str) -> tuple[str, ...]:
    """Names that can be folders, too."""
    names = getattr(part.features[column], "names", None) or ()
    return tuple(name.replace(" / ", " or ").replace("/", " or ") for name in names)


def _encoded(part: Any, column: str) -> bytes:
    """The file of the first image, as it is stored."""
    import datasets

    first = part.with_format(None).cast_column(column, datasets.Image(decode=False))[0][column]
    return first["bytes"] or Path(first["path"]).read_bytes()


def _labels(part: Any, column: str) -> list:
    """Read without the images."""
    return part.with_format(None).select_columns([column])[:][column]


def _is_labeled(part: Any, column: str) -> bool:
    return column in part.features and not set(_labels(part, column)) <= {None, -1}


def _read(
    part: Any,
    columns: tuple[str, str],
    image_size: int | None,
    channels: int | None,
    name: str,
    per_class: int | None,
) -> ImageSet:
    labels = _labels(part, columns[1])
    bare = [row for row, label in enumerate(labels) if label is None or label < 0]
    if bare:
        raise ValueError(
            f"every image of {name!r} must have a label >= 0; row {bare[0]} has {labels[bare[0]]}, as have "
            f"{len(bare) - 1} others. Take them out with dataset.filter(…)."
        )
    rows = first_rows(labels, per_class)
    files = _files(part, columns[0], range(len(part)) if per_class is None else rows)
    images = read_images(files, len(rows), name, image_size=image_size, channels=channels)
    return ImageSet(images, torch.tensor([labels[row] for row in rows]))


def _files(part: Any, column: str, rows: Sequence[int]) -> Iterator[tuple[str, Any]]:
    """Name and file of the images in these rows, by the thousand: reading row by row takes five times as long."""
    import datasets

    part = part.with_format(None).cast_column(column, datasets.Image(decode=False))
    for start in range(0, len(rows), 1000):
        some = rows[start : start + 1000]
        for number, row in zip(some, part[some][column], strict=True):
            yield f"row {number}", row["path"] if row["bytes"] is None else io.BytesIO(row["bytes"])


@contextlib.contextmanager
def _quiet_datasets() -> Iterator[Any]:
    """The package `datasets`, with its progress bars and those of the hub only where ours are shown."""
    try:
        import datasets
    except ImportError as error:
        raise ImportError("Data sets from the hub need the package datasets: pip install datasets") from error
    from huggingface_hub import utils

    switches = [
        (datasets.is_progress_bar_enabled(), datasets.disable_progress_bars, datasets.enable_progress_bars),
        (not utils.are_progress_bars_disabled(), utils.disable_progress_bars, utils.enable_progress_bars),
    ]
    with contextlib.ExitStack() as after:
        for shown, disable, enable in switches:
            if shown and is_quiet():
                disable()
                after.callback(enable)
        yield datasets
