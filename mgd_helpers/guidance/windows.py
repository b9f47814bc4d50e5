"""When a guidance acts: while the noise share lies in a window, above < share <= below."""

from __future__ import annotations

from dataclasses import dataclass

from mgd_helpers import arguments
from mgd_helpers._shapes import Tensor
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.guidance.pulls import Guidance


@dataclass(frozen=True, eq=False)
class Window:
    """A guidance that acts only while the noise share lies in (above, below]; see `window`."""

    guidance: Guidance
    above: float
    below: float

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        return self.guidance(denoised, level) if self.opens(level.share) else denoised

    def opens(self, share: float) -> bool:
        """Whether the guidance acts at this noise share."""
        return self.above < share <= self.below + 1e-6 and acts(self.guidance, share)


def window(guidance: Guidance, *, above: float = 0.0, below: float = 1.0) -> Guidance:
    """`guidance` only while the noise share lies in (above, below]; elsewhere the step stays as it is.

    The noise share, not the step number, is what schedulers have in common.
    """
    for name, value in (("above", above), ("below", below)):
        arguments.number(name, value)
    if not 0 <= above < below <= 1:
        raise ValueError(f"above and below must satisfy 0 <= above < below <= 1; got above={above}, below={below}.")
    return Window(guidance, above, below)


def acts(guidance: Guidance | None, share: float) -> bool:
    """Whether a guidance may move anything at a noise share; one without a method `opens` may at any."""
    return guidance is not None and getattr(guidance, "opens", lambda share: True)(share)
