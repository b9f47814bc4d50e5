"""Exercises that answer back: `checks.NAME(answer)` says that nothing is wrong, or names the slip in a sentence.

The sentence does not give the answer; `checks.NAME.hint(1)` to `hint(3)` come nearer to it. `checks.progress()` closes
a lab. Predictions are locked by `checks.NAME.lock(number)` and judged after the run by `checks.NAME.compare(outcome)`.
"""

from mgd_helpers.lab.checks.luck import bootstrap_holds, counting_error, held, paired_errors, pairs_needed
from mgd_helpers.lab.checks.measures import (
    density_after,
    members,
    outlier,
    precision_after,
    precision_coverage,
    squared_mmd,
    suspects,
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
    "bootstrap_holds",
    "class_mean",
    "counting_error",
    "coverage",
    "density_after",
    "eigen_by_hand",
    "gram",
    "held",
    "interval",
    "matching_step",
    "members",
    "mix",
    "mode_nearer",
    "outlier",
    "paired_errors",
    "pairs_needed",
    "pairwise",
    "precision_after",
    "precision_coverage",
    "principal_direction",
    "progress",
    "projection",
    "set_energy",
    "sinkhorn",
    "solution",
    "spread_kept",
    "squared_mmd",
    "standard_error",
    "suspects",
]
