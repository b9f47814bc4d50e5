"""The data sets known by name: where each one lies, what it must hold, and the pipeline and settings that go with it.

They stand in `catalog.toml`, beside this file. Sizes and class order are asserted when a set is read, so that "class 3"
means one thing to everybody.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CATALOG = tomllib.loads(Path(__file__).with_name("catalog.toml").read_text(encoding="utf-8"))
PIPELINE_REVISIONS: dict[str, str] = CATALOG["pipeline_revisions"]


@dataclass(frozen=True)
class Profile:
    """A data set, and the pipeline that distils it.

    `sizes` are those of the training and the test split; `class_names` are in the order of the labels. `image_size` is
    the side its pipeline works at. `splits` and `columns` are names in the hub's repository `hub_id`, and `folder` is
    the part of it to read. `other_names` is what copies of the set call the same classes, in the same order.

    `lossless` says that the original's pixels are exact; `balanced`, that the classes of a split have equally many
    images. `megabytes` is the size of the download. `note` is what a table made with the set has to say. `per_class` is
    how many images of each class a lab reads unless told otherwise; `None` means all.

    `pipeline` is empty where there is none. `labels` are the pipeline's label of each class where it knows the classes
    by other names (ImageNet indices), else `None`.
    """

    name: str
    sizes: tuple[int, int]
    class_names: tuple[str, ...]
    image_size: int
    hub_id: str | None = None
    channels: int = 3
    splits: tuple[str, str] = ("train", "test")
    columns: tuple[str, str] = ("image", "label")
    other_names: tuple[tuple[str, ...], ...] = ()
    folder: str | None = None
    revision: str | None = None
    lossless: bool = False
    balanced: bool = False
    megabytes: int = 0
    per_class: int | None = None
    license: str = ""
    note: str = ""
    pipeline: str = ""
    labels: tuple[int, ...] | None = None
    guidance_scale: float = 4.0

    def local(self) -> Path | None:
        """The set's folder in the mirror that `MGD_DATA_DIR` names, or `None`."""
        mirror = os.environ.get("MGD_DATA_DIR")
        if not mirror:
            return None
        names = (self.name, self.hub_id, (self.hub_id or "").split("/")[-1])
        return next((Path(mirror) / name for name in names if name and (Path(mirror) / name).is_dir()), None)


def _profile(name: str, entry: dict[str, Any]) -> Profile:
    fields = {key: _frozen(value) for key, value in entry.items() if key not in ("classes", "numbered")}
    if "classes" in entry:
        fields["class_names"], fields["labels"], numbers = zip(*entry["classes"], strict=True)
        if entry.get("numbered"):
            fields["other_names"] = (*fields.get("other_names", ()), numbers)
    return Profile(name, **fields)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


PROFILES = {name: _profile(name, entry) for name, entry in CATALOG["profiles"].items()}
