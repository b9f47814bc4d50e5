"""Data sets of the catalogue by name, read with the package `datasets` from a local mirror or from the hub."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from mgd_helpers.data.catalog import Profile
from mgd_helpers.data.columns import class_names_of, labels_in
from mgd_helpers.data.free_memory import check_memory
from mgd_helpers.data.hugging_face import read_part
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.data.images import padding_of
from mgd_helpers.data.loudness import quiet_datasets

JPEG_COPY = "The images are a JPEG copy, not the original bytes: figures do not compare with published ones."


def read_named(profile: Profile, how: dict[str, Any], per_class: int | None = None) -> Dataset:
    """Read a set of the catalogue, from the local mirror or from the hub, and check that it is what its name says.

    `how` is passed on to `read_images`; size and channels are among it.
    """
    most = math.inf if per_class is None else per_class * len(profile.class_names)
    count = int(sum(min(size, most) for size in profile.sizes))
    check_memory(count, (how["image_size"], how["image_size"], how["channels"]), profile.name)
    with quiet_datasets() as datasets:
        local = profile.local()
        try:
            copy = local or _from_hub(profile)
            folder = profile.folder if profile.folder and (copy / profile.folder).is_dir() else None
            found = datasets.load_dataset(str(copy), data_dir=folder)
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            raise FileNotFoundError(_missing(profile, local, error)) from error
    _check_contents(found, profile, str(local or profile.hub_id))
    parts = [found[split] for split in profile.splits]
    seen: Counter[str] = Counter()
    how = {**how, "as_stored": True, "seen": seen}
    train, test = (read_part(part, profile.columns, profile.name, per_class, how) for part in parts)
    copied = profile.lossless and _encoded(parts[0], profile.columns[0])[:2] == b"\xff\xd8"
    note = " ".join(filter(None, [profile.note, JPEG_COPY if copied else ""]))
    padding = padding_of(seen, len(train) + len(test))
    return Dataset(profile.name, train, test, profile.class_names, note, profile=profile.name, padding=padding)


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
        names = tuple(name.split(",")[0] for name in class_names_of(found[split], profile.columns[1]))
        if names and names not in known:
            position = next((i for i, pair in enumerate(zip(names, known[0], strict=False)) if pair[0] != pair[1]), 0)
            raise ValueError(
                f"{profile.name!r} must have the {len(known[0])} classes {list(known[0])[:10]}, in this order; split "
                f"{split!r} of {where!r} has {len(names)}, and class {position} is {names[position]!r}. Its "
                "labels would mean other classes. Pass it as a datasets.Dataset instead."
            )
        counts = Counter(labels_in(found[split], profile.columns[1]))
        if set(counts) != set(labels) or (profile.balanced and len(set(counts.values())) > 1):
            odd = sorted({*labels, *counts}, key=lambda label: (label in labels, counts[label]))  # strange, rare first
            raise ValueError(
                f"{profile.name!r} must have the labels 0 to {labels[-1]}, "
                f"{'all equally often' if profile.balanced else 'each at least once'}; split {split!r} of {where!r} "
                f"has (label: images) { {label: counts[label] for label in (*odd[:3], odd[-1])} }. Is it that data set?"
            )


def _encoded(part: Any, column: str) -> bytes:
    """The file of the first image, as it is stored."""
    import datasets

    first = part.with_format(None).cast_column(column, datasets.Image(decode=False))[0][column]
    return first["bytes"] or Path(first["path"]).read_bytes()
