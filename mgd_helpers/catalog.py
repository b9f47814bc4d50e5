"""The data sets known by name: where each one lies, what it must hold, and the pipeline and settings that go with it.

Sizes and class order are written here and asserted when a set is read, so that "class 3" means one thing to everybody.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DIT = "facebook/DiT-XL-2-256"


@dataclass(frozen=True)
class Profile:
    """A data set, and the pipeline that distils it.

    `sizes` are those of the training and the test split; `labels` the pipeline's label of each class where it knows the
    classes by other names (ImageNet indices), else `None`; `image_size` the side its pipeline works at; `megabytes` the
    download; `note` what a table made with it has to say.
    """

    name: str
    hub_id: str | None
    sizes: tuple[int, int]
    class_names: tuple[str, ...]
    image_size: int
    channels: int = 3
    splits: tuple[str, str] = ("train", "test")
    columns: tuple[str, str] = ("image", "label")
    config: str | None = None
    revision: str | None = None
    megabytes: int = 0
    licence: str = ""
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


def _imagenet(name: str, hub_id: str, sizes: tuple[int, int], classes: dict[str, int], **other) -> Profile:
    """A subset of ImageNet at 256 pixels, distilled by the public DiT; `classes` maps names to ImageNet indices."""
    return Profile(
        name, hub_id, sizes, tuple(classes), 256, pipeline=DIT, labels=tuple(classes.values()),
        splits=("train", "validation"), licence="ImageNet terms, research use", **other,
    )  # fmt: skip


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "digits", None, (1500, 297), tuple("0123456789"), 32, channels=1, pipeline="digits", guidance_scale=1.5,
            licence="CC BY 4.0, Alpaydin & Kaynak, UCI repository (1998)",
        ),
        Profile(
            "fashion_mnist", "zalando-datasets/fashion_mnist", (60_000, 10_000),
            ("T - shirt or top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
             "Ankle boot"),
            32, channels=1, megabytes=31, licence="MIT, Xiao, Rasul & Vollgraf (2017)",
            pipeline="fashion_mnist", guidance_scale=1.5,
        ),
        Profile(
            "cifar10", "uoft-cs/cifar10", (50_000, 10_000),
            ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
            32, columns=("img", "label"), megabytes=144, licence="research use, cite Krizhevsky (2009)",
            pipeline="cifar10", guidance_scale=2.0,
        ),
    )
}  # fmt: skip
