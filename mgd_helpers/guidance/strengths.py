"""Numbers that follow the noise level: strengths of guidances, and the annealed radius of the released code.

A guidance multiplies its pull on the clean prediction with its strength. The rules of the literature act elsewhere, on
the score or on the mean of a step; here each is written as such a strength. With ᾱ = (signal / norm)², and ᾱ' at
the level that the step leads to, a DDPM step has the mean coef ẑ₀ + … with coef = √ᾱ' (1 - α) / (1 - ᾱ), α = ᾱ / ᾱ'.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from mgd_helpers import arguments
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.guidance.noise import NoiseLevel

Schedule = Callable[[NoiseLevel], float | Tensor]
Strength = float | Schedule


def check_strength(strength: Strength, name: str = "strength") -> None:
    """Check that a strength is a finite number or a function of the noise level.

    Raises `ValueError` where it is neither.
    """
    if not callable(strength):
        arguments.number(name, strength)


def value_at(strength: Strength, level: NoiseLevel) -> float | Tensor:
    """A strength at a level: itself, or what the schedule says."""
    return strength(level) if callable(strength) else strength


def score(strength: float) -> Schedule:
    """strength * noise² / signal: what adding strength * pull to the score does to the clean prediction (Tweedie).

    It is stated for noise levels of unit norm, so that it is one rule under variance-preserving and exploding
    schedulers. It grows without bound with the noise.
    """
    _check_number(strength)
    return lambda level: strength * level.noise**2 / (level.signal * level.norm)


def posterior(strength: float) -> Schedule:
    """strength * sigma / coef: what adding strength * sigma * pull to the mean of a DDPM step does.

    sigma² is the variance of that step. This is the rule of MGD³ and of the released DDPM code; it depends on the
    number of steps.

    With a learned variance (`level.variance`) sigma is the model's, one number per entry.
    """
    _check_number(strength)

    def rule(level: NoiseLevel) -> Tensor:
        coef, low, high = _ddpm(level)
        if level.variance is None:
            return strength * low.sqrt() / coef
        share = (level.variance.float() + 1) / 2
        # the variance of the last step is zero: like the scheduler, keep its logarithm finite
        return strength * torch.exp(0.5 * (share * high.log() + (1 - share) * low.clamp_min(1e-20).log())) / coef

    return rule


def mean(strength: float) -> Schedule:
    """strength / coef: what adding strength * pull to the mean of a DDPM step does.

    The released DDPM code does so with its pull along the normal.
    """
    _check_number(strength)
    return lambda level: strength / _ddpm(level)[0]


def per_log_snr(rate: float) -> Schedule:
    """The strength with which a step pulls in proportion to the log signal-to-noise ratio d that it gains.

    (1 - exp(-rate d)) / (1 - exp(-d/2)). Under DDIM, if the denoiser only repeated sample / signal, each step would
    shrink the distance of sample / signal to the target by exp(-rate d), so that a path shrinks it by the same factor
    into however many steps it is cut. For short steps the strength tends to the constant 2 rate. The last step, down
    to no noise, goes all the way: use a window that leaves it out.
    """
    arguments.number("rate", rate, at_least=0)

    def rule(level: NoiseLevel) -> Tensor:
        signal, noise = _after(level)
        ratio = (noise / signal) / (level.noise / level.signal)  # exp(-d/2)
        return (1 - ratio ** (2 * rate)) / (1 - ratio)

    return rule


def annealed(radius: float, *, multiplier: float = 2.0, warm_up: int = 5, kind: str = "exp") -> Schedule:
    """The released radius: `multiplier` times `radius` at the first step, down to `radius` after `warm_up` steps.

    radius (1 + (multiplier - 1) s(p)), p falling from 1 to 0, with s(p) = p ("linear"), (1 + cos π(1 - p)) / 2
    ("cosine") or (eᵖ - 1) / (e - 1) ("exp").
    """
    shapes = {
        "linear": lambda p: p,
        "cosine": lambda p: (1 + math.cos(math.pi * (1 - p))) / 2,
        "exp": lambda p: math.expm1(p) / math.expm1(1),
    }
    if kind not in shapes:
        raise ValueError(f"kind must be one of {', '.join(shapes)}; got {kind!r}.")
    if warm_up < 0 or not radius > 0 or not multiplier > 0:
        raise ValueError(
            "radius and multiplier must be positive, warm_up at least 0; "
            f"got radius={radius}, multiplier={multiplier}, warm_up={warm_up}."
        )

    def rule(level: NoiseLevel) -> float:
        if level.step is None:
            raise ValueError("level must have its step; got None. Make it with mgd.noise.noise_level, as steer does.")
        left = max(0.0, 1 - level.step / warm_up) if warm_up else 0.0
        return radius * (1 + (multiplier - 1) * shapes[kind](left))

    return rule


def _check_number(strength: object) -> None:
    """Unlike a guidance, a rule takes no function of the noise level: it makes one."""
    arguments.number("strength", strength, remedy="Pass the number that the rule turns into a function of the level.")


def _after(level: NoiseLevel) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    if level.following is None:
        raise ValueError(
            "level must have the one that follows it, since this strength depends on the length of the step; got None. "
            "Make it with mgd.noise.noise_level, as steer does."
        )
    return level.following


def _ddpm(level: NoiseLevel) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
    """Weight of the clean prediction in the mean of a DDPM step, and the smallest and largest variance of the step."""
    signal, noise = _after(level)
    now, then = (level.signal / level.norm) ** 2, signal**2 / (signal**2 + noise**2)
    beta = 1 - now / then
    return then.sqrt() * beta / (1 - now), (1 - then) / (1 - now) * beta, beta
