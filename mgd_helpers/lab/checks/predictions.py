"""A prediction that is locked before the run, and compared after it: the first one counts."""

from __future__ import annotations

from mgd_helpers import arguments
from mgd_helpers._shapes import Tensor
from mgd_helpers.lab.checks.answers import untouched


class Prediction:
    """One number, predicted before it is known. `low` and `high` are the range that makes sense.

    >>> share = Prediction("share", low=0, high=1, near=0.02)
    >>> share.compare(0.88)
    share: predict first, with checks.share.lock(…).
    >>> share.lock(0.95)
    share: locked at 0.95.
    >>> share.compare(0.88)
    share: you said 0.95, and it is 0.88: too high by 0.07.
    """

    def __init__(self, name: str, *, low: float | int, high: float | int, near: float) -> None:
        self.name, self.low, self.high, self.near = name, low, high, near
        self.locked: float | None = None

    def lock(self, value: object) -> None:
        """Keep the first number that is handed in, and say so; anything else is told and not kept."""
        print(f"{self.name}: {self._locked(value)}")

    def compare(self, outcome: float | int | Tensor) -> None:
        """Print prediction and outcome; before a prediction the outcome is not told. `near` counts as hit."""
        if self.locked is None:
            print(f"{self.name}: predict first, with checks.{self.name}.lock(…).")
            return
        off = self.locked - float(outcome)
        how = f"too {'high' if off > 0 else 'low'} by {abs(off):.1g}" if abs(off) > self.near else "close"
        print(f"{self.name}: you said {self.locked:.3g}, and it is {float(outcome):.2g}: {how}.")

    def _locked(self, value: object) -> str:
        if untouched(value):
            return "not started. Write down a number; a wrong one teaches more than none."
        try:
            number = arguments.number(self.name, value, at_least=self.low, at_most=self.high)
        except (ValueError, OverflowError):
            return f"a number from {self.low:g} to {self.high:g} is wanted."
        if self.locked is None or self.locked == number:
            self.locked = number
            return f"locked at {number:.3g}."
        return f"locked at {self.locked:.3g} already; the first prediction stays."
