"""The still picture of the playground: its first particles under three settings."""

from __future__ import annotations

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

import mgd_helpers as mgd
from tools import playground
from tools.figures.canvas import AMBER, STAR, bare, dots
from tools.figures.horseshoe import denoise

STRENGTH = 0.3
STOPS = {"not guided": 1.0, "guided to the end": 0.0, "stopped at one half": 0.5}  # noise shares; 1: never begun


def draw_playground() -> Figure:
    """Draw where two hundred particles end without a pull, under one that never stops, and under one that stops."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.9))
    target = playground.first_targets()[0]
    for ax, (name, stop) in zip(axes, STOPS.items(), strict=True):
        bare(ax, name, (-2.2, 1.9), (-1.6, 1.9))
        dots(ax, playground.curve()[::2], s=8, alpha=0.5)
        dots(ax, ends(stop), color=AMBER, s=10, alpha=0.8)
        ax.scatter(*target.T, s=150, color="white", **STAR)
    return figure


def ends(stop: float, n_particles: int = 200) -> torch.Tensor:
    """Where the particles end, [200, 2], pulled to the mean of the curve while the noise share exceeds `stop`."""
    pull = mgd.ModePull(playground.first_targets()[0].repeat(n_particles, 1), strength=STRENGTH)
    guidance = mgd.window(pull, above=stop) if stop < 1 else None
    return denoise(playground.curve(), guidance, n_samples=n_particles, seed=0)[-1]
