"""The tasks of the lab on guidance: a pull, its translations, a guidance of one's own, a projection, a window."""

from __future__ import annotations

from typing import Any

import torch

from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.guidance.noise import NoiseLevel, output_slope
from mgd_helpers.guidance.pulls import ManifoldPull, ModePull
from mgd_helpers.lab.checks.answers import Slip, ask, numbers
from mgd_helpers.lab.checks.laws import alike, law, same
from mgd_helpers.lab.checks.predictions import Prediction
from mgd_helpers.lab.checks.tasks import task
from mgd_helpers.tangent.spaces import TangentSpace

GUIDANCE = "Guidance"

smallest_window = Prediction("smallest_window", low=0, high=1, near=0.05)


def _level(noise: float, sample: Tensor) -> NoiseLevel:
    return NoiseLevel(torch.tensor((1 - noise**2) ** 0.5), torch.tensor(noise), int(999 * noise), sample)


@task(
    chapter=6,
    refresher=f"{GUIDANCE}, section 'One shift'",
    hints=(
        "which vector leads from the best guess to its target?",
        "go along that vector, by a share of its length. The strength is the share.",
        "add the strength times (target less best guess) to the best guess.",
    ),
)
def mode_pull(answer: Any) -> None:
    """Best guesses [B, …] moved towards targets [B, …], of (denoised, targets, strength)."""
    denoised, targets = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4) + 1
    pull = targets - denoised

    def moved(strength: float) -> Float[Tensor, ...]:
        return numbers(ask(answer, denoised, targets, strength))

    still, full, part = moved(0.0), moved(1.0), moved(0.3)
    law(
        still.shape == denoised.shape,
        f"a shifted best guess keeps its shape, {list(denoised.shape)}; yours is {list(still.shape)}.",
    )
    law(torch.equal(still, denoised.double()), "at strength 0 nothing should change, not even the last bit.")
    slips = {
        "this moves away from the target: turn the difference round.": denoised - 0.3 * pull,
        "this adds the target itself; the way that is left to it is wanted.": denoised + 0.3 * targets,
        "every image moves equally far: a pull grows with the distance to the target.": (
            denoised + 0.3 * pull / pull.flatten(1).norm(dim=1)[:, None, None, None]
        ),
    }
    right = ModePull(targets, 0.3)(denoised, _level(0.8, denoised))
    same(part, right, slips=slips, otherwise="strength 0.3 should go three tenths of the way to the target.")
    law(alike(full, targets.double()), "at strength 1 every image should land on its target.")


@task(
    chapter=6,
    refresher=f"{GUIDANCE}, section 'Telling the scheduler'",
    hints=(
        "write the best guess as (sample − noise · epsilon) / signal. What does it do when epsilon grows?",
        "a change of epsilon by e changes the best guess by −(noise / signal) · e. Solve for e.",
        "the sample stays as it is, so epsilon changes by the shift times a ratio of two weights, with a minus sign.",
    ),
)
def shift_epsilon(answer: Any) -> None:
    """The output that makes the scheduler see a shifted best guess, of (epsilon, shift, signal, noise)."""
    epsilon, shift, level = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4), _level(0.8, torch.zeros(1))
    signal, noise = level.signal, level.noise
    got = numbers(ask(answer, epsilon, shift, signal, noise))
    right = epsilon + output_slope(level, "epsilon") * shift
    slips = {
        "more of the clean latent means less noise: mind the sign.": 2 * epsilon - right,
        "the ratio of the two weights is upside down.": epsilon - noise / signal * shift,
        "this is the change alone: add it to what the model said.": right - epsilon,
        "the noise has a weight of its own: divide by it.": epsilon - signal * shift,
        "the clean latent has a weight of its own, the signal.": epsilon - shift / noise,
        "this shifts epsilon as if it were the clean latent.": epsilon + shift,
    }
    same(got, right, slips=slips, otherwise="the best guess that follows from this output is not the shifted one.")


@task(
    chapter=6,
    refresher=f"{GUIDANCE}, section 'Telling the scheduler'",
    hints=(
        "in which term of the best guess does the output stand, and with which weight?",
        "a change of the output by e changes the best guess by −noise · e. Does this depend on the kind?",
        "the sample stays as it is, so the output changes by minus the shift, divided by the noise.",
    ),
)
def shift_v_or_flow(answer: Any) -> None:
    """The output of a model of v or of a flow that shifts the best guess, of (output, shift, signal, noise, kind)."""
    output, shift = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    for kind in ("v", "flow"):
        level = _level(0.8, torch.zeros(1))
        if kind == "flow":
            level = NoiseLevel(torch.tensor(0.3), torch.tensor(0.7), 700, torch.zeros(1))
        signal, noise = level.signal, level.noise
        right = output + output_slope(level, f"{kind}_prediction") * shift
        slips = {
            "more of the clean latent means less of the output: mind the sign.": 2 * output - right,
            "this is the factor for epsilon; here the clean latent has no weight to divide by.": (
                output - signal / noise * shift
            ),
            "this is the change alone: add it to what the model said.": right - output,
            "the output has the weight of the noise: divide by it.": output - noise * shift,
            "this shifts the output as if it were the clean latent.": output + shift,
        }
        otherwise = f"for kind {kind!r}, the best guess that follows from this output is not the shifted one."
        same(numbers(ask(answer, output, shift, signal, noise, kind)), right, slips=slips, otherwise=otherwise)


