"""Chapter 9. What a distilled set is compared with: chosen real images, decoded targets, and methods that train."""

from mgd_helpers.baselines.distribution_matching import match_distributions
from mgd_helpers.baselines.minimax import finetune_minimax
from mgd_helpers.baselines.real_images import decoded_targets, herding, k_center, nearest_real, random_real, round_trip

__all__ = [
    "decoded_targets",
    "finetune_minimax",
    "herding",
    "k_center",
    "match_distributions",
    "nearest_real",
    "random_real",
    "round_trip",
]
