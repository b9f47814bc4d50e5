"""Part I: noise becomes points of a spiral, and an image of a digit, both by guessing what lies behind the noise."""

from __future__ import annotations

import functools
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

import mgd_helpers as mgd
from mgd_helpers import seeding
from mgd_helpers.guidance.noise import NoiseLevel
from tools.animations.film import Film
from tools.figures.canvas import AMBER, BLUE, INK, bare, dots
from tools.figures.noise import WIDE, best_guess, cloud, step

STEPS, SAMPLES, JOINED = 100, 120, 10  # every tenth sample is joined to its guess by a line
FRAMES = 30  # at most: equally far apart in noise share, while most steps lie where there is hardly any signal
CLASS = 3  # of the image


@functools.cache
def denoised_digit() -> tuple[list[float], torch.Tensor, torch.Tensor]:
    """Noise shares of all steps and 0; samples and best guesses [101, c, h, w] of one image, decoded."""
    pipe = mgd.load_pipeline("digits")
    seen: list[tuple[float, torch.Tensor, torch.Tensor]] = []

    def watch(denoised: torch.Tensor, level: NoiseLevel) -> torch.Tensor:
        seen.append((level.share, level.sample.clone(), denoised.clone()))
        return denoised

    with mgd.steer(pipe, watch):
        pipe([CLASS], num_inference_steps=STEPS, generator=seeding.generator(0), output_type="np")
    shares, samples, guesses = zip(*seen, strict=True)
    end = guesses[-1]  # the last step lands on its guess
    return (
        [*shares, 0.0],
        mgd.decode(pipe.vae, torch.cat([*samples, end])),
        mgd.decode(pipe.vae, torch.cat([*guesses, end])),
    )


@functools.cache
def denoised_points() -> tuple[torch.Tensor, torch.Tensor]:
    """Samples and best guesses in the plane, [101, n, 2] each, at the noise shares of the image."""
    shares, *_ = denoised_digit()
    sample = torch.randn(SAMPLES, 2, generator=torch.Generator().manual_seed(3))
    samples, guesses = [sample], []
    for share, after in pairwise(shares):
        guesses.append(best_guess(samples[-1], share))
        samples.append(step(samples[-1], guesses[-1], share, after))
    return torch.stack(samples), torch.stack([*guesses, samples[-1]])


def off_the_spiral() -> tuple[torch.Tensor, torch.Tensor]:
    """Mean distance to the spiral [101], of samples and of their best guesses."""
    samples, guesses = (torch.cdist(points, cloud()).amin(-1).mean(-1) for points in denoised_points())
    return samples, guesses


@functools.cache
def shown() -> list[int]:
    """The steps that have a frame: the first one at or below each of some equally spaced noise shares."""
    shares, *_ = denoised_digit()
    wanted = [1 - number / (FRAMES - 1) for number in range(FRAMES)]
    return sorted({next(i for i, share in enumerate(shares) if share <= one + 1e-9) for one in wanted} | {0})


def film_noise() -> Film:
    """Samples and best guesses as the noise share falls."""
    shares, (samples, guesses) = denoised_digit()[0], off_the_spiral()
    lines = [
        f"noise share {shares[i]:.2f}; mean distance to the spiral: samples {samples[i]:.2f}, guesses {guesses[i]:.2f}"
        for i in shown()
    ]
    return Film(lambda index: draw(shown()[index]), lines, 300)


def draw(index: int) -> Figure:
    """Draw a step: the plane on the left, and the image on the right, the sample above, the best guess below."""
    figure, axes = plt.subplot_mosaic("pps;ppg", figsize=(5.0, 3.4))
    samples, guesses = (points[index] for points in denoised_points())
    ax = bare(axes["p"], f"noise share {denoised_digit()[0][index]:.2f}", WIDE, WIDE)
    dots(ax, cloud()[::2], s=5, alpha=0.5)
    ax.plot(*torch.stack([samples, guesses])[:, ::JOINED].permute(2, 0, 1), color=INK, lw=0.7, alpha=0.6)
    ax.scatter(*samples.T, s=16, marker="X", color=AMBER, lw=0, label="samples")
    ax.scatter(*guesses.T, s=14, color=BLUE, lw=0, label="best guesses")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2, handletextpad=0.1, columnspacing=1.0)
    for place, name, color, images in zip(
        "sg", ("sample", "best guess"), (AMBER, BLUE), denoised_digit()[1:], strict=True
    ):
        image = bare(axes[place], "")
        image.imshow(images[index, 0], cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
        image.set_title(name, color=color)
        for side in image.spines.values():
            side.set(visible=True, color=color, linewidth=2.5)
    return figure
