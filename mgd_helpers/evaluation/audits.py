"""The audit of a set: does it copy training images, and does it give away which images it was made from?

Two questions that share nothing but the set: `copies` asks the first, `membership` the second.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Tensor
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.data.splits import SHARE
from mgd_helpers.evaluation.copies import find_copies
from mgd_helpers.evaluation.fidelity import NamedFeatures, name_and_function
from mgd_helpers.evaluation.intervals import Interval
from mgd_helpers.evaluation.membership import membership_auc
from mgd_helpers.evaluation.reading import read_rows, read_sets
from mgd_helpers.students.recipes import Recipe, checked_recipe


@dataclass(frozen=True)
class Audit:
    """What `audit` found; distances are root mean squares per feature, intervals hold 95 %.

    `median` and `low` (the 5 % quantile) are of the generated images' distances to the nearest training image;
    `held_out_median` and `held_out_low` are the means of the same over draws of as many held-out images, with the range
    of 95 % of the draws. `nearer_share` of the generated images lie nearer than `near`, as 5 % of fresh images would.
    `near_duplicates` are pairs (generated row, training row) below `duplicate`, `repeats` such pairs within the set.
    `membership_auc` compares `members` training images with the held-out ones; NaN where no student was trained. `note`
    says what else counts: that a set was made from other data, or that the test images were held out for this.
    """

    images: int
    features: str
    median: float
    low: float
    held_out_median: float
    held_out_median_range: Interval
    held_out_low: float
    held_out_low_range: Interval
    near: float
    nearer_share: float
    nearer_share_interval: Interval
    duplicate: float
    near_duplicates: tuple[tuple[int, int], ...]
    repeats: tuple[tuple[int, int], ...]
    members: int
    membership_auc: float
    membership_auc_interval: Interval
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, for a table or for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        def value(number: float, interval: Interval) -> str:
            return f"{number:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"

        lines = [
            f"{self.images} images; distance to the nearest training image, on {self.features}",
            f"  median        {self.median:.3f}; held-out {value(self.held_out_median, self.held_out_median_range)}",
            f"  5 % quantile  {self.low:.3f}; held-out {value(self.held_out_low, self.held_out_low_range)}",
            f"  nearer than the nearest 5 % held-out: {value(self.nearer_share, self.nearer_share_interval)}",
            f"  near duplicates (below {self.duplicate:.3f}): {len(self.near_duplicates)} of training images, "
            f"{len(self.repeats)} within the set",
        ]
        if not math.isnan(self.membership_auc):
            area = value(self.membership_auc, self.membership_auc_interval)
            lines.append(f"  membership AUC ({self.members} members): {area}; 0.5 is chance")
        return "\n".join([*lines, self.note] if self.note else lines)


def audit(
    generated: str | Path | ImageSet,
    *,
    against: str | Path | Dataset,
    features: NamedFeatures | None = None,
    members: Tensor | Iterable | None = None,
    students: int = 1,
    recipe: Recipe = Recipe(),  # noqa: B008  (frozen)
    rounds: int = 200,
    seed: int = 0,
    device: str | torch.device | None = None,
    split: float | Real | None = SHARE,
    image_column: str | None = None,
    label_column: str | None = None,
) -> Audit:
    """Ask whether `generated` memorises the training split of `against`; its test split says what chance would give.

    `generated` is an `ImageSet` or a folder with one sub-folder per class, as for `evaluation.evaluate`. `device` is by
    default the one of the test images.

    The distance to the nearest training image does not depend on how many images ask, but its quantiles fluctuate, and
    classes differ (a 1 is always near some other 1). So held-out images count with the class shares of `generated`, and
    medians and 5 % quantiles are compared with `rounds` draws of as many held-out images, class by class, with
    replacement. A near duplicate lies nearer than 99.9 % of the held-out images (all of them where they are fewer than
    1,000), or at distance zero.

    Membership inference (Yeom et al., 2018): `students` networks (0 for none) learn the generated set; score is minus
    their mean loss; members are the training images, or those in `members`, rows of the training split (the manifest
    of `distill` lists some for every image) or a mask over it; the others are the test split. The interval is a
    bootstrap over images, with 1,000 resamples: it does not speak of other students.

    What this cannot show. No near copies is no proof of privacy: a part of an image, a mirrored or a shifted one may be
    copied and lie far away. Pixels are one choice of `features` (a pair: name, function of images), on which blurred
    images lie near everything; a set of means is near without copying. One attack's AUC bounds leakage from below.
    It is chance only if members and test images are alike in all but membership: rows chosen for being typical, such as
    medoids, or another mix of classes, move it without any leak.

    Data without a test split are split: `split` is the share of each class that is held out, `None` for no such thing.
    Of data given by path `image_column` and `label_column` are those of `load_data`.

    Raises `ValueError` without a test split, where that lacks a class of `generated`, and for images that do not fit.
    """
    students, seed = arguments.whole("students", students, at_least=0), arguments.whole("seed", seed, at_least=0)
    rounds, recipe = arguments.whole("rounds", rounds, at_least=1), checked_recipe(recipe)
    name, _ = name_and_function(features)
    how: dict[str, Any] = {"split": split, "image_column": image_column, "label_column": label_column}
    reading = read_sets(generated, against=against, device=device, every_class=False, **how)
    data = dataclasses.replace(reading.data, train=reading.data.train.to(reading.device))
    (images,), rows = reading.sets.values(), read_rows("members", members, of=len(data.train))
    if missing := sorted(set(images.labels.tolist()) - set(data.test.labels.tolist())):
        raise ValueError(
            f"against must hold test images of every class of generated; got none of labels {missing[:5]}."
        )
    copies = find_copies(images, data, features=features, rounds=rounds, seed=seed)
    area, interval = math.nan, (math.nan, math.nan)
    if students:
        area, interval = membership_auc(images, data, members=rows, students=students, recipe=recipe, seed=seed)
    return Audit(
        images=len(images),
        features=name,
        **copies,
        members=len(rows),
        membership_auc=area,
        membership_auc_interval=interval,
        note=reading.note,
    )
