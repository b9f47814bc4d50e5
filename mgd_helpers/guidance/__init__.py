"""Chapter 4. Pulls on the denoised latent, how strong they are at which noise, and `steer`, which applies them."""

from mgd_helpers.guidance.factories import GUIDANCES
from mgd_helpers.guidance.noise import NoiseLevel, noise_level, noise_levels
from mgd_helpers.guidance.pulls import Guidance, ManifoldPull, ModePull
from mgd_helpers.guidance.released import ReleasedPull
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.windows import window

__all__ = [
    "GUIDANCES",
    "Guidance",
    "ManifoldPull",
    "ModePull",
    "NoiseLevel",
    "ReleasedPull",
    "noise_level",
    "noise_levels",
    "steer",
    "window",
]
