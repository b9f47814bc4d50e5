"""The figures of chapter 3: an image and its posterior, latents of three sizes under noise, the parts of a pipeline."""

from __future__ import annotations

import functools
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyBboxPatch, Polygon

import mgd_helpers as mgd
from mgd_helpers.guidance.noise import NoiseLevel, noise_levels
from mgd_helpers.lab.plots import put_images
from tools.figures.canvas import BLUE, GRAY, GREEN, INK, ORANGE, PINK, SKY, arrow, bare, stamp

SIZES = ("never", "once", "twice")  # how often latents are scaled
SHOWN = (0.6, 0.9, 0.97)  # noise shares of the pictures
MEASURED = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95)  # noise shares at which the error is measured
PICTURE = 58  # the held-out image of the pictures
IMAGES = 100  # how many images the error is measured on


def draw_encoding() -> Figure:
    """Draw an image, the distribution that the encoder answers with, and the reconstruction."""
    figure, ax = plt.subplots(figsize=(6.4, 3.3))
    bare(ax, "", (-4.7, 4.7), (-2.2, 2.45))
    for side, name, color in ((-1, "encoder", SKY), (1, "decoder", GREEN)):
        corners = [(side * 2.9, -1.1), (side * 1.85, -0.5), (side * 1.85, 0.5), (side * 2.9, 1.1)]
        ax.add_patch(Polygon(corners, fc=color, ec=INK, alpha=0.5))
        ax.text(side * 2.37, -1.32, name, ha="center", va="center")
    for width in (1, 2):
        ax.add_patch(Ellipse((0, 0), 1.05 * width, 0.65 * width, angle=25, fc=ORANGE, ec=ORANGE, alpha=0.2, lw=1.4))
    turn = np.deg2rad(25)
    frame = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    samples = np.random.default_rng(4).normal(size=(16, 2)) * [0.5, 0.3] @ frame
    ax.scatter(*samples.T, marker="x", color=INK, s=26, lw=1.3, label="draws: differ every time")
    ax.scatter(0, 0, s=90, color=BLUE, edgecolor="black", zorder=6, label="mean: what we keep")
    for x, name, softness in ((-3.85, "image", 0.11), (3.85, "reconstruction", 0.15)):
        stamp(ax, 0.2, x, 0, 1.3, softness)
        ax.text(x, -0.92, name, ha="center", va="center")
    for x in (-1.75, 1.12):
        arrow(ax, (x, 0), (x + 0.63, 0))
    ax.text(0, -1.32, "latent space", ha="center", va="center")
    ax.text(0, -1.98, "softer than the image: the round trip loses detail", ha="center", style="italic")
    ax.legend(loc="upper center", handletextpad=0.2)
    return figure


def draw_scales() -> Figure:
    """Draw latents of three sizes under the same noise, decoded, and the error of the guess of that noise."""
    figure = plt.figure(figsize=(6.6, 3.3))
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.05))
    axes = left.subplots(len(SIZES), len(SHOWN))
    for row, name in zip(axes, SIZES, strict=True):
        for ax, share in zip(row, SHOWN, strict=True):
            put_images(ax, noised(name, share))
            if name == SIZES[0]:
                ax.set_title(f"{share:g}")
        row[0].set_ylabel(f"scaled\n{name}", rotation=0, ha="right", va="center")
    left.suptitle("noise share")
    draw_errors(right.subplots())
    return figure


def draw_errors(ax: Axes) -> None:
    """Draw the error of the guess for each size over the noise share."""
    looks = zip(SIZES, (ORANGE, BLUE, PINK), ("^", "o", "s"), strict=True)
    for name, color, marker in looks:
        ax.plot(MEASURED, errors()[name], color=color, marker=marker, ms=5, label=f"scaled {name}")
    ax.axhline(1, color=GRAY, lw=1, ls=(0, (4, 3)))
    ax.text(0.97, 1.15, "guess “no noise”", color=INK, ha="right", va="bottom", fontsize=10)
    ax.set(yscale="log", xlabel="noise share of the timestep", ylabel="error of the guess")
    ax.set(xticks=(0.2, 0.5, 0.8), yticks=(0.01, 0.1, 1), yticklabels=("0.01", "0.1", "1"))
    ax.legend(loc="lower left")


