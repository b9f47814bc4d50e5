import diffusers
import numpy as np
import pytest
import torch

from mgd_helpers.guidance.noise import NoiseLevel, noise_level, output_slope, prediction_type, to_denoised

PREDICTIONS = ["epsilon", "v_prediction", "flow_prediction", "sample"]
LEVELS = [(0.9, 0.3), (0.1, 0.995), (0.3, 0.7), (1.0, 14.6)]  # variance preserving, flow, variance exploding


def level_of(signal, noise, sample):
    return NoiseLevel(torch.tensor(signal), torch.tensor(noise), 0, sample)


def exact_output(clean, epsilon, signal, noise, prediction):
    """What a perfect model would say, by the definitions of the four predictions."""
    norm = np.hypot(signal, noise)
    return {
        "epsilon": epsilon,
        "v_prediction": (signal * epsilon - noise * clean) / norm,
        "flow_prediction": epsilon - clean,
        "sample": clean,
    }[prediction]


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize(("signal", "noise"), LEVELS)
def test_denoised_of_an_exact_output_is_the_clean_sample(randn, prediction, signal, noise):
    clean, epsilon = randn(2, 2, 4, 3, 3)
    level = level_of(signal, noise, signal * clean + noise * epsilon)
    output = exact_output(clean, epsilon, signal, noise, prediction)
    torch.testing.assert_close(to_denoised(output, level, prediction), clean, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize(("signal", "noise"), LEVELS)
def test_shifting_the_output_by_slope_times_delta_moves_denoised_by_delta(randn, prediction, signal, noise):
    output, sample, delta = randn(3, 2, 4, 3, 3)
    level = level_of(signal, noise, sample)
    moved = to_denoised(output + output_slope(level, prediction) * delta, level, prediction)
    torch.testing.assert_close(moved - to_denoised(output, level, prediction), delta, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_denoised_is_float32_also_for_half_precision(randn, prediction):
    level = level_of(0.8, 0.6, randn(1, 4, 2, 2).bfloat16())
    assert to_denoised(randn(1, 4, 2, 2).bfloat16(), level, prediction).dtype == torch.float32


def test_noise_share_runs_from_clean_to_pure_noise():
    shares = [level_of(signal, noise, torch.zeros(1)).share for signal, noise in ((1.0, 0.0), (0.8, 0.6), (0.0, 1.0))]
    assert shares == pytest.approx([0, 0.6, 1])


def alphas_cumprod(timestep):
    """The linear schedule that diffusers starts from, written out."""
    return float(np.prod(1 - np.linspace(1e-4, 2e-2, 1000)[: timestep + 1]))


@pytest.mark.parametrize("name", ["DDPM", "DDIM", "DPMSolverMultistep", "UniPCMultistep"])
@pytest.mark.parametrize("step", [0, 4, 9])
def test_variance_preserving_levels_are_the_roots_of_alpha_bar(name, step):
    scheduler = getattr(diffusers, f"{name}Scheduler")(beta_start=1e-4, beta_end=2e-2, beta_schedule="linear")
    scheduler.set_timesteps(10)
    timestep = scheduler.timesteps[step]
    level = noise_level(scheduler, timestep, torch.zeros(1, 4, 2, 2))
    alpha_bar = alphas_cumprod(int(timestep))
    assert level.signal.item() == pytest.approx(alpha_bar**0.5, rel=1e-4)
    assert level.noise.item() == pytest.approx((1 - alpha_bar) ** 0.5, rel=1e-4)


@pytest.mark.parametrize("step", [0, 4, 9])
def test_flow_levels_are_sigma_and_one_minus_sigma(step):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(10)
    level = noise_level(scheduler, scheduler.timesteps[step], torch.zeros(1, 4, 2, 2))
    sigma = scheduler.timesteps[step].item() / 1000
    assert (level.signal.item(), level.noise.item()) == pytest.approx((1 - sigma, sigma), abs=1e-6)


def test_exploding_levels_keep_the_signal_at_one():
    scheduler = diffusers.EulerDiscreteScheduler()
    scheduler.set_timesteps(10)
    level = noise_level(scheduler, scheduler.timesteps[3], torch.zeros(1, 4, 2, 2))
    assert (level.signal.item(), level.noise.item()) == pytest.approx((1, scheduler.sigmas[3].item()), rel=1e-5)


@pytest.mark.parametrize("name", ["DPMSolverMultistep", "UniPCMultistep", "FlowMatchEulerDiscrete"])
def test_the_level_follows_the_steps_and_asking_for_it_changes_nothing(name):
    asked, silent = (getattr(diffusers, f"{name}Scheduler")() for _ in range(2))
    sample = other = torch.ones(1, 4, 2, 2)
    shares = []
    for scheduler in (asked, silent):
        scheduler.set_timesteps(6)
    for timestep in asked.timesteps:
        shares.append(noise_level(asked, timestep, sample).share)
        sample = asked.step(0.1 * sample, timestep, sample).prev_sample
        other = silent.step(0.1 * other, timestep, other).prev_sample
    assert torch.equal(sample, other)
    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) == len(shares)


@pytest.mark.parametrize(
    "name",
    [
        "DDPM",
        "DDIM",
        "LCM",
        "DPMSolverMultistep",
        "UniPCMultistep",
        "EulerDiscrete",
        "HeunDiscrete",
        "KDPM2Discrete",
        "FlowMatchEulerDiscrete",
        "FlowMatchHeunDiscrete",
    ],
)
def test_the_level_that_follows_is_the_next_one_and_the_last_is_clean(name):
    scheduler = getattr(diffusers, f"{name}Scheduler")()
    scheduler.set_timesteps(6)
    sample, levels = torch.ones(1, 4, 2, 2), []
    for timestep in scheduler.timesteps:
        if hasattr(scheduler, "scale_model_input"):
            scheduler.scale_model_input(sample, timestep)
        levels.append(noise_level(scheduler, timestep, sample))
        sample = scheduler.step(0.1 * sample, timestep, sample).prev_sample
    shares = sorted({level.share for level in levels}, reverse=True)
    for level in levels:
        signal, noise = level.following
        lower = [share for share in shares if share < level.share - 1e-5]
        if name == "KDPM2Discrete" and len(lower) > 1 and lower[0] in [other.share for other in levels[1::2]]:
            lower = lower[1:]  # from a level to the next, over a midpoint
        expected = lower[0] if lower else 0
        assert (noise / (signal**2 + noise**2).sqrt()).item() == pytest.approx(expected, abs=1e-5)
    assert levels[-1].following[1] == 0
    assert levels[0].step == 0
    assert [level.step for level in levels] == sorted(level.step for level in levels)


def test_the_midpoints_of_kdpm2_have_a_level_of_their_own(randn):
    scheduler = diffusers.KDPM2DiscreteScheduler()
    scheduler.set_timesteps(5)
    sample = scheduler.init_noise_sigma * randn(1, 4, 2, 2)
    for timestep in scheduler.timesteps:
        scale = scheduler.scale_model_input(torch.ones(1, dtype=torch.float64), timestep)
        level = noise_level(scheduler, timestep, sample)
        assert level.noise.item() == pytest.approx((1 / scale.item() ** 2 - 1) ** 0.5, rel=1e-4)
        sample = scheduler.step(randn(1, 4, 2, 2), timestep, sample).prev_sample


def test_level_stays_a_scalar_in_float32():
    scheduler = diffusers.DDIMScheduler()
    level = noise_level(
        scheduler, 500, torch.zeros(2, 16, 64, dtype=torch.bfloat16)
    )  # packed latents, as Flux has them
    assert level.signal.shape == level.noise.shape == ()
    assert level.signal.dtype == level.noise.dtype == torch.float32


def test_prediction_type_is_asked_of_the_scheduler():
    assert prediction_type(diffusers.DDIMScheduler(prediction_type="v_prediction")) == "v_prediction"
    assert prediction_type(diffusers.FlowMatchEulerDiscreteScheduler()) == "flow_prediction"


@pytest.mark.parametrize(
    "function", [lambda level: to_denoised(level.sample, level, "x0"), lambda level: output_slope(level, "x0")]
)
def test_unknown_predictions_are_refused(function):
    with pytest.raises(ValueError, match=r"prediction must be epsilon, v_prediction, .* or sample; got 'x0'"):
        function(level_of(0.8, 0.6, torch.zeros(1, 4, 2, 2)))
