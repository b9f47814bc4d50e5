"""The figures of chapter 7: what an energy sees, how a plan shares mass, what becomes of a set in the plane."""

from __future__ import annotations

import functools

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import mgd_helpers as mgd
from mgd_helpers import seeding
from mgd_helpers.guidance.noise import NoiseLevel
from tools.figures.canvas import AMBER, BLUE, GRAY, INK, LOOKS, arrow, bare, dots, line
from tools.figures.horseshoe import denoise

MIDDLES = ((-1.9, 0.9), (-0.9, -1.3), (0.3, 0.6), (1.5, -0.8), (2.0, 1.2))
COUNTS = (80, 60, 20, 20, 20)  # how many points each blob has
SEED = 7  # of the drawn noise: near the mean of twenty, as the test says
X, Y = (-2.9, 2.9), (-2.5, 2.1)  # what the panels show


def draw_energy() -> Figure:
    """Draw three sets of ten on the five blobs, with their energy as the mean and as random features see it."""
    points, _ = five_blobs()
    figure, axes = plt.subplots(1, 3, figsize=(6.6, 2.8))
    for ax, (name, samples) in zip(axes, three_sets().items(), strict=True):
        bare(ax, name, X, (-3.9, 2.1))
        dots(ax, points, s=8, alpha=0.5, color=GRAY)
        ax.scatter(*samples.T, s=60, marker="s", color=BLUE, edgecolor="black", lw=0.9, zorder=6)
        by_mean, by_features = energies(samples)
        ax.text(
            0, -3.8, f"seen by the mean: {by_mean:.2f}\nby random features: {by_features:.2f}", ha="center", color=INK
        )
    return figure


def three_sets() -> dict[str, torch.Tensor]:
    """Ten copies of the mean, ten of the points at random, and those after thirty steps of matching, [10, 2] each."""
    points, _ = five_blobs()
    drawn = points[torch.randperm(len(points), generator=torch.Generator().manual_seed(SEED))[:10]]
    pull, moved = matching_in_the_plane(points), drawn
    for step in range(30):
        zero = torch.zeros(())
        moved = pull(moved, NoiseLevel(zero + 1, zero, step, moved))
    return {"Copies of the mean": points.mean(0).repeat(10, 1), "Drawn at random": drawn, "After matching": moved}


def energies(samples: torch.Tensor) -> tuple[float, float]:
    """The energy of samples [n, 2] among the five blobs, for φ(z) = z and for 4096 random ReLU features, their mean."""
    points, _ = five_blobs()
    generator = torch.Generator().manual_seed(SEED)
    weights, offsets = torch.randn(2, 4096, generator=generator), 1.5 * torch.randn(4096, generator=generator)
    gap = (samples @ weights + offsets).relu().mean(0) - (points @ weights + offsets).relu().mean(0)
    return (samples.mean(0) - points.mean(0)).square().sum().item(), gap.square().mean().item()


def draw_transport() -> Figure:
    """Draw the plan between five images and four centers, with much entropy and with little, and the barycenters."""
    figure, axes = plt.subplots(1, 2, figsize=(6.6, 3.3))
    for ax, epsilon in zip(axes, (0.5, 0.05), strict=True):
        images, pull, plan = planned(epsilon)
        title = f"Much entropy ($\\tau$: {epsilon:g} of the mean cost)" if epsilon > 0.1 else f"Little ({epsilon:g})"
        bare(ax, title, (-2.6, 2.6), (-2.1, 2.1))
        masses = pull.masses / pull.masses.sum()
        for j, image in enumerate(images):
            for k, center in enumerate(pull.centers):
                line(ax, image, center, color=BLUE, lw=34 * plan[j, k].item(), alpha=0.5, solid_capstyle="butt")
        goals = len(images) * plan @ pull.centers
        for image, goal in zip(images, goals, strict=True):
            arrow(ax, image, goal, AMBER, 1.8)
        ax.scatter(*pull.centers.T, s=1500 * masses, color=GRAY, edgecolor=INK, zorder=4)
        ax.scatter(*goals.T, marker="D", s=30, color=AMBER, edgecolor=INK, lw=0.7, zorder=7)
        ax.scatter(*images.T, marker="s", s=52, color=INK, edgecolor="white", zorder=8)
    return figure


def planned(epsilon: float) -> tuple[torch.Tensor, mgd.TransportPull, torch.Tensor]:
    """Five images, the pull to four centers of masses 4, 3, 2 and 1, and the plan between them."""
    images = torch.tensor([(0.3, 1.5), (0.9, 0.7), (0.6, -0.4), (-0.4, -1.2), (-0.6, 0.4)])
    centers = torch.tensor([(-1.8, 1.1), (1.9, -1.0), (-1.6, -1.3), (2.0, 1.5)])
    pull = mgd.TransportPull(centers, torch.tensor([4.0, 3.0, 2.0, 1.0]), epsilon=epsilon, n_iterations=5000)
    return images, pull, pull.plan(images)


