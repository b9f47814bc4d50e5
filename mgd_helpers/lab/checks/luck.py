"""The tasks of lab 8: an error by counting, pairs, the promise of an interval, and enough pairs; one prediction."""

from __future__ import annotations

import math
from typing import Any

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.evaluation import paired_difference
from mgd_helpers.lab.checks.answers import ask, numbers, parts
from mgd_helpers.lab.checks.laws import alike, between, law, same
from mgd_helpers.lab.checks.predictions import Prediction
from mgd_helpers.lab.checks.tasks import task

PAGE = "the page on luck"
STUDIES = 1000
SCARCE, AMPLE = 0.77, 0.87  # powers of n that are called 80 %

bootstrap_holds = Prediction("bootstrap_holds", low=0, high=1, near=0.03)


@task(
    chapter=8,
    refresher=PAGE,
    hints=(
        "each answer is 1 or 0. What is the variance of such a number, if it is 1 with probability p?",
        "that variance is p less p squared. Variances of n independent answers add; a mean divides by n.",
        "the mean of n answers has the variance p (1 - p) / n, and the error asked for is its root.",
    ),
)
def counting_error(answer: Any) -> None:
    """The standard error of an accuracy from 0 to 1, counted on n test images."""
    from scipy import stats

    for share, n in ((0.66, 500), (0.9, 120)):
        right = torch.tensor(float(stats.binom.std(n, share)) / n, dtype=torch.float64)
        slips = {
            "this is the spread of the number of right answers; the accuracy is their share.": right * n,
            "this is the variance of the accuracy: a root is missing.": right**2,
            "this is the spread of one answer: more images should make the error smaller.": right * n**0.5,
            "the spread is divided by n: variances are, and a spread is the root of one.": right / n**0.5,
            "the wrong answers play no part: certain answers have no spread.": torch.tensor(share / n) ** 0.5,
            "this is the largest error, that of an accuracy of one half.": torch.tensor(0.25 / n) ** 0.5,
            "this counts in points of a hundred; the accuracy is a share.": 100 * right,
            "this is half of a 95 % interval: 1.96 standard errors.": 1.96 * right,
        }
        got = numbers(ask(answer, share, n)).squeeze()
        same(got, right, slips=slips, otherwise="this is not the standard error of a share.")


@task(
    chapter=8,
    refresher=PAGE,
    hints=(
        "pairs: the differences are n numbers like any others, and their mean has a standard error.",
        "no pairs: two means, each with a standard error of its own. Their squares add.",
        "`values.std() / len(values) ** 0.5` of a - b is the first; a root of two such squares is the second.",
    ),
)
def paired_errors(answer: Any) -> None:
    """Standard errors of mean(a) - mean(b), of scores [n]: once by pairs, once as if the two had nothing in common."""
    from scipy import stats

    luck = 2 * torch.randn(12, dtype=torch.float64)
    a, b = (70 + gain + luck + 0.6 * torch.randn(12, dtype=torch.float64) for gain in (1, 0))
    gap = (a - b).mean()
    by_pairs = gap / float(stats.ttest_rel(a, b).statistic)
    apart = gap / float(stats.ttest_ind(a, b, equal_var=False).statistic)
    ends = parts(ask(answer, a, b), "paired", "unpaired")
    law(all(end.numel() == 1 for end in ends), "paired and unpaired should be one number each.")
    paired, unpaired = (end.squeeze() for end in ends)
    law(
        not (alike(paired, apart) and alike(unpaired, by_pairs)),
        "the two are exchanged: shared luck cancels in pairs, so pairs have the smaller error.",
    )
    law(not alike(paired, unpaired), "both numbers are the same, so pairing gains nothing: one of them knows no pairs.")
    one, other = (float(stats.sem(side)) for side in (a, b))
    slips = {
        "paired: this is the spread of the differences, not of their mean.": by_pairs * len(a) ** 0.5,
        "paired: this is a variance: a root is missing.": by_pairs**2,
        "paired: the difference of two errors is not the error of a difference.": torch.tensor(abs(one - other)),
    }
    same(paired, by_pairs, slips=slips, otherwise="paired: this is not the standard error of the mean of a - b.")
    slips = {
        "unpaired: errors do not add up; their squares do.": torch.tensor(one + other),
        "unpaired: this is a variance: a root is missing.": apart**2,
        "unpaired: squares of errors add, for a difference too.": torch.tensor(abs(one**2 - other**2) ** 0.5),
        "unpaired: these are spreads of single scores, not yet errors of means.": apart * len(a) ** 0.5,
        "unpaired: the error of one of the means is missing.": torch.tensor(one),
    }
    same(unpaired, apart, slips=slips, otherwise="unpaired: this is not the root of the two squared errors.")
    # a partner from another seed: the pairs are gone, the groups are the same
    strangers = [end.squeeze() for end in parts(ask(answer, a, b.roll(1)), "paired", "unpaired")]
    law(alike(strangers[1], unpaired), "unpaired depends on who is whose partner, and should not.")
    law(strangers[0] > paired, "paired does not notice that partners were exchanged.")


