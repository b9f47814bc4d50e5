"""The record of a run: settings, compared before a folder is used again, and files that are whole where they exist."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from mgd_helpers.data import Dataset

MANIFEST = "manifest.json"


def check_settings(out: Path, settings: dict) -> None:
    """Raise `ValueError` where `out` holds other files, or a run of other settings."""
    if not (out / MANIFEST).exists():
        if out.exists() and any(out.iterdir()):
            raise ValueError(
                f"out must be a new or empty folder, or one made by distill; {str(out)!r} holds other files."
            )
        return
    before = json.loads((out / MANIFEST).read_text())["settings"]
    changed = [key for key in settings if before.get(key) != json.loads(json.dumps(settings[key]))]
    if changed:
        raise ValueError(
            f"out {str(out)!r} holds images of other settings: {', '.join(changed)} differ "
            f"({changed[0]}: {before.get(changed[0])!r} there, {settings[changed[0]]!r} now). Choose another folder."
        )


def write(file: Path, save: Callable[[Path], object]) -> None:
    """Under a temporary name, then renamed: a file that exists is whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    save(part)
    part.replace(file)


def describe(thing) -> str:
    """The name of a function or class, with the options of a `functools.partial`."""
    if isinstance(thing, functools.partial):
        values = {key: describe(value) if callable(value) else repr(value) for key, value in thing.keywords.items()}
        options = ", ".join(f"{key}={value}" for key, value in sorted(values.items()))
        return f"{describe(thing.func)}({options})"
    thing = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{thing.__module__}.{thing.__qualname__}"


def plain(value):
    """A value as JSON can hold it."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def data_hash(data: Dataset) -> str:
    """SHA-256 of the training split: a name alone does not say which images a run was made from."""
    digest = hashlib.sha256(data.train.images.contiguous().numpy())
    digest.update(data.train.labels.contiguous().numpy())
    return digest.hexdigest()
