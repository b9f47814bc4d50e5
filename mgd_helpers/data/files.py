"""Files that are complete wherever they exist: written under a temporary name, then renamed; checksums of contents."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

PART = re.compile(r"\..+\.part")  # what a run that was killed may leave behind


def write(file: Path, save: Callable[[Path], object]) -> None:
    """Write a file so that it is either complete or not there: `save` writes a temporary one, which is then renamed.

    `save` is called with the temporary path, which lies in the same folder; the folder is made where it is missing.
    Where `save` raises, nothing is left behind, and an earlier file stays as it was. Of two processes that write the
    same file at once, the last one wins. A folder in the place of the file is kept under another name that ends in
    `.moved`, since nobody knows what it holds.
    """
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
    """Delete the temporary files that killed runs left behind, in a folder and in the folders right inside it."""
    if folder.is_dir():
        for inside in (folder, *(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())):
            for path in inside.iterdir():
                if PART.fullmatch(path.name) and path.is_file():
                    path.unlink(missing_ok=True)


def checksum(content: bytes) -> str:
    """SHA-256 of the content, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def tensor_hash(tensor: torch.Tensor) -> str:
    """SHA-256 of a tensor's values, kind and shape."""
    digest = hashlib.sha256(f"{tensor.dtype}{list(tensor.shape)}".encode())
    digest.update(bytes_of(tensor))
    return digest.hexdigest()


def bytes_of(tensor: torch.Tensor) -> memoryview:
    """A tensor's values, as they lie in memory."""
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


def check_folder(name: str, value: Any) -> Path:
    """The path of a folder that exists or can be made; this function makes nothing.

    Raises `ValueError` where it cannot be made or written to.
    """
    try:
        text = os.fsdecode(value)
    except TypeError:
        text = ""
    if not text or "\0" in text:
        raise ValueError(f"{name} must be the path of a folder; got {value!r}. Pass one, such as 'distilled/digits'.")
    folder = Path(text).absolute()
    try:
        there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        is_folder = there.is_dir()
    except (OSError, ValueError) as error:
        raise ValueError(f"{name} must be the path of a folder; got {text!r}: {error}.") from error
    if not is_folder:
        raise ValueError(
            f"{name} must be a folder, or a path where one can be made; got {text!r}, and {str(there)!r} is a file. "
            "Choose another path."
        )
    too_long = [part for part in folder.parts if len(os.fsencode(part)) > 255]
    if too_long:
        raise ValueError(
            f"{name} must be a path whose parts have at most 255 bytes; got one of {len(os.fsencode(too_long[0]))}. "
            "Choose a shorter name."
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(
            f"{name} must be a folder that can be written to; got {text!r}, and {str(there)!r} is write-protected. "
            "Choose another folder, or change its permissions."
        )
    return Path(text)
