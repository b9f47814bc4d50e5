"""Guidance inside any stock diffusers pipeline, by wrapping one method: `pipe.scheduler.step`.

Every pipeline calls `step(model_output, timestep, sample)` once per step. The wrapper reads the predicted clean sample
out of `model_output`, lets the guidance move it, shifts `model_output` by slope * (moved - denoised), and hands it on.
No guidance is a shift of zero: the images stay the same to the bit.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch

from mgd_helpers.dit import original_dit
from mgd_helpers.guidance import Guidance
from mgd_helpers.noise import noise_level, output_slope, prediction_type, to_denoised

# Tried with every pipeline that takes them (book/schedulers.md): a full pull ends on its target …
EXACT = (
    "DDIMScheduler",
    "DDIMParallelScheduler",
    "DDPMScheduler",
    "DDPMParallelScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "FlowMatchEulerDiscreteScheduler",
    "FlowMatchHeunDiscreteScheduler",
    "FlowMatchLCMScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LCMScheduler",
    "LMSDiscreteScheduler",
    "UniPCMultistepScheduler",
)
# … or near it
NEAR = ("DEISMultistepScheduler", "PNDMScheduler", "SASolverScheduler", "TCDScheduler")
# What to use instead of some others. Most scale the model's output themselves, so that a shift of it is not the shift
# of the clean prediction that it should be.
REFUSED = {
    "CMStochasticIterativeScheduler": "a scheduler for diffusion models, not for consistency models",
    "CosineDPMSolverMultistepScheduler": "DPMSolverMultistepScheduler",
    "DPMSolverSDEScheduler": "DPMSolverMultistepScheduler with algorithm_type='sde-dpmsolver++'",
    "EDMDPMSolverMultistepScheduler": "DPMSolverMultistepScheduler",
    "EDMEulerScheduler": "EulerDiscreteScheduler",
    "IPNDMScheduler": "DPMSolverMultistepScheduler",
}
# These start from noise of scale 1 and hand it to the model as it is, whatever their scheduler asks for
UNSCALED = ("DiTPipeline", "DDPMPipeline", "DDIMPipeline")


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

    Raises `ValueError` for schedulers that cannot be steered, and for pairs that run but are silently wrong.
    """
    scheduler = pipe.scheduler
    _check(pipe)
    with _completed(pipe, cfg_channels) as complete:
        original = scheduler.step
        prediction = prediction_type(scheduler)
        takes_generator = "generator" in inspect.signature(original).parameters

        @functools.wraps(original)  # pipelines inspect the signature to find out about eta and generator
        def step(model_output, timestep, sample, *args, **kwargs):
            model_output = complete(model_output)
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


def _completed(pipe, cfg_channels):
    """A context in which a DiT's model output is what the original DiT sampler would hand to the scheduler."""
    learned = str(pipe.scheduler.config.get("variance_type")).startswith("learned")
    transformer = pipe.transformer if _is(pipe, ("DiTPipeline",)) else None
    predicts = transformer is not None and transformer.config.out_channels == 2 * transformer.config.in_channels
    if learned and transformer is not None and not predicts:
        raise ValueError(
            f"scheduler {type(pipe.scheduler).__name__} expects a learned variance, which this model does not predict; "
            "use variance_type='fixed_small'."
        )
    if cfg_channels is not None and transformer is None:
        raise ValueError(f"cfg_channels is for DiTPipeline; got {type(pipe).__name__}. Leave it out.")
    if transformer is not None and (learned or cfg_channels is not None):
        return original_dit(pipe, variance=learned, cfg_channels=cfg_channels)
    return contextlib.nullcontext(lambda model_output: model_output)


def _shifted(model_output, guidance, level, prediction):
    if prediction == "epsilon" and level.signal == 0:
        raise ValueError(
            "scheduler reaches pure noise (signal 0), where an epsilon prediction says nothing about the clean sample; "
            "use a scheduler config with rescale_betas_zero_snr=False, or a model with prediction_type='v_prediction'."
        )
    channels = level.sample.shape[1]
    output, rest = model_output[:, :channels], model_output[:, channels:]
    if rest.shape[1]:  # a learned variance: known to the guidance, and handed on as it is
        level = replace(level, variance=rest)
    denoised = to_denoised(output, level, prediction)
    moved = guidance(denoised, level)
    if moved is denoised:
        return model_output
    shifted = output + (output_slope(level, prediction) * (moved - denoised)).to(output.dtype)
    return torch.cat([shifted, rest], 1)


def _for_rows(generators, rows):
    """One generator per row. Under classifier-free guidance DiTPipeline doubles the rows and drops the second half."""
    if rows % len(generators):
        raise ValueError(
            f"generators must be one per image; got {len(generators)} for {rows} rows in the scheduler's step."
        )
    copies = rows // len(generators) - 1
    return [*generators, *(one.clone_state() for _ in range(copies) for one in generators)]


def _is(thing, names):
    """Whether a class of one of these names is among the thing's ancestors; diffusers need not be imported for it."""
    return any(cls.__name__ in names for cls in type(thing).__mro__)


def _check(pipe):
    scheduler, name = pipe.scheduler, type(pipe.scheduler).__name__
    if not _is(scheduler, EXACT + NEAR):
        remedy = REFUSED.get(name, "DDIMScheduler, DPMSolverMultistepScheduler or FlowMatchEulerDiscreteScheduler")
        raise ValueError(f"scheduler {name} cannot be steered; use {remedy}.")
    scale = float(getattr(scheduler, "init_noise_sigma", 1))
    if _is(pipe, UNSCALED) and abs(scale - 1) > 1e-6:
        raise ValueError(
            f"scheduler {name} starts from noise of scale {scale:.3g}, which {type(pipe).__name__} "
            "ignores: it would run and give wrong images. Use DDIMScheduler, DDPMScheduler, "
            "DPMSolverMultistepScheduler or UniPCMultistepScheduler."
        )
    if getattr(pipe, "vae", None) is not None and getattr(scheduler.config, "clip_sample", False):
        raise ValueError(
            f"scheduler {name} has clip_sample=True, which clamps latents to [-1, 1] after the guidance; "
            f"use {name}.from_config(pipe.scheduler.config, clip_sample=False)."
        )
