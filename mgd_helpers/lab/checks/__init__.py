"""Exercises that answer back: `checks.NAME(answer)` says that nothing is wrong, or names the slip in a sentence.

The sentence does not give the answer; `checks.NAME.hint(1)` to `hint(3)` come nearer to it. `checks.progress()` closes
a lab. Predictions are locked by `checks.NAME.lock(number)` and judged after the run by `checks.NAME.compare(outcome)`.
"""

from mgd_helpers.lab.checks.cluster import edge_strength, edges_kept, grow, left_by_levels, split_gaps, turn, uncovered
from mgd_helpers.lab.checks.encode import encode_by_hand, times_scaled
from mgd_helpers.lab.checks.encode_loop import guided, own_loop
from mgd_helpers.lab.checks.encode_pairs import unlike_pair
from mgd_helpers.lab.checks.guide import (
    manifold_pull,
    mode_pull,
    own_guidance,
    shift_epsilon,
    shift_v_or_flow,
    smallest_stop,
    smallest_window,
)
from mgd_helpers.lab.checks.hand_in import project
from mgd_helpers.lab.checks.held_back import halves
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
from mgd_helpers.lab.checks.noise_learning import apart, denoising_loss, tweedie
from mgd_helpers.lab.checks.noising import ddim_step, denoise, generate, noisy
from mgd_helpers.lab.checks.one_class import choose_strength, column_noise, narrowest, share_of_way, weights_gib
from mgd_helpers.lab.checks.own_pictures import crop_box, member_rows, nearness, own_nearest, poster_pixels, prompts
from mgd_helpers.lab.checks.question import choose_ten, mean_images, mean_of_fifty, nearest_label, promised_and_kept
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
from mgd_helpers.lab.checks.train import (
    autoencoder_loss,
    average,
    hide,
    noise_loss,
    own_order,
    silent_loss,
    white,
)
from mgd_helpers.lab.checks.verdict import holm_by_hand, mode_minus_tangent, prototype, sign_flips, what_differs

__all__ = [
    "apart",
    "autoencoder_loss",
    "average",
    "barycenters",
    "best_guess",
    "bootstrap_holds",
    "choose_strength",
    "choose_ten",
    "class_mean",
    "column_noise",
    "counting_error",
    "coverage",
    "crop_box",
    "ddim_step",
    "denoise",
    "denoising_loss",
    "density_after",
    "edge_strength",
    "edges_kept",
    "eigen_by_hand",
    "encode_by_hand",
    "generate",
    "gram",
    "grow",
    "guided",
    "halves",
    "held",
    "hide",
    "holm_by_hand",
    "interval",
    "kept_by_chance",
    "left_by_levels",
    "manifold_pull",
    "matching_step",
    "mean_images",
    "mean_of_fifty",
    "member_rows",
    "members",
    "mix",
    "mode_minus_tangent",
    "mode_nearer",
    "mode_pull",
    "narrowest",
    "nearest_label",
    "nearness",
    "noise_loss",
    "noisy",
    "outlier",
    "own_guidance",
    "own_loop",
    "own_nearest",
    "own_order",
    "paired_errors",
    "pairs_needed",
    "pairwise",
    "poster_pixels",
    "precision_after",
    "precision_coverage",
    "principal_direction",
    "progress",
    "project",
    "projection",
    "promised_and_kept",
    "prompts",
    "prototype",
    "random_share",
    "set_energy",
    "share_of_way",
    "shift_epsilon",
    "shift_v_or_flow",
    "sign_flips",
    "silent_loss",
    "sinkhorn",
    "smallest_stop",
    "smallest_window",
    "solution",
    "sphere_error",
    "spiral_tangent",
    "split_gaps",
    "spread_kept",
    "squared_mmd",
    "standard_error",
    "steps",
    "suspects",
    "tangent_part",
    "times_scaled",
    "turn",
    "tweedie",
    "uncovered",
    "unlike_pair",
    "weights_gib",
    "what_differs",
    "white",
]
