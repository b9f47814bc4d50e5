"""Several guidances one after another: each moves what the one before it has answered."""

from __future__ import annotations

from dataclasses import dataclass

from mgd_helpers import arguments
from mgd_helpers._shapes import Tensor
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.guidance.pulls import Guidance
from mgd_helpers.guidance.windows import acts


@dataclass(frozen=True, eq=False)
class Chain:
    """Guidances that act one after another; see `chain`."""

    guidances: tuple[Guidance, ...]

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        for guidance in self.guidances:
            if acts(guidance, level.share):
                denoised = guidance(denoised, level)
        return denoised

    def opens(self, share: float) -> bool:
        """Whether any of the guidances acts at this noise share."""
        return any(acts(guidance, share) for guidance in self.guidances)


def chain(*guidances: Guidance) -> Guidance:
    """One guidance that applies others in turn, the first first; each in its own `window`, if it has one."""
    if not guidances:
        raise ValueError("guidances must be at least one; got none. For an unguided run pass guidance=None.")
    for guidance in guidances:
        arguments.function("guidances", guidance)
    return Chain(guidances)
