"""The figures of the theory pages, a file per chapter, drawn with the package itself.

Trees, tangents and guided paths are those that `mgd_helpers` finds; only "encoding" and "pipeline" are diagrams. Seeds
are fixed and dates left out, so that a second run writes the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from tools import previews
from tools.figures.at_a_glance import draw_method
from tools.figures.canvas import use_style
from tools.figures.clustering import draw_split_choice, draw_split_law, draw_targets, draw_tree
from tools.figures.encoding import draw_encoding, draw_pipeline, draw_scales
from tools.figures.guidance import draw_guidance, draw_rules, draw_shift, draw_stops
from tools.figures.luck import draw_luck_kinds, draw_paired, draw_power
from tools.figures.measures import draw_balls, draw_copies, draw_mmd
from tools.figures.noise import draw_ddim, draw_noising, draw_score, draw_sharpening, draw_steps
from tools.figures.playground import draw_playground
from tools.figures.question import draw_chance, draw_choices, draw_counts
from tools.figures.refreshers import draw_best_guess, draw_coverage, draw_noise_shares, draw_principal
from tools.figures.sets import draw_energy, draw_sets, draw_transport
from tools.figures.tangent import draw_chord, draw_neighbors, draw_noisy, draw_shapes, draw_tangent

FIGURES: dict[str, Callable[[], Figure]] = {
    "method_at_a_glance": draw_method,
    "choices": draw_choices,
    "counts": draw_counts,
    "chance": draw_chance,
    "noising": draw_noising,
    "sharpening": draw_sharpening,
    "score": draw_score,
    "ddim": draw_ddim,
    "steps": draw_steps,
    "playground": draw_playground,
    "encoding": draw_encoding,
    "scales": draw_scales,
    "pipeline": draw_pipeline,
    "tree": draw_tree,
    "split_law": draw_split_law,
    "split_choice": draw_split_choice,
    "targets": draw_targets,
    "tangent": draw_tangent,
    "tangent_gram": draw_shapes,
    "tangent_neighbors": draw_neighbors,
    "tangent_noise": draw_noisy,
    "tangent_chord": draw_chord,
    "shift": draw_shift,
    "rules": draw_rules,
    "guidance": draw_guidance,
    "stops": draw_stops,
    "luck_kinds": draw_luck_kinds,
    "paired": draw_paired,
    "power": draw_power,
    "mmd": draw_mmd,
    "balls": draw_balls,
    "copies": draw_copies,
    "energy": draw_energy,
    "transport": draw_transport,
    "sets": draw_sets,
    "refresher_pca": draw_principal,
    "refresher_gaussians": draw_noise_shares,
    "refresher_conditional_means": draw_best_guess,
    "refresher_intervals": draw_coverage,
}


def write(
    folder: Path, *, png: Path | None = None, previews_in: Path | None = None, previews_of: Collection[str] = ()
) -> None:
    """Draw all figures into `folder` as SVG, and into `png` as PNG at 100 dpi, to look at.

    `previews_of` names those that a page is known by where links are shared; they go into `previews_in`, too.
    """
    torch.set_num_threads(1)  # sums depend on the number of threads, in their last digits
    for where in filter(None, (folder, png)):
        where.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        with plt.rc_context():
            use_style()
            figure = draw()
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            if png:
                figure.savefig(png / f"{name}.png", dpi=100)
            if previews_in and name in previews_of:
                previews.draw(figure, previews_in / f"{name}.png", svg=folder / f"{name}.svg")
            plt.close(figure)
