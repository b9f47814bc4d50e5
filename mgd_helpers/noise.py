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
    """Where a step stands: `signal`, `noise` (float32 scalars), the scheduler's `timestep` and the noisy `sample`.

    `following` holds signal and noise of the level that the step leads to, `step` counts the steps before this one in
    the scheduler's list, and `variance` is what a model that learns its variance says about it, in [-1, 1].
    """

    signal: Float[Tensor, ""]
    noise: Float[Tensor, ""]
    timestep: Tensor | float | int
    sample: Tensor
    following: tuple[Float[Tensor, ""], Float[Tensor, ""]] | None = None
    step: int | None = None
    variance: Tensor | None = None

    @property
    def norm(self) -> Float[Tensor, ""]:
        return (self.signal**2 + self.noise**2).sqrt()

    @property
    def share(self) -> float:
        """The noise share noise / norm, a float (1 is pure noise, 0 a clean sample)."""
        return (self.noise / self.norm).item()


def noise_level(scheduler, timestep, sample: Tensor) -> NoiseLevel:
    """Ask a diffusers scheduler for signal and noise at `timestep`; call it before the scheduler's own `step`."""
    signal, noise = _ask(scheduler, timestep, sample.device)
    if not getattr(scheduler, "state_in_first_order", True) and type(scheduler).__name__ == "KDPM2DiscreteScheduler":
        noise = scheduler.sigmas_interpol[scheduler.step_index].to(noise)  # its add_noise knows no midpoints
    timesteps = torch.as_tensor(scheduler.timesteps, device=sample.device)
    step = int((timesteps > torch.as_tensor(timestep, device=sample.device)).sum())
    following = _following(scheduler, timestep, timesteps, signal, noise)
    return NoiseLevel(signal, noise, timestep, sample, following, step)


def _ask(scheduler, timestep, device):
    one = torch.ones(1, device=device)
    steps = torch.as_tensor(timestep, device=device).reshape(1)
    if hasattr(scheduler, "add_noise"):
        signal, noise = scheduler.add_noise(one, 0 * one, steps), scheduler.add_noise(0 * one, one, steps)
    else:
        signal, noise = scheduler.scale_noise(one, steps, 0 * one), scheduler.scale_noise(0 * one, steps, one)
    return signal[0].float(), noise[0].float()


def _following(scheduler, timestep, timesteps, signal, noise):
    """The next lower level of the scheduler's own list, or a clean sample after the last.

    Schedulers that keep a list of sigmas answer `add_noise` for the step they stand at, whatever timestep they are
    asked about; theirs is read from the list.
    """
    one = torch.ones_like(noise)
    if not hasattr(scheduler, "sigmas"):
        below = timesteps[timesteps < torch.as_tensor(timestep, device=timesteps.device)]
        return _ask(scheduler, below.max(), noise.device) if len(below) else (one, 0 * one)
    exploding, flow = signal == 1, prediction_type(scheduler) == "flow_prediction"
    sigmas = torch.as_tensor(scheduler.sigmas, device=noise.device).float()
    below = sigmas[sigmas < (1 - 1e-4) * (noise if flow else noise / signal)]
    sigma = below.max() if len(below) else 0 * one
    if flow:
        return one - sigma, sigma
    norm = one if exploding else (1 + sigma**2).sqrt()
    return one / norm, sigma / norm


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
