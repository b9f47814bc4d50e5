"""What one `steer` does in each step, and what it has seen of the run.

    model_output + slope * (guidance(denoised) - denoised),    slope = d model_output / d denoised

The predicted clean sample is read out of `model_output` and moved by the guidance; then `model_output` is shifted so
that it predicts the moved sample. No guidance is a shift of zero: the images stay the same to the bit.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.encoding.pipelines import Pipeline
from mgd_helpers.guidance import dit
from mgd_helpers.guidance.noise import LevelTable, NoiseLevel, output_slope, prediction_type, to_denoised
from mgd_helpers.guidance.pulls import Guidance, check_answer
from mgd_helpers.guidance.windows import acts

PURE_NOISE = (
    "scheduler must not reach pure noise (signal 0) with a model that predicts epsilon, which says nothing about the "
    "clean sample there; got a schedule that does. Use a scheduler config with rescale_betas_zero_snr=False, or a "
    "model with prediction_type='v_prediction'."
)


class Context:
    """One `steer`: whose steps it moves, where the run stands, and what it has seen of it."""

    def __init__(
        self,
        pipe: Pipeline,
        guidance: Guidance | None,
        generators: Sequence[torch.Generator] | None,
        watch: dit.Watch | None,
    ):
        self.pipe, self.scheduler, self.guidance, self.generators = pipe, pipe.scheduler, guidance, generators
        self.watch, self.thread = watch, threading.get_ident()
        self.prediction, self.table = prediction_type(self.scheduler), LevelTable(self.scheduler)
        self.steps, self.guided = 0, 0  # of this run: taken, and those in which the guidance was asked
        self.doubled = False  # whether every image has two rows, the second for nothing
        self.unchecked: tuple[Tensor, Tensor] | None = None  # the latest answer of the guidance, and what it was given

    def move(self, model_output: Tensor, timestep: Any, sample: Tensor) -> Tensor:
        """The model's output with the guidance in it."""
        if self.watch is not None:
            model_output, self.doubled = self.watch.complete(model_output), self.watch.take_doubled()
        if self.guidance is None:
            return model_output
        images = len(sample) // 2 if self.doubled else len(sample)
        level, is_first = self.table.at(timestep, sample[:images])
        if is_first:
            self.end_run()
        self.steps += 1
        if self.prediction == "epsilon" and level.is_pure:
            raise ValueError(PURE_NOISE)
        if not acts(self.guidance, level.share):
            return model_output
        channels = sample.shape[1]
        output, variance = model_output[:, :channels], model_output[:, channels:]
        if variance.shape[1]:  # a learned one: known to the guidance, and handed on as it is
            level = replace(level, variance=variance[:images])
        shift = self._shift(self.guidance, output[:images], level).to(output.dtype)
        shifted = output + (torch.cat([shift, shift]) if self.doubled else shift)
        return torch.cat([shifted, variance], 1)

    def _shift(self, guidance: Guidance, output: Tensor, level: NoiseLevel) -> Tensor:
        """What to add to the model's output, so that it predicts what the guidance answers."""
        given = to_denoised(output, level, self.prediction)
        if self.prediction == "sample":
            given = given.clone()  # it may be the model's own output
        moved = check_answer(guidance(given, level), given)
        denoised = to_denoised(output, level, self.prediction)  # anew: the guidance may have worked in place
        self.guided, self.unchecked = self.guided + 1, (moved, denoised)
        if self.guided == 1:
            self.check_latest()
        return output_slope(level, self.prediction) * (moved - denoised)

    def check_latest(self) -> None:
        """Check that the latest answer is finite; twice in a run, since each look at values stops a GPU.

        NaN that comes between shows at the end.

        Raises `ValueError` where it is not finite.
        """
        if self.unchecked is not None:
            _check_finite(*self.unchecked)
        self.unchecked = None

    def end_run(self) -> None:
        """Check the last answer of a run, and warn where the guidance was asked in none of its steps."""
        self.check_latest()
        if self.steps and not self.guided:
            shares = [level.share for level in self.table.levels]
            warnings.warn(
                f"guidance acted at no step of this run: the noise shares of its schedule go from {max(shares):.3g} to "
                f"{min(shares):.3g}, and its window holds none of the steps that were taken. The images are unguided.",
                stacklevel=2,
            )
        self.steps = self.guided = 0

    def finish(self) -> None:
        """Say what is wrong when the context is left, by an error or a warning."""
        if self.guidance is None:
            return
        if self.pipe.scheduler is not self.scheduler:
            raise RuntimeError(
                "pipe.scheduler must stay the same within steer; it was exchanged, and what was denoised since is "
                "unguided. Choose the scheduler first, then enter steer."
            )
        if self.table.timesteps is None:
            raise RuntimeError(
                "guidance was never asked within steer: no step of this pipeline's scheduler was taken in this thread. "
                "Call the pipeline that was given to steer, within the context."
            )
        self.end_run()


def one_per_row(generators: Sequence[torch.Generator], rows: int, *, doubled: bool) -> list[torch.Generator]:
    """One generator per row: DiTPipeline's second rows, which it throws away, draw the same again."""
    images = rows // 2 if doubled else rows
    if images != len(generators):
        raise ValueError(
            f"generators must be one per image; got {len(generators)} for {images} images in the scheduler's step."
        )
    return [*generators, *(one.clone_state() for one in generators if doubled)]


def _check_finite(moved: Tensor, denoised: Tensor) -> None:
    if torch.isfinite(moved).all():
        return
    if torch.isfinite(denoised).all():
        raise ValueError("guidance must answer with finite numbers; got NaN or infinite ones for finite samples.")
    raise ValueError(
        "the clean prediction must be finite; got NaN or infinite values. Run with guidance=None to see whether the "
        "pipeline makes them (weights, half precision), or the guidance at an earlier step."
    )
