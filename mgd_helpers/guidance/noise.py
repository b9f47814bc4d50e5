"""Noise levels, and the change between a model's output and the clean sample it predicts.

    z_t = signal z_0 + noise epsilon,    norm = sqrt(signal^2 + noise^2)

Both numbers are asked of the scheduler itself, never of a table of our own.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy
import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.encoding.callers import is_a


@dataclass(frozen=True, eq=False)
class NoiseLevel:
    """Where a step stands: `signal`, `noise` (float32 scalars), the scheduler's `timestep` and the noisy `sample`.

    `following` holds signal and noise of the level that the step leads to, `step` counts the steps before this one in
    the scheduler's list, and `variance` is what a model that learns its variance says about it, in [-1, 1]. `share` is
    the noise share noise / norm (1 is pure noise, 0 a clean sample), and `is_pure` says that the signal is exactly 0;
    both are plain numbers, by default worked out from the others.

    Within `steer` all but sample and variance lie on the CPU: whatever a guidance asks of them, no GPU has to stop.
    """

    signal: Float[Tensor, ""]
    noise: Float[Tensor, ""]
    timestep: Tensor | float | int
    sample: Tensor
    following: tuple[Float[Tensor, ""], Float[Tensor, ""]] | None = None
    step: int | None = None
    variance: Tensor | None = None
    share: float = math.nan
    is_pure: bool | None = None

    def __post_init__(self) -> None:
        if math.isnan(self.share):
            object.__setattr__(self, "share", (self.noise / self.norm).item())
        if self.is_pure is None:
            object.__setattr__(self, "is_pure", bool(self.signal == 0))

    @property
    def norm(self) -> Float[Tensor, ""]:
        return (self.signal**2 + self.noise**2).sqrt()


def noise_level(scheduler: Any, timestep: Tensor | float | int, sample: Tensor) -> NoiseLevel:
    """Ask a diffusers scheduler for signal and noise at `timestep`; call it before the scheduler's own `step`.

    This is for one level. For many steps on a GPU ask `noise_levels` once, which stops the GPU once.
    """
    asked = _on_cpu(scheduler)
    timesteps = torch.as_tensor(timestep).cpu().reshape(1)
    signal, noise = _signal_and_noise(asked, timesteps)
    if not getattr(scheduler, "state_in_first_order", True) and _knows_no_midpoints(scheduler):
        noise = asked.sigmas_interpol[scheduler.step_index].to(noise).reshape(1)
    return replace(_levels(asked, timesteps, signal, noise)[0], sample=sample)


def noise_levels(scheduler: Any) -> list[NoiseLevel]:
    """The levels of all steps in `scheduler.timesteps`, in their order, on the CPU, with an empty `sample`."""
    asked, found = _on_cpu(scheduler), []
    for index, timestep in enumerate(asked.timesteps):
        for name in ("_step_index", "_begin_index"):  # schedulers that count steps are asked about this one
            if hasattr(asked, name):
                setattr(asked, name, index)
        signal, noise = _signal_and_noise(asked, timestep.reshape(1))
        if _knows_no_midpoints(scheduler) and index % 2:  # the second call of a step
            noise = asked.sigmas_interpol[index].to(noise).reshape(1)
        found.append((signal, noise))
    return _levels(asked, asked.timesteps, *(torch.cat(column) for column in zip(*found, strict=True)))


class LevelTable:
    """The noise levels of a sampling run and the place in it: one table on the CPU, made when the first step asks."""

    def __init__(self, scheduler: Any):
        self.scheduler = scheduler
        self.levels: list[NoiseLevel] = []
        self.timesteps: Any = None
        self.place: int | None = None

    def at(self, timestep: Tensor | float | int, sample: Tensor) -> tuple[NoiseLevel, bool]:
        """The level of a step, and whether it is the first that is asked of a run."""
        is_first = self.scheduler.timesteps is not self.timesteps  # every run sets its timesteps anew
        if is_first:
            self.timesteps, self.levels, self.place = self.scheduler.timesteps, noise_levels(self.scheduler), None
        self.place = self._find(timestep)
        if self.place is None:
            return noise_level(self.scheduler, timestep, sample), is_first
        return replace(self.levels[self.place], sample=sample), is_first

    def _find(self, timestep: Tensor | float | int) -> int | None:
        """Which entry of the scheduler's list this is, without a look at its value, which may lie on a GPU."""
        if torch.is_tensor(timestep) and torch.is_tensor(self.timesteps):
            storages = [times.untyped_storage()._cdata for times in (timestep, self.timesteps)]
            if storages[0] == storages[1]:  # an entry of the list itself
                return int(timestep.storage_offset() - self.timesteps.storage_offset())
        counted = getattr(self.scheduler, "step_index", None)
        if counted is not None:
            return counted
        if torch.is_tensor(timestep) and timestep.device.type != "cpu" and self.place is not None:
            return self.place + 1 if self.place + 1 < len(self.levels) else None
        value = float(timestep)
        return next((place for place, level in enumerate(self.levels) if float(level.timestep) == value), None)


