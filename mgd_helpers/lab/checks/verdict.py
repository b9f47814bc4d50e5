"""The tasks of lab 10: differences by seed, an exact p-value, many comparisons, an image per class; one prediction."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.evaluation import holm
from mgd_helpers.lab.checks.answers import ask, numbers
from mgd_helpers.lab.checks.laws import law, same
from mgd_helpers.lab.checks.predictions import Prediction
from mgd_helpers.lab.checks.tasks import task

LUCK = "the page on luck"

mode_minus_tangent = Prediction("mode_minus_tangent", low=-20, high=20, near=0.5)


@task(
    chapter=10,
    refresher=LUCK,
    hints=(
        "a pair is two scores of one seed. Which seeds do both methods have?",
        "go through these seeds in ascending order, and take the one score from the other: first less second.",
        "`for seed in sorted(a.keys() & b.keys())`, and 100 times `a[seed] - b[seed]`, as a list or a tensor.",
    ),
)
def what_differs(answer: Any) -> None:
    """Differences in points, a less b, of every seed that both have, in ascending order of the seeds."""
    a = {5: 0.91, 3: 0.84, 9: 0.87, 4: 0.8}
    b = {4: 0.83, 5: 0.85, 7: 0.7, 3: 0.86}
    one, other = (torch.tensor([scores[seed] for seed in (3, 4, 5)]).double() for scores in (a, b))
    right = 100 * (one - other)
    listed = 100 * torch.tensor([left - right for left, right in zip(a.values(), b.values(), strict=True)]).double()
    shared = torch.tensor([a[seed] - b[seed] for seed in a if seed in b]).double() * 100
    got = numbers(ask(answer, a, b)).flatten()
    slips = {
        "the sign is exchanged: the first method less the second is wanted.": -right,
        "these are shares; points of a hundred are wanted.": right / 100,
        "the sizes are right, and the signs are gone: a loss is a negative difference.": right.abs(),
        "this is the mean of the differences; every single one is wanted.": right.mean().reshape(1),
        "scores are paired in the order in which they are listed; partners are scores of one seed.": listed,
        "the pairs are right, and not in ascending order of their seeds.": shared,
        "both sides are sorted by score, so the partners are strangers.": 100 * (one.sort()[0] - other.sort()[0]),
    }
    same(got, right, slips=slips, otherwise="these are not the differences of the seeds that both have.")


@task(
    chapter=10,
    refresher=LUCK,
    hints=(
        "if neither method were better, each difference might as well have the other sign. How many ways to choose "
        "the signs are there?",
        "for each of the 2^n ways take the mean. The p-value is the share of ways whose mean is as far from zero as "
        "the observed one, or farther, on either side.",
        "`itertools.product((1, -1), repeat=n)` gives the ways. Compare by `>= observed - 1e-9`: equal means may "
        "differ in their last digit.",
    ),
)
def sign_flips(answer: Any) -> None:
    """The exact two-sided p-value of paired differences [n], by all ways to choose their signs."""
    for values in ([4.0, 2.5, 0.7, 3.1, -1.2], [0.3, 0.1, 0.2, 0.7], [1.1, -2.3, 0.4, 0.9, 2.2, 1.7]):
        differences = torch.tensor(values, dtype=torch.float64)
        right, means = _exact(differences), _flipped(differences)
        ends = means.abs() >= means[0].abs() - 1e-9
        slips = {
            "this is one-sided: a mean as far on the other side counts as well.": (means >= means[0] - 1e-9),
            "the observed signs are one of the ways, and are left out here.": (ends.sum() - 1) / len(means),
            "the observed signs and their mirror image are left out: as far counts, not only farther.": (
                means.abs() > means[0].abs() + 1e-9
            ),
            "this is a number of ways; their share is wanted.": ends.sum().double(),
            "this is the share of ways that lie nearer; those as far or farther are wanted.": ~ends,
        }
        wrong = {slip: part.double().mean() if part.dtype == torch.bool else part for slip, part in slips.items()}
        got = numbers(ask(answer, differences))
        law(got.numel() == 1, "one p-value is wanted.")
        got = got.squeeze()
        law(bool(got >= 0) and (bool(got <= 1) or bool(got == got.round())), "a p-value lies between 0 and 1.")
        same(got, right, slips=wrong, otherwise="this is not the share of all ways to choose the signs.")


def _exact(differences: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    from scipy import stats

    zeros = torch.zeros_like(differences)
    test = stats.permutation_test(
        (differences.numpy(), zeros.numpy()),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=float("inf"),
    )
    return torch.tensor(float(test.pvalue), dtype=torch.float64)


def _flipped(differences: Float[Tensor, " n"]) -> Float[Tensor, " ways"]:
    signs = torch.cartesian_prod(*[torch.tensor([1.0, -1.0], dtype=torch.float64)] * len(differences))
    return (signs * differences).mean(1)


@task(
    chapter=10,
    refresher=LUCK,
    hints=(
        "sort the p-values. The smallest is multiplied by their number, the next by one less, and so on.",
        "an adjusted p-value never falls below one that stood before it in the sorted row, and never exceeds 1.",
        "walk through `sorted(range(n), key=p_values.__getitem__)` with a running maximum, and write each result into "
        "the place that its p-value came from.",
    ),
)
def holm_by_hand(answer: Any) -> None:
    """Holm's adjusted p-values [n], in the order in which the p-values came."""
    for given in ([0.03, 0.001, 0.02, 0.4], [0.01, 0.04, 0.03, 0.9, 0.6], [0.012]):
        p = torch.tensor(given, dtype=torch.float64)
        n, right = len(p), torch.tensor(holm(given), dtype=torch.float64)
        order, ranks = p.sort().values, p.argsort().argsort()
        products = p * (n - ranks)
        slips = {
            "every p-value is multiplied by their number: that is Bonferroni's way, which is stricter.": (
                (n * p).clamp(max=1)
            ),
            "an adjusted p-value falls below one that stood before it; keep the larger.": products.clamp(max=1),
            "a probability exceeds 1.": products[p.argsort()].cummax(0).values[ranks],
            "the results are right, and sorted: each belongs where its p-value came from.": right.sort().values,
            "the factors run the wrong way: the smallest p-value is multiplied by the number of all.": (
                (order * torch.arange(1, n + 1)).cummax(0).values[ranks].clamp(max=1)
            ),
            "these are verdicts; adjusted p-values are wanted.": (right < 0.05).double(),
            "these are the p-values as they were.": p,
        }
        got = numbers(ask(answer, p)).flatten()
        same(got, right, slips=slips, otherwise="these are not Holm's adjusted p-values.")


