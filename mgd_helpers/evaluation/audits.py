"""Does a small set copy the training images? Distances to the nearest of them, and a membership-inference attack.

d(x) = min_i ‖f(x) - f(x_i)‖ / √D over the training images x_i; held-out images, which nobody copied, say what is near.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data.datasets import Dataset, ImageSet
from mgd_helpers.evaluation.fidelity import Features, feature_rows, name_and_function
from mgd_helpers.evaluation.intervals import Interval, auc, middle, wilson
from mgd_helpers.evaluation.reading import read_rows, read_sets
from mgd_helpers.linalg import nearest
from mgd_helpers.seeding import generator
from mgd_helpers.students.recipes import Recipe, checked
from mgd_helpers.students.training import train_student

NEAR, DUPLICATE = 0.05, 0.001  # the shares of held-out images that set the two thresholds


@dataclass(frozen=True)
class Audit:
    """What `audit` found; distances are root mean squares per feature, intervals hold 95 %.

    `median` and `low` (the 5 % quantile) are of the generated images' distances to the nearest training image;
    `held_out_median` and `held_out_low` are the means of the same over draws of as many held-out images, with the range
    of 95 % of the draws. `nearer_share` of the generated images lie nearer than `near`, as 5 % of fresh images would.
    `near_duplicates` are pairs (generated row, training row) below `duplicate`, `repeats` such pairs within the set.
    `membership_auc` compares `members` training images with the held-out ones; NaN where no student was trained.
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

    def as_dict(self) -> dict:
        """The fields by name, for a table or for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        def value(number, interval):
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
            auc = value(self.membership_auc, self.membership_auc_interval)
            lines.append(f"  membership AUC ({self.members} members): {auc}; 0.5 is chance")
        return "\n".join(lines)


def audit(
    generated: str | Path | ImageSet,
    *,
    against: str | Path | Dataset,
    features: Features | None = None,
    members: Tensor | Iterable | None = None,
    students: int = 1,
    recipe: Recipe = Recipe(),  # noqa: B008  (frozen)
    rounds: int = 200,
    seed: int = 0,
    device: str | torch.device | None = None,
) -> Audit:
    """Ask whether `generated` memorises the training split of `against`; its test split says what chance would give.

    `generated` is an `ImageSet` or a folder with one sub-folder per class, as for `evaluation.evaluate`. `device` is by
    default the one of the test images.

    The distance to the nearest training image does not depend on how many images ask, but its quantiles fluctuate, and
    classes differ (a 1 is always near some other 1). So held-out images count with the class shares of `generated`, and
    medians and 5 % quantiles are compared with `rounds` draws of as many held-out images, class by class, with
    replacement. The share of nearer images has a Wilson interval for nN / (n + N) draws: n generated images are
    compared with a threshold that is itself estimated, from N = (Σw)² / Σw² held-out ones, for they count unequally
    (for n = N = 100 it covers 96 %, simulated; one for n draws alone 87 %). A near duplicate lies nearer than 99.9 % of
    the held-out images (all of them where they are fewer than 1,000), or at distance zero.

    Membership inference (Yeom et al., 2018): `students` networks (0 for none) learn the generated set; score is minus
    their mean loss; members are the training images, or those in `members`, rows of the training split (the manifest
    of `distill` lists some for every image) or a mask over it; the others are the test split. The interval is a
    bootstrap over images, with 1,000 resamples: it does not speak of other students.

    What this cannot show. No near copies is no proof of privacy: a part of an image, a mirrored or a shifted one may be
    copied and lie far away. Pixels are one choice of `features` (a pair: name, function of images), on which blurred
    images lie near everything; a set of means is near without copying. One attack's AUC bounds leakage from below.
    It is chance only if members and test images are alike in all but membership: rows chosen for being typical, such as
    medoids, or another mix of classes, move it without any leak.

    Raises `ValueError` without a test split, where that lacks a class of `generated`, and for images that do not fit.
    """
    students, seed = arguments.whole("students", students, at_least=0), arguments.whole("seed", seed, at_least=0)
    rounds, recipe = arguments.whole("rounds", rounds, at_least=1), checked(recipe)
    name, _ = name_and_function(features)
    reading = read_sets({"generated": generated}, against=against, device=device, every_class=False)
    data = dataclasses.replace(reading.data, train=reading.data.train.to(reading.device))
    generated, rows = reading.sets["generated"], read_rows("members", members, of=len(data.train))
    if missing := sorted(set(generated.labels.tolist()) - set(data.test.labels.tolist())):
        raise ValueError(f"against must hold test images of every class of generated; none of labels {missing[:5]}.")
    distances, indices = nearest_real(generated.images, data.train.images, features=features)
    held_out, _ = nearest_real(data.test.images, data.train.images, features=features)
    distances, held_out = distances.double().cpu(), held_out.double().cpu()
    counts = torch.bincount(generated.labels.cpu(), minlength=len(data.class_names))
    labels = data.test.labels.cpu()

    source = generator(seed)
    draws = torch.stack([_summary(held_out[_matched(labels, counts, source)]) for _ in range(rounds)])
    (median, low), (held_out_median, held_out_low) = _summary(distances).tolist(), draws.mean(0).tolist()
    median_range, low_range = (middle(column) for column in draws.T)

    weights = (counts / torch.bincount(labels, minlength=len(counts)))[labels]
    near = _weighted_quantile(held_out, weights, NEAR)
    n, held = len(generated), (weights.sum() ** 2 / weights.square().sum()).item()
    share = (distances < near).double().mean().item()
    duplicate = held_out.quantile(DUPLICATE, interpolation="lower").item()
    copies = ((distances < duplicate) | (distances == 0)).nonzero()[:, 0]
    area, area_interval = float("nan"), (float("nan"), float("nan"))
    if students:
        train, test = _scores(generated, data, students=students, recipe=recipe, seed=seed)
        area, area_interval = auc(train[rows], test, seed=seed)
    return Audit(
        images=n,
        features=name,
        median=median,
        low=low,
        held_out_median=held_out_median,
        held_out_median_range=median_range,
        held_out_low=held_out_low,
        held_out_low_range=low_range,
        near=near,
        nearer_share=share,
        nearer_share_interval=wilson(share, n * held / (n + held)),
        duplicate=duplicate,
        near_duplicates=tuple((row, int(indices[row])) for row in copies.tolist()),
        repeats=_repeats(generated.images, features, duplicate),
        members=len(rows),
        membership_auc=area,
        membership_auc_interval=area_interval,
    )


def nearest_real(
    images: Float[Tensor, "n c h w"], real: Float[Tensor, "m ..."], *, features: Features | None = None
) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"]]:
    """Distance [n] to the nearest image of `real`, and its row [n]; on pixels, or on `features` (name, function).

    Distances are root mean squares per feature, so that numbers compare across sizes; zero only for a copy. Where
    several rows are equally near up to rounding, any of them is named. Raises `ValueError` for empty or unlike images.
    """
    if len(images) == 0 or len(real) == 0 or images.shape[1:] != real.shape[1:]:
        raise ValueError(
            f"images and real must be images of one size, at least one each; got {list(images.shape)} and "
            f"{list(real.shape)}."
        )
    points, cloud = (feature_rows(part, name_and_function(features)[1]) for part in (images, real))
    indices = nearest(points, cloud, n_neighbors=1)[:, 0]
    return _distance(points, cloud[indices]), indices


def _distance(x, y):
    return (x - y).square().mean(1).sqrt()  # by difference: exactly zero for a copy, unlike the matrix product


def _summary(distances):
    return distances.quantile(torch.tensor([0.5, NEAR], dtype=distances.dtype))


def _matched(labels, counts, source):
    """Rows of held-out images, as many of each class as `counts` says."""
    chosen = []
    for label in counts.nonzero()[:, 0]:
        rows = (labels == label).nonzero()[:, 0]
        chosen.append(rows[torch.randint(len(rows), (int(counts[label]),), generator=source)])
    return torch.cat(chosen)


def _weighted_quantile(values, weights, share) -> float:
    values, order = values.sort()
    return values[(weights[order].cumsum(0) < share * weights.sum()).sum().clamp_max(len(values) - 1)].item()


def _repeats(images, features, threshold):
    """Every image with the nearest other one of its set, each pair once, where they are near duplicates."""
    if len(images) < 2:
        return ()
    rows = feature_rows(images, name_and_function(features)[1])
    pairs = nearest(rows, rows, n_neighbors=2)
    own = torch.arange(len(rows), device=rows.device)
    other = torch.where(pairs[:, 0] == own, pairs[:, 1], pairs[:, 0])
    distances = _distance(rows, rows[other])
    close = (distances < threshold) | (distances == 0)
    return tuple(
        sorted({(min(pair), max(pair)) for pair in zip(own[close].tolist(), other[close].tolist(), strict=True)})
    )


@torch.no_grad()
def _losses(part, student):
    batches = zip(part.images.split(500), part.labels.split(500), strict=True)
    return torch.cat([F.cross_entropy(student(x), y, reduction="none") for x, y in batches]).cpu()


def _scores(generated, data, *, students, recipe, seed):
    """Minus the students' mean loss on every training and every test image."""
    settings = {"n_classes": len(data.class_names), "recipe": recipe}
    trained = [train_student(generated.images, generated.labels, seed=seed + k, **settings) for k in range(students)]
    return (-torch.stack([_losses(part, student) for student in trained]).mean(0) for part in (data.train, data.test))
