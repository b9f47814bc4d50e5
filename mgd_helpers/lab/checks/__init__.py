"""Exercises that answer back: `checks.NAME(answer)` says that nothing is wrong, or names the slip in a sentence.

The sentence does not give the answer; `checks.NAME.hint(1)` to `hint(3)` come nearer to it. `checks.progress()` closes
a lab. Predictions are locked by `checks.NAME.lock(number)` and judged after the run by `checks.NAME.compare(outcome)`.
"""

from mgd_helpers.lab.checks.cluster import edge_strength, edges_kept, grow, left_by_levels, split_gaps, turn, uncovered
from mgd_helpers.lab.checks.noise import ddim_step, denoise, generate, noisy
from mgd_helpers.lab.checks.noise_learning import apart, denoising_loss, tweedie
from mgd_helpers.lab.checks.ready_arrays import (
    class_mean,
    eigen_by_hand,
    gram,
    pairwise,
    principal_direction,
    projection,
)
from mgd_helpers.lab.checks.ready_chance import best_guess, coverage, interval, mix, standard_error
from mgd_helpers.lab.checks.sets import barycenters, matching_step, mode_nearer, set_energy, sinkhorn, spread_kept
from mgd_helpers.lab.checks.tangent import (
    kept_by_chance,
    random_share,
    sphere_error,
    spiral_tangent,
    steps,
    tangent_part,
)
from mgd_helpers.lab.checks.tasks import progress, solution

__all__ = [
    "apart",
    "barycenters",
    "best_guess",
    "class_mean",
    "coverage",
    "ddim_step",
    "denoise",
    "denoising_loss",
    "edge_strength",
    "edges_kept",
    "eigen_by_hand",
    "generate",
    "gram",
    "grow",
    "interval",
    "kept_by_chance",
    "left_by_levels",
    "matching_step",
    "mix",
    "mode_nearer",
    "noisy",
    "pairwise",
    "principal_direction",
    "progress",
    "projection",
    "random_share",
    "set_energy",
    "sinkhorn",
    "solution",
    "sphere_error",
    "spiral_tangent",
    "split_gaps",
    "spread_kept",
    "standard_error",
    "steps",
    "tangent_part",
    "turn",
    "tweedie",
    "uncovered",
]
