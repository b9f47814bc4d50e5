"""Guidance inside any stock diffusers pipeline, by wrapping one method: `pipe.scheduler.step`.

Every pipeline calls `step(model_output, timestep, sample)` once per step. The wrapper reads the predicted clean sample
out of `model_output`, lets the guidance move it, shifts `model_output` by slope * (moved - denoised), and hands it on.
No guidance is a shift of zero: the images stay the same to the bit.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from mgd_helpers.guidance import Guidance
from mgd_helpers.noise import noise_level, output_slope, prediction_type, to_denoised

# These scale the model's output themselves: a shift of it is not the shift of the clean prediction that it should be.
REFUSED = {
    "CMStochasticIterativeScheduler": "a scheduler for diffusion models, not for consistency models",
    "EDMDPMSolverMultistepScheduler": "DPMSolverMultistepScheduler",
    "EDMEulerScheduler": "EulerDiscreteScheduler",
    "IPNDMScheduler": "DPMSolverMultistepScheduler",
}


@contextmanager
def steer(pipe, guidance: Guidance | None, *, generators: Sequence[torch.Generator] | None = None) -> Iterator:
    """Within the context, every denoising step of `pipe` is moved by `guidance(denoised, level) -> denoised`.

    `generators`, one per image, reach schedulers that draw noise in `step` where the pipeline does not pass any on
    (DiTPipeline does not). The pipeline comes back unchanged on exit, also after an exception. `guidance=None` only
    adds the generators. Choose the scheduler before entering.

    Raises `ValueError` for schedulers that cannot be steered, and for pairs that run but are silently wrong.
    """
    scheduler = pipe.scheduler
    _check(pipe)
    original = scheduler.step
    prediction = prediction_type(scheduler)
    takes_generator = "generator" in inspect.signature(original).parameters

    @functools.wraps(original)  # pipelines inspect the signature to find out about eta and generator
    def step(model_output, timestep, sample, *args, **kwargs):
        if guidance is not None:
            level = noise_level(scheduler, timestep, sample)  # before `original`, which moves the step index on
            model_output = _shifted(model_output, guidance, level, prediction)
        if generators is not None and takes_generator and kwargs.get("generator") is None:
            kwargs["generator"] = _for_rows(generators, len(sample))
        return original(model_output, timestep, sample, *args, **kwargs)

    outer = vars(scheduler).get("step")  # set where two contexts are nested
    scheduler.step = step
    try:
        yield pipe
    finally:
        if outer is None:
            del scheduler.step
        else:
            scheduler.step = outer


def _shifted(model_output, guidance, level, prediction):
    if prediction == "epsilon" and level.signal == 0:
        raise ValueError(
            "scheduler reaches pure noise (signal 0), where an epsilon prediction says nothing about the clean sample; "
            "use a scheduler config with rescale_betas_zero_snr=False, or a model with prediction_type='v_prediction'."
        )
    channels = level.sample.shape[1]
    output = model_output[:, :channels]  # a learned variance, if any, stands behind and stays as it is
    denoised = to_denoised(output, level, prediction)
    moved = guidance(denoised, level)
    if moved is denoised:
        return model_output
    shifted = output + (output_slope(level, prediction) * (moved - denoised)).to(output.dtype)
    return torch.cat([shifted, model_output[:, channels:]], 1)


def _for_rows(generators, rows):
    """One generator per row. Under classifier-free guidance DiTPipeline doubles the rows and drops the second half."""
    if rows % len(generators):
        raise ValueError(
            f"generators must be one per image; got {len(generators)} for {rows} rows in the scheduler's step."
        )
    copies = rows // len(generators) - 1
    return [*generators, *(one.clone_state() for _ in range(copies) for one in generators)]


def _check(pipe):
    scheduler, name = pipe.scheduler, type(pipe.scheduler).__name__
    if name in REFUSED:
        raise ValueError(f"scheduler {name} cannot be steered; use {REFUSED[name]}.")
    if not (hasattr(scheduler, "add_noise") or hasattr(scheduler, "scale_noise")):
        raise ValueError(f"scheduler {name} cannot say its noise level (no add_noise); use DDIMScheduler.")
    scale = float(getattr(scheduler, "init_noise_sigma", 1))
    if type(pipe).__name__ == "DiTPipeline" and abs(scale - 1) > 1e-6:
        raise ValueError(
            f"scheduler {name} starts from noise of scale {scale:.3g}, which DiTPipeline "
            "ignores: it would run and give wrong images. Use DDIMScheduler, DDPMScheduler, "
            "DPMSolverMultistepScheduler or UniPCMultistepScheduler."
        )
    if getattr(pipe, "vae", None) is not None and getattr(scheduler.config, "clip_sample", False):
        raise ValueError(
            f"scheduler {name} has clip_sample=True, which clamps latents to [-1, 1] after the guidance; "
            f"use {name}.from_config(pipe.scheduler.config, clip_sample=False)."
        )
