"""What is trained in a folder, `settings.json`: so that a second call goes on with the same, and with nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from mgd_helpers.data.files import checksum, tensor_hash, write
from mgd_helpers.data.fingerprints import images_hash
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.training.crew import Crew
from mgd_helpers.training.settings import Settings

FILE = "settings.json"


def described(data: Dataset, settings: Settings, crew: Crew, minutes: float | None) -> dict[str, Any]:
    """What a call asks for. With `minutes` its settings are `asked`, and what comes of them is not yet known."""
    seen = checksum((images_hash(data.train) + tensor_hash(data.train.labels)).encode())
    now: dict[str, Any] = {"minutes": minutes, "images": list(data.train.shape), "data": seen}
    now |= {"device": crew.device.type}
    now |= {"precision": crew.precision} if crew.precision != "no" else {}
    now |= asdict(settings) if minutes is None else {"asked": asdict(settings)}
    return json.loads(json.dumps(now))  # tuples become lists, as in the file


def recorded(work: Path, now: dict[str, Any]) -> Settings | None:
    """The settings that the training in a folder goes on with; `None` where none has begun.

    Raises `ValueError`, by what differs, where it is not the one described by `now`.
    """
    file = work / FILE
    if not file.exists():
        return None
    before = json.loads(file.read_text(encoding="utf-8"))
    other = [
        f"{key} was {before.get(key)!r} and is {value!r}" for key, value in now.items() if before.get(key) != value
    ]
    if other:
        raise ValueError(
            f"work must be a folder for this training; {str(work)!r} holds one of other data or settings "
            f"({'; '.join(other[:3])}). Choose another folder, or delete it."
        )
    found = {field.name: before[field.name] for field in fields(Settings)}
    return Settings(**found | {"vae_channels": tuple(found["vae_channels"])})


def record(work: Path, now: dict[str, Any], settings: Settings, *, command: str = "") -> None:
    """Write down what is trained in a folder, with which settings, and by which call."""
    text = json.dumps(now | asdict(settings) | {"command": command}, indent=1) + "\n"
    write(work / FILE, lambda part: part.write_text(text, encoding="utf-8"))