def draw_sets() -> Figure:
    """Draw ten samples of five blobs under four guidances, and how many samples each blob got."""
    points, blobs = five_blobs()
    figure, axes = plt.subplots(2, 2, figsize=(6.6, 5.4))
    for ax, (name, samples) in zip(axes.ravel(), guided_sets(seed=SEED).items(), strict=True):
        bare(ax, name, X, Y)
        for blob, look in enumerate(LOOKS[: len(COUNTS)]):
            dots(ax, points[blobs == blob], s=12, alpha=0.35, **look)
        got = counts(samples)
        for blob, look in enumerate(LOOKS[: len(COUNTS)]):
            own = nearest_blob(samples) == blob
            ax.scatter(*samples[own].T, s=70, edgecolor="black", lw=0.9, zorder=6, **look)
        draw_counts(ax, got)
    return figure


def draw_counts(ax: Axes, got: list[int]) -> None:
    """Write at each blob how many samples it got, and how many would be its share."""
    fair = [10 * count / sum(COUNTS) for count in COUNTS]
    for (x, y), number, share in zip(MIDDLES, got, fair, strict=True):
        ax.text(x + 0.12, y - 1.0, f"{number} (share {share:g})", ha="center", color=INK)


def five_blobs() -> tuple[torch.Tensor, torch.Tensor]:
    """Two hundred points [200, 2] in five blobs of unequal size, and the blob of each."""
    blobs = torch.arange(len(COUNTS)).repeat_interleave(torch.tensor(COUNTS))
    spread = 0.3 * torch.randn(len(blobs), 2, generator=torch.Generator().manual_seed(5))
    return torch.tensor(MIDDLES)[blobs] + spread, blobs


@functools.cache
def tree_of_blobs(n_leaves: int) -> mgd.ClusterTree:
    """The tree of the five blobs; it is the same for any noise that samples begin with."""
    return mgd.bisect(five_blobs()[0], n_leaves=n_leaves)


def guided_sets(*, seed: int) -> dict[str, torch.Tensor]:
    """Ten samples [10, 2] under each guidance, from the same noise, by the exact denoiser of the points."""
    points, _ = five_blobs()
    targets = mgd.pick_targets(tree_of_blobs(10), images_per_class=10).latents
    mass = mgd.TransportPull.of_tree(tree_of_blobs(50))
    guidances = {
        "Unguided": None,
        "Mode pull: a target for each": mgd.window(mgd.ModePull(targets, strength=0.3), above=0.5),
        "Transport": mgd.window(mass, above=0.5),
        "Match": matching_in_the_plane(points),
    }
    return {name: denoise(points, guidance, n_samples=10, seed=seed)[-1] for name, guidance in guidances.items()}


def matching_in_the_plane(real: torch.Tensor, *, rate: float = 0.2, looks: int = 4, width: int = 64) -> mgd.Guidance:
    """`MatchPull` for points [N, 2], which convolutions cannot see: random features ReLU(W x + b) in their place."""

    def pull(denoised: torch.Tensor, level: NoiseLevel) -> torch.Tensor:
        moved, velocity = denoised, torch.zeros_like(denoised)
        for look in range(looks):
            generator = seeding.generator(0, int(level.timestep), look)
            weights, offsets = torch.randn(2, width, generator=generator), torch.randn(width, generator=generator)
            found = moved @ weights + 1.5 * offsets
            gap = found.relu().mean(0) - (real @ weights + 1.5 * offsets).relu().mean(0)
            gradient = (gap * (found > 0)) @ weights.T  # up to a positive factor
            velocity = 0.5 * velocity + gradient / gradient.square().mean().sqrt().clamp_min(1e-20)
            moved = moved - rate / looks * velocity
        return moved

    return pull


def nearest_blob(samples: torch.Tensor) -> torch.Tensor:
    """The blob of the point nearest to each sample."""
    points, blobs = five_blobs()
    return blobs[torch.cdist(samples, points).argmin(dim=1)]


def counts(samples: torch.Tensor) -> list[int]:
    """How many samples each blob got."""
    return torch.bincount(nearest_blob(samples), minlength=len(COUNTS)).tolist()


def misplaced(samples: torch.Tensor) -> float:
    """How many of the ten samples would have to move for every blob to have its share."""
    fair = [len(samples) * count / sum(COUNTS) for count in COUNTS]
    return sum(abs(number - share) for number, share in zip(counts(samples), fair, strict=True)) / 2
