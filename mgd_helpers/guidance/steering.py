"""Guidance inside any stock diffusers pipeline, by wrapping one method: `pipe.scheduler.step`.

Every pipeline calls `step(model_output, timestep, sample)` once per step. While a context is open, another function
stands in its place: it finds out which contexts the call belongs to, lets each of them move `model_output`
(`mgd_helpers.guidance.context`), and calls the scheduler's own `step` with what comes of it.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
import types
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from mgd_helpers._shapes import Tensor
from mgd_helpers.encoding.callers import calling_pipeline, is_dit
from mgd_helpers.encoding.pipelines import Pipeline
from mgd_helpers.guidance import dit
from mgd_helpers.guidance.context import Context, one_per_row
from mgd_helpers.guidance.pulls import Guidance
from mgd_helpers.guidance.schedulers import admit

_LOCK = threading.Lock()  # threads enter and leave one at a time


@contextmanager
def steer(
    pipe: Pipeline,
    guidance: Guidance | None,
    *,
    generators: Sequence[torch.Generator] | None = None,
    cfg_channels: int | None = None,
) -> Iterator[Pipeline]:
    """Within the context, every denoising step of `pipe` is moved by `guidance(denoised, level) -> denoised`.

    `generators`, one per image, reach schedulers that draw noise in `step` where the pipeline does not pass any on
    (DiTPipeline does not). The pipeline comes back unchanged on exit, also after an exception. `guidance=None` only
    adds the generators. Choose the scheduler before entering. A variance that a DiT has learned reaches a DDPM
    scheduler that asks for it; `cfg_channels=3` limits a DiT's classifier-free guidance to the first three channels,
    as the released DiT code does.

    Only this pipeline is steered, and only in the thread that entered: other threads, other pipelines that share the
    scheduler, and deep copies made inside denoise as if nothing were. Contexts may be nested; the innermost moves
    first. An unknown scheduler is tried on a toy when the context is entered, and accepted if it keeps the laws.

    Raises `ValueError` for schedulers that cannot be steered, for pairs that run but are silently wrong, and for
    guidances that answer with another shape, dtype or device, or with NaN. Raises `RuntimeError` on leaving where the
    guidance was never asked. Warns where its window met no step.
    """
    check(pipe)
    with _steered(pipe, guidance, generators=generators, cfg_channels=cfg_channels):
        yield pipe


def check(pipe: Pipeline) -> None:
    """Try whether the scheduler of `pipe` can be steered, as `steer` does first.

    Raises `ValueError` for schedulers that cannot be steered, and for pairs that run but are silently wrong.
    """
    admit(pipe, steer=_steered)


@contextmanager
def _steered(
    pipe: Pipeline,
    guidance: Guidance | None,
    *,
    generators: Sequence[torch.Generator] | None = None,
    cfg_channels: int | None = None,
) -> Iterator[Pipeline]:
    """`steer` without the check."""
    scheduler = pipe.scheduler
    with _watched(pipe, cfg_channels) as watch:
        context = Context(pipe, guidance, generators, watch)
        with _LOCK:
            step = _SteeredStep.of(scheduler)
            step.enter(context)
        try:
            yield pipe
        finally:
            with _LOCK:
                step.leave(context)
    context.finish()


def _watched(pipe: Any, cfg_channels: int | None) -> AbstractContextManager[dit.Watch | None]:
    """The watch over a DiT's denoiser; nothing for other pipelines."""
    if is_dit(pipe) and hasattr(getattr(pipe, "transformer", None), "register_forward_hook"):
        learned = str(pipe.scheduler.config.get("variance_type")).startswith("learned")
        return dit.watched(pipe, variance=learned, cfg_channels=cfg_channels)
    if cfg_channels is not None:
        raise ValueError(f"cfg_channels is for DiTPipeline; got {type(pipe).__name__}. Leave it out.")
    return contextlib.nullcontext()


class _SteeredStep:
    """The wrapper of `scheduler.step` while contexts are open: it asks those whose pipeline and thread call."""

    def __init__(self, scheduler: Any):
        self.scheduler = scheduler
        self.contexts: list[Context] = []
        self.before = vars(scheduler).get("step")  # where somebody else has put one there
        self.original = scheduler.step
        functools.update_wrapper(self, self.original)  # pipelines inspect the signature to find eta and generator

    @classmethod
    def of(cls, scheduler: Any) -> _SteeredStep:
        """The wrapper that stands in the place of `scheduler.step`; put there if there is none."""
        found = vars(scheduler).get("step")
        if not isinstance(found, cls):
            found = scheduler.step = cls(scheduler)
        return found

    def enter(self, context: Context) -> None:
        """Ask the context from now on."""
        self.contexts = [*self.contexts, context]

    def leave(self, context: Context) -> None:
        """Stop asking the context, in whatever order contexts are left; after the last the scheduler is as before."""
        self.contexts = [other for other in self.contexts if other is not context]
        if self.contexts or vars(self.scheduler).get("step") is not self:
            return
        if self.before is None:
            del self.scheduler.step
        else:
            self.scheduler.step = self.before

    def __call__(self, model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any) -> Any:
        caller = calling_pipeline("scheduler", self.scheduler)
        for context in reversed(self.contexts):  # the innermost first
            if context.thread == threading.get_ident() and caller in (None, context.pipe):
                model_output = context.move(model_output, timestep, sample)
                if context.generators is not None and kwargs.get("generator") is None and self._takes_generator:
                    kwargs["generator"] = one_per_row(context.generators, len(sample), doubled=context.doubled)
        return self.original(model_output, timestep, sample, *args, **kwargs)

    @functools.cached_property
    def _takes_generator(self) -> bool:
        return "generator" in inspect.signature(self.original).parameters

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """The copy of a scheduler is not steered."""
        copied = memo.get(id(self.scheduler), self.scheduler)
        return types.MethodType(type(copied).step, copied)
