"""The figures of chapter 1: ten images chosen in three ways, what more images are worth, and chance among choices."""

from __future__ import annotations

import functools

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

import mgd_helpers as mgd
from mgd_helpers import seeding
from mgd_helpers.data import Dataset, ImageSet
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy
from mgd_helpers.lab.plots import put_images
from tools.figures.canvas import BLUE, GRAY, INK, ORANGE

COUNTS = (1, 2, 5, 10, 20, 50, 100)  # images per class
DRAWS = 200
CLASS = 3


@functools.cache
def digits() -> Dataset:
    """The bundled scans."""
    return mgd.load_data("digits")


def scores(images_per_class: int, draws: int) -> list[float]:
    """Accuracy of 1-NN for so many random choices."""
    train, test = digits().train, digits().test
    sets = (mgd.baselines.random_real(train, images_per_class=images_per_class, seed=draw) for draw in range(draws))
    return [nearest_neighbor_accuracy(chosen, test) for chosen in sets]


def mean_images() -> ImageSet:
    """One image per class, the mean of all of its training images."""
    train = digits().train
    labels = torch.arange(len(digits().class_names))
    return ImageSet(torch.stack([train.of_class(int(label)).mean(0) for label in labels]), labels)


@functools.cache
def by_count() -> dict[int, list[float]]:
    """Images per class -> accuracy of 1-NN for twenty random choices."""
    return {count: scores(count, 20) for count in COUNTS}


@functools.cache
def by_draw() -> list[float]:
    """Accuracy of 1-NN for two hundred random choices of ten per class."""
    return scores(10, DRAWS)


def far_apart() -> ImageSet:
    """Ten images per class that lie far apart."""
    return mgd.baselines.k_center(digits().train, images_per_class=10)


def draw_choices() -> Figure:
    """Draw ten images of a class chosen at random, near the mean, and far apart, and the mean itself."""
    images = digits().train.of_class(CLASS)
    to_mean = torch.cdist(images.mean(0).flatten()[None], images.flatten(1))[0]
    at_random = torch.randperm(len(images), generator=seeding.generator(0))[:10]
    rows = {
        "at random": images[at_random],
        "near the mean": images[to_mean.argsort()[:10]],
        "far apart": far_apart().of_class(CLASS),
    }
    figure, axes = plt.subplots(3, 1, figsize=(6.6, 2.5))
    for axis, (name, chosen) in zip(axes, rows.items(), strict=True):
        put_images(axis, chosen)
        axis.set_ylabel(name, rotation=0, ha="right", va="center", color=INK)
    return figure


def draw_counts() -> Figure:
    """Draw the accuracy of 1-NN against the number of images per class, random choices and the mean image."""
    figure, axis = plt.subplots(figsize=(5.6, 3.2))
    means = [100 * np.mean(by_count()[count]) for count in COUNTS]
    low, high = (100 * np.array([part(by_count()[count]) for count in COUNTS]) for part in (min, max))
    axis.fill_between(COUNTS, low, high, color=BLUE, alpha=0.2, lw=0)
    axis.plot(COUNTS, means, "o-", color=BLUE)
    whole = 100 * nearest_neighbor_accuracy(digits().train, digits().test)
    axis.axhline(whole, color=INK, lw=1, ls="--")
    axis.text(1, whole - 1.2, "all real images", color=INK, va="top")
    axis.plot([1], [100 * nearest_neighbor_accuracy(mean_images(), digits().test)], "s", color=ORANGE, markersize=8)
    axis.set(xscale="log", xticks=COUNTS, xticklabels=COUNTS, xlabel="images per class", ylabel="accuracy of 1-NN, %")
    axis.minorticks_off()
    return figure


def draw_chance() -> Figure:
    """Draw the accuracies of two hundred random choices, and of the choice that lies far apart."""
    figure, axis = plt.subplots(figsize=(5.6, 2.6))
    axis.hist(100 * np.array(by_draw()), bins=18, color=GRAY, edgecolor="white")
    axis.axvline(100 * nearest_neighbor_accuracy(far_apart(), digits().test), color=ORANGE, lw=2.5)
    axis.set(xlabel="accuracy of 1-NN, %", ylabel="random choices")
    return figure
