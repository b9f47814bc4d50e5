"""What a context does in each step: what the scheduler is handed, and what is refused on the way."""

import functools
import warnings

import diffusers
import pytest
import tiny as tiny_kinds
import torch
from steered import LABELS, LATENT, run, steps_of

from mgd_helpers import seeding
from mgd_helpers.guidance.noise import noise_level, to_denoised
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.toys import tiny_pipeline
from mgd_helpers.guidance.windows import window


@pytest.fixture
def targets(randn):
    return randn(3, *LATENT)


def test_a_learned_variance_behind_the_prediction_stays_as_it_is(tiny, targets, randn):
    sample, output = randn(3, *LATENT), randn(3, 8, 8, 8)
    found = steps_of(tiny, ModePull(targets, strength=1.0), output, sample)
    assert found.shape == output.shape
    assert torch.equal(found[:, 4:], output[:, 4:])
    level = noise_level(tiny.scheduler, 500, sample)
    torch.testing.assert_close(to_denoised(found[:, :4], level, "epsilon"), targets, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_what_the_scheduler_gets_predicts_what_the_guidance_said(targets, randn, prediction):
    pipe = tiny_pipeline(diffusers.DDIMScheduler(clip_sample=False, prediction_type=prediction))
    sample, output = randn(2, 3, *LATENT)
    found = steps_of(pipe, lambda denoised, level: 2 * denoised - targets, output, sample)
    level = noise_level(pipe.scheduler, 500, sample)
    expected = 2 * to_denoised(output, level, prediction) - targets
    torch.testing.assert_close(to_denoised(found, level, prediction), expected, rtol=1e-4, atol=1e-4)


def test_the_output_keeps_its_precision(tiny, targets, randn):
    output = randn(3, *LATENT).bfloat16()
    assert steps_of(tiny, ModePull(targets), output, output).dtype == torch.bfloat16


@pytest.mark.slow
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("inference", [False, True])
def test_a_guidance_may_work_in_place(targets, randn, prediction, inference):
    pipe = tiny_pipeline(diffusers.DDIMScheduler(clip_sample=False, prediction_type=prediction))
    sample, output = randn(2, 3, *LATENT)
    kept = output.clone()

    def in_place(denoised, level):
        denoised += 0.3 * (targets - denoised)
        return denoised

    def both(denoised, level):
        denoised.mul_(0.7)
        return denoised + 0.3 * targets

    def behind_the_back(denoised, level):
        denoised.numpy()[:] = (denoised + 0.3 * (targets - denoised)).numpy()
        return denoised

    with torch.inference_mode(inference):
        expected = steps_of(pipe, ModePull(targets, strength=0.3), output, sample)
        for guidance in (in_place, both, behind_the_back):
            torch.testing.assert_close(steps_of(pipe, guidance, output, sample), expected)
            assert torch.equal(output, kept)


@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
def test_the_guidance_sees_every_step_with_falling_noise(sampled, guidance_scale):
    shares, rows = [], []

    def watch(denoised, level):
        shares.append(level.share)
        rows.append((len(denoised), denoised.dtype))
        return denoised

    run(sampled, watch, guidance_scale=guidance_scale, steps=5)
    assert len(shares) == 5
    assert shares == sorted(shares, reverse=True)
    assert set(rows) == {(3, torch.float32)}  # also where classifier-free guidance doubles the rows


def test_a_window_is_open_for_the_noisy_steps_only(tiny, targets):
    inside = []
    spy = window(lambda denoised, level: inside.append(level.share) or denoised, above=0.5)
    run(tiny, spy, steps=10)
    assert 0 < len(inside) < 10
    assert min(inside) > 0.5


def test_levels_are_asked_anew_where_a_run_jumps_back(tiny):
    shares, sample = [], torch.zeros(1, *LATENT)
    tiny.scheduler.set_timesteps(10)
    order = [0, 1, 0, 1, 2]
    with steer(tiny, lambda denoised, level: shares.append(level.timestep) or denoised):
        for place in order:
            tiny.scheduler.step(sample, tiny.scheduler.timesteps[place].clone(), sample)
    assert shares == [int(tiny.scheduler.timesteps[place]) for place in order]


def test_a_loop_of_ones_own_after_a_doubled_run_is_not_taken_for_doubled(tiny):
    rows = []
    with steer(tiny, lambda denoised, level: rows.append(len(denoised)) or denoised):
        tiny(class_labels=[0, 1], num_inference_steps=2, guidance_scale=4.0)
        tiny.scheduler.set_timesteps(2)
        for timestep in tiny.scheduler.timesteps:
            tiny.scheduler.step(torch.zeros(4, *LATENT), timestep, torch.zeros(4, *LATENT))
    assert rows == [2, 2, 4, 4]


def test_rows_doubled_by_classifier_free_guidance_get_the_noise_of_their_image():
    pipe, seen = tiny_pipeline(diffusers.DDPMScheduler(clip_sample=False)), []
    original = pipe.scheduler.step

    def step(model_output, timestep, sample, generator=None):
        seen.append([one.get_state() for one in generator])
        return original(model_output, timestep, sample, generator=generator)

    pipe.scheduler.step = step
    generators = seeding.generators(0, 0, range(3))
    with steer(pipe, None, generators=generators):
        pipe(class_labels=LABELS, generator=generators, num_inference_steps=2, guidance_scale=4.0)
    for states in seen:
        assert len(states) == 6
        for row in range(3):
            assert torch.equal(states[row], states[3 + row])
    assert not torch.equal(seen[0][0], seen[1][0])


@pytest.mark.parametrize("count", [2, 4])
def test_generators_that_do_not_fit_the_rows_are_refused(count):
    pipe = tiny_pipeline(diffusers.DDPMScheduler(clip_sample=False))
    with (
        pytest.raises(ValueError, match=f"generators must be one per image; got {count} for 3 images"),
        steer(pipe, None, generators=seeding.generators(0, 0, range(count))),
    ):
        pipe(class_labels=LABELS, num_inference_steps=2, guidance_scale=1.0)


def test_pure_noise_under_an_epsilon_prediction_is_refused(targets):
    pipe = tiny_pipeline(
        diffusers.DDIMScheduler(clip_sample=False, rescale_betas_zero_snr=True, timestep_spacing="trailing")
    )
    with pytest.raises(ValueError, match=r"scheduler must not reach pure noise .* Use .* rescale_betas_zero_snr=False"):
        run(pipe, ModePull(targets))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda denoised: None, "must answer with a tensor, the moved samples; got NoneType"),
        (lambda denoised: denoised[:, :1], r"shape, dtype and device .* \[3, 4, 8, 8\].*; got \[3, 1, 8, 8\]"),
        (lambda denoised: denoised.double(), "torch.float32, cpu; got .*torch.float64"),
        (lambda denoised: denoised * torch.nan, "must answer with finite numbers"),
    ],
)
def test_an_answer_that_is_none_is_refused_and_the_scheduler_comes_back(tiny, answer, message):
    with pytest.raises(ValueError, match=f"guidance .*{message}"):
        run(tiny, lambda denoised, level: answer(denoised))
    assert "step" not in vars(tiny.scheduler)


