"""Noise levels, and the change between a model's output and the clean sample it predicts.

    x_t = signal x_0 + noise epsilon,    norm = sqrt(signal^2 + noise^2)

Both numbers are asked of the scheduler itself, never of a table of our own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mgd_helpers._shapes import Float, Tensor


@dataclass(frozen=True, eq=False)
class NoiseLevel:
    """Where a step stands: `signal`, `noise` (float32 scalars), the scheduler's `timestep` and the noisy `sample`."""

    signal: Float[Tensor, ""]
    noise: Float[Tensor, ""]
    timestep: Tensor | float | int
    sample: Tensor

    @property
    def norm(self) -> Float[Tensor, ""]:
        return (self.signal**2 + self.noise**2).sqrt()

    @property
    def share(self) -> float:
        """The noise share noise / norm, a float (1 is pure noise, 0 a clean sample)."""
        return (self.noise / self.norm).item()


def noise_level(scheduler, timestep, sample: Tensor) -> NoiseLevel:
    """Ask a diffusers scheduler for signal and noise at `timestep`; call it before the scheduler's own `step`."""
    one = torch.ones(1, device=sample.device)
    steps = torch.as_tensor(timestep, device=sample.device).reshape(1)
    if hasattr(scheduler, "add_noise"):
        signal, noise = scheduler.add_noise(one, 0 * one, steps), scheduler.add_noise(0 * one, one, steps)
    else:
        signal, noise = scheduler.scale_noise(one, steps, 0 * one), scheduler.scale_noise(0 * one, steps, one)
    return NoiseLevel(signal[0].float(), noise[0].float(), timestep, sample)


def prediction_type(scheduler) -> str:
    """What the model predicts: `epsilon`, `v_prediction`, `sample`, or `flow_prediction` (flow matching has no key)."""
    return getattr(scheduler.config, "prediction_type", None) or "flow_prediction"


def to_denoised(model_output: Tensor, level: NoiseLevel, prediction: str) -> Tensor:
    """The clean sample that `model_output` predicts, in float32."""
    out, x = model_output.float(), level.sample.float()
    signal, noise, norm = level.signal, level.noise, level.norm
    match prediction:
        case "epsilon":
            return (x - noise * out) / signal
        case "v_prediction":
            return (signal * x / norm - noise * out) / norm
        case "flow_prediction":
            return (x - noise * out) / (signal + noise)
        case "sample":
            return out
    raise ValueError(f"prediction must be epsilon, v_prediction, flow_prediction or sample; got {prediction!r}.")


def output_slope(level: NoiseLevel, prediction: str) -> Float[Tensor, ""]:
    """d(model_output) / d(denoised): what a shift of the clean prediction means for the model's output."""
    match prediction:
        case "epsilon":
            return -level.signal / level.noise
        case "v_prediction":
            return -level.norm / level.noise
        case "flow_prediction":
            return -(level.signal + level.noise) / level.noise
        case "sample":
            return torch.ones_like(level.signal)
    raise ValueError(f"prediction must be epsilon, v_prediction, flow_prediction or sample; got {prediction!r}.")
