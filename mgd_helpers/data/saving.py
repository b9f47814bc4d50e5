"""Image sets written as folders, which `load_data` and `evaluate` read; for instance those of the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mgd_helpers.data.cards import dress
from mgd_helpers.data.class_names import check_class_names, folder_names
from mgd_helpers.data.files import check_folder, checksum, remove_parts, write
from mgd_helpers.data.image_sets import ImageSet
from mgd_helpers.data.images import png
from mgd_helpers.data.lock import locked
from mgd_helpers.data.records import check_inside, check_unused, faults, is_record, maker, read_manifest, write_manifest


def write_images(folder: str | Path, images: ImageSet, *, class_names: Sequence[str]) -> Path:
    """Write a set as an image folder, `<class>/<index>.png`, with its record; `load_data(folder)` reads it back.

    Values are rounded to bytes, once. Images come back class after class, in their order within the class. Names that
    are not safe as folder names are changed, and the manifest keeps them as they are. A second call writes again what
    is missing or damaged.

    Raises `ValueError` where the folder holds anything else.
    """
    folder, names = check_folder("folder", folder), check_class_names(class_names)
    check_class_names(names, at_least=int(images.labels.max()) + 1 if len(images) else 0)
    inside, contents, records = folder_names(names), {}, []
    for label, name in enumerate(names):
        for index, row in enumerate(images.rows_of(label).tolist()):
            file = f"{inside[name]}/{index:05d}.png"
            contents[file] = png(images.at(row))
            records.append({"file": file, "class": name, "index": index, "sha256": checksum(contents[file])})
    manifest = {"settings": {"classes": list(names)}, "complete": False, "images": records}
    manifest["made_by"] = [maker(str(images.device), images=len(records))]
    with locked(folder, name="folder"):
        before = read_manifest(folder)
        if before is None:
            check_unused(folder, name="folder")
        elif not is_record(before) or not _is_same(before, manifest):
            raise ValueError(
                f"folder must be new, empty, or hold exactly these images; {str(folder)!r} holds others. Choose "
                "another folder."
            )
        remove_parts(folder)
        check_inside(folder, contents, name="folder")
        manifest["made_by"] = (before or {}).get("made_by") or manifest["made_by"]
        write_manifest(folder, manifest)  # first: what it lists and what is not there yet is missing
        for file in faults(folder, manifest):
            write(folder / file, partial(Path.write_bytes, data=contents[file]))
        dress(folder, manifest)
        write_manifest(folder, manifest | {"complete": True})
    return folder


def _is_same(before: dict, manifest: dict) -> bool:
    """Whether a record is of these images, or of a call that was killed before it could list any."""
    killed = before.get("complete") is False and not before["images"]
    return before["settings"] == manifest["settings"] and (killed or before["images"] == manifest["images"])
