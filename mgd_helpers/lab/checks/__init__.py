"""Exercises that answer back: `checks.NAME(answer)` says that nothing is wrong, or names the slip in a sentence.

The sentence does not give the answer; `checks.NAME.hint(1)` to `hint(3)` come nearer to it. `checks.progress()` closes
a lab. Predictions are locked by `checks.NAME.lock(number)` and judged after the run by `checks.NAME.compare(outcome)`.
"""

from mgd_helpers.lab.checks.guide import (
    manifold_pull,
    mode_pull,
    own_guidance,
    shift_epsilon,
    smallest_stop,
    smallest_window,
)
from mgd_helpers.lab.checks.ready_arrays import (
    class_mean,
    eigen_by_hand,
    gram,
    pairwise,
    principal_direction,
    projection,
)
from mgd_helpers.lab.checks.ready_chance import best_guess, coverage, interval, mix, standard_error
from mgd_helpers.lab.checks.sets import (
    barycenters,
    matching_step,
    mode_nearer,
    set_energy,
    sinkhorn,
    spread_kept,
)
from mgd_helpers.lab.checks.tasks import progress, solution

__all__ = [
    "barycenters",
    "best_guess",
    "class_mean",
    "coverage",
    "eigen_by_hand",
    "gram",
    "interval",
    "manifold_pull",
    "matching_step",
    "mix",
    "mode_nearer",
    "mode_pull",
    "own_guidance",
    "pairwise",
    "principal_direction",
    "progress",
    "projection",
    "set_energy",
    "shift_epsilon",
    "sinkhorn",
    "smallest_stop",
    "smallest_window",
    "solution",
    "spread_kept",
    "standard_error",
]