def test_nan_that_a_guidance_gives_late_is_found_at_the_end_of_the_run(tiny):
    with pytest.raises(
        ValueError, match=r"the clean prediction must be finite; got NaN .* the guidance at an earlier step"
    ):
        run(tiny, lambda denoised, level: denoised * (torch.nan if 0.2 < level.share < 0.9 else 1), steps=10)


def test_a_guidance_that_was_never_asked_is_an_error(tiny, targets):
    with pytest.raises(RuntimeError, match="guidance was never asked within steer"), steer(tiny, ModePull(targets)):
        pass
    with (
        pytest.raises(RuntimeError, match=r"pipe.scheduler must stay the same within steer; it was exchanged"),
        steer(tiny, ModePull(targets)),
    ):
        tiny.scheduler = diffusers.DDIMScheduler(clip_sample=False)
        tiny(class_labels=LABELS, num_inference_steps=2)


@pytest.mark.slow
def test_a_window_that_no_step_meets_is_a_warning(tiny, targets):
    with pytest.warns(
        UserWarning, match="guidance acted at no step of this run: the noise shares of its schedule go from"
    ):
        run(tiny, window(ModePull(targets), above=0.0, below=1e-6))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(tiny, window(ModePull(targets), above=0.9))


def test_a_window_that_a_shortened_run_never_meets_is_a_warning_too():
    pipe = tiny_kinds.make("StableDiffusionImg2ImgPipeline", diffusers.DDIMScheduler(clip_sample=False, steps_offset=1))
    targets = torch.randn(3, *LATENT, generator=torch.Generator().manual_seed(0))

    def run_with(guidance):
        generators = seeding.generators(0, 0, range(3))
        with steer(pipe, guidance, generators=generators):
            return tiny_kinds.call_img2img(pipe, generators, num_inference_steps=5)

    with pytest.warns(UserWarning, match="guidance acted at no step of this run"):
        run_with(window(ModePull(targets), above=0.99))  # of the schedule, but not of its last three fifths
    with pytest.raises(ValueError, match="the clean prediction must be finite; got NaN"):
        run_with(lambda denoised, level: denoised * (torch.nan if level.share < 0.7 else 1))


def test_targets_of_one_prompt_are_not_given_to_another():
    """num_images_per_prompt orders images 0, 0, 1, 1: two targets would have been taken in turn."""
    pipe = tiny_kinds.make("StableDiffusionPipeline", diffusers.DDIMScheduler(clip_sample=False, steps_offset=1))
    targets = torch.randn(2, *LATENT, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    call = functools.partial(
        pipe,
        prompt_embeds=tiny_kinds.words(2),
        num_images_per_prompt=2,
        num_inference_steps=3,
        guidance_scale=1.0,
        height=16,
        width=16,
        output_type="latent",
    )
    with (
        pytest.raises(ValueError, match=r"got 2 targets for 4 images.*repeat_interleave"),
        steer(pipe, ModePull(targets, strength=1.0)),
    ):
        call()
    with steer(pipe, ModePull(targets.repeat_interleave(2, 0), strength=1.0)):
        found = call().images
    torch.testing.assert_close(found, targets[[0, 0, 1, 1]], rtol=0, atol=1e-4)
