import math

import diffusers
import numpy as np
import pytest
import torch

from mgd_helpers.guidance import strengths
from mgd_helpers.guidance.noise import NoiseLevel, noise_level
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.toys import PointCloudPipeline

TRAINED = {"beta_start": 1e-4, "beta_end": 2e-2, "beta_schedule": "linear", "clip_sample": False}


def levels(scheduler, steps):
    scheduler.set_timesteps(steps)
    return [noise_level(scheduler, timestep, torch.zeros(1, 4, 2, 2)) for timestep in scheduler.timesteps]


def level_of(signal, noise, following=None, **more):
    pair = following and tuple(map(torch.tensor, following))
    return NoiseLevel(torch.tensor(signal), torch.tensor(noise), 0, torch.zeros(1, 4, 2, 2), pair, **more)


def ddpm_by_hand(steps, index):
    """Coefficients of a DDPM step from the betas, in NumPy: weight of the clean prediction, variances."""
    alphas = np.cumprod(1 - np.linspace(1e-4, 2e-2, 1000))
    kept = np.linspace(0, 999, steps).round().astype(int)[::-1]
    now, then = alphas[kept[index]], alphas[kept[index + 1]] if index + 1 < steps else 1.0
    beta = 1 - now / then
    return np.sqrt(then) * beta / (1 - now), (1 - then) / (1 - now) * beta, beta


@pytest.mark.parametrize("index", [0, 7, 24, 48])
def test_posterior_and_mean_are_the_coefficients_of_a_ddpm_step(index):
    level = levels(diffusers.DDPMScheduler(timestep_spacing="linspace", **TRAINED), 50)[index]
    coef, low, high = ddpm_by_hand(50, index)
    assert strengths.mean(0.1)(level).item() == pytest.approx(0.1 / coef, rel=1e-3)
    assert strengths.posterior(0.1)(level).item() == pytest.approx(0.1 * math.sqrt(low) / coef, rel=1e-3)
    for said, variance in ((-1.0, low), (1.0, high), (0.0, math.sqrt(low * high))):
        learned = NoiseLevel(*vars(level).values())
        object.__setattr__(learned, "variance", torch.full((1, 4, 2, 2), said))
        expected = torch.full((1, 4, 2, 2), 0.1 * math.sqrt(variance) / coef)
        torch.testing.assert_close(strengths.posterior(0.1)(learned), expected, rtol=1e-3, atol=0)


def test_the_released_strength_is_22_at_the_first_of_50_steps_and_below_1_at_the_24th():
    scheduler = diffusers.DDPMScheduler(timestep_spacing="linspace", **TRAINED)
    of_step = [strengths.posterior(0.1)(level).item() for level in levels(scheduler, 50)]
    assert of_step[0] == pytest.approx(22, abs=1)
    assert of_step[23] == pytest.approx(0.8, abs=0.1)


def test_a_shift_of_the_clean_prediction_moves_a_ddpm_step_by_what_the_rules_say(randn):
    """δ = mean(λ) g moves the step's result by λ g, δ = posterior(λ) g by λ σ g: asked of the scheduler itself."""
    scheduler = diffusers.DDPMScheduler(prediction_type="sample", **TRAINED)
    scheduler.set_timesteps(20)
    timestep, (sample, output, pull) = scheduler.timesteps[4], randn(3, 2, 4, 3, 3)
    level = noise_level(scheduler, timestep, sample)

    def after(shift):
        return scheduler.step(output + shift, timestep, sample, generator=torch.Generator().manual_seed(0)).prev_sample

    sigma = ddpm_sigma(scheduler, timestep)
    torch.testing.assert_close(after(strengths.mean(0.1)(level) * pull) - after(0), 0.1 * pull, rtol=1e-3, atol=1e-5)
    moved = after(strengths.posterior(0.1)(level) * pull) - after(0)
    torch.testing.assert_close(moved, 0.1 * sigma * pull, rtol=1e-3, atol=1e-5)


def ddpm_sigma(scheduler, timestep):
    return scheduler._get_variance(timestep).sqrt()


def test_the_score_rule_is_tweedies_formula(randn):
    """x̂₀ = (x + noise² score) / signal: a change of the score by λ g moves x̂₀ by λ g noise² / signal."""
    level, (sample, gradient, pull) = level_of(0.6, 0.8), randn(3, 4)

    def clean(gradient):
        return (sample + level.noise**2 * gradient) / level.signal

    torch.testing.assert_close(clean(gradient + 0.3 * pull) - clean(gradient), strengths.score(0.3)(level) * pull)


@pytest.mark.parametrize("rule", [strengths.score(0.2), strengths.posterior(0.2), strengths.mean(0.2)])
def test_scaling_the_world_changes_no_strength(rule):
    preserving = level_of(0.6, 0.8, (0.8, 0.6))
    exploding = level_of(1.0, 0.8 / 0.6, (1.0, 0.6 / 0.8))
    torch.testing.assert_close(rule(preserving), rule(exploding))


