"""Guidance inside any stock diffusers pipeline, by wrapping one method: `pipe.scheduler.step`.

Every pipeline calls `step(model_output, timestep, sample)` once per step. The wrapper reads the predicted clean sample
out of `model_output`, lets the guidance move it, shifts `model_output` by slope * (moved - denoised), and hands it on.
No guidance is a shift of zero: the images stay the same to the bit.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
import types
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch

from mgd_helpers.encoding.callers import calling_pipeline, is_dit
from mgd_helpers.guidance import dit
from mgd_helpers.guidance.noise import LevelTable, output_slope, prediction_type, to_denoised
from mgd_helpers.guidance.pulls import Guidance, check_answer
from mgd_helpers.guidance.schedulers import admit
from mgd_helpers.guidance.windows import acts


@contextmanager
def steer(
    pipe,
    guidance: Guidance | None,
    *,
    generators: Sequence[torch.Generator] | None = None,
    cfg_channels: int | None = None,
) -> Iterator:
    """Within the context, every denoising step of `pipe` is moved by `guidance(denoised, level) -> denoised`.

    `generators`, one per image, reach schedulers that draw noise in `step` where the pipeline does not pass any on
    (DiTPipeline does not). The pipeline comes back unchanged on exit, also after an exception. `guidance=None` only
    adds the generators. Choose the scheduler before entering. A variance that a DiT has learned reaches a DDPM
    scheduler that asks for it; `cfg_channels=3` limits a DiT's classifier-free guidance to the first three channels,
    as the released DiT code does.

    Only this pipeline is steered, and only in the thread that entered: other threads, other pipelines that share the
    scheduler, and deep copies made inside denoise as if nothing were. Contexts may be nested; the innermost moves
    first. A scheduler that nobody has tried is tried at the door, on a toy, and let in if it keeps the laws.

    Raises `ValueError` for schedulers that cannot be steered, for pairs that run but are silently wrong, and for
    guidances that answer with another shape, dtype or device, or with NaN. Raises `RuntimeError` on leaving where the
    guidance was never asked. Warns where its window met no step.
    """
    check(pipe)
    with _steered(pipe, guidance, generators=generators, cfg_channels=cfg_channels):
        yield pipe


def check(pipe) -> None:
    """Raise `ValueError` for schedulers that cannot be steered, and for pairs that run but are silently wrong."""
    admit(pipe, steer=_steered)


@contextmanager
def _steered(pipe, guidance, *, generators=None, cfg_channels=None):
    """`steer` without the check at the door."""
    scheduler = pipe.scheduler
    with _watched(pipe, cfg_channels) as watch:
        context = _Context(pipe, guidance, generators, watch)
        with _ONE_AT_A_TIME:
            step = _Step.of(scheduler)
            step.enter(context)
        try:
            yield pipe
        finally:
            with _ONE_AT_A_TIME:
                step.leave(context)
    context.finish()


def _watched(pipe, cfg_channels):
    """The watch over a DiT's denoiser; nothing for other pipelines."""
    if hasattr(getattr(pipe, "transformer", None), "register_forward_hook") and is_dit(pipe):
        learned = str(pipe.scheduler.config.get("variance_type")).startswith("learned")
        return dit.watched(pipe, variance=learned, cfg_channels=cfg_channels)
    if cfg_channels is not None:
        raise ValueError(f"cfg_channels is for DiTPipeline; got {type(pipe).__name__}. Leave it out.")
    return contextlib.nullcontext()


PURE_NOISE = (
    "scheduler reaches pure noise (signal 0), where an epsilon prediction says nothing about the clean sample; use a "
    "scheduler config with rescale_betas_zero_snr=False, or a model with prediction_type='v_prediction'."
)
_ONE_AT_A_TIME = threading.Lock()  # threads enter and leave


class _Step:
    """What stands in the place of `scheduler.step` while contexts are open: asks those whose pipeline calls."""

    def __init__(self, scheduler):
        self.scheduler, self.contexts = scheduler, []
        self.before = vars(scheduler).get("step")  # where somebody else has put one there
        self.original = scheduler.step
        functools.update_wrapper(self, self.original)  # pipelines inspect the signature to find eta and generator

    @classmethod
    def of(cls, scheduler) -> _Step:
        """The one that stands there, put there if need be."""
        found = vars(scheduler).get("step")
        if not isinstance(found, cls):
            found = scheduler.step = cls(scheduler)
        return found

    def enter(self, context) -> None:
        """From now on the context is asked."""
        self.contexts = [*self.contexts, context]

    def leave(self, context) -> None:
        """From now on it is not, in whatever order contexts are left; after the last the scheduler is as before."""
        self.contexts = [other for other in self.contexts if other is not context]
        if self.contexts or vars(self.scheduler).get("step") is not self:
            return
        if self.before is None:
            del self.scheduler.step
        else:
            self.scheduler.step = self.before

    def __call__(self, model_output, timestep, sample, *args, **kwargs):
        caller = calling_pipeline("scheduler", self.scheduler)
        for context in reversed(self.contexts):  # the innermost first
            if context.thread == threading.get_ident() and caller in (None, context.pipe):
                model_output = context.move(model_output, timestep, sample)
                if context.generators is not None and kwargs.get("generator") is None and self._takes_generator:
                    kwargs["generator"] = context.for_rows(len(sample))
        return self.original(model_output, timestep, sample, *args, **kwargs)

    @functools.cached_property
    def _takes_generator(self) -> bool:
        return "generator" in inspect.signature(self.original).parameters

    def __deepcopy__(self, memo):
        """The copy of a scheduler is not steered."""
        copied = memo.get(id(self.scheduler), self.scheduler)
        return types.MethodType(type(copied).step, copied)


