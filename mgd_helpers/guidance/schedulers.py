"""Which schedulers `steer` accepts: those that were tried, and others that keep its two laws on a toy.

The laws: a pull of zero changes no bit; a full pull at every step ends on its target.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from mgd_helpers.encoding.callers import is_a, is_dit
from mgd_helpers.encoding.pipelines import Pipeline
from mgd_helpers.guidance.pulls import Guidance, ModePull
from mgd_helpers.guidance.toys import PointCloudPipeline

Steer = Callable[[Pipeline, Guidance | None], AbstractContextManager]

# Tried with every pipeline that takes them (book/schedulers.md): a full pull ends on its target …
ON_TARGET = (
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
NEAR_TARGET = ("DEISMultistepScheduler", "PNDMScheduler", "SASolverScheduler", "TCDScheduler")
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
TOLERANCE = 1e-3  # how far from its target, beside the target's length, a full pull may end under an untried scheduler


def admit(pipe: Pipeline, *, steer: Steer) -> None:
    """Check that the scheduler of `pipe` can be steered; `steer(pipe, guidance)` is the context, without this check.

    Raises `ValueError` for schedulers that cannot be steered, and for pairs that run but are silently wrong.
    """
    scheduler, name = pipe.scheduler, type(pipe.scheduler).__name__
    if not _was_tried(scheduler):
        broken = "it is known to break the laws of steering" if name in REFUSED else broken_law(scheduler, steer)
        if broken:
            remedy = REFUSED.get(name, "DDIMScheduler, DPMSolverMultistepScheduler or FlowMatchEulerDiscreteScheduler")
            raise ValueError(f"scheduler {name} cannot be steered: {broken}. Use {remedy}.")
    scale = float(getattr(scheduler, "init_noise_sigma", 1))
    if is_a(pipe, UNSCALED) and abs(scale - 1) > 1e-6:
        raise ValueError(
            f"scheduler {name} starts from noise of scale {scale:.3g}, which {type(pipe).__name__} "
            "ignores: it would run and give wrong images. Use DDIMScheduler, DDPMScheduler, "
            "DPMSolverMultistepScheduler or UniPCMultistepScheduler."
        )
    if getattr(pipe, "vae", None) is not None and getattr(scheduler.config, "clip_sample", False):
        raise ValueError(
            f"scheduler {name} has clip_sample=True, which clamps latents to [-1, 1] after the guidance. "
            f"Use {name}.from_config(pipe.scheduler.config, clip_sample=False)."
        )
    learned = str(getattr(scheduler.config, "variance_type", None)).startswith("learned")
    transformer: Any = getattr(pipe, "transformer", None)
    if learned and is_dit(pipe) and transformer.config.out_channels != 2 * transformer.config.in_channels:
        raise ValueError(
            f"scheduler {name} expects a learned variance, which this model does not predict. "
            "Use variance_type='fixed_small'."
        )


def _was_tried(scheduler: Any) -> bool:
    """Whether it is a scheduler of the lists, or descends from one without a `step` or noise of its own."""
    listed = next((cls for cls in type(scheduler).__mro__ if cls.__name__ in ON_TARGET + NEAR_TARGET), None)
    methods = ("step", "add_noise", "scale_noise")
    return listed is not None and all(getattr(type(scheduler), m, 0) == getattr(listed, m, 0) for m in methods)


def broken_law(scheduler: Any, steer: Steer) -> str:
    """Which law a copy of the scheduler breaks on a toy whose denoiser is exact; empty where it keeps both."""
    generator = torch.Generator().manual_seed(0)
    points, targets = (torch.rand(count, 4, 2, 2, generator=generator) * 1.8 - 0.9 for count in (40, 3))  # some clamp

    def ends(guidance: Guidance | None) -> torch.Tensor:
        toy = PointCloudPipeline(points, type(scheduler).from_config(scheduler.config))
        with torch.random.fork_rng(devices=[]), steer(toy, guidance):
            torch.default_generator.manual_seed(0)  # for schedulers that draw noise; torch's own seeds GPUs, too
            return toy(3, 8, generator=torch.Generator().manual_seed(1)).images

    try:
        if not torch.equal(ends(ModePull(targets, strength=0.0)), ends(None)):
            return "a pull of zero changes the samples"
        distance = (ends(ModePull(targets, strength=1.0)) - targets).norm() / targets.norm()
    except Exception as error:  # whatever an unknown scheduler may raise
        return f"it could not be tried: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    if not distance < TOLERANCE:
        return f"a full pull ends {distance:.2g} of its length away from its target"
    return ""
