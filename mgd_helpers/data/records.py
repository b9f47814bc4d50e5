"""The record of a folder of images: `run.json` says what made it, `manifest.jsonl` has a line for each image.

In memory the two are one dictionary, the manifest, whose `images` are the lines. While a run is at work it adds a line
for each image that it has written, so that a run of many images costs no more per image, and a later line of a file
counts. Earlier versions wrote all into `manifest.json`, which is read as well.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from mgd_helpers.data.files import PART, checksum, write
from mgd_helpers.data.lock import LOCK
from mgd_helpers.provenance import package_versions

RUN, RECORDS = "run.json", "manifest.jsonl"
MANIFEST = "manifest.json"  # of earlier versions
NOT_MADE = "not made yet"
MISSING = "missing"


def read_manifest(folder: Path) -> Any:
    """What `run.json` and `manifest.jsonl` hold, or `manifest.json` of earlier versions; `None` where there is none.

    The line that a run was writing when it was killed is left out.

    Raises `ValueError` where they cannot be read.
    """
    run, lines = _read(folder / RUN), folder / RECORDS
    own = {"settings", "complete"} & set(run) if isinstance(run, dict) else ()  # one of them may have been lost
    if len(own) == 2 or (own and lines.exists()):
        return run | {"images": _read_records(lines, killed=run.get("complete") is False)}
    before = _read(folder / MANIFEST)
    return run if before is None else before


def write_manifest(folder: Path, manifest: dict) -> None:
    """Write the manifest into the folder, each of its two files whole or not at all, and in place of an earlier one."""
    run, before = {key: value for key, value in manifest.items() if key != "images"}, folder / MANIFEST
    steps = [partial(_write_run, folder / RUN, run), partial(write_lines, folder / RECORDS, manifest["images"])]
    # whatever comes in between, what is read is of one run: without run.json the lines say nothing
    for step in reversed(steps) if before.exists() else steps:
        step()
    with contextlib.suppress(ValueError):  # it is torn: then not ours to take away
        if before.is_file() and is_record(_read(before)):
            before.unlink()


def _write_run(file: Path, run: dict) -> None:
    write(file, lambda path: path.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8"))


def write_lines(file: Path, records: Iterable[dict]) -> None:
    """Write one line of JSON for each record, whole or not at all."""
    write(file, lambda path: path.write_bytes(b"".join(map(_line, records))))


def add_record(folder: Path, record: dict) -> None:
    """Add the line of an image to `manifest.jsonl`; it counts for more than an earlier one of the same file."""
    with (folder / RECORDS).open("ab") as file:
        file.write(_line(record))


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
            f"a manifest ({RUN} and {RECORDS}, or {MANIFEST}) must name the classes, and for each image its class and "
            "a file inside the folder; this one does not. Take it out, or choose another folder."
        )
    return True


def faults(folder: Path, manifest: dict) -> dict[str, str]:
    """The listed files that are not as they were made, each with the reason: missing, damaged, or not made yet.

    Earlier versions wrote manifests without checksums: there, every file that can be opened counts as it was made.
    """
    has_checksums = "made_by" in manifest
    found = {image["file"]: _fault(folder / image["file"], image, has_checksums) for image in manifest["images"]}
    return {file: why for file, why in found.items() if why}


def record_of(folder: Path) -> str:
    """The name of the file that makes a folder one with a record."""
    return RUN if (folder / RUN).exists() or not (folder / MANIFEST).exists() else MANIFEST


def check_listed(folder: Path, manifest: dict) -> None:
    """Raise `ValueError` where `run.json` lies in a folder without `manifest.jsonl`, the list of its images."""
    if not manifest["images"] and not (folder / RECORDS).exists() and not (folder / MANIFEST).exists():
        raise ValueError(
            f"folder {str(folder)!r} must hold {RECORDS}, the list of its images; it is missing. Repeat the call that "
            f"made it with the same settings, which makes them again, or take out {RUN} to read all images there."
        )


def check_unused(folder: Path, *, name: str = "out") -> None:
    """Raise `ValueError` where `folder` holds more than what a run that was killed early left there."""
    if folder.exists() and any(path.name != LOCK and not PART.fullmatch(path.name) for path in folder.iterdir()):
        raise ValueError(
            f"{name} must be a new or empty folder, or one made by the same call; {str(folder)!r} holds other files. "
            "Choose another folder."
        )


def check_inside(folder: Path, files: Iterable[str], *, name: str = "out") -> None:
    """Raise `ValueError` where a sub-folder is a link: what is written there would lie somewhere else."""
    for inside in sorted({(folder / file).parent for file in files}):
        if inside != folder and inside.is_symlink():
            raise ValueError(
                f"{name} must hold folders of its own; {str(inside)!r} is a link to another place, where nothing is "
                "written. Take the link out, or choose another folder."
            )


def maker(device: str, *, images: int) -> dict:
    """The entry of a manifest's `made_by` that says what made some of its images."""
    now = datetime.now().astimezone().isoformat("T", "seconds")
    return {"versions": package_versions(), "device": device, "date": now, "images": images}


def opens(content: bytes) -> bool:
    """Whether this is a picture that can be decoded to its end."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
    return True


def _line(record: dict) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{str(file)!r} must be a manifest that this package wrote; it cannot be read: {error}. Take it out, or "
            "choose another folder."
        ) from error


def _read_records(file: Path, *, killed: bool) -> list:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ValueError(_unreadable(file, str(error))) from error
    *lines, rest = content.split(b"\n")
    lines += [rest] if rest and not killed else []
    known: dict[Any, Any] = {}
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(_unreadable(file, f"line {number}: {error}")) from error
        name = record.get("file") if isinstance(record, dict) else None
        known[name if isinstance(name, str) else number] = record
    return list(known.values())


def _unreadable(file: Path, why: str) -> str:
    return (
        f"{str(file)!r} must be a manifest that this package wrote; it cannot be read: {why}. Take it out and repeat "
        "the call that made the folder, which makes its images again, or choose another folder."
    )


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
    return "" if opens(content) else "no image"
