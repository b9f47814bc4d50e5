"""The loop of lab 3: planted slips are told apart, each by its own sentence; other right ways pass."""

from itertools import pairwise

import pytest
import torch
from readers import told

from mgd_helpers.lab import checks
from mgd_helpers.lab.checks.encode_loop import _run


def roots(bar):
    return bar.sqrt(), (1 - bar).sqrt()


def loop(
    *,
    weights=roots,
    after=lambda bars, times: torch.cat([bars[times[1:]], torch.ones(1)]),
    mix=lambda clean, noise, now, then: then[0] * clean + then[1] * noise,
    told=lambda step, time, labels: (time, labels),
    times=lambda times: times,
):
    """The right loop, with one part of it exchanged."""

    def answer(denoiser, start, labels, timesteps, alpha_bars):
        sample, timesteps = start, times(timesteps)
        for step, (time, bar) in enumerate(zip(timesteps, after(alpha_bars, timesteps), strict=True)):
            noise = denoiser(sample, *told(step, time, labels))
            (signal, share), then = weights(alpha_bars[time]), weights(bar)
            sample = mix((sample - share * noise) / signal, noise, (signal, share), then)
        return sample

    return answer


def pairs_only(denoiser, start, labels, timesteps, alpha_bars):
    sample = start
    for time, following in pairwise(timesteps):
        noise = denoiser(sample, time, labels)
        (a, b), (c, d) = roots(alpha_bars[time]), roots(alpha_bars[following])
        sample = c * (sample - b * noise) / a + d * noise
    return sample


def forgets(denoiser, start, labels, timesteps, alpha_bars):
    for time in timesteps:
        denoiser(start, time, labels)
    return start


SLIPS = [  # (answer, part of the sentence)
    (loop(weights=lambda bar: (bar, 1 - bar)), "a squared weight"),
    (loop(weights=lambda bar: (bar, (1 - bar).sqrt())), "signal is not yet one"),
    (loop(weights=lambda bar: (bar.sqrt(), 1 - bar)), "noise is not yet one"),
    (loop(weights=lambda bar: roots(bar)[::-1]), "are exchanged"),
    (loop(after=lambda bars, times: bars[times - 1]), "the one before it in the table"),
    (loop(after=lambda bars, times: torch.cat([bars[times[1:]], bars[:1]])), "leaves some noise"),
    (loop(mix=lambda clean, noise, now, then: then[0] * clean + now[1] * noise), "in the old dose"),
    (loop(mix=lambda clean, noise, now, then: clean + then[1] * noise), "with full weight"),
    (loop(mix=lambda clean, noise, now, then: clean), "no noise goes back in"),
    (loop(mix=lambda clean, noise, now, then: noise), "ends elsewhere"),
    (loop(told=lambda step, time, labels: (None, labels)), "not told the timestep"),
    (loop(told=lambda step, time, labels: (step, labels)), "number of the step"),
    (loop(told=lambda step, time, labels: (time - 1, labels)), "another timestep"),
    (loop(told=lambda step, time, labels: (time,)), "not told the labels"),
    (loop(told=lambda step, time, labels: (time, 0 * labels)), "other labels"),
    (loop(times=lambda times: times.flip(0)), "from little noise to much"),
    (loop(times=lambda times: times[::2]), "4 calls of the denoiser, and 8 timesteps: ask once"),
    (pairs_only, "7 calls of the denoiser, and 8 timesteps: the last one"),
    (lambda denoiser, start, *rest: 2 * start, "never asked"),
    (forgets, "the start comes back"),
    (lambda denoiser, start, *rest: start[0], r"shape should stay \[2, 4, 8, 8\]"),
    (lambda denoiser, start, labels, times, bars: denoiser(start, time=times), "raised TypeError"),
]


@pytest.mark.parametrize(("answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(answer, sentence):
    named = [("own_loop", *slip) for slip in SLIPS]
    assert told(named, "own_loop", answer) == [sentence]


@pytest.mark.parametrize(
    "answer",
    [
        loop(),
        loop(told=lambda step, time, labels: (int(time), labels.tolist())),
        loop(told=lambda step, time, labels: (time.expand(len(labels)), labels)),
    ],
)
def test_another_way_to_the_right_result_is_right(answer):
    assert checks.own_loop.verdict(answer).sentence == "nothing is wrong."


def test_the_loop_of_the_scheduler_itself_is_right():
    scheduler = _run().pipe.scheduler

    def stock(denoiser, start, labels, timesteps, alpha_bars):
        for time in timesteps:
            start = scheduler.step(denoiser(start, time, labels), time, start).prev_sample
        return start

    assert checks.own_loop.verdict(stock).sentence == "nothing is wrong."
