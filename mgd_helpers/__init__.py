"""Training-free dataset distillation with any diffusers pipeline: ManifoldGD (arXiv 2602.23295) and its parts.

import mgd_helpers as mgd
mgd.distill("digits", images_per_class=10, out="distilled/digits", seed=0)

The folders, in the order of the book and of imports: data, encoding, clustering, tangent, guidance, students,
evaluation, baselines, training; beside them lab, for notebooks. On top of them distillation.py (the whole method, read
it first) with runs.py, making.py and manifest.py, worth.py (what a set is worth), choosing.py (a guidance by trying),
describing.py (what a folder holds), latents_file.py, and cli.py. Below them the ground: arguments, commands, linalg,
seeding, threads, progress, provenance.
"""

import os

# Threads that wait must not spin: where a machine has other work, spinning makes small models ten times slower. OpenMP
# reads this once, when torch is loaded; whoever has set it, or has imported torch before, keeps what they have.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from mgd_helpers import baselines
from mgd_helpers.clustering import ClusterTree, Targets, bisect, pick_targets
from mgd_helpers.data import Dataset, ImageSet, load_data, write_images
from mgd_helpers.distillation import distill
from mgd_helpers.encoding import decode, encode, load_pipeline
from mgd_helpers.evaluation import audit, evaluate, measure, paired_difference
from mgd_helpers.guidance import (
    Guidance,
    ManifoldPull,
    MatchPull,
    ModePull,
    ReleasedPull,
    TransportPull,
    chain,
    sample,
    steer,
    window,
)
from mgd_helpers.lab import setup
from mgd_helpers.preview import preview
from mgd_helpers.students import Recipe
from mgd_helpers.tangent import TangentSpace, local_tangent
from mgd_helpers.training import train

# A chapter's folder is there as mgd.data, mgd.baselines and so on. These are files that one calls by name:
from mgd_helpers.data import catalog  # isort: skip
from mgd_helpers.evaluation import fidelity, paired, precision_recall  # isort: skip
from mgd_helpers.guidance import noise, strengths, tangent_at, toys  # isort: skip

# ... and names from before there were folders, for notebooks that have them
trained_baselines, neighborhoods, schedules = baselines, precision_recall, strengths

__all__ = [
    "ClusterTree",
    "Dataset",
    "Guidance",
    "ImageSet",
    "ManifoldPull",
    "MatchPull",
    "ModePull",
    "Recipe",
    "ReleasedPull",
    "TangentSpace",
    "Targets",
    "TransportPull",
    "audit",
    "bisect",
    "chain",
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
    "preview",
    "sample",
    "setup",
    "steer",
    "train",
    "window",
    "write_images",
]
