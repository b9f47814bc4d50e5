"""Chapters 6 and 7. Pulls on denoised latents, of single images and of whole sets; `steer` and `sample` apply them."""

from mgd_helpers.guidance.chains import chain
from mgd_helpers.guidance.factories import GUIDANCES
from mgd_helpers.guidance.matching import MatchPull
from mgd_helpers.guidance.noise import NoiseLevel, noise_level, noise_levels
from mgd_helpers.guidance.pulls import Guidance, ManifoldPull, ModePull
from mgd_helpers.guidance.released import ReleasedPull
from mgd_helpers.guidance.sampling import sample
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.transport import TransportPull
from mgd_helpers.guidance.windows import window

__all__ = [
    "GUIDANCES",
    "Guidance",
    "ManifoldPull",
    "MatchPull",
    "ModePull",
    "NoiseLevel",
    "ReleasedPull",
    "TransportPull",
    "chain",
    "noise_level",
    "noise_levels",
    "sample",
    "steer",
    "window",
]
