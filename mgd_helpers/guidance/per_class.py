"""One guidance per class, for a batch in which the images of several classes are denoised together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.guidance.pulls import Guidance, check_answer
from mgd_helpers.guidance.windows import acts


class PerClass:
    """One guidance per class, each of which sees the images of its own class alone, all of them at every step.

    `classes` names the class of every image, in the order of the images; classes without a guidance stay as they are.
    """

    def __init__(self, guidances: Mapping[object, Guidance | None], classes: Sequence):
        self._parts: list[tuple[Guidance, Tensor]] = []  # a guidance, and the rows of its class
        self._rows: dict[torch.device, list[Tensor]] = {}
        self.count = len(classes)
        for one in dict.fromkeys(classes):
            rows = [row for row, other in enumerate(classes) if other == one]
            guidance = guidances.get(one)
            if guidance is not None:
                self._parts.append((guidance, torch.tensor(rows)))

    def opens(self, share: float) -> bool:
        """Whether any of the guidances acts at this noise share."""
        return any(acts(guidance, share) for guidance, _ in self._parts)

    def __call__(self, denoised: Tensor, level: NoiseLevel) -> Tensor:
        if len(denoised) != self.count:
            raise ValueError(f"images must be the {self.count} that the guidances were given for; got {len(denoised)}.")
        if denoised.device not in self._rows:
            self._rows[denoised.device] = [rows.to(denoised.device) for _, rows in self._parts]
        moved = denoised
        for (guidance, _), rows in zip(self._parts, self._rows[denoised.device], strict=True):
            if not acts(guidance, level.share):
                continue
            moved = moved.clone() if moved is denoised else moved
            variance = level.variance if level.variance is None else level.variance[rows]
            part = denoised[rows]
            moved[rows] = check_answer(
                guidance(part, replace(level, sample=level.sample[rows], variance=variance)), part
            )
        return moved
