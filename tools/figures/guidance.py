"""The figures of chapter 6: one shift within a step, the rules, and two pulls, guided throughout or stopped early."""

from __future__ import annotations

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import mgd_helpers as mgd
from mgd_helpers.guidance.toys import spiral
from tools.figures import noise
from tools.figures.canvas import BLUE, GREEN, INK, ORANGE, PINK, STAR, arrow, bare, dots, line
from tools.figures.horseshoe import denoise, horseshoe

SHARES = (0.8, 0.5)  # before and after the step that is drawn
SAMPLE, GUESS, TARGET = torch.tensor([1.9, 2.3]), torch.tensor([3.6, 1.1]), torch.tensor([4.6, -0.5])
STRENGTH = 0.5  # of the pull in that step
SOFTNESS = {1.0: ("manifold", BLUE), 0.5: ("soft", PINK), 0.0: ("mode", ORANGE)}
FINE = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7)  # noise shares at which guidance ends
STRENGTHS = {0.3: "-", 1.0: "--"}  # and how their lines are drawn
STOPS = {"guided throughout": 0.0, "stopped at one half": 0.5}  # the noise share at which guidance ends
LOOKS = {
    "unguided": {"color": GREEN, "marker": "o"},
    "mode pull": {"color": ORANGE, "marker": "s"},
    "manifold pull": {"color": BLUE, "marker": "^"},
}


def draw_shift() -> Figure:
    """Draw one step of DDIM from the same sample twice: with its best guess, and with a shifted one."""
    figure, ax = plt.subplots(figsize=(6.2, 3.7))
    old, new = map(noise.signal_of, SHARES)
    shifted = GUESS + STRENGTH * (TARGET - GUESS)
    for guess, color, sides in ((GUESS, GREEN, (0.14, 0.06)), (shifted, ORANGE, (0.2, -0.04))):
        line(ax, torch.zeros(2), guess, color=color, lw=1, ls=(0, (4, 3)))
        line(ax, old * guess, SAMPLE, color=color, lw=1)
        line(ax, new * guess, step(guess), color=color, lw=1)
        arrow(ax, SAMPLE, step(guess), color, 2.6)
        dots(ax, torch.stack([old * guess, new * guess]), s=26, color=color, alpha=1, zorder=7)
        ax.scatter(*guess, s=80, color=color, edgecolor="black", zorder=8)
        dots(ax, step(guess)[None], s=70, color=color, alpha=1, zorder=8)
        name = r"$\hat z_0$" if guess is GUESS else r"$\hat z_0 + \delta$"
        ax.text(*(guess + torch.tensor(sides)).tolist(), name, fontsize=14)
    line(ax, GUESS, TARGET, color=INK, lw=1, ls=":")
    ax.scatter(*TARGET, s=200, color="white", **STAR)
    ax.text(*(TARGET + torch.tensor([0.16, -0.08])).tolist(), "$c$", fontsize=14)
    arrow(ax, GUESS, shifted)
    arrow(ax, step(GUESS), step(shifted))
    ax.text(*(GUESS + 0.25 * (TARGET - GUESS) + torch.tensor([0.1, 0.02])).tolist(), r"$\delta$", fontsize=14)
    dots(ax, SAMPLE[None], s=70, color=INK, alpha=1, zorder=8)
    ax.text(*(SAMPLE + torch.tensor([-0.05, 0.14])).tolist(), "$z_t$", fontsize=14, ha="right")
    ax.text(*(step(GUESS) + torch.tensor([0.05, 0.14])).tolist(), "$z_{t'}$ without", fontsize=12)
    ax.text(*(step(shifted) + torch.tensor([0.14, -0.12])).tolist(), "$z_{t'}$ with", fontsize=12)
    dots(ax, torch.zeros(1, 2), s=30, color=INK, alpha=1)
    ax.text(-0.08, -0.02, "0", ha="right", va="center")
    bare(ax, "", (-0.3, 5.3), (-0.8, 2.7))
    return figure


def step(guess: torch.Tensor) -> torch.Tensor:
    """Where the drawn step leads with this guess."""
    return noise.step(SAMPLE, guess, *SHARES)


def draw_rules() -> Figure:
    """Draw at one place of a bend what a pull becomes at three softnesses."""
    figure, ax = plt.subplots(figsize=(5.6, 3.1))
    curve, here, target = horseshoe(240, noise=0.02, seed=3), *place_and_target()
    dots(ax, curve, s=9, alpha=0.45)
    line(ax, here, target, color=INK, lw=1, ls=":")
    ends = {softness: here + shift(softness) for softness in SOFTNESS}
    line(ax, ends[0.0], ends[1.0], color=INK, lw=1, ls=":")
    for softness, (name, color) in SOFTNESS.items():
        arrow(ax, here, ends[softness], color, 2.6)
        text = rf"{name}, $\beta$ = {softness:g}"
        ax.text(*(ends[softness] + torch.tensor([0.0, 0.12])).tolist(), text, ha="right")
    dots(ax, here[None], s=60, color=INK, alpha=1, zorder=8)
    ax.text(*(here + torch.tensor([0.1, 0.06])).tolist(), r"$\hat z_0$", fontsize=14)
    ax.scatter(*target, s=200, color="white", **STAR)
    ax.text(*(target + torch.tensor([0.12, -0.1])).tolist(), "$c$", fontsize=14)
    bare(ax, "", (-2.2, 2.1), (-0.7, 2.1))
    return figure


def place_and_target() -> tuple[torch.Tensor, torch.Tensor]:
    """A place on the horseshoe, and a target inside its bend."""
    return horseshoe(240, noise=0.0, seed=3)[110], torch.tensor([-0.9, -0.1])


