"""The data sets known by name: where each one lies, what it must hold, and the pipeline and settings that go with it.

Sizes and class order are written here and asserted when a set is read, so that "class 3" means one thing to everybody.
The long lists of classes lie beside this file, in `imagenet_subsets.json`: for each WordNet number of ImageNet-100, in
the order of its labels, name and index among ImageNet's 1000 classes; and the WordNet numbers of Tiny ImageNet.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

DIT = "facebook/DiT-XL-2-256"
# its main branch has pickled weights alone, which are not read; this commit, a pull request, has safetensors
PIPELINE_REVISIONS = {DIT: "32d0e3550d47bdf75c5092db378c0f32cd12e100"}
LISTS = json.loads((Path(__file__).parent / "imagenet_subsets.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Profile:
    """A data set, and the pipeline that distils it.

    `sizes` are those of the training and the test split; `other_names` what copies of the set call the same classes, in
    the same order; `image_size` the side its pipeline works at; `folder` the part of the hub's repository to read;
    `pipeline` is empty where there is none; `labels` are the pipeline's label of each class where it knows the classes
    by other names (ImageNet indices), else `None`; `lossless` says that the original's pixels are exact; `balanced`
    that the classes of a split have equally many images; `megabytes` is the download; `note` what a table made with the
    set has to say.
    """

    name: str
    hub_id: str | None
    sizes: tuple[int, int]
    class_names: tuple[str, ...]
    image_size: int
    channels: int = 3
    splits: tuple[str, str] = ("train", "test")
    columns: tuple[str, str] = ("image", "label")
    other_names: tuple[tuple[str, ...], ...] = ()
    folder: str | None = None
    revision: str | None = None
    lossless: bool = False
    balanced: bool = False
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
        splits=("train", "validation"), **other,
    )  # fmt: skip


TERMS = "images: ImageNet terms, non-commercial research"
# the hub runs no loading scripts any more, but keeps what they once made
CONVERTED = {"folder": "320px", "revision": "refs/convert/parquet"}

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
            32, channels=1, lossless=True, balanced=True, megabytes=31,
            licence="MIT, Xiao, Rasul & Vollgraf (2017)", pipeline="fashion_mnist", guidance_scale=1.5,
        ),
        Profile(
            "cifar10", "uoft-cs/cifar10", (50_000, 10_000),
            ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
            32, columns=("img", "label"), lossless=True, balanced=True, megabytes=144,
            licence="research use, cite Krizhevsky (2009)", pipeline="cifar10", guidance_scale=2.0,
        ),
        Profile(
            "tiny_imagenet", "zh-plus/tiny-imagenet", (100_000, 10_000), tuple(LISTS["tiny_imagenet"]), 64,
            splits=("train", "valid"), balanced=True, megabytes=161, licence=TERMS,
            note="Tested on its validation split, for the test split has no labels. Some images are grey. Classes are "
            "called by their WordNet number; 18 of the 200 are not among ImageNet's 1000. Their order comes from "
            "programs that read this copy, not from its card.",
        ),
        _imagenet(
            "imagenette", "frgfm/imagenette", (9_469, 3_925),
            {"tench": 0, "English springer": 217, "cassette player": 482, "chain saw": 491, "church": 497,
             "French horn": 566, "garbage truck": 569, "gas pump": 571, "golf ball": 574, "parachute": 701},
            other_names=(("n01440764", "n02102040", "n02979186", "n03000684", "n03028079", "n03394916", "n03417042",
                          "n03425413", "n03445777", "n03888257"),),
            megabytes=349, licence=f"Apache 2.0; {TERMS}", note="The pipeline has seen these images.", **CONVERTED,
        ),
        _imagenet(
            "imagewoof", "frgfm/imagewoof", (9_025, 3_929),
            {"Shih-Tzu": 155, "Rhodesian ridgeback": 159, "beagle": 162, "English foxhound": 167, "Border terrier": 182,
             "Australian terrier": 193, "golden retriever": 207, "Old English sheepdog": 229, "Samoyed": 258,
             "dingo": 273},
            # The loading script gave labels by the WordNet numbers in ascending order, and beside them the names in
            # the order of a sentence. So the hub says "Australian terrier" of a Shih-Tzu; its numbers are right.
            other_names=(("Australian terrier", "Border terrier", "Samoyed", "Beagle", "Shih-Tzu", "English foxhound",
                          "Rhodesian ridgeback", "Dingo", "Golden retriever", "Old English sheepdog"),
                         ("n02086240", "n02087394", "n02088364", "n02089973", "n02093754", "n02096294", "n02099601",
                          "n02105641", "n02111889", "n02115641")),
            megabytes=334, licence=f"Apache 2.0; {TERMS}",
            note="The pipeline has seen these images. The hub's class names are in a wrong order; those here follow "
            "the labels. That was concluded from the loading scripts of Imagewoof (its list of numbers) and Imagenette "
            "(how labels come from such a list), not seen in the images.", **CONVERTED,
        ),
        _imagenet(
            "imagenet100", "clane9/imagenet-100", (126_689, 5_000), dict(LISTS["imagenet100"].values()),
            megabytes=8_500, licence=TERMS, note="The pipeline has seen these images. The 100 classes are those of "
            "CMC (Tian, Krishnan & Isola 2019); other papers mean other ones. Its card was read in "
            "part: the exact sizes, the class names after the first 30 and the download are from elsewhere.",
        ),
    )
}  # fmt: skip
