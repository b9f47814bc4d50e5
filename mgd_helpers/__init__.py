"""Training-free dataset distillation with any diffusers pipeline: ManifoldGD (arXiv 2602.23295) and its parts.

import mgd_helpers as mgd
mgd.distill("digits", images_per_class=10, out="distilled/digits", seed=0)
"""

import os

# Threads that wait must not spin: where a machine has other work, spinning makes small models ten times slower. OpenMP
# reads this once, when torch is loaded; whoever has set it, or has imported torch before, keeps what they have.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from mgd_helpers import baselines as baselines  # mgd.baselines; whatever the lines below load is there as well
from mgd_helpers import tangent_at as tangent_at
from mgd_helpers import trained_baselines as trained_baselines
from mgd_helpers.audit import audit
from mgd_helpers.clusters import bisect
from mgd_helpers.data import Dataset, ImageSet, load_data
from mgd_helpers.distill import distill
from mgd_helpers.evaluation import evaluate, measure
from mgd_helpers.guidance import Guidance, ManifoldPull, ModePull, window
from mgd_helpers.latents import decode, encode
from mgd_helpers.paired import paired_difference
from mgd_helpers.pipelines import load_pipeline
from mgd_helpers.recipes import Recipe
from mgd_helpers.released import ReleasedPull
from mgd_helpers.runtime import setup
from mgd_helpers.sampling import sample
from mgd_helpers.saving import write_images
from mgd_helpers.steering import steer
from mgd_helpers.tangent import TangentSpace, local_tangent
from mgd_helpers.targets import Targets, pick_targets
from mgd_helpers.trees import ClusterTree

__all__ = [
    "ClusterTree",
    "Dataset",
    "Guidance",
    "ImageSet",
    "ManifoldPull",
    "ModePull",
    "Recipe",
    "ReleasedPull",
    "TangentSpace",
    "Targets",
    "audit",
    "bisect",
    "decode",
    "distill",
    "encode",
    "evaluate",
    "load_data",
    "load_pipeline",
    "local_tangent",
    "measure",
    "paired_difference",
    "pick_targets",
    "sample",
    "setup",
    "steer",
    "window",
    "write_images",
]