def silent_path(scheduler, rule, steps, *, above=0.3):
    """How far sample / signal is from a target at 0, over how far it was, if the denoiser repeats sample / signal."""
    scheduler.set_timesteps(steps)
    sample, start, end = torch.ones(1, 1), None, None
    for timestep in scheduler.timesteps:
        level = noise_level(scheduler, timestep, sample)
        if level.share < above:
            break
        start = start if start is not None else (level, sample / level.signal)
        clean = sample / level.signal
        sample = scheduler.step((1 - rule(level)) * clean, timestep, sample).prev_sample
        end = sample / level.following[0], level.following
    log_snr = [2 * torch.log(signal / noise) for signal, noise in ((start[0].signal, start[0].noise), end[1])]
    return (end[0] / start[1]).item(), (log_snr[1] - log_snr[0]).item()


@pytest.mark.parametrize("steps", [10, 25, 250])
def test_per_log_snr_shrinks_the_distance_by_the_ratio_gained_however_it_is_cut(steps):
    scheduler = diffusers.DDIMScheduler(timestep_spacing="trailing", prediction_type="sample", clip_sample=False)
    left, gained = silent_path(scheduler, strengths.per_log_snr(0.1), steps)
    assert left == pytest.approx(math.exp(-0.1 * gained), rel=1e-3)


def test_per_log_snr_tends_to_a_constant_for_short_steps_and_goes_all_the_way_in_the_last():
    assert strengths.per_log_snr(0.15)(level_of(0.6, 0.8, (0.6001, 0.79992))).item() == pytest.approx(0.3, rel=1e-3)
    assert strengths.per_log_snr(0.15)(level_of(0.6, 0.8, (1.0, 0.0))).item() == 1
    assert strengths.per_log_snr(0.0)(level_of(0.6, 0.8, (0.8, 0.6))).item() == 0


@pytest.mark.parametrize("name", ["DDIM", "DPMSolverMultistep", "EulerDiscrete", "EulerAncestralDiscrete", "LCM"])
def test_every_rule_runs_under_every_kind_of_scheduler(randn, name):
    scheduler = getattr(diffusers, f"{name}Scheduler")()
    scheduler.register_to_config(clip_sample=False)
    pipe = PointCloudPipeline(randn(20, 3), scheduler)
    for rule in (strengths.score(1e-3), strengths.posterior(1e-3), strengths.mean(1e-3), strengths.per_log_snr(0.1)):
        values = []

        def spied(level, rule=rule, values=values):
            values.append(float(rule(level)))
            return values[-1]

        with steer(pipe, ModePull(randn(4, 3), strength=spied)):
            assert pipe(4, num_inference_steps=8).images.isfinite().all()
        assert len(values) == 8 and min(values) >= 0


@pytest.mark.parametrize("kind", ["linear", "cosine", "exp"])
def test_the_radius_falls_from_its_multiple_to_itself(kind):
    radii = [strengths.annealed(0.1, multiplier=3.0, kind=kind)(level_of(0.6, 0.8, step=step)) for step in range(9)]
    assert radii[0] == pytest.approx(0.3)
    assert radii[5:] == [0.1] * 4
    assert radii == sorted(radii, reverse=True)
    halfway = {"linear": 0.6, "cosine": (1 + math.cos(0.4 * math.pi)) / 2, "exp": (math.exp(0.6) - 1) / (math.e - 1)}
    assert radii[2] == pytest.approx(0.1 + 0.2 * halfway[kind])


def test_without_a_warm_up_the_radius_stays():
    assert strengths.annealed(0.1, warm_up=0)(level_of(0.6, 0.8, step=0)) == 0.1


@pytest.mark.parametrize("rule", [strengths.score, strengths.posterior, strengths.mean])
@pytest.mark.parametrize("strength", [strengths.score(0.1), lambda level: 0.1, math.nan, "0.1"])
def test_a_rule_takes_a_number_and_refuses_anything_else_at_once(unchecked, rule, strength):
    with pytest.raises(ValueError, match=r"strength must be a number; got .*\. Pass the number that the rule turns"):
        unchecked(rule)(strength)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: strengths.annealed(0.1, kind="square"), "kind must be one of linear, cosine, exp; got 'square'"),
        (lambda: strengths.annealed(0.0), "radius and multiplier must be positive, .* got radius=0.0"),
        (lambda: strengths.annealed(0.1, warm_up=-1), "warm_up at least 0; .* warm_up=-1"),
        (lambda: strengths.annealed(0.1)(level_of(0.6, 0.8)), "level must have its step; got None"),
        (lambda: strengths.per_log_snr(-1.0), "rate must be a number >= 0; got -1"),
        (lambda: strengths.mean(1.0)(level_of(0.6, 0.8)), "level must have the one that follows it, .*; got None"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
