"""Does a small set give away the images it was made from? Distances to the nearest real image, and an attack.

Held-out real images are the measure: they come as near to the training images as any image of their kind does that was
not made from them. An audit finds copies; that it finds none is no proof of privacy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.data import Dataset, ImageSet
from mgd_helpers.linalg import at_least_float32, nearest
from mgd_helpers.seeding import generator
from mgd_helpers.students import Recipe, train_student

Features = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Audit:
    """What `audit` found. Distances are root mean squares per feature.

    `generated` and `held_out` are the 5 % quantile and the median of the distances to the nearest training image.
    `nearer_share` is the share of generated images nearer than the nearest 5 % of held-out ones, expected to be 0.05 of
    fresh images, with its Wilson interval. `near_duplicates` are pairs (generated, training) closer than any held-out
    image is to a training image; `repeats`, pairs of generated images that close. `membership_auc`, with its interval,
    is the success of an attack that tells training from held-out images by the loss of a student: 0.5 is guessing.
    """

    generated: tuple[float, float]
    held_out: tuple[float, float]
    nearer_share: tuple[float, float, float]
    near_duplicates: tuple[tuple[int, int], ...]
    repeats: tuple[tuple[int, int], ...]
    membership_auc: tuple[float, float, float]

    def as_dict(self) -> dict:
        """All fields, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        share, low, high = self.nearer_share
        area, bottom, top = self.membership_auc
        return (
            f"distance to training images: {self.generated[1]:.3f} (5 %: {self.generated[0]:.3f}), "
            f"of held-out images {self.held_out[1]:.3f} (5 %: {self.held_out[0]:.3f})\n"
            f"nearer than the nearest 5 % of held-out images: {share:.1%} [{low:.1%}, {high:.1%}]\n"
            f"near duplicates of training images: {len(self.near_duplicates)}; repeats within the set: "
            f"{len(self.repeats)}\n"
            f"membership inference, area under the curve: {area:.3f} [{bottom:.3f}, {top:.3f}]"
        )


def audit(
    generated: ImageSet,
    *,
    against: Dataset,
    features: Features | None = None,
    members: Int[Tensor, " k"] | None = None,
    recipe: Recipe = Recipe(),  # noqa: B008  (frozen)
    seed: int = 0,
) -> Audit:
    """Hold a set, made by any method, against the training images it was made from and against held-out ones.

    `features` maps images to rows, by default pixels: two images that differ by a shift are far apart there, so an
    audit in other features may find what this one does not. `members` are the rows of the training split that the set
    was made from, where they are known and not all of them. The attack is the loss threshold of Yeom et al. (2018) on
    one student, so its AUC is a lower bound of what leaks.

    Raises `ValueError` where there is no test split, or the images do not fit.
    """
    train, test = against.train, against.test
    if len(test) < 20:
        raise ValueError(f"against must have a test split of at least 20 images; {against.name!r} has {len(test)}.")
    if generated.images.shape[1:] != train.images.shape[1:]:
        expected, got = list(train.images.shape[1:]), list(generated.images.shape[1:])
        raise ValueError(f"generated must have images {expected} like {against.name!r}; got {got}.")
    distances, rows = nearest_real(generated.images, train.images, features=features)
    fresh, _ = nearest_real(test.images, train.images, features=features)
    ends = torch.tensor([0.05, 0.5], dtype=fresh.dtype)
    near = (distances < fresh.quantile(0.05)).sum().item()
    copies = (distances < fresh.min()).nonzero()[:, 0].tolist()
    student = train_student(
        generated.images, generated.labels, n_classes=len(against.class_names), recipe=recipe, seed=seed
    )
    chosen = torch.arange(len(train)) if members is None else members
    inside = -_losses(student, train.images[chosen], train.labels[chosen])
    outside = -_losses(student, test.images, test.labels)
    return Audit(
        generated=tuple(distances.quantile(ends).tolist()),
        held_out=tuple(fresh.quantile(ends).tolist()),
        nearer_share=(near / len(distances), *wilson(near, len(distances))),
        near_duplicates=tuple((row, rows[row].item()) for row in copies),
        repeats=_repeats(generated.images, fresh.min().item(), features),
        membership_auc=(area_under_curve(inside, outside), *_interval(inside, outside, seed)),
    )


def nearest_real(
    images: Float[Tensor, "n c h w"], real: Float[Tensor, "m c h w"], *, features: Features | None = None
) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"]]:
    """Distance of each image to the nearest row of `real` (root mean square per feature), and which row that is."""
    images, real = _rows(images, features), _rows(real, features)
    rows = nearest(images, real, n_neighbors=1)[:, 0]
    return (images - real[rows]).square().mean(1).sqrt(), rows


def area_under_curve(inside: Float[Tensor, " n"], outside: Float[Tensor, " m"]) -> float:
    """The chance that a random score of `inside` exceeds one of `outside`, ties counted half (Mann-Whitney)."""
    ordered = outside.sort().values
    below = torch.searchsorted(ordered, inside, right=False)
    up_to = torch.searchsorted(ordered, inside, right=True)
    return ((below + up_to).double().mean() / (2 * len(outside))).item()


def wilson(hits: int, count: int, *, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share (1927), by default at 95 %: sensible also for no hits at all."""
    share, square = hits / count, z * z / count
    middle = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _rows(images, features):
    return at_least_float32(images.flatten(1) if features is None else features(images).flatten(1))


def _repeats(images, threshold, features) -> tuple[tuple[int, int], ...]:
    rows = _rows(images, features)
    apart = torch.cdist(rows, rows) / rows.shape[1] ** 0.5
    pairs = (apart < threshold).triu(1).nonzero()
    return tuple(map(tuple, pairs.tolist()))


@torch.no_grad()
def _losses(student, images, labels) -> Float[Tensor, " n"]:
    blocks = zip(images.split(500), labels.split(500), strict=True)
    return torch.cat([F.cross_entropy(student(x), y, reduction="none") for x, y in blocks])


def _interval(inside, outside, seed, rounds: int = 200) -> tuple[float, float]:
    """95 % percentile bootstrap over the images of both sides, which are many."""
    draw = generator(seed)
    areas = [
        area_under_curve(
            inside[torch.randint(len(inside), (len(inside),), generator=draw)],
            outside[torch.randint(len(outside), (len(outside),), generator=draw)],
        )
        for _ in range(rounds)
    ]
    return tuple(torch.tensor(areas).quantile(torch.tensor([0.025, 0.975])).tolist())