@task(
    chapter=10,
    refresher="chapter 1",
    hints=(
        "the answer has an image per class, in the order of the labels: shape [classes, channels, height, width].",
        "one image has to be near to all images of its class. Which point is nearest to many points, on average?",
        "`images[labels == label].mean(dim=0)` is one such image; stack one for each label.",
    ),
)
def prototype(answer: Any) -> None:
    """One image per class from labelled images [n, c, h, w], nearer to unseen members than a typical real image."""
    classes, size, each = 4, (1, 6, 6), 30
    centers = 0.25 * torch.randn(classes, *size)
    labels = torch.randperm(2 * each * classes) % classes
    images = (centers[labels] + 0.3 * torch.randn(len(labels), *size)).clamp(-1, 1)
    train, unseen = torch.arange(len(labels)).chunk(2)
    got = numbers(ask(answer, images[train], labels[train]), "the images")
    wanted = [classes, *size]
    law(got.shape != (1, *size), "this is one image for all; one for each class is wanted.")
    law(list(got.shape) == wanted, f"the shape should be {wanted}; yours has shape {list(got.shape)}.")
    law(got.abs().max() <= 1, "an image leaves the range from -1 to 1: a sum in place of a mean?")
    rows = [part.flatten(1).double() for part in (got, images[train], images[unseen])]
    law(torch.cdist(rows[0], rows[1]).min() > 1e-6, "an image is one of the training images. Make it of several.")
    own = torch.cdist(rows[2], rows[0])  # [unseen, classes]
    to_own = torch.stack([own[labels[unseen] == label].mean(0) for label in range(classes)])
    law(
        bool((to_own.argmin(1) == torch.arange(classes)).all()),
        "an image does not stand in the place of its class: members of another are nearer to it.",
    )
    real = torch.cdist(rows[2], rows[1])
    for label in range(classes):
        members = labels[train] == label
        best = real[labels[unseen] == label][:, members].mean(0).min()
        law(
            to_own[label, label] < best,
            "a real image of the class would be nearer to unseen ones: this one does not yet gather from many.",
        )
