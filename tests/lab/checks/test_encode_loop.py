"""Loop and guidance of lab 3: planted slips are told apart, each by its own sentence; other right ways pass."""

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


SLIPS = [  # (task, answer, part of the sentence)
    ("own_loop", loop(weights=lambda bar: (bar, 1 - bar)), "a squared weight"),
    ("own_loop", loop(weights=lambda bar: (bar, (1 - bar).sqrt())), "signal is not yet one"),
    ("own_loop", loop(weights=lambda bar: (bar.sqrt(), 1 - bar)), "noise is not yet one"),
    ("own_loop", loop(weights=lambda bar: roots(bar)[::-1]), "are exchanged"),
    ("own_loop", loop(after=lambda bars, times: bars[times - 1]), "the one before it in the table"),
    ("own_loop", loop(after=lambda bars, times: torch.cat([bars[times[1:]], bars[:1]])), "leaves some noise"),
    ("own_loop", loop(mix=lambda clean, noise, now, then: then[0] * clean + now[1] * noise), "in the old dose"),
    ("own_loop", loop(mix=lambda clean, noise, now, then: clean + then[1] * noise), "with full weight"),
    ("own_loop", loop(mix=lambda clean, noise, now, then: clean), "no noise goes back in"),
    ("own_loop", loop(mix=lambda clean, noise, now, then: noise), "ends elsewhere"),
    ("own_loop", loop(told=lambda step, time, labels: (None, labels)), "not told the timestep"),
    ("own_loop", loop(told=lambda step, time, labels: (step, labels)), "number of the step"),
    ("own_loop", loop(told=lambda step, time, labels: (time - 1, labels)), "another timestep"),
    ("own_loop", loop(told=lambda step, time, labels: (time,)), "not told the labels"),
    ("own_loop", loop(told=lambda step, time, labels: (time, 0 * labels)), "other labels"),
    ("own_loop", loop(times=lambda times: times.flip(0)), "from little noise to much"),
    ("own_loop", loop(times=lambda times: times[::2]), "4 calls of the denoiser, and 8 timesteps: ask once"),
    ("own_loop", pairs_only, "7 calls of the denoiser, and 8 timesteps: the last one"),
    ("own_loop", lambda denoiser, start, *rest: 2 * start, "never asked"),
    ("own_loop", forgets, "the start comes back"),
    ("own_loop", lambda denoiser, start, *rest: start[0], r"shape should stay \[2, 4, 8, 8\]"),
    ("own_loop", lambda denoiser, start, labels, times, bars: denoiser(start, time=times), "raised TypeError"),
    ("guided", lambda c, n, w: n - w * (c - n), "leads away from the class"),
    ("guided", lambda c, n, w: c + w * (n - c), "exchanged"),
    ("guided", lambda c, n, w: c + w * (c - n), "one too many"),
    ("guided", lambda c, n, w: w * (c - n), "the change alone"),
    ("guided", lambda c, n, w: n + w * c, "added whole"),
    ("guided", lambda c, n, w: w * c, "plays no part"),
    ("guided", lambda c, n, w: n + w**2 * (c - n), "as much as the first"),
    ("guided", lambda c, n, w: (c + n) / 2, "at w = 0"),
    ("guided", lambda c, n, w: n, "at w = 1"),
    ("guided", lambda c, n, w: (c + w * (c - n))[:1], "shape should stay"),
]

RIGHT = [  # right in another way than the book's
    ("own_loop", loop()),
    ("own_loop", loop(told=lambda step, time, labels: (int(time), labels.tolist()))),
    ("own_loop", loop(told=lambda step, time, labels: (time.expand(len(labels)), labels))),
    ("guided", lambda c, n, w: w * c + (1 - w) * n),
    ("guided", lambda c, n, w: torch.lerp(n, c, w)),
]


@pytest.mark.parametrize(("name", "answer", "sentence"), SLIPS)
def test_a_planted_slip_is_told_by_its_own_sentence(name, answer, sentence):
    assert set(told(SLIPS, name, answer)) == {sentence}


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_another_way_to_the_right_result_is_right(name, answer):
    assert getattr(checks, name).verdict(answer).sentence == "nothing is wrong."


def test_the_loop_of_the_scheduler_itself_is_right():
    scheduler = _run().pipe.scheduler

    def stock(denoiser, start, labels, timesteps, alpha_bars):
        for time in timesteps:
            start = scheduler.step(denoiser(start, time, labels), time, start).prev_sample
        return start

    assert checks.own_loop.verdict(stock).sentence == "nothing is wrong."
