"""Tasks of lab 3: the loop of chapter 2 around a real denoiser, ending where the pipeline ends; and its guidance."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from mgd_helpers._shapes import Float, Int, Tensor
from mgd_helpers.encoding.batching import latents_decoded
from mgd_helpers.encoding.pipelines import load_pipeline
from mgd_helpers.guidance.noise import NoiseLevel, to_denoised
from mgd_helpers.lab.checks.answers import ask, numbers
from mgd_helpers.lab.checks.encode import PAGE
from mgd_helpers.lab.checks.laws import alike, law, same
from mgd_helpers.lab.checks.tasks import task

Weights = tuple[Tensor, Tensor]  # of signal and noise


@task(
    chapter=3,
    refresher="Noise, and the best guess, section 'The same noise, in a smaller dose'",
    hints=(
        "the step of chapter 2, with other names: which two numbers of a timestep are signal and noise here?",
        "a guess of the noise is a guess of the latent, too: solve the forward process for the clean latent.",
        "the weights of the next timestep mix guess and noise again. Append a 1 to the alpha-bars for the last step.",
    ),
)
def own_loop(answer: Any) -> None:
    """Latents [B, 4, h, w] made from noise, of (denoiser, start, labels, timesteps, alpha_bars)."""
    run = _run()
    denoiser = Watched(run.pipe)
    got = numbers(ask(answer, denoiser, run.start, run.labels, run.timesteps, run.alpha_bars))
    law(got.shape == run.start.shape, f"the shape should stay {list(run.start.shape)}; yours is {list(got.shape)}.")
    law(not torch.equal(got, run.start.double()), "the start comes back: does the loop keep what a step makes?")
    _well_asked(denoiser, run)
    same(got, run.right, slips=_slips(), otherwise="the pipeline ends elsewhere from the same start.", tolerance=2e-3)


@dataclass
class Watched:
    """The denoiser of the digits, with a note of what it was told in each call."""

    pipe: Any
    times: list[float | None] = field(default_factory=list)
    labels: list[list[int] | None] = field(default_factory=list)

    @torch.no_grad()
    def __call__(self, sample: Any, timestep: Any = None, labels: Any = None) -> Any:
        """The guess of the noise, [B, 4, h, w]; zeros where timestep or labels are missing."""
        times, classes = (None if given is None else torch.as_tensor(given) for given in (timestep, labels))
        self.times.append(None if times is None else float(times.flatten()[0]))
        self.labels.append(None if classes is None else classes.flatten().tolist())
        if times is None or classes is None:
            return torch.zeros_like(sample)
        times = times.flatten().expand(len(sample))
        return self.pipe.transformer(sample, timestep=times, class_labels=classes).sample


def _well_asked(denoiser: Watched, run: Run) -> None:
    """Whether the denoiser was asked once in each step, at its timestep, for these labels."""
    calls, wanted = len(denoiser.times), run.timesteps.tolist()
    count = f"{calls} calls of the denoiser, and {len(wanted)} timesteps"
    law(calls > 0, "the denoiser is never asked.")
    law(calls != len(wanted) - 1, f"{count}: the last one has a step, too.")
    law(calls == len(wanted), f"{count}: ask once in each step.")
    law(None not in denoiser.times, "the denoiser is not told the timestep, so it cannot know how much is noise.")
    law(denoiser.times != list(range(calls)), "the denoiser is told the number of the step, not its timestep.")
    law(denoiser.times != wanted[::-1], "the steps run from little noise to much: begin where all is noise.")
    law(denoiser.times == wanted, "the denoiser is told another timestep than the one where the step starts.")
    law(None not in denoiser.labels, "the denoiser is not told the labels, so it cannot know what to make.")
    told_all = all(labels == run.labels.tolist() for labels in denoiser.labels)
    law(told_all, "the denoiser is told other labels than those asked for.")


@dataclass(frozen=True)
class Run:
    """A short run of the digits pipeline: what a loop is given, and where the pipeline ends."""

    pipe: Any
    start: Float[Tensor, "b c h w"]
    labels: Int[Tensor, " b"]
    timesteps: Int[Tensor, " steps"]
    alpha_bars: Float[Tensor, " times"]
    right: Float[Tensor, "b c h w"]


@functools.cache
def _run() -> Run:
    pipe, labels = load_pipeline("digits", device="cpu"), torch.tensor([3, 8])
    noise = functools.partial(torch.Generator().manual_seed, 0)
    with latents_decoded(pipe, skip=True) as ended:
        pipe(labels.tolist(), guidance_scale=1.0, generator=noise(), num_inference_steps=8, output_type="pt")
    start, scheduler = torch.randn(ended[0].shape, generator=noise()), pipe.scheduler
    return Run(pipe, start, labels, scheduler.timesteps, scheduler.alphas_cumprod, ended[0])


def _roots(alpha_bar: Tensor) -> Weights:
    return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()


def _mixed(guess: Tensor, noise: Tensor, now: Weights, after: Weights) -> Tensor:
    return after[0] * guess + after[1] * noise


def _ended(
    following: Tensor, *, step: Callable[..., Tensor] = _mixed, weights: Callable[[Tensor], Weights] = _roots
) -> Float[Tensor, "b c h w"]:
    """Where a loop with a slip ends: in the alpha-bars that follow, in the step, or in the weights."""
    run = _run()
    sample, denoiser = run.start, Watched(run.pipe)
    for timestep, alpha_bar in zip(run.timesteps, following, strict=True):
        now, noise = weights(run.alpha_bars[timestep]), denoiser(sample, timestep, run.labels)
        level = NoiseLevel(*now, timestep, sample, share=0.5, is_pure=False)
        sample = step(to_denoised(noise, level, "epsilon"), noise, now, weights(alpha_bar))
    return sample


@functools.cache
def _slips() -> dict[str, Float[Tensor, "b c h w"]]:
    run = _run()
    bars, last = run.alpha_bars, torch.ones(1)
    following = torch.cat([bars[run.timesteps[1:]], last])
    return {
        "alpha-bar stands where its root should: it is a squared weight.": _ended(
            following, weights=lambda bar: (bar, 1 - bar)
        ),
        "the noise is a root, and the signal is not yet one.": _ended(
            following, weights=lambda bar: (bar, (1 - bar).sqrt())
        ),
        "the signal is a root, and the noise is not yet one.": _ended(
            following, weights=lambda bar: (bar.sqrt(), 1 - bar)
        ),
        "signal and noise are exchanged.": _ended(following, weights=lambda bar: _roots(bar)[::-1]),
        "a step leads to the next timestep of the list; yours leads to the one before it in the table.": _ended(
            bars[run.timesteps - 1]
        ),
        "the last step leaves some noise: after the last timestep comes a clean latent.": _ended(
            torch.cat([following[:-1], bars[:1]])
        ),
        "the noise goes back in the old dose.": _ended(
            following, step=lambda guess, noise, now, after: after[0] * guess + now[1] * noise
        ),
        "the guess goes in with full weight: at the next timestep it has a signal, too.": _ended(
            following, step=lambda guess, noise, now, after: guess + after[1] * noise
        ),
        "no noise goes back in: each step has to mix the guess with the noise again.": _ended(
            following, step=lambda guess, noise, now, after: guess
        ),
    }


@task(
    chapter=3,
    refresher=f"{PAGE}, section 'The parts of a pipeline'",
    hints=(
        "what does the class change? It is a difference of the two guesses.",
        "begin at the guess without the class. How far do you go for w = 1, how far for w = 2?",
        "w = 0 gives the guess without the class, w = 1 the one with it, and the way between is straight.",
    ),
)
def guided(answer: Any) -> None:
    """The guess [B, …] of classifier-free guidance, of (with_class, without_class, w)."""
    known, unknown = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    zero, one, two, three = (numbers(ask(answer, known, unknown, w)) for w in (0.0, 1.0, 2.0, 3.0))
    law(three.shape == known.shape, f"the shape should stay {list(known.shape)}; yours is {list(three.shape)}.")
    change = known - unknown
    slips = {
        "this leads away from the class: turn the difference round.": unknown - 3 * change,
        "the two guesses are exchanged: w = 1 should give the one with the class.": known - 3 * change,
        "this starts from the guess with the class, so w counts one too many.": known + 3 * change,
        "this is the change alone: it has to be added to a guess.": 3 * change,
        "the guess with the class is added whole; what it changes is wanted.": unknown + 3 * known,
        "w weighs the guess with the class, and the other plays no part.": 3 * known,
    }
    for slip, wrong in slips.items():
        law(not alike(three, wrong), slip)
    law(alike(zero, unknown), "at w = 0 the class should not count.")
    law(alike(one, known), "at w = 1 this should be the guess with the class.")
    steps = (three - two, two - one, one - zero)
    law(all(alike(step, steps[-1]) for step in steps), "every further unit of w should change as much as the first.")
