"""Noise levels, and the change between a model's output and the clean sample it predicts.

    x_t = signal x_0 + noise epsilon,    norm = sqrt(signal^2 + noise^2)

Both numbers are asked of the scheduler itself, never of a table of our own.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch

from mgd_helpers._shapes import Float, Tensor


@dataclass(frozen=True, eq=False)
class NoiseLevel:
    """Where a step stands: `signal`, `noise` (float32 scalars), the scheduler's `timestep` and the noisy `sample`.

    `following` holds signal and noise of the level that the step leads to, `step` counts the steps before this one in
    the scheduler's list, `variance` is what a model that learns its variance says about it, in [-1, 1], and `share`,
    by default worked out from the others, is the noise share noise / norm (1 is pure noise, 0 a clean sample).

    Within `steer` all but sample and variance lie on the CPU: whatever a guidance asks of them, no GPU has to stop.
    """

    signal: Float[Tensor, ""]
    noise: Float[Tensor, ""]
    timestep: Tensor | float | int
    sample: Tensor
    following: tuple[Float[Tensor, ""], Float[Tensor, ""]] | None = None
    step: int | None = None
    variance: Tensor | None = None
    share: float | None = None

    def __post_init__(self):
        if self.share is None:
            object.__setattr__(self, "share", (self.noise / self.norm).item())

    @property
    def norm(self) -> Float[Tensor, ""]:
        return (self.signal**2 + self.noise**2).sqrt()


def noise_level(scheduler, timestep, sample: Tensor) -> NoiseLevel:
    """Ask a diffusers scheduler for signal and noise at `timestep`; call it before the scheduler's own `step`.

    For one level. Whoever takes many steps on a GPU asks `noise_levels` once, which stops it once.
    """
    asked = _on_cpu(scheduler)
    timestep = torch.as_tensor(timestep).cpu()
    signal, noise = _ask(asked, timestep)
    if not getattr(scheduler, "state_in_first_order", True) and type(scheduler).__name__ == "KDPM2DiscreteScheduler":
        noise = asked.sigmas_interpol[scheduler.step_index].to(noise)  # its add_noise knows no midpoints
    return _level(asked, timestep, signal, noise, sample)


def noise_levels(scheduler) -> list[NoiseLevel]:
    """The levels of all steps in `scheduler.timesteps`, in their order, on the CPU, with an empty `sample`."""
    asked, found = _on_cpu(scheduler), []
    for index, timestep in enumerate(asked.timesteps):
        for name in ("_step_index", "_begin_index"):  # schedulers that count steps are asked about this one
            if hasattr(asked, name):
                setattr(asked, name, index)
        signal, noise = _ask(asked, timestep)
        if type(scheduler).__name__ == "KDPM2DiscreteScheduler" and index % 2:  # the second call of a step
            noise = asked.sigmas_interpol[index].to(noise)
        found.append(_level(asked, timestep, signal, noise, torch.empty(0)))
    return found


class Run:
    """Where a denoising run stands. Its levels are one table on the CPU, made when the first step asks."""

    def __init__(self, scheduler):
        self.scheduler = scheduler
        self.levels, self.timesteps, self.place = [], None, None

    def at(self, timestep, sample: Tensor) -> tuple[NoiseLevel, bool, bool]:
        """The level of a step, whether it is the first that is asked of a run, and whether it is the run's last."""
        is_first = self.scheduler.timesteps is not self.timesteps  # every run sets its timesteps anew
        if is_first:
            self.timesteps, self.levels, self.place = self.scheduler.timesteps, noise_levels(self.scheduler), None
        self.place = self._find(timestep)
        if self.place is None:
            return noise_level(self.scheduler, timestep, sample), is_first, False
        return replace(self.levels[self.place], sample=sample), is_first, self.place == len(self.levels) - 1

    def _find(self, timestep) -> int | None:
        """Which entry of the scheduler's list this is, without a look at its value, which may lie on a GPU."""
        if torch.is_tensor(timestep) and torch.is_tensor(self.timesteps):
            storages = [times.untyped_storage()._cdata for times in (timestep, self.timesteps)]
            if storages[0] == storages[1]:  # an entry of the list itself
                return timestep.storage_offset() - self.timesteps.storage_offset()
        counted = getattr(self.scheduler, "step_index", None)
        if counted is not None:
            return counted
        if torch.is_tensor(timestep) and self.place is not None and self.place + 1 < len(self.levels):
            return self.place + 1
        value = float(timestep)
        return next((place for place, level in enumerate(self.levels) if float(level.timestep) == value), None)


def _on_cpu(scheduler):
    """A shallow copy with its tables on the CPU: asking moves nothing of the original."""
    asked = copy.copy(scheduler)
    for name, value in vars(scheduler).items():
        if torch.is_tensor(value):
            setattr(asked, name, value.cpu())
    asked.timesteps = torch.as_tensor(asked.timesteps)
    return asked


def _level(asked, timestep, signal, noise, sample) -> NoiseLevel:
    step = int((asked.timesteps > timestep).sum())
    following = _following(asked, timestep, signal, noise)
    return NoiseLevel(signal, noise, timestep.item(), sample, following, step)


def _ask(scheduler, timestep):
    one, steps = torch.ones(1), timestep.reshape(1)
    if hasattr(scheduler, "add_noise"):
        signal, noise = scheduler.add_noise(one, 0 * one, steps), scheduler.add_noise(0 * one, one, steps)
    else:
        signal, noise = scheduler.scale_noise(one, steps, 0 * one), scheduler.scale_noise(0 * one, steps, one)
    return signal[0].float(), noise[0].float()


def _following(scheduler, timestep, signal, noise):
    """The next lower level of the scheduler's own list, or a clean sample after the last.

    Schedulers that keep a list of sigmas answer `add_noise` for the step they stand at, whatever timestep they are
    asked about; theirs is read from the list.
    """
    one = torch.ones_like(noise)
    if not hasattr(scheduler, "sigmas"):
        below = scheduler.timesteps[scheduler.timesteps < timestep]
        return _ask(scheduler, below.max()) if len(below) else (one, 0 * one)
    exploding, flow = signal == 1, prediction_type(scheduler) == "flow_prediction"
    sigmas = torch.as_tensor(scheduler.sigmas).float()
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
