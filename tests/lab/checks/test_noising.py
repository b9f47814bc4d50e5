"""The first four tasks of lab 2: planted slips are told apart, each by its own sentence; other right ways pass."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from readers import told

from mgd_helpers.guidance.toys import PointCloudPipeline
from mgd_helpers.lab import checks


def normal(z):
    return torch.randn_like(z)


def mixed(z, share):
    return (1 - share**2) ** 0.5 * z + share * normal(z)


def squares(z, cloud, signal):
    return (z[:, None] - signal * cloud).square().sum(-1)


def guess(z, cloud, share):
    return torch.softmax(-squares(z, cloud, (1 - share**2) ** 0.5) / (2 * share**2), 1) @ cloud


def by_hand(z, cloud, share):
    weights = (-squares(z, cloud, (1 - share**2) ** 0.5) / (2 * share**2)).exp()
    return weights @ cloud / weights.sum(1, keepdim=True)


def signal_of(share):
    return math.sqrt(1 - share**2)


def noise_in(z, c, s):
    return (z - signal_of(s) * c) / s


def step(z, c, s, n):
    return signal_of(n) * c + n * noise_in(z, c, s)


def loop(z, cloud, shares):
    for s, n in pairwise(shares):
        z = step(z, guess(z, cloud, s), s, n)
    return z


def stale(z, cloud, shares):
    """Guesses once, and walks to that guess."""
    c = guess(z, cloud, shares[0])
    for s, n in pairwise(shares):
        z = step(z, c, s, n)
    return z


def restless(z, cloud, shares):
    """Draws new noise in every step, so it ends on other points."""
    for s, n in pairwise(shares):
        z = signal_of(n) * guess(z, cloud, s) + n * normal(z)
    return z


SLIPS = [  # (task, answer, part of the sentence)
    ("noisy", lambda z, s: z * (1 - s**2) ** 0.5, "no noise is added"),
    ("noisy", lambda z, s: mixed(z, s)[:100], r"shape should be that of the input"),
    ("noisy", lambda z, s: z + s * torch.randn(z.shape, generator=torch.Generator().manual_seed(1)), "two calls add"),
    ("noisy", lambda z, s: (1 - s**2) ** 0.5 * z + s * torch.randn(2), "all rows get the same"),
    ("noisy", lambda z, s: (1 - s**2) ** 0.5 * z + s * torch.randn(len(z), 1), "both coordinates"),
    ("noisy", lambda z, s: (1 - s**2) ** 0.5 * z + s * torch.rand_like(z), "not uniform"),
    ("noisy", lambda z, s: (1 - s) * z + s * normal(z), "weights add up to 1"),
    ("noisy", lambda z, s: z + s * normal(z), "keeps its full weight"),
    ("noisy", lambda z, s: (1 - s) ** 0.5 * z + s**0.5 * normal(z), "share of the variance"),
    ("noisy", lambda z, s: s * z + (1 - s**2) ** 0.5 * normal(z), "weights are exchanged"),
    ("noisy", lambda z, s: (1 - s**2) * z + s * normal(z), "a root is missing"),
    ("noisy", lambda z, s: (1 - s**2) ** 0.5 * z + normal(z), "not weighted at all"),
    ("noisy", lambda z, s: 0.5 * z + s * normal(z), "come back with variance"),
    ("noisy", lambda z, s: (1 - s**4) ** 0.5 * z + s**2 * normal(z), "does not have the weight"),
    ("noisy", lambda z, s: (1 - 0.6**2) ** 0.5 * z + 0.6 * normal(z), "a share for each row"),
    ("noisy", lambda z, s: mixed(z, float(s)), "raised"),
    ("denoise", lambda z, c, s: torch.softmax(-squares(z, c, 1) / (2 * s**2), 1) @ c, "clean points themselves"),
    ("denoise", lambda z, c, s: torch.softmax(-squares(z, c, 1 - s) / (2 * s**2), 1) @ c, "taken as 1 - share"),
    ("denoise", lambda z, c, s: torch.softmax(-squares(z, c, 0.8) / (2 * s), 1) @ c, "is not squared"),
    ("denoise", lambda z, c, s: torch.softmax(-squares(z, c, 0.8) / s**2, 1) @ c, "factor of two"),
    ("denoise", lambda z, c, s: torch.softmax(-squares(z, c, 0.8), 1) @ c, "does not depend on the noise"),
    ("denoise", lambda z, c, s: torch.softmax(-squares(z, c, 0.8).sqrt() / (2 * s**2), 1) @ c, "squared distances"),
    ("denoise", lambda z, c, s: torch.softmax(squares(z, c, 0.8) / (2 * s**2), 1) @ c, "a sign is missing"),
    ("denoise", lambda z, c, s: torch.softmax(-squares(z, c, 0.8) / (2 * s**2), 0) @ c, "wrong axis"),
    ("denoise", lambda z, c, s: c[squares(z, c, 0.8).argmin(1)], "likeliest point"),
    ("denoise", lambda z, c, s: c.mean(0).expand_as(z), "mean of the cloud"),
    ("denoise", lambda z, c, s: 0.8 * guess(z, c, s), "in the noisy sample"),
    ("denoise", lambda z, c, s: z / 0.8, "scaled up again"),
    ("denoise", lambda z, c, s: guess(z, c, s)[:, :1], r"shape should be \[6, 2\]"),
    ("denoise", lambda z, c, s: guess(z, c, s) + 0.1, "not the mean of what may lie"),
    ("denoise", by_hand, "far from the cloud holds NaN"),
    ("denoise", lambda z, c, s: by_hand(z, c, s).nan_to_num(), "rounded to zero"),
    ("ddim_step", lambda z, c, s, n: step(z, c, s, n)[0], "shape should be that of the sample"),
    ("ddim_step", lambda z, c, s, n: signal_of(n) * c + n * normal(z), "new noise is drawn"),
    ("ddim_step", lambda z, c, s, n: c, "has to go in again"),
    ("ddim_step", lambda z, c, s, n: z, "has not moved"),
    ("ddim_step", lambda z, c, s, n: c + n * noise_in(z, c, s), "at the new share it has a signal"),
    ("ddim_step", lambda z, c, s, n: signal_of(s) * c + n * noise_in(z, c, s), "with the old signal"),
    ("ddim_step", lambda z, c, s, n: signal_of(n) * c + s * noise_in(z, c, s), "in the old dose"),
    ("ddim_step", lambda z, c, s, n: signal_of(n) * c + n * (z - signal_of(s) * c), "a division is missing"),
    ("ddim_step", lambda z, c, s, n: signal_of(n) * c + n * (z - c) / s, "in the sample it had a signal"),
    ("ddim_step", lambda z, c, s, n: signal_of(n) * c + n * z, "weighs the sample"),
    ("ddim_step", lambda z, c, s, n: z + (1 - n / s) * (c - z), "a straight line"),
    ("ddim_step", lambda z, c, s, n: step(z, c, s, n) + n, "to the same share should leave"),
    ("ddim_step", lambda z, c, s, n: z if s == n else 0.5 * z, "to share 0 should land"),
    ("ddim_step", lambda z, c, s, n: step(z, c, s, n) if n in (0, s) else 0.9 * z, "shrink just as the noise does"),
    ("generate", lambda z, c, shares: loop(z, c, shares)[0], "shape should be that of the start"),
    ("generate", lambda z, c, shares: z, "have not moved"),
    ("generate", stale, "guess of the first step"),
    ("generate", lambda z, c, shares: guess(z, c, shares[0]), "guess of the first step"),
    ("generate", lambda z, c, shares: loop(z, c, shares[:-3]), "away from the cloud"),
    ("generate", restless, "two runs"),
    ("generate", lambda z, c, shares: loop(z, c, [*shares[::4], 0.0]), "not where the package's DDIM ends"),
    (
        "generate",
        lambda z, c, shares: loop(z, c, shares if shares[-1] == 0 else [*shares, 0.0]),
        "return the sample at",
    ),
]

RIGHT = [  # right in another way than the book's
    ("noisy", lambda z, s: torch.normal((1 - s**2) ** 0.5 * z, torch.as_tensor(s).expand(len(z), 1).expand_as(z))),
    ("noisy", lambda z, s: np.sqrt(1 - np.square(s)) * z.numpy() + s * np.random.default_rng().normal(size=z.shape)),
    ("denoise", lambda z, c, s: PointCloudPipeline(c, None).denoise(z, signal=signal_of(s), noise=s)),
    ("denoise", lambda z, c, s: guess(z.double(), c.double(), s).numpy()),
    ("ddim_step", lambda z, c, s, n: n / s * z + (signal_of(n) - n / s * signal_of(s)) * c),
    ("generate", loop),
    ("generate", lambda z, c, shares: loop(z.double(), c.double(), [float(s) for s in shares])),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert set(told(SLIPS, name, answer)) == {sentence}


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."