class _Context:
    """One `steer`: whose steps it moves, where the run stands, and what it has seen of it."""

    def __init__(self, pipe, guidance, generators, watch):
        self.pipe, self.scheduler, self.guidance, self.generators = pipe, pipe.scheduler, guidance, generators
        self.watch, self.thread = watch, threading.get_ident()
        self.prediction = prediction_type(self.scheduler)
        self.table = LevelTable(self.scheduler)
        self.calls, self.asked = 0, 0  # steps of this run, and those that were guided
        self.doubled = False  # whether every image has two rows, the second for nothing
        self.latest = None  # what the guidance answered last, and was given; not looked at yet

    def move(self, model_output, timestep, sample):
        """The model's output with the guidance in it."""
        if self.watch is not None:
            model_output, self.doubled = self.watch.complete(model_output), self.watch.take_doubled()
        if self.guidance is None:
            return model_output
        images = len(sample) // 2 if self.doubled else len(sample)
        level, is_first = self.table.at(timestep, sample[:images])
        if is_first:
            self.end_run()
        self.calls += 1
        if self.prediction == "epsilon" and level.is_pure:
            raise ValueError(PURE_NOISE)
        if not acts(self.guidance, level.share):
            return model_output
        channels = level.sample.shape[1]
        output, rest = model_output[:, :channels], model_output[:, channels:]
        if rest.shape[1]:  # a learned variance: known to the guidance, and handed on as it is
            level = replace(level, variance=rest[:images])
        predicted = functools.partial(to_denoised, output[:images], level, self.prediction)
        given = predicted()
        given = given.clone() if self.prediction == "sample" else given  # else it may be the model's own output
        moved = check_answer(self.guidance(given, level), given)
        denoised = predicted()  # anew: the guidance may have worked in place
        self.asked, self.latest = self.asked + 1, (moved, denoised)
        if self.asked == 1:
            self.look()
        shift = (output_slope(level, self.prediction) * (moved - denoised)).to(output.dtype)
        shifted = output + (torch.cat([shift, shift]) if self.doubled else shift)
        return torch.cat([shifted, rest], 1)

    def look(self):
        """Raise `ValueError` where the latest answer is not finite. Twice a run, for each look stops a GPU: NaN that
        comes between shows in the end."""
        if self.latest is not None:
            _check_finite(*self.latest)
        self.latest = None

    def end_run(self):
        """Look at how a run has ended."""
        self.look()
        if self.calls and not self.asked:
            shares = [level.share for level in self.table.levels]
            warnings.warn(
                f"guidance acted at no step of this run: the noise shares of its schedule go from {max(shares):.3g} to "
                f"{min(shares):.3g}, and its window holds none of the steps that were taken. The images are unguided.",
                stacklevel=2,
            )
        self.calls = self.asked = 0

    def for_rows(self, rows):
        """One generator per row: DiTPipeline's second rows, which it throws away, draw the same again."""
        images = rows // 2 if self.doubled else rows
        if images != len(self.generators):
            raise ValueError(
                f"generators must be one per image; got {len(self.generators)} for {images} images in the scheduler's "
                "step."
            )
        return [*self.generators, *(one.clone_state() for one in self.generators if self.doubled)]

    def finish(self):
        """What is wrong when the context is left."""
        if self.guidance is None:
            return
        if self.pipe.scheduler is not self.scheduler:
            raise RuntimeError(
                "pipe.scheduler was exchanged within steer, and what was denoised since is unguided. Choose the "
                "scheduler first, then enter steer."
            )
        if self.table.timesteps is None:
            raise RuntimeError(
                "guidance was never asked within steer: no step of this pipeline's scheduler was taken in this thread. "
                "Call the pipeline that was given to steer, within the context."
            )
        self.end_run()


def _check_finite(moved, denoised):
    if torch.isfinite(moved).all():
        return
    if torch.isfinite(denoised).all():
        raise ValueError("guidance must answer with finite numbers; got NaN or infinite ones for finite samples.")
    raise ValueError(
        "the clean prediction is NaN or infinite. A guidance=None run tells whether the pipeline makes it so (weights, "
        "half precision), or the guidance at an earlier step."
    )
