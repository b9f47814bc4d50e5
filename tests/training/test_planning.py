from dataclasses import replace

import pytest

from mgd_helpers.training import planning
from mgd_helpers.training.crew import ALONE
from mgd_helpers.training.planning import plan, seconds_per_step, share_out
from mgd_helpers.training.settings import SETTINGS, small_settings


@pytest.mark.parametrize("seconds", [0.01, 10.0, 100.0, 1000.0])
@pytest.mark.parametrize("speed", [(0.1, 0.2), (0.3, 0.01)])
@pytest.mark.parametrize("most", [(100, 500), (900, 100), (10_000, 10_000)])
def test_the_seconds_are_kept_to_and_used_up(seconds, speed, most):
    steps = share_out(seconds, speed, usual=most, most=most)
    assert all(1 <= got <= limit for got, limit in zip(steps, most, strict=True))
    used = sum(got * one for got, one in zip(steps, speed, strict=True))
    assert used <= seconds + 1e-6 or 1 in steps
    assert used >= seconds - sum(speed) or steps == most
    if steps[0] < most[0] and steps[1] < most[1] and min(steps) > 1:
        share = steps[0] * speed[0] / seconds
        assert 0.4 - speed[0] / seconds <= share + 1e-9 <= 0.6 + 1e-6 and (steps[0] <= 400 or share <= 0.4 + 1e-6)


@pytest.mark.parametrize("seconds", [10.0, 100.0, 1000.0, 10_000.0])
@pytest.mark.parametrize("speed", [(0.1, 0.2), (0.3, 0.05)])
def test_both_have_their_usual_steps_before_either_has_more(seconds, speed):
    usual, most = (900, 8000), (2700, 24_000)
    steps = share_out(seconds, speed, usual=usual, most=most)
    first = share_out(seconds, speed, usual=usual, most=usual)
    assert all(1 <= got <= limit for got, limit in zip(steps, most, strict=True))
    if first != usual:
        assert steps[0] <= usual[0] + 2 and steps[1] <= usual[1] + 2  # what is left is less than a step of each
    else:
        spent = usual[0] * speed[0] + usual[1] * speed[1]
        assert (steps[0] - usual[0]) * speed[0] <= 0.4 * (seconds - spent) + speed[0] or steps[1] == most[1]
    used = steps[0] * speed[0] + steps[1] * speed[1]
    assert seconds - sum(speed) <= used <= seconds + 1e-6 or steps == most


def planned(monkeypatch, data, minutes, seconds, *, smaller=True, small=0.25):
    """The plan for the digits' settings where a step of either network takes so long, and of smaller ones a share."""
    settings = SETTINGS["digits"]
    monkeypatch.setattr(
        planning,
        "seconds_per_step",
        lambda data, one, crew: (seconds, seconds) if one == settings else (small * seconds, small * seconds),
    )
    return settings, plan(data, minutes, settings=settings, crew=ALONE, smaller=smaller)


def test_where_all_steps_fit_the_settings_stay_as_they_are(monkeypatch, waves):
    settings, found = planned(monkeypatch, waves, 60.0, 0.001)
    assert found == replace(settings, ema_decay=found.ema_decay)
    assert found.ema_decay == pytest.approx(settings.ema_decay)


def test_too_few_steps_make_the_networks_smaller_where_that_is_allowed(monkeypatch, waves):
    settings, found = planned(monkeypatch, waves, 5.0, 0.2)
    assert (found.layers, found.vae_channels) == (2, (8, 16, 16)) == small_of(settings)
    assert 0.05 * (found.vae_steps + found.dit_steps) == pytest.approx(300 - 60, abs=0.11)
    _, kept = planned(monkeypatch, waves, 5.0, 0.2, smaller=False)
    assert (kept.layers, kept.vae_channels) == (settings.layers, settings.vae_channels)
    assert 0.2 * (kept.vae_steps + kept.dit_steps) == pytest.approx(300 - 60, abs=0.41)
    assert found.ema_decay < settings.ema_decay, "an average is as long as the training allows"


def small_of(settings):
    small = small_settings(settings)
    return small.layers, small.vae_channels


def test_a_probe_times_both_networks_and_leaves_no_trace(settings, waves):
    import torch

    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    assert all(0 < seconds < 5 for seconds in seconds_per_step(waves, settings, crew=ALONE))
    assert torch.equal(torch.rand(2), wanted)