@functools.cache
def digits() -> tuple[Any, torch.Tensor, torch.Tensor]:
    """The pipeline, held-out latents, and their labels."""
    pipe, test = mgd.load_pipeline("digits", device="cpu"), mgd.load_data("digits").test
    return pipe, mgd.encode(pipe.vae, test.images[:IMAGES]), test.labels[:IMAGES]


def level_at(share: float) -> NoiseLevel:
    """The level of the timestep that is nearest to a noise share."""
    scheduler = digits()[0].scheduler
    scheduler.set_timesteps(scheduler.config.num_train_timesteps)
    return min(noise_levels(scheduler), key=lambda level: abs(level.share - share))


def factors() -> dict[str, float]:
    """What the latents of each size are multiplied by, beside those of the right size."""
    scale = digits()[0].vae.config.scaling_factor
    return {"never": 1 / scale, "once": 1.0, "twice": scale}


def noise() -> torch.Tensor:
    """The noise of all sizes and shares, as large as the latents."""
    return torch.randn(digits()[1].shape, generator=torch.Generator().manual_seed(0))


def noised(name: str, share: float) -> torch.Tensor:
    """One image, noised as a latent of this size, and decoded as such: [1, 1, 32, 32]."""
    pipe, latents, _ = digits()
    level, factor, row = level_at(share), factors()[name], slice(PICTURE, PICTURE + 1)
    sample = level.signal * factor * latents[row] + level.noise * noise()[row]
    return mgd.decode(pipe.vae, sample / (level.signal * factor))


@functools.cache
def errors() -> dict[str, list[float]]:
    """The mean squared error of the guess of the noise, by size, at each of the measured shares."""
    pipe, latents, labels = digits()
    found: dict[str, list[float]] = {name: [] for name in SIZES}
    for name, factor in factors().items():
        for level in map(level_at, MEASURED):
            sample = level.signal * factor * latents + level.noise * noise()
            times = torch.full((len(latents),), level.timestep)
            with torch.no_grad():
                guess = pipe.transformer(sample, timestep=times, class_labels=labels).sample
            found[name].append((guess - noise()).square().mean().item())
    return found


def draw_pipeline() -> Figure:
    """Draw the parts of a pipeline, and at each arrow the shape of what passes."""
    pipe, latents, _ = digits()
    latent = " × ".join(map(str, ("n", *latents.shape[1:])))
    image = " × ".join(map(str, ("n", pipe.vae.config.out_channels, *[pipe.vae.config.sample_size] * 2)))
    figure, ax = plt.subplots(figsize=(6.4, 4.1))
    bare(ax, "", (-3.9, 3.95), (-2.4, 2.6))
    boxes = {
        "DiT\nguesses the noise": (-1.6, 0.9, BLUE),
        "scheduler\ntakes a step": (-1.6, -1.2, GRAY),
        "decoder\nof the VAE": (1.35, -1.2, GREEN),
    }
    for text, (x, y, color) in boxes.items():
        box = FancyBboxPatch((x - 0.9, y - 0.36), 1.8, 0.72, boxstyle="round,pad=0.06", fc=color, ec=INK, alpha=0.25)
        ax.add_patch(box)
        ax.text(x, y, text, ha="center", va="center")
    for start, end in (
        ((-2.1, 2.0), (-2.1, 1.36)),
        ((-1.1, 2.0), (-1.1, 1.36)),
        ((-1.2, 0.44), (-1.2, -0.74)),
        ((-2.0, -0.74), (-2.0, 0.44)),
        ((-0.6, -1.2), (0.36, -1.2)),
        ((2.34, -1.2), (2.66, -1.2)),
    ):
        arrow(ax, start, end)
    stamp(ax, 0.2, 3.2, -1.2, 1.0, 0.13)
    ax.text(-2.15, 2.3, f"noise\n{latent}", ha="right", va="center")
    ax.text(-1.05, 2.3, "timestep,\nn class labels", ha="left", va="center")
    ax.text(-1.0, -0.15, f"guess\n{latent}", ha="left", va="center")
    ax.text(-2.2, -0.15, f"less noise\n{latent}", ha="right", va="center")
    ax.text(-0.1, -2.1, f"after the last step:\nlatents / s, {latent}", ha="center", va="center")
    ax.text(3.1, -2.1, f"images\n{image}", ha="center", va="center")
    return figure
