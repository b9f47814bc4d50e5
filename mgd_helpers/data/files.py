"""Files that are whole where they exist: written under another name, then renamed; and their checksums."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path

PART = re.compile(r"\..+\.part")  # what a run that was killed may leave behind


def write(file: Path, save: Callable[[Path], object]) -> None:
    """Under a temporary name that nobody else has, then renamed: a file that exists is whole. A folder in its place is
    renamed, too: nobody knows what it holds."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        save(part)
        if file.is_dir():
            file.rename(file.with_name(f"{file.name}.{uuid.uuid4().hex[:12]}.moved"))
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Take away what killed runs left of `write`, in a folder and in those right inside it."""
    if folder.is_dir():
        for inside in (folder, *(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())):
            for path in inside.iterdir():
                if PART.fullmatch(path.name) and path.is_file():
                    path.unlink(missing_ok=True)


def checksum(content: bytes) -> str:
    """SHA-256, as sixty-four hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def check_folder(name: str, value) -> Path:
    """The path of a folder that is there or can be made; raises `ValueError`, and makes nothing, where it cannot be."""
    try:
        text = os.fsdecode(value)
    except TypeError:
        text = None
    if not text or "\0" in text:
        raise ValueError(f"{name} must be the path of a folder; got {value!r}. Name one, such as 'distilled/digits'.")
    folder = Path(text).absolute()
    try:
        there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        is_folder = there.is_dir()
    except (OSError, ValueError) as error:
        raise ValueError(f"{name} must be the path of a folder; got {text!r}: {error}.") from error
    if not is_folder:
        raise ValueError(
            f"{name} must be a folder, or one that can be made; got {text!r}, and {str(there)!r} is a file. Choose "
            "another path."
        )
    too_long = [part for part in folder.parts if len(os.fsencode(part)) > 255]
    if too_long:
        raise ValueError(f"{name} must have names of at most 255 bytes; got one of {len(os.fsencode(too_long[0]))}.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(
            f"{name} must be a folder that can be written to; got {text!r}, and {str(there)!r} cannot. Choose another "
            "one, or change its permissions."
        )
    return Path(text)
