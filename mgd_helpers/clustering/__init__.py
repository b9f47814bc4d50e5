"""Chapter 4. A tree per class by divisive clustering, and the targets that are read off it."""

from mgd_helpers.clustering.bisecting import bisect, bisect_classes
from mgd_helpers.clustering.targets import Targets, pick_targets
from mgd_helpers.clustering.trees import ClusterTree

__all__ = [
    "ClusterTree",
    "Targets",
    "bisect",
    "bisect_classes",
    "pick_targets",
]
