"""The first four tasks of lab 2, on points in the plane: noise, the best guess behind it, and the steps back."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.guidance.noise import noise_levels
from mgd_helpers.guidance.toys import PointCloudPipeline, spiral
from mgd_helpers.lab.checks.answers import ask, numbers
from mgd_helpers.lab.checks.laws import alike, law, same, wrong_weights
from mgd_helpers.lab.checks.tasks import task

GAUSSIANS, MEANS = "Gaussians", "Conditional means"
PAGE = "the page of this chapter, Noise, and the best guess"


def exact(sample: Float[Tensor, "b d"], cloud: Float[Tensor, "n d"], *, signal: float, noise: float) -> Tensor:
    """The package's own denoiser of a cloud; with wrong weights of signal and noise it gives what a slip gives."""
    return PointCloudPipeline(cloud, None).denoise(sample, signal=signal, noise=noise)


@task(
    chapter=2,
    refresher=GAUSSIANS,
    hints=(
        "`torch.randn_like(clean)` draws one standard normal number for every entry.",
        "the noise has weight `share`, so it brings variance share². Variances of independent numbers add up.",
        "the clean part brings the rest of the variance, so its weight is a root: lab 0 calls this `mix`.",
    ),
)
def noisy(answer: Any) -> None:
    """Clean points [B, D] under fresh noise of weight `share`; a clean variance of 1 stays 1."""
    share, fives, zeros = 0.6, torch.full((20_000, 2), 5.0), torch.zeros(20_000, 2)
    got, again = numbers(ask(answer, zeros, share)), numbers(ask(answer, zeros, share))
    law(got.shape == zeros.shape, f"the shape should be that of the input, [20000, 2]; yours is {list(got.shape)}.")
    law(bool(got.any()), "zeros come back as zeros: no noise is added.")
    law(not torch.equal(got, again), "two calls add the same noise: draw new noise in every call.")
    law(not alike(got[:1].expand_as(got), got), "all rows get the same noise: draw a number for every entry.")
    law(
        not alike(got[:, :1].expand_as(got), got), "both coordinates get the same noise: draw a number for every entry."
    )
    law(got.mean().abs() < 0.02, "your noise is not zero on average: it should be normal, not uniform from 0 to 1.")
    weights = torch.stack([numbers(ask(answer, fives, share)).mean() / 5, got.std()])
    for slip, wrong in wrong_weights(share).items():
        law(not alike(weights, torch.tensor(wrong), tolerance=0.02), slip)
    mixed = numbers(ask(answer, torch.randn(20_000, 2), share))
    law(abs(mixed.var() - 1) < 0.04, f"clean points of variance 1 come back with variance {mixed.var():.2f}.")
    law(abs(weights[1] - share) < 0.02, "the variance stays 1, but the noise does not have the weight `share`.")
    rows = torch.tensor([[0.0], [1.0]]).repeat(10_000, 1)
    ends = numbers(ask(answer, fives, rows))
    law(alike(ends[::2], fives[::2]), "with a share for each row, [B, 1], rows of share 0 should stay as they are.")


@task(
    chapter=2,
    refresher=MEANS,
    hints=(
        "how far is the sample from where a clean point would lie without its noise? That is not the point itself.",
        "a clean point comes to lie at signal times itself. Noise of weight `share` has variance share².",
        "a softmax over the cloud turns exponents into weights [B, N]; `weights @ cloud` is the weighted mean.",
    ),
)
def denoise(answer: Any) -> None:
    """The best guess [B, 2] behind samples [B, 2]: the mean of the cloud [N, 2], weighted by likelihood."""
    sample, cloud, share = torch.randn(6, 2), torch.randn(7, 2), 0.6
    signal = (1 - share**2) ** 0.5
    got, right = numbers(ask(answer, sample, cloud, share)), exact(sample, cloud, signal=signal, noise=share)
    squares = (sample[:, None] - signal * cloud).square().sum(-1)
    exponents = squares / (2 * share**2)
    slips = {
        "the samples are compared with the clean points themselves: noise also shrank the signal.": exact(
            sample, cloud, signal=1.0, noise=share
        ),
        "the signal is taken as 1 - share; the two weights lie on a circle.": exact(
            sample, cloud, signal=1 - share, noise=share
        ),
        "the noise in the exponent is not squared.": exact(sample, cloud, signal=signal, noise=share**0.5),
        "a factor of two is missing in the exponent.": exact(sample, cloud, signal=signal, noise=share / 2**0.5),
        "the exponent does not depend on the noise.": exact(sample, cloud, signal=signal, noise=0.5**0.5),
        "distances stand in the exponent, and squared distances are wanted.": (
            torch.softmax(-squares.sqrt() / (2 * share**2), 1) @ cloud
        ),
        "far points weigh most: a sign is missing in the exponent.": torch.softmax(exponents, 1) @ cloud,
        "the weights of one sample do not sum to 1: the softmax runs over the wrong axis.": (
            torch.softmax(-exponents, 0) @ cloud
        ),
        "this is the likeliest point of the cloud, not the mean of all.": cloud[squares.argmin(1)],
        "this is the mean of the cloud, whatever the sample: the weights do not depend on it.": cloud.mean(0).expand(
            6, 2
        ),
        "this is where the guess would lie in the noisy sample: the mean of the clean points is wanted.": signal
        * right,
        "this is the sample, scaled up again: the cloud plays no part.": sample / signal,
    }
    same(got, right, slips=slips, otherwise="the shape is right, but this is not the mean of what may lie behind.")
    far = numbers(ask(answer, sample + 60, cloud, share), "the guess for a sample far from the cloud")
    law(
        alike(far, exact(sample + 60, cloud, signal=signal, noise=share)),
        "far from the cloud all likelihoods are rounded to zero: let a softmax do the division.",
    )


