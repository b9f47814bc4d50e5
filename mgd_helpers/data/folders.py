"""A folder of images with one sub-folder per class: read as it is, or as its manifest says that it must be."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from mgd_helpers.data.class_names import SPLIT_NAMES, SPLITS
from mgd_helpers.data.files import PART, checksum, write
from mgd_helpers.data.image_sets import Dataset, ImageSet, first_rows
from mgd_helpers.data.images import read_images
from mgd_helpers.data.lock import LOCK
from mgd_helpers.provenance import package_versions

MANIFEST = "manifest.json"
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
NOT_MADE = "not made yet"
MISSING = "missing"


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


def read_manifest(folder: Path) -> Any:
    """What `manifest.json` holds, or `None` where there is none.

    Raises `ValueError` where it cannot be read.
    """
    file = folder / MANIFEST
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{str(file)!r} must be a manifest that this package wrote; it cannot be read: {error}. Take it out, or "
            "choose another folder."
        ) from error


def write_manifest(folder: Path, manifest: dict) -> float:
    """Write the manifest into the folder, whole or not at all; gives the seconds that it took."""
    started = time.perf_counter()
    write(folder / MANIFEST, lambda path: path.write_text(json.dumps(manifest, indent=1), encoding="utf-8"))
    return time.perf_counter() - started


def is_record(manifest: object) -> bool:
    """Whether this package wrote a manifest: it has two of settings, images, and whether it is complete.

    Raises `ValueError` where these are not as this package writes them.
    """
    if not isinstance(manifest, dict) or len({"settings", "images", "complete"} & set(manifest)) < 2:
        return False
    settings, images = manifest.get("settings"), manifest.get("images")
    classes = settings.get("classes") if isinstance(settings, dict) else None
    sound = isinstance(classes, list) and all(isinstance(name, str) for name in classes) and isinstance(images, list)
    known: set[str] = set(classes or ()) if sound else set()
    if not sound or not all(isinstance(image, dict) and _is_sound(image, known) for image in images or ()):
        raise ValueError(
            f"{MANIFEST} must name the classes, and for each image its class and a file inside the folder; this one "
            "does not. Take it out, or choose another folder."
        )
    return True


def faults(folder: Path, manifest: dict) -> dict[str, str]:
    """The listed files that are not as they were made, each with the reason: missing, damaged, or not made yet.

    Earlier versions wrote manifests without checksums: there, every file that can be opened counts as it was made.
    """
    has_checksums = "made_by" in manifest
    found = {image["file"]: _fault(folder / image["file"], image, has_checksums) for image in manifest["images"]}
    return {file: why for file, why in found.items() if why}


def check_unused(folder: Path, *, name: str = "out") -> None:
    """Raise `ValueError` where `folder` holds more than what a run that was killed early left there."""
    if folder.exists() and any(path.name != LOCK and not PART.fullmatch(path.name) for path in folder.iterdir()):
        raise ValueError(
            f"{name} must be a new or empty folder, or one made by the same call; {str(folder)!r} holds other files. "
            "Choose another folder."
        )


def maker(device: str, *, images: int) -> dict:
    """The entry of a manifest's `made_by` that says what made some of its images."""
    now = datetime.now().astimezone().isoformat("T", "seconds")
    return {"versions": package_versions(), "device": device, "date": now, "images": images}


def _is_sound(image: dict, classes: set[str]) -> bool:
    file, name, sha = image.get("file"), image.get("class"), image.get("sha256")
    if not isinstance(file, str) or not isinstance(name, str) or name not in classes or not isinstance(sha, str | None):
        return False
    path = PurePosixPath(file)
    return bool(path.name) and not path.is_absolute() and ".." not in path.parts and not set(file) & set("\\\0")


def _fault(path: Path, image: dict, has_checksums: bool) -> str:
    if path.is_dir():
        return "a folder"
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return MISSING
    except OSError as error:
        return f"unreadable: {error.strerror}"
    if not content:
        return "empty"
    if image.get("sha256"):
        return "" if checksum(content) == image["sha256"] else "changed"
    if has_checksums:
        return NOT_MADE  # a run that was killed wrote it, and had no time to say so
    return "" if _opens(content) else "no image"


def _opens(content: bytes) -> bool:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except (OSError, ValueError, SyntaxError):
        return False
    return True


def _read_listed(
    folder: Path,
    manifest: dict,
    names: tuple[str, ...],
    image_size: int | None,
    channels: int | None,
    per_class: int | None,
) -> ImageSet:
    wrong, records = faults(folder, manifest), manifest["images"]
    lacking = [file for file, why in wrong.items() if why in (MISSING, NOT_MADE)]
    damaged = [f"{file} ({why})" for file, why in wrong.items() if why not in (MISSING, NOT_MADE)]
    foreign = sorted(_foreign(folder, {image["file"] for image in records}))
    if lacking or damaged or foreign:
        kinds = (("missing", lacking), ("damaged", damaged), ("not of this run", foreign))
        said = "; ".join(f"{kind}: {', '.join(some[:3])}{_rest(some)}" for kind, some in kinds if some)
        raise ValueError(
            f"folder {str(folder)!r} must hold the {len(records)} images of its manifest and no others; {said}. Repeat "
            f"the call that made it with the same settings, take out other images, or take out {MANIFEST} to read all "
            "images there."
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
