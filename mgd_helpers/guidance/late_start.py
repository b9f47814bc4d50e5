"""Image to image in any pipeline: its schedule begins late, from a given sample under the noise of that level.

A pipeline draws noise and steps through its whole schedule. Within the context the first steps leave the noise as it
is, and the last of them turns it into signal * start + noise * epsilon. The denoiser answers once meanwhile, and is not
asked again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.arguments import number
from mgd_helpers.encoding.batching import DENOISERS, replaced
from mgd_helpers.encoding.callers import is_a
from mgd_helpers.guidance.noise import noise_levels

# its first steps need the outputs of earlier ones
REFUSED = ("LMSDiscreteScheduler",)


@contextmanager
def late_start(pipe: Any, start: Float[Tensor, "n ..."], strength: float) -> Iterator[None]:
    """Within the context, calls of `pipe` take the last `strength` of their steps alone, and begin from `start`.

    `start` has a row for each image, as the pipeline denoises it. At least one step is taken; a strength of 1 takes all
    of them, from noise. Enter it within `steer`, whose guidance is then asked at the steps that are taken alone.

    Raises `ValueError` for a scheduler that cannot begin late, and where `start` does not fit.
    """
    number("image_to_image", strength, above=0, at_most=1)
    warms_up = is_a(pipe.scheduler, ("PNDMScheduler",)) and not pipe.scheduler.config.skip_prk_steps
    if is_a(pipe.scheduler, REFUSED) or warms_up:
        raise ValueError(
            f"image_to_image must be left out with {type(pipe.scheduler).__name__}"
            f"{' and its skip_prk_steps=False' if warms_up else ''}, which cannot begin late. Use DDIMScheduler or "
            "DPMSolverMultistepScheduler."
        )
    run = _Run(pipe.scheduler, pipe.scheduler.step, start, strength)
    with ExitStack() as stack:
        for name in DENOISERS:
            network = getattr(pipe, name, None)
            if network is not None:
                stack.enter_context(replaced(network, "forward", run.resting(network.forward)))
        stack.enter_context(replaced(pipe.scheduler, "step", run.step))
        functools.update_wrapper(pipe.scheduler.step, run.original)  # pipelines look there for eta and generator
        yield


class _Run:
    def __init__(self, scheduler: Any, step: Callable[..., Any], start: Tensor, strength: float):
        self.scheduler, self.original, self.start, self.strength = scheduler, step, start, strength
        self.timesteps: Any = None
        self.taken = self.first = 0
        self.answer: Any = None

    def begin(self) -> None:
        """Where the schedule that was just set begins: the number of the first step that is taken."""
        if self.timesteps is self.scheduler.timesteps:
            return
        self.timesteps, self.taken, self.answer = self.scheduler.timesteps, 0, None
        order = getattr(self.scheduler, "order", 1)
        steps = -(-len(self.timesteps) // order)
        self.first = order * (steps - max(1, round(self.strength * steps)))
        if self.first == 1 and is_a(self.scheduler, ("PNDMScheduler",)):
            self.first = 2  # it visits its second level twice

    def resting(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        def answer(*args: Any, **kwargs: Any) -> Any:
            self.begin()
            if self.taken >= self.first:
                return forward(*args, **kwargs)
            if self.answer is None:
                self.answer = forward(*args, **kwargs)
            return self.answer

        return answer

    def step(self, model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any) -> Any:
        self.begin()
        self.taken += 1
        if self.taken > self.first:
            found = self.original(model_output, timestep, sample, *args, **kwargs)
            if self.first and self.taken == self.first + 1 and is_a(self.scheduler, ("PNDMScheduler",)):
                self.scheduler.counter = 2  # else it would take its second step twice
            return found
        moved = sample
        if self.taken == self.first:
            self.answer = None
            moved = self._noised(sample)
        if hasattr(self.scheduler, "_step_index"):
            self.scheduler._step_index = self.taken
        return SimpleNamespace(prev_sample=moved) if kwargs.get("return_dict", True) else (moved,)

    def _noised(self, sample: Tensor) -> Tensor:
        level = noise_levels(self.scheduler)[self.first]
        copies = len(sample) // max(1, len(self.start))
        if sample.shape != (copies * len(self.start), *self.start.shape[1:]):
            raise ValueError(
                f"start must be a sample for each image, {list(sample.shape)}; got {list(self.start.shape)}."
            )
        start = self.start.to(sample.device).float().repeat(copies, *[1] * (self.start.ndim - 1))
        epsilon = sample.float() / float(getattr(self.scheduler, "init_noise_sigma", 1.0))
        return (level.signal.item() * start + level.noise.item() * epsilon).to(sample.dtype)