@task(
    chapter=2,
    refresher=PAGE,
    hints=(
        "sample and guess together say which noise is in the sample. Write down the forward process and solve it.",
        "that noise stays the same. Its weight changes, and so does that of the guess: take those of the new share.",
        "(sample - signal · denoised) / share is the predicted noise. Mix it with the guess at `next_share`.",
    ),
)
def ddim_step(answer: Any) -> None:
    """The sample at `next_share`, from sample and guess at `share`: the same noise, in a smaller dose."""
    sample, guess, old, new = torch.randn(5, 2), 2 + torch.randn(5, 2), 0.8, 0.28
    before, after = 0.6, 0.96  # the signals of these shares
    got, again = (numbers(ask(answer, sample, guess, old, new)) for _ in range(2))
    law(got.shape == sample.shape, f"the shape should be that of the sample, [5, 2]; yours is {list(got.shape)}.")
    law(torch.equal(got, again), "two calls differ, so new noise is drawn: keep the noise that is in the sample.")
    gap = sample - before * guess
    slips = {
        "the guess comes back: the predicted noise has to go in again.": guess,
        "the sample has not moved.": sample,
        "the guess goes in with full weight: at the new share it has a signal, too.": guess + new / old * gap,
        "the guess goes in with the old signal.": before * guess + new / old * gap,
        "the noise goes back in the old dose.": after * guess + gap,
        "the difference of sample and guess is noise of weight `share`: a division is missing.": after * guess
        + new * gap,
        "the guess is taken off with full weight: in the sample it had a signal.": (
            after * guess + new / old * (sample - guess)
        ),
        "the new share weighs the sample; it should weigh the noise in it.": after * guess + new * sample,
        "this is a straight line from sample to guess, and on it the weights do not lie on a circle.": (
            sample + (1 - new / old) * (guess - sample)
        ),
    }
    for slip, wrong in slips.items():
        law(not alike(got, wrong), slip)
    stay, land = numbers(ask(answer, sample, guess, old, old)), numbers(ask(answer, sample, guess, old, 0.0))
    law(alike(stay, sample), "a step to the same share should leave the sample where it is.")
    law(alike(land, guess), "a step to share 0 should land on the guess.")
    shrunk = alike((got - after * guess) / new, gap / old)
    law(shrunk, "the distance from sample to signal · guess should shrink just as the noise does, and it does not.")


@task(
    chapter=2,
    refresher=PAGE,
    hints=(
        "`itertools.pairwise(shares)` gives the share of each step, and the one that it leads to.",
        "each step needs a guess of its own: `denoise` at the sample and share that it starts from.",
        "two lines in the loop: guess by `denoise`, then sample by `ddim_step`. Return the sample.",
    ),
)
def generate(answer: Any) -> None:
    """Samples [B, 2] brought from the first of falling shares to the last, step by step, with the exact denoiser."""
    from diffusers import DDIMScheduler

    cloud = spiral(40)
    toy = PointCloudPipeline(cloud, DDIMScheduler(clip_sample=False, timestep_spacing="trailing"))
    path = toy(6, 25, generator=torch.Generator().manual_seed(0)).trajectory
    shares = [level.share for level in noise_levels(toy.scheduler)] + [0.0]
    got = numbers(ask(answer, path[0], cloud, shares))
    law(got.shape == path[0].shape, f"the shape should be that of the start, [6, 2]; yours is {list(got.shape)}.")
    again = numbers(ask(answer, path[0], cloud, shares))
    law(alike(again, got), "two runs from the same start end in different places: DDIM draws no new noise.")
    law(not alike(got, path[0], tolerance=0.01), "the samples have not moved: does the loop keep what a step returns?")
    first = exact(path[0], cloud, signal=(1 - shares[0] ** 2) ** 0.5, noise=shares[0])
    law(
        not alike(got, first, tolerance=0.02),
        "this is the guess of the first step: each step has to guess anew, from the sample as it is then.",
    )
    off = torch.cdist(got, cloud.double()).amin(1).mean()
    law(off < 0.05, f"samples end {off:.2f} away from the cloud on average: is a share left out, or a guess too old?")
    law(alike(got, path[-1], tolerance=0.02), "samples end on the cloud, but not where the package's DDIM ends.")
    early = numbers(ask(answer, path[0], cloud, shares[:13]))
    law(
        alike(early, path[12], tolerance=0.02),
        "shares that end early should leave the sample with its noise: return the sample at the last share.",
    )
