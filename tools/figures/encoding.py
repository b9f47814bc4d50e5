"""The figure of chapter 3, a diagram: an image, its posterior in the latent plane, and what comes back."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Polygon

from tools.figures.canvas import BLUE, GREEN, INK, ORANGE, SKY, arrow, bare, stamp


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
    ax.scatter(*samples.T, marker="x", color=INK, s=26, lw=1.3, label="samples: differ at every draw")
    ax.scatter(0, 0, s=90, color=BLUE, edgecolor="black", zorder=6, label="posterior mean: what we keep")
    for x, name, softness in ((-3.85, "image", 0.11), (3.85, "reconstruction", 0.15)):
        stamp(ax, 0.2, x, 0, 1.3, softness)
        ax.text(x, -0.92, name, ha="center", va="center")
    for x in (-1.75, 1.12):
        arrow(ax, (x, 0), (x + 0.63, 0))
    ax.text(0, -1.32, "latent space", ha="center", va="center")
    ax.text(0, -1.98, "softer than the image: the round trip loses detail", ha="center", style="italic")
    ax.legend(loc="upper center", handletextpad=0.2)
    return figure
