"""The last four tasks of "Are you ready?": noise, best guesses, and how sure a mean is; and one prediction."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.evaluation import paired_difference
from mgd_helpers.guidance.toys import PointCloudPipeline
from mgd_helpers.lab.checks.answers import ask, numbers, parts
from mgd_helpers.lab.checks.laws import alike, between, law, same, wrong_weights
from mgd_helpers.lab.checks.predictions import Prediction
from mgd_helpers.lab.checks.tasks import task

GAUSSIANS, MEANS, INTERVALS = "Gaussians", "Conditional means", "Intervals"

coverage = Prediction("coverage", low=0, high=1, near=0.02)


@task(
    chapter=0,
    refresher=GAUSSIANS,
    hints=(
        "a factor a in front of a random number multiplies its variance by a².",
        "variances of independent numbers add up. Which two numbers must add up to 1 here?",
        "the noise has weight `share`, so it brings variance share². The clean part has to bring the rest.",
    ),
)
def mix(answer: Any) -> None:
    """Clean values and noise, both of variance 1, mixed: the noise has weight `share`, and the variance stays 1."""
    share = 0.6
    ones, zeros = torch.ones(5), torch.zeros(5)
    clean, noise = torch.randn(2, 20_000)
    mixed = numbers(ask(answer, clean, noise, share))
    law(mixed.shape == clean.shape, f"the shape should be that of the input, [20000]; yours is {list(mixed.shape)}.")
    law(
        not numbers(ask(answer, zeros, zeros, share)).any(),
        "zeros mixed with zeros should stay zero: take the noise that is given, and draw none.",
    )
    weights = torch.stack([numbers(ask(answer, *pair, share)).mean() for pair in ((ones, zeros), (zeros, ones))])
    for slip, wrong in wrong_weights(share).items():
        law(not alike(weights, torch.tensor(wrong)), slip)
    law(alike(weights[1], torch.tensor(share)), "the noise does not have the weight `share`.")
    between(mixed.var(), 0.95, 1.05, name="the variance of your mix", why="it should stay 1.")
    for end, kept in ((0.0, clean), (1.0, noise)):
        law(
            alike(numbers(ask(answer, clean, noise, end)), kept),
            f"at share {end:.0f} one of the two should remain alone.",
        )


@task(
    chapter=0,
    refresher=MEANS,
    hints=(
        "a value that lies near what was seen is a likelier origin than one far away. Give every value a weight.",
        "the density of noise of spread sigma falls with the square of the distance, measured in units of sigma.",
        "weights that add up to 1 come from a softmax over the values; then take the weighted mean.",
    ),
)
def best_guess(answer: Any) -> None:
    """E[x | y] for seen y [B] = x + sigma · noise, where x is one of the values [N], all equally likely beforehand."""
    seen, values, sigma = torch.tensor([-1.0, 0.2, 0.9, 2.5]), torch.tensor([-1.0, 0.0, 2.0]), 0.7

    def denoised(noise: float) -> Tensor:
        return PointCloudPipeline(values[:, None], None).denoise(seen[:, None], signal=1.0, noise=noise)[:, 0]

    got, right = numbers(ask(answer, seen, values, sigma)), denoised(sigma)
    nearest = values[(seen[:, None] - values).abs().argmin(1)]
    slips = {
        "this is the value nearest to what was seen: the likeliest one, not the mean of all.": nearest,
        "this is the mean of all values, whatever was seen: the weights do not depend on y.": values.mean().expand(4),
        "this is what was seen itself: the values play no part.": seen,
        "sigma should be squared in the exponent.": denoised(sigma**0.5),
        "a factor of two is missing in the exponent.": denoised(sigma / 2**0.5),
        "the exponent does not depend on sigma.": denoised(0.5**0.5),
    }
    for slip, wrong in slips.items():
        law(alike(wrong, right) or not alike(got, wrong), slip)
    law(got.shape == right.shape, f"the shape should be [4], one guess for each y; yours is {list(got.shape)}.")
    constant = numbers(ask(answer, seen, torch.full((3,), 5.0), sigma))
    law(
        alike(constant, torch.full((4,), 5.0)),
        "if all values are 5, the guess must be 5: do the weights of each y sum to 1?",
    )
    same(got, right, slips={}, otherwise="the weights sum to 1, but they are not the likelihoods of the values.")


@task(
    chapter=0,
    refresher=INTERVALS,
    hints=(
        "what is the variance of the sum of n independent values, each of variance s²? And of their mean?",
        "the standard error is a spread, the root of a variance. More values make it smaller.",
        "estimate s from the values, with n - 1 in the denominator; a root of n does the rest.",
    ),
)
def standard_error(answer: Any) -> None:
    """The standard error of the mean of n values [n], estimated from the values themselves."""
    from scipy import stats

    values = torch.tensor([71.2, 68.4, 70.1, 73.0, 69.5, 70.9])
    got, right, n = numbers(ask(answer, values)).squeeze(), torch.tensor(float(stats.sem(values))), len(values)
    slips = {
        "this is the spread of single values; a mean of several varies less.": right * n**0.5,
        "this is the variance of the mean: a root is missing.": right**2,
        "this is the variance of single values.": right**2 * n,
        "the spread is divided by n: variances are, and a spread is the root of one.": right / n**0.5,
        "the variance is estimated with n in the denominator, and comes out too small.": values.std(correction=0)
        / n**0.5,
        "this is the mean itself, not how far it may be off.": values.mean(),
    }
    same(got, right, slips=slips, otherwise="this is a number, but not the standard error of the mean.")


@task(
    chapter=0,
    refresher=INTERVALS,
    hints=(
        "an interval for a mean is the mean, less and plus some multiple of its standard error.",
        "the multiple leaves 2.5 % on either side. The spread is estimated from few values, so it is more than 1.96.",
        "`scipy.stats.t.ppf(share, n - 1)` gives a quantile of Student's t distribution for n values.",
    ),
)
def interval(answer: Any) -> None:
    """Low and high end of Student's 95 % interval for the mean of n values [n]."""
    from scipy import stats

    values = torch.tensor([71.2, 68.4, 70.1, 73.0, 69.5, 70.9])
    known = paired_difference(values[:, None], torch.zeros(len(values), 1))
    ends = parts(ask(answer, values), "low", "high")
    law(all(end.numel() == 1 for end in ends), "low and high should be one number each.")
    got = torch.cat([end.flatten() for end in ends])
    mean, half, n = known.mean, (known.high - known.low) / 2, len(values)
    error = float(stats.sem(values))
    halves = {
        "this takes 1.96 from the normal distribution, which is too little for a spread estimated from few values.": (
            1.959964 * error
        ),
        "this takes 2 standard errors; for few values, Student's quantile is more than that.": 2 * error,
        "this is an interval for single values; the mean of several varies less.": half * n**0.5,
        "this leaves 5 % on either side; both sides together may have 5 %.": float(stats.t.ppf(0.95, n - 1)) * error,
        "n values leave n - 1 degrees of freedom.": float(stats.t.ppf(0.975, n)) * error,
        "this is one standard error on either side, which covers less than 95 %.": error,
    }
    slips = {slip: torch.tensor([mean - wrong, mean + wrong]) for slip, wrong in halves.items()}
    slips |= {
        "low and high are exchanged.": torch.tensor([known.high, known.low]),
        "the interval lies around zero: it should lie around the mean.": torch.tensor([-half, half]),
        "these are the mean and how far it may be off; the two ends are wanted.": torch.tensor([mean, half]),
    }
    same(
        got,
        torch.tensor([known.low, known.high]),
        slips=slips,
        otherwise="these two ends do not make the interval: check what is added to the mean.",
    )
