"""The last two tasks of lab 2, the best guess from the score and the training of a denoiser; and one prediction."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.guidance.toys import PointCloudPipeline
from mgd_helpers.lab.checks.answers import ask, numbers
from mgd_helpers.lab.checks.laws import alike, law, one_loss, same, trainable
from mgd_helpers.lab.checks.predictions import Prediction
from mgd_helpers.lab.checks.tasks import task

PAGE = "the page of this chapter, Noise, and the best guess"

apart = Prediction("apart", low=0, high=10, near=0.05)


@task(
    chapter=2,
    refresher=PAGE,
    hints=(
        "autograd needs to know what to differentiate by: a clone of the sample, with `requires_grad_()`.",
        "`torch.autograd.grad(log_density(…).sum(), sample)` returns a tuple; its one entry is the score of every row.",
        "Tweedie: to the sample add noise², that is share², times the score; then divide by the signal.",
    ),
)
def tweedie(answer: Any) -> None:
    """The best guess [B, 2] behind samples [B, 2], from the gradient of the log density of noisy points."""
    sample, cloud, share = torch.randn(6, 2), torch.randn(7, 2), 0.6
    signal = (1 - share**2) ** 0.5
    got = numbers(ask(answer, sample, cloud, share))
    right = PointCloudPipeline(cloud, None).denoise(sample, signal=signal, noise=share)
    jump = right - sample / signal  # what the score adds, in the units of the guess
    slips = {
        "this is the score alone: Tweedie's formula makes a guess of it.": jump * signal / share**2,
        "the score has the wrong sign: it points to where samples are denser.": sample / signal - jump,
        "the division by the signal is missing.": signal * right,
        "the score has to be multiplied by noise², and here the noise is not squared.": sample / signal + jump / share,
        "the score is not multiplied by noise².": sample / signal + jump / share**2,
        "only the score is divided by the signal; the sample has to be, too.": sample + jump,
        "only the sample is divided by the signal; the score has to be, too.": sample / signal + jump * signal,
        "this is the sample over the signal: the score does nothing.": sample / signal,
    }
    same(got, right, slips=slips, otherwise="the shape is right, but this is not the mean that the score stands for.")


@task(
    chapter=2,
    refresher=PAGE,
    hints=(
        "a row of points needs a share of its own: `torch.rand(len(clean), 1)`.",
        "three lines: draw shares, make noisy samples with your `noisy`, and ask `network(sample, share)`.",
        "the network is asked for the clean points. The loss is the mean of the squared differences from them.",
    ),
)
def denoising_loss(answer: Any) -> None:
    """The mean squared error of network(sample [B, 2], share [B, 1]) against clean points [B, 2], at random shares."""
    clean, network = 3 * torch.randn(20_000, 2), Listener()
    given = ask(answer, network, clean)
    got = one_loss(given)
    law(network.calls > 0, "the network is never asked.")
    law(network.share.ndim > 0 and len(network.share.unique()) > 1, "every row needs a share of its own; all have one.")
    law(
        network.share.shape == (20_000, 1),
        f"the network wants shares of shape [B, 1], here [20000, 1]; it got {list(network.share.shape)}.",
    )
    law(network.sample.shape == clean.shape, "the network should see as many samples as there are clean points.")
    spread = network.share.min() < 0.05 and network.share.max() > 0.95 and abs(network.share.mean() - 0.5) < 0.03
    law(spread, "shares should be spread evenly from 0 to 1: the network must learn all of them.")
    law(not alike(network.sample, clean), "the network sees the clean points: there is nothing to guess.")
    low = network.share[:, 0] < 0.05
    near = (network.sample[low] - clean[low]).square().mean()
    law(near < 0.1, "samples of a small share should lie near their clean points: does each go with its own share?")
    high = network.share[:, 0] > 0.95
    law(network.sample[high].square().mean() < 3, "samples of a large share should be nearly all noise.")
    whole = clean.square().mean()  # what a network that always says 0 deserves
    slips = {
        "the answer is compared with the noise; this network is to guess the clean points.": torch.tensor(1.0),
        "the answer is compared with the noisy samples, which the network can see.": network.sample.square().mean(),
        "the squares are added up; take their mean, or the loss grows with the batch.": whole * clean.numel(),
        "this is the root of the mean squared error: leave the root out.": (whole.sqrt()),
        "differences are not squared: the least absolute error belongs to a median, not to the mean.": (
            clean.abs().mean()
        ),
    }
    for slip, wrong in slips.items():
        law(not alike(got, wrong.double(), tolerance=0.02), slip)
    fits = alike(got, whole.double(), tolerance=1e-3) or alike(got, 2 * whole.double(), tolerance=1e-3)
    law(fits, "a network that always says 0 should cost the mean square of the clean points, and it does not.")
    trainable(given)


class Listener:
    """A network that keeps what it is asked, and always answers 0, with a gradient."""

    def __init__(self) -> None:
        self.calls, self.sample, self.share = 0, torch.zeros(0), torch.zeros(0)
        self.weight = torch.zeros((), requires_grad=True)

    def __call__(self, sample: Tensor, share: Tensor | float) -> Tensor:
        self.calls += 1
        self.sample, self.share = sample.detach(), torch.as_tensor(share).detach()
        return self.weight * sample