@task(
    chapter=6,
    refresher=f"{GUIDANCE}, section 'What a guidance is'",
    hints=(
        "`level.share` tells the noise share. Where should the goal be the mean, and where the target?",
        "blend the two goals by the noise share, then pull towards the blend as in task 1.",
        "define `guide(denoised, level)` inside; its goal is share · mean + (1 − share) · targets. Return `guide`.",
    ),
)
def own_guidance(answer: Any) -> None:
    """Any function (denoised, level) -> denoised, made of (targets [B, …], mean […], strength)."""
    denoised, targets, mean = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4) + 1, torch.ones(2, 4, 4)

    def moved(strength: float, noise: float) -> Float[Tensor, ...]:
        guide = ask(answer, targets, mean, strength)
        law(
            not isinstance(guide, Tensor),
            "this returns latents; return a function that takes (denoised, level) and returns them.",
        )
        if not callable(guide):
            numbers(guide)
            raise Slip("return a function that takes (denoised, level).")
        given = denoised.clone()
        result = numbers(_ask_inner(guide, given, _level(noise, torch.randn(3, 2, 4, 4))))
        law(torch.equal(given, denoised), "this changes the best guess in place: return a new tensor instead.")
        return result

    for noise in (1.0, 0.7, 0.2):  # at 1 the signal is zero
        still = moved(0.0, noise)
        law(
            still.shape == denoised.shape,
            f"a guidance keeps the shape {list(denoised.shape)}; yours returns {list(still.shape)}.",
        )
        law(torch.equal(still, denoised.double()), "at strength 0 a guidance should change nothing: is it used?")
    moves = [moved(0.5, noise) - denoised.double() for noise in (1.0, 0.7, 0.2)]
    law(any(bool((move != 0).any()) for move in moves), "at strength 0.5 it changes nothing at any noise share.")


def _ask_inner(guide: Any, denoised: Tensor, level: NoiseLevel) -> Any:
    """What a guidance answers; unlike `ask` it hands over the tensor itself, to see whether it is spoiled."""
    return ask(lambda: guide(denoised, level))


@task(
    chapter=6,
    refresher=f"{GUIDANCE}, section 'Which shift?'",
    hints=(
        "the normal part of a vector is what the tangent part leaves over.",
        "from the pull, take away `softness` times its normal part; then go along the rest, as in task 1.",
        "with pull = targets − denoised, its normal part is pull − tangent_part(pull).",
    ),
)
def manifold_pull(answer: Any) -> None:
    """Best guesses moved along the tangent, of (denoised, targets, tangent_part, strength, softness)."""
    denoised, targets = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4) + 1
    basis = torch.linalg.qr(torch.randn(3, 32, 5)).Q.mT
    space = TangentSpace.from_basis(denoised.flatten(1), basis)
    pull, level = targets - denoised, _level(0.8, denoised)
    along = space.tangent_part(pull)

    def moved(strength: float, softness: float) -> Float[Tensor, ...]:
        return numbers(ask(answer, denoised, targets, space.tangent_part, strength, softness))

    def right(strength: float, softness: float) -> Float[Tensor, ...]:
        tangent = lambda denoised, level: space  # noqa: E731
        return ManifoldPull(targets, None, strength, softness, tangent=tangent)(denoised, level)

    strict = {
        "this keeps the normal part and drops the tangent part.": denoised + 0.4 * (pull - along),
        "this is the mode pull: softness 1 takes the whole normal part away.": denoised + 0.4 * pull,
        "this projects the target; project the pull.": denoised + 0.4 * (space.tangent_part(targets) - denoised),
        "this is the shift alone: add it to the best guess.": 0.4 * along,
    }
    same(moved(0.4, 1.0), right(0.4, 1.0), slips=strict, otherwise="at softness 1 only the tangent part should act.")
    soft = {
        "softness plays no part: at 0.25 three quarters of the normal part remain.": right(0.4, 1.0),
        "softness works the wrong way round: 0 is the mode pull, 1 the strict projection.": right(0.4, 0.75),
    }
    same(moved(0.4, 0.25), right(0.4, 0.25), slips=soft, otherwise="between 0 and 1 softness blends two pulls.")


@task(
    chapter=6,
    refresher=f"{GUIDANCE}, section 'Stop early, and who needs the tangent?'",
    hints=(
        "which of the stops are fit at all? Which of these is wanted?",
        "call off_curve for every stop, and keep those where it is at most the limit.",
        "the answer is the smallest of the stops that you kept, not the distance there.",
    ),
)
def smallest_stop(answer: Any) -> None:
    """The smallest of the stops with a distance at most `limit`, of (off_curve, stops, limit)."""
    distances = {0.0: 0.3, 0.05: 0.12, 0.1: 0.03, 0.25: 0.02, 0.5: 0.01, 0.75: 0.02}

    def found(stops: list[float], limit: float) -> Float[Tensor, ...]:
        return numbers(ask(answer, distances.__getitem__, list(stops), limit)).squeeze()

    stops = list(distances)
    slips = {
        "this is the stop with the least distance; the smallest stop that is good enough is wanted.": 0.5,
        "this is the largest stop that is good enough.": 0.75,
        "this is a distance; its stop is wanted.": 0.03,
        "this is a place in the list; the stop that stands there is wanted.": 2.0,
        "this stop is still off the curve: is the comparison the wrong way round?": 0.0,
    }
    same(
        found(stops, 0.03),
        torch.tensor(0.1),
        slips={sentence: torch.tensor(value) for sentence, value in slips.items()},
        otherwise="a distance that equals the limit is good enough; one above it is not.",
    )
    same(
        found(stops[::-1], 0.03),
        torch.tensor(0.1),
        slips={},
        otherwise="the stops may come in any order: do not take the first that fits.",
    )
