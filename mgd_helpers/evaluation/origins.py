"""What a folder's record says of where its images come from, beside the data that they are measured against."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mgd_helpers.data.files import bytes_of
from mgd_helpers.data.fingerprints import data_hash
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.data.images import to_uint8
from mgd_helpers.data.records import is_record, read_manifest
from mgd_helpers.encoding.pipelines import PRETRAINED


def record_of(source: Any) -> dict:
    """The record in a folder that this package made; empty for other folders, and for what is no folder.

    Raises `ValueError` for a record that cannot be read.
    """
    manifest = read_manifest(Path(source)) if isinstance(source, str | Path) and Path(source).is_dir() else None
    return manifest if manifest is not None and is_record(manifest) else {}


def shape_of(sources: Iterable[Any], records: Iterable[dict]) -> dict[str, Any]:
    """The `image_size`, `channels` and `padding` to read the data of some folders with; empty where nothing says so.

    Folders of `distill` alone count: they have the size of their pipeline, which need not be that of the data.
    """
    from PIL import Image

    found = set()
    for source, record in zip(sources, records, strict=True):
        if record and record["settings"].get("data_hash") and record["images"]:
            try:
                with Image.open(Path(source) / record["images"][0]["file"]) as image:
                    found.add((*image.size, 1 if image.mode == "L" else 3, record.get("padding")))
            except OSError:  # whoever reads the folder says what is wrong with it
                return {}
    width, height, channels, padding = found.pop() if len(found) == 1 else (0, 1, 0, None)
    return {"image_size": width, "channels": channels, "padding": padding} if width == height else {}


def origin_notes(records: Mapping[str, dict], data: Dataset, whole: Dataset) -> list[str]:
    """A sentence for each set that was made from other images than the training split of `data`, by its hash.

    `whole` is the same as `data`, or what it was split from, whose held-out images such a set has seen.
    """
    made_from = {name: record["settings"].get("data_hash") for name, record in records.items() if record}
    if not any(made_from.values()):
        return []
    own = data_hash(data)
    all_of_it = own if whole is data else data_hash(whole)
    notes = []
    for name, found in made_from.items():
        if found and found not in (own, all_of_it):
            called = records[name]["settings"].get("data")
            notes.append(
                f"{name!r} was made from other images than the training split of {data.name!r}: from "
                f"{'another version of it' if called == data.name else repr(called)}."
            )
        elif found and found != own:
            notes.append(
                f"{name!r} was made from all images of {data.name!r}, those held out as well: its scores flatter it. "
                "For fair ones make it from the same split, load_data(…, split=…)."
            )
    return notes


def seen_notes(sets: Mapping[str, ImageSet], test: ImageSet) -> list[str]:
    """A sentence for each set that holds images of the test split, by their pixels 0 to 255."""
    known = Counter(_pixel_hashes(test))
    notes = []
    for name, images in sets.items():
        found = _pixel_hashes(images)
        seen = sum(one in known for one in found)
        if seen and Counter(found) == known:
            notes.append(f"{name!r} is the test split itself, and its scores no measure.")
        elif seen:
            notes.append(f"{seen} of the {len(found)} images of {name!r} are test images: its scores flatter it.")
    return notes


def _pixel_hashes(images: ImageSet) -> list[bytes]:
    return [
        hashlib.blake2b(bytes_of(one), digest_size=16).digest()
        for block in images.batches()
        for one in to_uint8(block.detach().cpu())
    ]


def pipeline_of(records: Mapping[str, dict]) -> str | None:
    """The first pipeline in the records that needs no network: a shipped one, or a folder that is there."""
    for record in records.values():
        name = record.get("pipeline")
        if (
            isinstance(name, str)
            and name
            and any((at / "model_index.json").is_file() for at in (PRETRAINED / name, Path(name)))
        ):
            return name
    return None