@task(
    chapter=8,
    refresher=PAGE,
    hints=(
        "one study: draw n numbers, ask `interval` for its two ends, and see whether the truth lies between them.",
        "`truth + torch.randn(n)` is one study. Draw a new one each time; `interval` returns low and high.",
        "count the studies with `low <= truth <= high`, and divide by `studies`.",
    ),
)
def held(answer: Any) -> None:
    """The share of studies of n normal values, of mean `truth` and spread 1, whose `interval(values)` holds it."""
    truth, seen = 5.0, []

    def three_of_four(values: object) -> tuple[float, float]:
        seen.append(numbers(values, "the values of a study"))
        return (truth + 1, truth + 2) if len(seen) % 4 == 0 else (truth - 1, truth + 1)

    share = numbers(ask(answer, three_of_four, 6, truth, 200)).squeeze()
    law(
        len(seen) == 200,
        f"`interval` should be asked once for each of 200 studies; yours asks {len(seen)} times.",
    )
    shape = list(seen[0].shape)
    law(shape == [6], f"a study should be 6 values, shape [6]; `interval` was given shape {shape}.")
    law(not alike(seen[0], seen[1]), "every study has the same values: draw anew for each.")
    drawn = torch.stack(seen)
    law(
        (drawn.mean() - truth).abs() < 0.3,
        f"the values should lie around the truth, {truth:g}; their mean is {drawn.mean():.2g}.",
    )
    between(drawn.std(), 0.9, 1.1, name="the spread of your values", why="it should be 1.")
    same(
        share,
        torch.tensor(0.75),
        slips={
            "this is the share of intervals that miss the truth.": torch.tensor(0.25),
            "this is a number of studies; the share is wanted.": torch.tensor(150.0),
        },
        otherwise="this is not the share of intervals that hold the truth.",
    )
    found = float(numbers(ask(answer, _bootstrap, 5, truth, STUDIES)))
    between(found, 0.80, 0.88, name="the share for the bootstrap of five", why="look at your draws again.")


def _bootstrap(values: object) -> tuple[float, float]:
    column = numbers(values, "the values of a study").reshape(-1, 1)
    found = paired_difference(column, 0 * column, method="bootstrap", rounds=400)
    return found.low, found.high


@task(
    chapter=8,
    refresher=PAGE,
    hints=(
        "the number of pairs depends on one ratio alone: how large the spread is, measured in differences.",
        "twice the difference, or half of the spread, needs a fourth of the pairs.",
        "four ratios squared reach the edge of the interval; the page on luck gives twice as many, and two more.",
    ),
)
def pairs_needed(answer: Any) -> None:
    """How many pairs find a true `difference` four times in five, where single differences have this `spread`."""
    for difference, spread in ((1.0, 2.0), (0.5, 0.5), (3.0, 10.0), (0.02, 0.05)):
        n = numbers(ask(answer, difference, spread))
        law(n.numel() == 1, "one number of pairs is wanted.")
        n = n.squeeze()
        law(n >= 2, f"a spread needs two pairs at least; for {difference:g} and {spread:g} you plan {n.item():.3g}.")
        law(n == n.round(), "pairs are whole: round up.")
        law(n < 100_000, "that many pairs nobody can make.")
        squared = torch.tensor((spread / difference) ** 2)
        slips = {
            "these put the expected mean on the edge of the interval, and luck decides: one in two is found.": (
                4 * squared
            ),
            "difference and spread are exchanged: a large difference needs few pairs.": 8 / squared + 2,
            "the ratio should be squared.": 8 * squared**0.5 + 2,
            "this is for each of two unpaired groups; pairs need half of it.": 16 * squared,
        }
        for slip, wrong in slips.items():
            law(SCARCE <= power(n, difference / spread) <= AMPLE or n != wrong.ceil(), slip)
        between(
            power(n, difference / spread),
            SCARCE,
            AMPLE,
            name=f"with {int(n)} pairs, for {difference:g} and spread {spread:g}, the power",
            why="the number of pairs is too small or too large.",
        )


def power(n: Tensor | int, effect: float) -> float:
    """How often Student's interval of n normal differences excludes zero; `effect` is their mean over their spread."""
    from scipy import stats

    pairs = int(n)
    edge, shift = stats.t.ppf(0.975, pairs - 1), effect * math.sqrt(pairs)
    return float(stats.nct.sf(edge, pairs - 1, shift) + stats.nct.cdf(-edge, pairs - 1, shift))