def _knows_no_midpoints(scheduler: Any) -> bool:
    """Whether `add_noise` answers for the end of a step where the scheduler stands in its middle."""
    return is_a(scheduler, ("KDPM2DiscreteScheduler",))


def _on_cpu(scheduler: Any) -> Any:
    """A shallow copy with its tables on the CPU: asking moves nothing of the original."""
    asked = copy.copy(scheduler)
    for name, value in vars(scheduler).items():
        if torch.is_tensor(value):
            setattr(asked, name, value.cpu())
    asked.timesteps = torch.as_tensor(asked.timesteps)
    return asked


def _signal_and_noise(scheduler: Any, timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """Signal and noise [n] at these timesteps; all at once only for schedulers that do not count steps."""
    one = torch.ones(len(timesteps))
    if hasattr(scheduler, "add_noise"):
        signal, noise = scheduler.add_noise(one, 0 * one, timesteps), scheduler.add_noise(0 * one, one, timesteps)
    else:
        signal, noise = scheduler.scale_noise(one, timesteps, 0 * one), scheduler.scale_noise(0 * one, timesteps, one)
    return signal.float(), noise.float()


def _levels(asked: Any, timesteps: Tensor, signals: Tensor, noises: Tensor) -> list[NoiseLevel]:
    """The levels of these timesteps; their numbers are read as arrays, for each look at a single one costs as much."""
    shares, times, listed = noises / (signals**2 + noises**2).sqrt(), timesteps.numpy(), asked.timesteps.numpy()
    steps = (listed[None] > times[:, None]).sum(1).tolist()
    nothing = torch.empty(0)
    after, pure = _following(asked, times, signals, noises), (signals == 0).tolist()
    columns = (signals, noises, times.tolist(), after, steps, shares.tolist(), pure)
    return [
        NoiseLevel(signal, noise, time, nothing, following, step, None, share, is_pure)
        for signal, noise, time, following, step, share, is_pure in zip(*columns, strict=True)
    ]


def _following(
    asked: Any, times: numpy.ndarray, signals: Tensor, noises: Tensor
) -> list[tuple[Float[Tensor, ""], Float[Tensor, ""]]]:
    """For each level the next lower one of the scheduler's own list, or a clean sample after the last.

    Schedulers that keep a list of sigmas answer `add_noise` for the step they stand at, whatever timestep they are
    asked about; theirs is read from the list.
    """
    by_sigma, flow = hasattr(asked, "sigmas"), prediction_type(asked) == "flow_prediction"
    listed = torch.as_tensor(asked.sigmas).float() if by_sigma else asked.timesteps
    values, bounds = listed.numpy(), times
    if by_sigma:
        bounds = ((1 - 1e-4) * (noises if flow else noises / signals)).numpy()
    places = [_largest_below(bound, values) for bound in bounds]
    one, zero = torch.ones(()), torch.zeros(())
    if not by_sigma:
        lower = _signal_and_noise(asked, listed)
        return [(one, zero) if place is None else (lower[0][place], lower[1][place]) for place in places]
    found = []
    for place, exploding in zip(places, (signals == 1).tolist(), strict=True):
        sigma = zero if place is None else listed[place]
        norm = one if exploding else (1 + sigma**2).sqrt()
        found.append((one - sigma, sigma) if flow else (one / norm, sigma / norm))
    return found


def _largest_below(bound: numpy.number, values: numpy.ndarray) -> int | None:
    """The place of the largest value below a bound, if there is one."""
    below = values < bound
    return int(numpy.where(below, values, -numpy.inf).argmax()) if below.any() else None


def prediction_type(scheduler: Any) -> str:
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
