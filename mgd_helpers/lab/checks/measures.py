"""The tasks of lab 9: MMD, precision and coverage, an outlier, copies, and who was a member; two predictions."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.evaluation.fidelity import mmd
from mgd_helpers.evaluation.precision_recall import precision_recall
from mgd_helpers.lab.checks.answers import ask, numbers, parts
from mgd_helpers.lab.checks.laws import alike, law, same
from mgd_helpers.lab.checks.predictions import Prediction
from mgd_helpers.lab.checks.tasks import task
from mgd_helpers.linalg import squared_distances

PAGE = "the page on measures"
COPIES, HONEST = 5, 500

precision_after = Prediction("precision_after", low=0, high=1, near=0.1)
density_after = Prediction("density_after", low=0, high=10, near=0.05)


@task(
    chapter=9,
    refresher=PAGE,
    hints=(
        "three means of similarities: within the generated, within the real, and across.",
        "within a set no row is compared with itself: n (n - 1) pairs, not n². Across there are n m pairs.",
        "two loops fill a sum; skip i = j within a set. Then within + within - 2 across.",
    ),
)
def squared_mmd(answer: Any) -> None:
    """The unbiased squared MMD of features [n, F] and [m, F], with the Gaussian kernel of this width."""
    generated, real, width = 1 + torch.randn(7, 3).double(), torch.randn(9, 3).double(), 1.3

    def exact(width: float) -> Tensor:
        return torch.tensor(mmd(generated=generated, real=real, bandwidth=width), dtype=torch.float64)

    pairs = ((generated, generated), (real, real), (generated, real))
    within, within_real, across = (
        torch.exp(-squared_distances(one, other) / (2 * width**2)).mean() for one, other in pairs
    )
    right, biased = exact(width), within + within_real - 2 * across
    slips = {
        "every point is compared with itself as well: leave out the pairs i = j.": biased,
        "the pairs across count twice in the formula, and once here.": right + across,
        "what is alike across the sets should make the distance smaller: check the signs.": right + 4 * across,
        "this is the root of the squared distance.": right.abs().sqrt(),
        "a factor of two is missing in the exponent.": exact(width / 2**0.5),
        "the width should be squared in the exponent.": exact(width**0.5),
        "the pairs i = j are left out of the sum, but counted in the denominator.": biased - 1 / 7 - 1 / 9,
    }
    got = numbers(ask(answer, generated, real, width)).squeeze()
    same(got, right, slips=slips, otherwise="this is not the mean within, plus the mean within, less twice across.")


@task(
    chapter=9,
    refresher=PAGE,
    hints=(
        "first the radii: for each real row, the distance to its k-th nearest *other* row.",
        "`torch.cdist(real, real).sort(dim=1).values[:, k]` is that radius: column 0 is the row itself.",
        "`torch.cdist(generated, real) < radii` says who lies in whose ball: `any` over one axis, or the other.",
    ),
)
def precision_coverage(answer: Any) -> None:
    """Precision and coverage of rows [n, F] by balls around real rows [m, F], out to their k-th neighbours."""
    generated, real, k = 1.2 + 1.1 * torch.randn(20, 2).double(), torch.randn(40, 2).double(), 3

    def exact(k: int) -> dict[str, Tensor]:
        return _measures(generated, real, k)

    known, turned = exact(k), _measures(real, generated, k)
    precision, coverage = parts(ask(answer, generated, real, k), "precision", "coverage")
    law(precision.numel() == coverage.numel() == 1, "precision and coverage should be one number each.")
    precision, coverage = precision.squeeze(), coverage.squeeze()
    law(
        not (alike(precision, known["coverage"]) and alike(coverage, known["precision"])),
        "the two are exchanged: precision counts generated rows, coverage counts balls.",
    )
    short, wide = exact(k - 1), exact(k + 1)
    slips = {
        "the balls are too small: a real row is not a neighbour of its own.": short["precision"],
        "the balls are too large: the k-th other row ends them.": wide["precision"],
        "precision: this counts how many balls hold a row; one is enough.": known["density"],
        "precision: the balls should lie around the real rows.": known["recall"],
    }
    same(precision, known["precision"], slips=slips, otherwise="precision: this is not the share of rows in a ball.")
    slips = {
        "coverage: this is recall, with balls around the generated rows.": known["recall"],
        "coverage: the two sets are exchanged.": turned["coverage"],
        "coverage: this counts generated rows; count balls.": known["precision"],
    }
    same(coverage, known["coverage"], slips=slips, otherwise="coverage: this is not the share of balls with a row.")


def _measures(generated: Tensor, real: Tensor, k: int) -> dict[str, Tensor]:
    found = precision_recall(generated=generated, real=real, n_neighbors=k)
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()}


@task(
    chapter=9,
    refresher=PAGE,
    hints=(
        "precision asks for one ball. An outlier has a wide ball: its neighbours are all far away.",
        "the ball ends at the fifth neighbour, one of the real rows. Where must its centre lie to hold the fakes?",
        "on the far side of the fakes: start at the mean of the real rows, and go to the fakes' mean and beyond.",
    ),
)
def outlier(answer: Any) -> None:
    """A real row [F] that, put in the place of one of `real` [m, F], makes nearly every row of `generated` precise."""
    for side in (1.0, -1.0):
        away = torch.tensor([4.0, 7.0, -2.0]).double() * side
        generated, real = away + 0.4 * torch.randn(40, 3).double(), torch.randn(100, 3).double()
        point = numbers(ask(answer, generated, real)).squeeze()
        law(point.shape == (3,), f"one row of 3 numbers is wanted; yours has shape {list(point.shape)}.")
        planted = torch.cat([point[None], real[1:]])
        precision = float(_measures(generated, planted, 5)["precision"])
        gap, own = (point - generated.mean(0)).norm(), (point - real.mean(0)).norm()
        law(own > 4 or precision > 0.9, "this row lies among the real ones: its ball is small, so nothing moves.")
        law(
            precision > 0.9 or gap < own,
            "this row has a wide ball, but on the other side of the real rows: it does not reach the fakes.",
        )
        law(precision > 0.9, f"precision rises to {precision:.2f} only; more than 0.9 is wanted.")


@task(
    chapter=9,
    refresher=PAGE,
    hints=(
        "how near is too near? Held-out images cannot have been copied: their distances to training images tell.",
        "two lists of distances to the nearest training image: of the generated, and of the held-out images.",
        "`torch.cdist(…).amin(dim=1)` gives each; suspect what lies below a low quantile of the held-out ones.",
    ),
)
def suspects(answer: Any) -> None:
    """Which of the generated rows [n, F] look like copies of training rows, judged by held-out rows: a mask [n]."""
    for scale in (1.0, 100.0):
        train, held_out, honest = (scale * torch.randn(count, 20) for count in (400, 1000, HONEST))
        copies = train[7 : 7 + COPIES] + 0.02 * scale * torch.randn(COPIES, 20)
        generated = torch.cat([copies, honest])
        mask = _mask(ask(answer, generated, train, held_out), len(generated), "generated row")
        found, alarms = int(mask[:COPIES].sum()), int(mask[COPIES:].sum())
        law(not mask.all(), "you suspect every image: how near do honest ones come?")
        law(not (found == 0 and alarms > HONEST / 2), "the mask is turned round: True marks what is too near.")
        law(
            found > 0 or scale > 1,
            "none of 5 copies is found: each differs a little from its original in `train`.",
        )
        law(
            found == COPIES or scale == 1,
            f"in other units, numbers a hundred times larger, it finds {found} of {COPIES}: a threshold is fixed.",
        )
        law(found == COPIES, f"{found} of {COPIES} copies are found: the threshold is too low.")
        law(
            alarms <= 0.07 * HONEST,  # 5 %, and the luck of so many
            f"all copies are found, but so are {alarms} of {HONEST} honest images, and 5 % are allowed.",
        )


@task(
    chapter=9,
    refresher=PAGE,
    hints=(
        "a student has seen its training images many times. On which images is its loss small?",
        "you need a threshold. The losses on held-out images say what is normal for an image it never saw.",
        "a loss below the median of the held-out losses is smaller than normal: guess that this image was a member.",
    ),
)
def members(answer: Any) -> None:
    """Which of the images with these losses [n] the student learned from, guessed; `held_out` has losses of others."""
    held_out, strangers = -torch.rand(300).log(), -torch.rand(200).log()
    losses = torch.cat([-0.2 * torch.rand(200).log(), strangers])
    guess = _mask(ask(answer, losses, held_out), len(losses), "loss")
    law(guess.any() and not guess.all(), "every image gets the same guess, which is right as often as a coin.")
    right = (guess[:200].double().mean() + (~guess[200:]).double().mean()) / 2
    law(right > 0.5, f"you are right {right:.0%} of the time, less than a coin: are small losses a sign of a member?")
    law(right > 0.65, f"you are right {right:.0%} of the time; with a better threshold, 65 % and more can be had.")


def _mask(value: Any, length: int, each: str) -> Tensor:
    """The reader's mask [length], as booleans; numbers 0 and 1 will do."""
    mask = numbers(value)
    law(
        mask.shape == (length,),
        f"a mask with one entry for each {each} is wanted, [{length}]; yours {list(mask.shape)}.",
    )
    law(((mask == 0) | (mask == 1)).all(), "a mask holds True and False: compare with a threshold.")
    return mask == 1
