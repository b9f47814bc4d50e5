"""The tasks of lab 13: what an autoencoder and a denoiser are trained to make small, and what goes with it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from mgd_helpers import training
from mgd_helpers._shapes import Tensor
from mgd_helpers.lab.checks.answers import ask, numbers
from mgd_helpers.lab.checks.laws import alike, law, one_loss, same, trainable
from mgd_helpers.lab.checks.predictions import Order, Prediction
from mgd_helpers.lab.checks.tasks import task

PAGE = "the page With a GPU, section 'A pipeline of your own'"

silent_loss = Prediction("silent_loss", low=0, high=10, near=0.05)
own_order = Order("own_order", "unguided", "guided", "random real")


@task(
    chapter=13,
    refresher=PAGE,
    hints=(
        "the posterior has `mean`, `std`, `var` and `logvar`, each [B, c, h, w]. Decode one draw from it.",
        "the draw is `posterior.mean + posterior.std * noise`; `vae.decode(draw).sample` are images again.",
        "the divergence is half the mean of mean² + var − 1 − logvar, over all rows and latent numbers.",
    ),
)
def autoencoder_loss(answer: Any) -> None:
    """Squared error + absolute error / 10 + kl_weight * divergence of a VAE, on images [B, C, H, W] and given noise."""
    settings = training.Settings((8, 8), 1, 1, 0.0, 1, 2, 4, 1, 1)
    vae, images, noise, weight = training.make_vae(settings, 1, 8), torch.rand(6, 1, 8, 8), torch.randn(6, 4, 4, 4), 0.7
    with torch.no_grad():
        vae.quant_conv.bias += torch.linspace(-1.5, 1, 8)  # or its posteriors would all look alike
    given = ask(answer, vae, images, noise, weight)
    got = one_loss(given)
    posterior = vae.encode(images).latent_dist

    def parts(latents: Tensor) -> tuple[Tensor, Tensor]:
        apart = (vae.decode(latents).sample - images).double()
        return apart.square(), apart.abs()

    squares, sizes = parts(posterior.mean + posterior.std * noise)
    kl = posterior.kl().double().mean() / noise[0].numel()
    squared, absolute = squares.mean(), 0.1 * sizes.mean()
    right = squared + absolute + weight * kl
    without_noise, with_variance = (
        sum(one.mean() * share for one, share in zip(parts(latents), (1, 0.1), strict=True)) + weight * kl
        for latents in (posterior.mean, posterior.mean + posterior.var * noise)
    )
    slips = {
        "the divergence is missing: nothing keeps the latents near the unit normal distribution.": squared + absolute,
        "the divergence is not weighted by `kl_weight`.": squared + absolute + kl,
        "the divergence is twice as large as it should be: is the factor one half there?": right + weight * kl,
        "the divergence is summed over the latent numbers; take the mean, or its weight depends on their count.": (
            squared + absolute + weight * kl * noise[0].numel()
        ),
        "the divergence has the wrong sign.": right - 2 * weight * kl,
        "the absolute error is missing, a tenth of it.": right - absolute,
        "the absolute error counts in full; a tenth of it is wanted.": right + 9 * absolute,
        "the squared error is missing.": right - squared,
        "the squared error is summed over pixels; take the mean.": right - squared + squares.sum(),
        "the mean of the posterior is decoded: the noise does nothing.": without_noise,
        "the noise is multiplied by the variance; its weight is the standard deviation.": with_variance,
    }
    same(got, right, slips=slips, otherwise="one number, but not squared error + absolute / 10 + weighted divergence.")
    trainable(given)


@task(
    chapter=13,
    refresher=PAGE,
    hints=(
        "a channel is axis 1. Its mean and its spread are taken over all other axes at once.",
        "`latents.mean(dim=(0, 2, 3), keepdim=True)` has shape [1, c, 1, 1]; `std` takes the same arguments.",
        "take the mean away, then divide by the standard deviation.",
    ),
)
def white(answer: Any) -> None:
    """Latents [N, c, h, w], shifted and scaled until each channel has mean 0 and variance 1 over images and pixels."""
    latents = torch.randn(40, 3, 4, 4) * torch.tensor([0.2, 1.0, 5.0]).view(3, 1, 1)
    latents = latents + torch.tensor([4.0, -1.0, 0.5]).view(3, 1, 1) + torch.randn(40, 1, 1, 1)
    got = numbers(ask(answer, latents))

    def scaled(*dim: int) -> Tensor:
        return (latents - latents.mean(dim, keepdim=True)) / latents.std(dim, keepdim=True)

    middle, spread = (getattr(latents, name)((0, 2, 3), keepdim=True) for name in ("mean", "std"))
    slips = {
        "every image is made white by itself: images that differ in brightness would look alike.": scaled(1, 2, 3),
        "every channel of every image is made white by itself; take all images together.": scaled(2, 3),
        "every number is made white by itself; all places of a channel share one mean and one spread.": scaled(0),
        "one mean and one spread serve all channels; each channel needs its own.": scaled(0, 1, 2, 3),
        "the means are 0 now, and the spreads are as before.": latents - middle,
        "the spreads are 1 now, and the means are not 0.": latents / spread,
        "this divides by the variance; the standard deviation is wanted.": (latents - middle) / spread.square(),
        "this multiplies by the spread.": (latents - middle) * spread,
    }
    told = "the shape is right, but the channels do not all have mean 0 and variance 1."
    same(got, scaled(0, 2, 3).double(), slips=slips, otherwise=told, tolerance=2e-3)  # n or n - 1 in the variance


@task(
    chapter=13,
    refresher=PAGE,
    hints=(
        "every label has a draw of its own, even over 0 to 1: about one in ten lies below 0.1.",
        "`torch.where(condition, this, that)` chooses for every entry.",
        "where the draw is below `share`, the label becomes 1000; elsewhere it stays.",
    ),
)
def hide(answer: Any) -> None:
    """Labels [B] in which those with a draw [B] below `share` give way to 1000, the label of no class."""
    labels, draws, share = torch.arange(200) % 10, torch.rand(200), 0.1
    given = ask(answer, labels, draws, share)
    got, gone, none = numbers(given, "the labels"), draws < share, torch.full_like(labels, 1000)
    slips = {
        "nothing is hidden.": labels,
        "all labels are hidden.": none,
        "the wrong ones are hidden: about one in ten should be, and it is nine.": torch.where(gone, labels, none),
        "hidden labels become 0, and 0 is a class of its own.": torch.where(gone, 0, labels),
        "hidden labels become −1; the label of no class is 1000.": torch.where(gone, -1, labels),
        "the hidden rows are taken out; they should stay, with the label 1000.": labels[~gone],
        "this says which labels are hidden; the labels themselves are wanted.": gone.long(),
    }
    same(got, training.hide(labels, draws, share).double(), slips=slips, otherwise="these are not the labels to hide.")
    whole = isinstance(given, Tensor) and not given.is_floating_point()
    law(whole, "the network looks classes up by whole numbers: return a tensor of them, as `labels` is one.")


@task(
    chapter=13,
    refresher=PAGE,
    hints=(
        "`alphas[timesteps]` are squared signals, [B]. `.view(-1, 1, 1, 1)` gives each its row of the latents.",
        "signal² is that number, noise² is 1 minus it. Mix latents and noise by the roots, as in lab 2.",
        "ask `dit(noisy, timestep=timesteps, class_labels=labels).sample`; compare it with the noise.",
    ),
)
def noise_loss(answer: Any) -> None:
    """The mean squared error of the noise that a network finds in latents [B, c, h, w], at given timesteps [B]."""
    alphas, timesteps = training.make_scheduler().alphas_cumprod, torch.tensor([5, 200, 500, 700, 995])
    latents, noise, labels = torch.randn(5, 4, 6, 6), torch.randn(5, 4, 6, 6), torch.tensor([3, 1, 1000, 0, 9])
    dit = Listener()
    given = ask(answer, dit, latents, labels, timesteps, noise, alphas)
    got = one_loss(given)
    law(dit.calls > 0, "the network is never asked.")
    law(dit.noisy.shape == latents.shape, f"the network wants {list(latents.shape)}; it got {list(dit.noisy.shape)}.")
    heard = isinstance(dit.timestep, Tensor) and torch.equal(dit.timestep, timesteps)
    law(heard, "the network does not hear at which timesteps its rows are.")
    heard = isinstance(dit.labels, Tensor) and torch.equal(dit.labels, labels)
    law(heard, "the network does not hear the labels: it could learn no class.")
    level = alphas[timesteps].view(-1, 1, 1, 1)
    wrong = {
        "the network sees the clean latents: there is no noise to find.": latents,
        "the network sees the noise alone.": noise,
        "the weights are the squares of signal and noise; their roots are wanted, so that variances add up to 1.": (
            level * latents + (1 - level) * noise
        ),
        "the two weights are exchanged: the number in the table belongs to the latents.": (1 - level).sqrt() * latents
        + level.sqrt() * noise,
        "the weight of the noise is 1 − signal; the squares of the two should add up to 1.": (
            level.sqrt() * latents + (1 - level.sqrt()) * noise
        ),
        "the latents keep their full weight.": latents + (1 - level).sqrt() * noise,
        "the noise keeps its full weight.": level.sqrt() * latents + noise,
    }
    for slip, seen in wrong.items():
        law(not alike(dit.noisy.double(), seen.double()), slip)
    mixed = level.sqrt() * latents + (1 - level).sqrt() * noise
    law(alike(dit.noisy.double(), mixed.double()), "the latents that the network sees are not noisy in the right way.")
    found = dit.answer(mixed).detach()
    apart = found - noise
    slips = {
        "the answer is compared with the clean latents; this network is to find the noise.": (found - latents).square(),
        "the answer is compared with the noisy latents, which the network can see.": (found - mixed).square(),
        "differences are not squared.": apart.abs(),
    }
    same(
        got,
        apart.double().square().mean(),
        slips={slip: one.double().mean() for slip, one in slips.items()}
        | {
            "the squares are added up; take their mean, or the loss grows with the batch.": apart.square().sum(),
            "this is the root of the mean squared error: leave the root out.": apart.square().mean().sqrt(),
        },
        otherwise="one number, but not the mean squared error of the noise.",
    )
    trainable(given)


@task(
    chapter=13,
    refresher=PAGE,
    hints=(
        "the new average lies between the old one and the weights, near the old one.",
        "with decay 0.99, one part in a hundred comes from the weights.",
        "decay times the average, plus (1 − decay) times the weights.",
    ),
)
def average(answer: Any) -> None:
    """The running average of weights [n] after one more step, from the average so far [n]."""
    before, weights, decay = torch.randn(50), torch.randn(50), 0.9
    slips = {
        "the average forgets nearly all: `decay` is the share of the old average.": (1 - decay) * before
        + decay * weights,
        "the two shares do not add up to 1: the average would grow.": decay * before + weights,
        "the weights do not come in.": before,
        "this is the old average in its share alone.": decay * before,
        "these are the weights: nothing is averaged.": weights,
        "this is the mean of the two: `decay` does nothing.": (before + weights) / 2,
    }
    right = torch.lerp(weights.double(), before.double(), decay)
    same(numbers(ask(answer, before, weights, decay)), right, slips=slips, otherwise="the shares are not right.")


class Listener:
    """A transformer that keeps what it is asked, and answers half of what it sees, with a gradient."""

    def __init__(self) -> None:
        self.calls, self.noisy = 0, torch.zeros(0)
        self.timestep: object = None
        self.labels: object = None
        self.weight = torch.tensor(0.5, requires_grad=True)

    def answer(self, noisy: Tensor) -> Tensor:
        """Half of it."""
        return self.weight * noisy

    def __call__(self, noisy: Tensor, timestep: object = None, class_labels: object = None) -> SimpleNamespace:
        self.calls += 1
        self.noisy, self.timestep, self.labels = noisy.detach(), timestep, class_labels
        return SimpleNamespace(sample=self.answer(noisy))