def shift(softness: float) -> torch.Tensor:
    """The shift [2] of the manifold pull at full strength, at the place of the figure."""
    here, target = place_and_target()
    curve = horseshoe(240, noise=0.02, seed=3)
    pull = target - here
    space = mgd.local_tangent(here[None], curve, n_neighbors=12, rank=1)
    return pull - softness * space.normal_part(pull[None])[0]


def draw_stops() -> Figure:
    """Draw how far 120 samples end from the curve and from their targets, by the share at which guidance stops."""
    free, ends = stopped()
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.6))
    for column, (ax, what) in enumerate(zip(axes, ("curve", "target"), strict=True)):
        for (name, strength), found in ends.items():
            look = LOOKS[f"{name} pull"] | {"ls": STRENGTHS[strength], "lw": 1.4, "ms": 5}
            label = f"{name}, strength {strength:g}"
            ax.plot(FINE, [means[column] for means in found.values()], label=label, **look)
        ax.axhline(free[column], color=LOOKS["unguided"]["color"], ls=":", label="unguided")
        ax.set(xlabel="guided above noise share", ylabel=f"mean distance to the {what}")
        ax.set_ylim(0, (0.33, 1.6)[column])
    axes[0].legend()
    return figure


def stopped() -> tuple[tuple[float, float], dict[tuple[str, float], dict[float, tuple[float, float]]]]:
    """Mean distances (to the curve, to the target), unguided and by (pull, strength) and stop, as in lab 6."""
    curve = spiral(300, noise=0.02, seed=0)
    tree = mgd.bisect(curve, n_leaves=3, seed=0)
    goals = tree.centroids[list(tree.leaves)].repeat_interleave(40, dim=0)

    def means(guidance: mgd.Guidance | None) -> tuple[float, float]:
        end = denoise(curve, guidance, n_samples=len(goals), seed=1)[-1]
        to_target, off_curve = distances(end, goals, curve)
        return off_curve.mean().item(), to_target.mean().item()

    ends = {}
    for strength in STRENGTHS:
        mode = mgd.ModePull(goals, strength=strength)
        manifold = mgd.ManifoldPull(goals, curve, strength=strength, n_neighbors=8, rank=1)
        for name, pull in (("mode", mode), ("manifold", manifold)):
            ends[name, strength] = {stop: means(mgd.window(pull, above=stop)) for stop in FINE}
    return means(None), ends


def draw_guidance() -> Figure:
    """Draw nine paths under each pull, once with each stop, and how far from curve and target they end."""
    figure, axes = plt.subplots(2, 3, figsize=(7.6, 5.4), width_ratios=(1.2, 1.2, 1))
    for row, (stop, above) in zip(axes, STOPS.items(), strict=True):
        curve, goals, paths = guided_paths(above)
        for ax, name in zip(row, ("mode pull", "manifold pull"), strict=False):
            draw_paths(bare(ax, f"{name.capitalize()},\n{stop}", (-2.1, 2.0), (-1.25, 2.15)), curve, goals, paths, name)
        ends = row[2]
        for name, path in paths.items():
            ends.scatter(*distances(path[-1], goals, curve), s=42, edgecolor="black", lw=0.6, label=name, **LOOKS[name])
        ends.set(title=f"Where they end,\n{stop}", xlabel="distance to the target", ylabel="distance to the curve")
        ends.set(xlim=(0, 3.2), ylim=(-0.01, 0.33))
    axes[1, 2].legend(handletextpad=0.1)
    return figure


def draw_paths(ax: Axes, curve: torch.Tensor, goals: torch.Tensor, paths: dict[str, torch.Tensor], name: str) -> None:
    """Draw the paths of one pull on the curve; a dotted line joins each end with its own target."""
    look, path = LOOKS[name], paths[name]
    dots(ax, curve[::2], s=8, alpha=0.35)
    for index, goal in enumerate(goals):
        line(ax, path[-1, index], goal, color=INK, lw=0.8, ls=":")
        ax.plot(*path[:, index].T, color=look["color"], lw=1.2)
        ax.scatter(*path[0, index], s=14, facecolor="white", edgecolor=look["color"], zorder=4)
    ax.scatter(*path[-1].T, s=26, edgecolor="black", lw=0.6, zorder=8, **look)
    ax.scatter(*goals.T, s=150, color="white", **STAR)


def guided_paths(above: float) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Denoise nine samples three times, guided while the noise share exceeds `above`.

    Returns the curve, the nine targets, and the paths [51, 9, 2] by guidance.
    """
    curve = horseshoe(240, noise=0.02, seed=3)
    targets = mgd.pick_targets(mgd.bisect(curve, n_leaves=2), images_per_class=3, start_level=0)
    goals = targets.latents.repeat(3, 1)  # centroids of the curve and of its halves lie inside the bend
    pulls = {
        "mode pull": mgd.ModePull(goals, strength=0.3),
        "manifold pull": mgd.ManifoldPull(goals, curve, strength=0.3, n_neighbors=12, rank=1),
    }
    guidances = {"unguided": None} | {name: mgd.window(pull, above=above) for name, pull in pulls.items()}
    return curve, goals, {name: denoise(curve, one, n_samples=9, seed=8) for name, one in guidances.items()}


def distances(ends: torch.Tensor, goals: torch.Tensor, curve: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Measure how far from their targets, and how far from the curve, samples end."""
    return (ends - goals).norm(dim=1), torch.cdist(ends, curve).amin(dim=1)
