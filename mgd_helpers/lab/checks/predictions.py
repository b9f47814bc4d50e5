"""Predictions that are locked before the run, and compared after it: a number, or an order. The first one counts."""

from __future__ import annotations

from collections.abc import Mapping

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


class Order:
    """An order of named things from the least to the greatest, predicted before it is known.

    >>> steps = Order("steps", "tangent", "normal", "random")
    >>> steps.lock(["normal", "tangent", "random"])
    steps: locked at normal < tangent < random.
    >>> steps.compare({"tangent": 2.31, "normal": 3.04, "random": 3.92})
    steps: you said normal < tangent < random, and it is tangent (2.3) < normal (3) < random (3.9): 1 of 3 in place.
    """

    def __init__(self, name: str, *things: str) -> None:
        self.name, self.things = name, things
        self.locked: tuple[str, ...] | None = None

    def lock(self, value: object) -> None:
        """Keep the first order that is handed in, and say so; anything else is told and not kept."""
        print(f"{self.name}: {self._locked(value)}")

    def compare(self, outcome: Mapping[str, float | int]) -> None:
        """Print prediction and outcome, the number of each thing; before a prediction the outcome is not told."""
        if self.locked is None:
            print(f"{self.name}: predict first, with checks.{self.name}.lock(…).")
            return
        found = sorted(self.things, key=lambda thing: outcome[thing])
        hits = sum(said == thing for said, thing in zip(self.locked, found, strict=True))
        how = "all in place" if hits == len(found) else f"{hits} of {len(found)} in place"
        told = " < ".join(f"{thing} ({outcome[thing]:.2g})" for thing in found)
        print(f"{self.name}: you said {' < '.join(self.locked)}, and it is {told}: {how}.")

    def _locked(self, value: object) -> str:
        if untouched(value):
            return "not started. Write down an order; a wrong one teaches more than none."
        given = tuple(value) if isinstance(value, (list, tuple)) else ()
        if not all(isinstance(thing, str) for thing in given) or sorted(given) != sorted(self.things):
            return f"a list is wanted, of {', '.join(self.things)} in the order that you expect."
        if self.locked in (None, given):
            self.locked = given
            return f"locked at {' < '.join(given)}."
        return f"locked at {' < '.join(self.locked or ())} already; the first prediction stays."
