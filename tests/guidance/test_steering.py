import copy
import functools
import inspect
import re
import threading
import warnings

import diffusers
import pytest
import tiny as tiny_kinds
import torch
from conftest import SCHEDULERS

from mgd_helpers.guidance import schedulers
from mgd_helpers.guidance.noise import noise_level, to_denoised
from mgd_helpers.guidance.pulls import ManifoldPull, ModePull
from mgd_helpers.guidance.released import ReleasedPull
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.toys import tiny_pipeline
from mgd_helpers.guidance.windows import window
from mgd_helpers.seeding import generators

LATENT = (4, 8, 8)
LABELS = [0, 1, 1]


@pytest.fixture
def targets(draw):
    return draw(3, *LATENT)


def run(pipe, guidance, *, images=(0, 1, 2), guidance_scale=1.0, steps=4):
    """Images and the latents they are decoded from, for some images of a seed."""
    decoded, decode = [], pipe.vae.decode

    def spy(latents, *args, **kwargs):
        decoded.append(latents * pipe.vae.config.scaling_factor)
        return decode(latents, *args, **kwargs)

    pipe.vae.decode = spy
    try:
        draws = generators(0, 0, images)
        with steer(pipe, guidance, generators=draws):
            found = pipe(
                class_labels=[LABELS[image] for image in images],
                generator=draws,
                num_inference_steps=steps,
                guidance_scale=guidance_scale,
                output_type="pt" if pipe.vae.dtype == torch.bfloat16 else "np",
            ).images
    finally:
        del pipe.vae.decode
    return torch.as_tensor(found), decoded[-1]


def zero_guidances(targets):
    return {
        "strength 0": ModePull(targets, strength=0.0),
        "manifold strength 0": ManifoldPull(targets, targets.repeat(12, 1, 1, 1), strength=0.0),
        "window shut": window(ModePull(targets, strength=1.0), above=1e-7, below=2e-7),
        "identity": lambda denoised, level: denoised,
        "a copy": lambda denoised, level: denoised.clone(),
    }


@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
def test_zero_guidance_leaves_the_images_as_they_are_to_the_bit(sampled, targets, device, guidance_scale):
    sampled.to(device)
    plain, _ = run(sampled, None, guidance_scale=guidance_scale)
    for name, guidance in zero_guidances(targets).items():
        images, _ = run(sampled, guidance, guidance_scale=guidance_scale)
        assert torch.equal(images, plain), name


def test_zero_guidance_is_exact_also_in_half_precision(sampled, targets):
    sampled.to(torch.bfloat16)
    plain, _ = run(sampled, None)
    for name, guidance in zero_guidances(targets).items():
        images, _ = run(sampled, guidance)
        assert images.dtype == torch.bfloat16
        assert torch.equal(images, plain), name


def test_no_guidance_and_no_generators_is_the_stock_pipeline(tiny):
    def images():
        source = torch.Generator().manual_seed(0)
        return torch.as_tensor(
            tiny(class_labels=LABELS, num_inference_steps=3, generator=source, output_type="np").images
        )

    plain = images()
    with steer(tiny, None):
        assert torch.equal(images(), plain)


@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
def test_full_pull_lands_on_the_target(sampled, targets, device, guidance_scale):
    _, latents = run(sampled.to(device), ModePull(targets, strength=1.0), guidance_scale=guidance_scale)
    assert (latents.cpu() - targets).norm() < 1e-5 * targets.norm()


def test_guidance_moves_the_images(sampled, targets):
    plain, _ = run(sampled, None)
    moved, _ = run(sampled, ModePull(targets, strength=0.3))
    assert (moved - plain).abs().mean() > 1e-3


@pytest.mark.parametrize("kind", ["DDIM", "DDPM"])
@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
def test_an_image_depends_on_its_own_generator_alone(targets, kind, guidance_scale):
    name, config = SCHEDULERS[kind]
    pipe = tiny_pipeline(getattr(diffusers, name)(**config))
    cloud = torch.randn(30, *LATENT, generator=torch.Generator().manual_seed(1))

    def guided(images):
        mine = targets[list(images)]
        # near pure noise the clean prediction of random weights is rounding over a tiny signal: neighbours may swap
        guidance = window(ManifoldPull(mine, cloud, strength=0.3, softness=0.5), below=0.99)
        return run(pipe, guidance, images=images, guidance_scale=guidance_scale)[0]

    together = guided((0, 1, 2))
    alone = torch.cat([guided((image,)) for image in (0, 1, 2)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    torch.testing.assert_close(together[[2, 0]], guided((2, 0)), rtol=0, atol=1e-4)
    assert torch.equal(together, guided((0, 1, 2)))
    assert (together[1] - together[2]).abs().max() > 0.01  # of one class, yet not the same


def test_ancestral_noise_comes_from_the_generators_and_not_from_the_global_one():
    pipe = tiny_pipeline(diffusers.DDPMScheduler(clip_sample=False))
    torch.manual_seed(1)
    state = torch.get_rng_state()
    run(pipe, None)
    assert torch.equal(torch.get_rng_state(), state)
    draws = generators(0, 0, range(3))
    pipe(class_labels=LABELS, generator=draws, num_inference_steps=3)  # the stock pipeline passes none on
    assert not torch.equal(torch.get_rng_state(), state)


def test_rows_doubled_by_classifier_free_guidance_get_the_noise_of_their_image():
    pipe, seen = tiny_pipeline(diffusers.DDPMScheduler(clip_sample=False)), []
    original = pipe.scheduler.step

    def step(model_output, timestep, sample, generator=None):
        seen.append([one.get_state() for one in generator])
        return original(model_output, timestep, sample, generator=generator)

    pipe.scheduler.step = step
    draws = generators(0, 0, range(3))
    with steer(pipe, None, generators=draws):
        pipe(class_labels=LABELS, generator=draws, num_inference_steps=2, guidance_scale=4.0)
    for states in seen:
        assert len(states) == 6
        for row in range(3):
            assert torch.equal(states[row], states[3 + row])
    assert not torch.equal(seen[0][0], seen[1][0])


def test_a_generator_that_the_pipeline_passes_itself_is_kept(tiny):
    seen = []
    tiny.scheduler.step = lambda model_output, timestep, sample, generator=None: seen.append(generator)
    mine = torch.Generator()
    sample = torch.zeros(1, *LATENT)
    with steer(tiny, None, generators=[torch.Generator()]):
        tiny.scheduler.step(sample, 5, sample, generator=mine)
        tiny.scheduler.step(sample, 5, sample)
    assert seen[0] is mine
    assert seen[1] is not mine


def steps_of(pipe, guidance, output, sample, timestep=500):
    """What one steered step hands to the scheduler's own step."""
    seen = []

    @functools.wraps(type(pipe.scheduler).step)
    def step(model_output, timestep, sample, *args, **kwargs):
        seen.append(model_output)

    pipe.scheduler.step = step
    try:
        with steer(pipe, guidance):
            pipe.scheduler.step(output, timestep, sample)
    finally:
        del pipe.scheduler.step
    return seen[0]


def test_a_learned_variance_behind_the_prediction_stays_as_it_is(tiny, targets, draw):
    sample, output = draw(3, *LATENT), draw(3, 8, 8, 8)
    found = steps_of(tiny, ModePull(targets, strength=1.0), output, sample)
    assert found.shape == output.shape
    assert torch.equal(found[:, 4:], output[:, 4:])
    level = noise_level(tiny.scheduler, 500, sample)
    torch.testing.assert_close(to_denoised(found[:, :4], level, "epsilon"), targets, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_what_the_scheduler_gets_predicts_what_the_guidance_said(targets, draw, prediction):
    pipe = tiny_pipeline(diffusers.DDIMScheduler(clip_sample=False, prediction_type=prediction))
    sample, output = draw(2, 3, *LATENT)
    found = steps_of(pipe, lambda denoised, level: 2 * denoised - targets, output, sample)
    level = noise_level(pipe.scheduler, 500, sample)
    expected = 2 * to_denoised(output, level, prediction) - targets
    torch.testing.assert_close(to_denoised(found, level, prediction), expected, rtol=1e-4, atol=1e-4)


def test_the_output_keeps_its_precision(tiny, targets, draw):
    output = draw(3, *LATENT).bfloat16()
    assert steps_of(tiny, ModePull(targets), output, output).dtype == torch.bfloat16


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


def test_the_scheduler_comes_back_after_the_context_also_after_an_exception_and_nested(tiny, targets):
    before = dict(vars(tiny.scheduler))
    own = tiny.scheduler.step
    with steer(tiny, None):
        assert tiny.scheduler.step != own
        with pytest.raises(KeyError), steer(tiny, ModePull(targets)):
            raise KeyError
        assert tiny.scheduler.step != own
    assert tiny.scheduler.step == own
    assert dict(vars(tiny.scheduler)) == before
    assert not tiny.transformer._forward_hooks


def test_nested_guidances_act_one_after_the_other(tiny, targets):
    with steer(tiny, ModePull(targets, strength=1.0)):
        _, latents = run(tiny, lambda denoised, level: denoised + 1)  # the inner one moves first, the outer one decides
    torch.testing.assert_close(latents, targets, rtol=1e-4, atol=1e-4)


def test_saving_inside_the_context_saves_the_stock_pipeline(tiny, targets, tmp_path):
    tiny.save_pretrained(tmp_path / "plain")
    with steer(tiny, ModePull(targets)):
        tiny(class_labels=LABELS, num_inference_steps=2)
        tiny.save_pretrained(tmp_path / "steered")
    for file in (tmp_path / "plain").rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "steered" / file.relative_to(tmp_path / "plain")).read_bytes()


def test_pipelines_that_inspect_the_signature_still_find_eta_and_generator(tiny, targets):
    plain = inspect.signature(tiny.scheduler.step)
    with steer(tiny, None):
        assert inspect.signature(tiny.scheduler.step) == plain
    assert {"eta", "generator"} <= set(plain.parameters)


def test_other_arguments_of_step_are_handed_on(tiny, draw):
    tiny.scheduler.set_timesteps(4)
    sample = draw(3, *LATENT)

    def step():
        source = torch.Generator().manual_seed(1)
        return tiny.scheduler.step(sample, 500, sample, eta=0.5, generator=source, return_dict=False)[0]

    plain = step()
    with steer(tiny, lambda denoised, level: denoised):
        assert torch.equal(step(), plain)


def test_released_pull_runs_in_a_pipeline_and_is_reproducible(tiny, targets):
    one, other = (run(tiny, ReleasedPull(targets), guidance_scale=4.0)[0] for _ in range(2))
    assert torch.equal(one, other)


def bare(scheduler):
    """A pipeline without a VAE, and not DiTPipeline."""
    return type("Bare", (), {"scheduler": scheduler})()


def named(name):
    """A scheduler of that name, of which nothing else is known: some need a library that is not there."""
    return type(name, (), {"config": None, "step": lambda self: None})()


@pytest.mark.parametrize("name", schedulers.REFUSED)
def test_schedulers_that_scale_outputs_themselves_are_refused_by_name(name):
    remedy = schedulers.REFUSED[name]
    with (
        pytest.raises(ValueError, match=re.escape(f"scheduler {name} cannot be steered; use {remedy}")),
        steer(bare(named(name)), None),
    ):
        pass


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "LMSDiscreteScheduler", "KDPM2DiscreteScheduler"])
def test_schedulers_that_a_dit_pipeline_runs_wrongly_are_refused(tiny, name):
    tiny.scheduler = getattr(diffusers, name)()
    with (
        pytest.raises(ValueError, match=rf"scheduler {name} starts from noise of scale .* Use DDIMScheduler"),
        steer(tiny, None),
    ):
        pass


@pytest.mark.parametrize("name", ["DDIMScheduler", "DDPMScheduler"])
def test_schedulers_that_clamp_latents_are_refused(tiny, name):
    tiny.scheduler = getattr(diffusers, name)()
    remedy = rf"use {name}.from_config\(pipe.scheduler.config, clip_sample=False\)"
    with pytest.raises(ValueError, match=rf"scheduler {name} has clip_sample=True, .*; {remedy}"), steer(tiny, None):
        pass


class HomeMade:
    """A scheduler that nobody has tried: DDIM of 1,000 levels, with an `error` of its own in what it makes of them."""

    def __init__(self, error=0.0):
        self.config = type("Config", (dict,), {"prediction_type": "epsilon", "error": error})()
        self.alphas = torch.cumprod(1 - torch.linspace(1e-4, 2e-2, 1000), 0)

    @classmethod
    def from_config(cls, config):
        return cls(config.error)

    def set_timesteps(self, count, device=None):
        self.timesteps = torch.linspace(999, 0, count).round().long()

    def add_noise(self, clean, noise, timesteps):
        kept = self.alphas[timesteps]
        return kept.sqrt() * clean + (1 - kept).sqrt() * noise

    def scale_model_input(self, sample, timestep):
        return sample

    def step(self, model_output, timestep, sample, return_dict=True):
        now, after = self.alphas[timestep], self.timesteps[self.timesteps < timestep]
        then = self.alphas[after.max()] if len(after) else torch.ones(())
        denoised = (sample - (1 - now).sqrt() * model_output) / now.sqrt()
        found = then.sqrt() * denoised * (1 + self.config.error) + (1 - then).sqrt() * model_output
        return diffusers.schedulers.scheduling_ddim.DDIMSchedulerOutput(found) if return_dict else (found,)


def test_an_untried_scheduler_is_let_in_if_it_keeps_the_laws(targets):
    pipe = tiny_pipeline(HomeMade())
    plain, _ = run(pipe, None)
    assert torch.equal(run(pipe, ModePull(targets, strength=0.0))[0], plain)
    _, latents = run(pipe, ModePull(targets, strength=1.0))
    torch.testing.assert_close(latents, targets, rtol=0, atol=1e-4)
    descendant = type("MyOwnScheduler", (diffusers.DDIMScheduler,), {})
    with steer(bare(descendant(clip_sample=False)), None):
        pass


@pytest.mark.parametrize(
    ("scheduler", "law"),
    [
        (HomeMade(error=0.1), r"the second fails: a full pull ends 0\.1 of its length away from its target"),
        (named("MyOwnScheduler"), "none could be tried: "),
    ],
)
def test_an_untried_scheduler_that_breaks_a_law_is_refused_and_told_which(scheduler, law):
    name = type(scheduler).__name__
    message = rf"scheduler {name} cannot be steered; use DDIMScheduler, .* or FlowMatchEulerDiscreteScheduler.*{law}"
    with pytest.raises(ValueError, match=message), steer(bare(scheduler), None):
        pass


def test_a_scheduler_that_changes_its_mind_breaks_the_first_law():
    calls = iter(range(1000))
    other = type(
        "Changing", (HomeMade,), {"step": lambda self, output, t, x: HomeMade.step(self, output + next(calls), t, x)}
    )
    with (
        pytest.raises(ValueError, match="the first fails: a pull of zero changes the samples"),
        steer(bare(other()), None),
    ):
        pass


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler"])
def test_schedulers_that_a_ddpm_pipeline_runs_wrongly_are_refused(name):
    pipe = tiny_kinds.make("DDPMPipeline", getattr(diffusers, name)())
    with (
        pytest.raises(ValueError, match=rf"scheduler {name} starts from noise of scale .*, which DDPMPipeline ignores"),
        steer(pipe, None),
    ):
        pass


def test_a_ddim_pipeline_takes_any_scheduler_for_ddim():
    """It rebuilds what it is given: the scheduler to look at is the pipeline's own."""
    pipe = tiny_kinds.make("DDIMPipeline", diffusers.EulerDiscreteScheduler())
    assert type(pipe.scheduler).__name__ == "DDIMScheduler"


def test_pure_noise_under_an_epsilon_prediction_is_refused(targets):
    pipe = tiny_pipeline(
        diffusers.DDIMScheduler(clip_sample=False, rescale_betas_zero_snr=True, timestep_spacing="trailing")
    )
    with pytest.raises(ValueError, match=r"scheduler reaches pure noise .*; use a .* rescale_betas_zero_snr=False"):
        run(pipe, ModePull(targets))


@pytest.mark.parametrize("count", [2, 4])
def test_generators_that_do_not_fit_the_rows_are_refused(count):
    pipe = tiny_pipeline(diffusers.DDPMScheduler(clip_sample=False))
    with (
        pytest.raises(ValueError, match=f"generators must be one per image; got {count} for 3 images"),
        steer(pipe, None, generators=generators(0, 0, range(count))),
    ):
        pipe(class_labels=LABELS, num_inference_steps=2, guidance_scale=1.0)


# what used to pass without a word


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
    with pytest.raises(ValueError, match=r"the clean prediction is NaN .* the guidance at an earlier step"):
        run(tiny, lambda denoised, level: denoised * (torch.nan if 0.2 < level.share < 0.9 else 1), steps=10)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("inference", [False, True])
def test_a_guidance_may_work_in_place(targets, draw, prediction, inference):
    pipe = tiny_pipeline(diffusers.DDIMScheduler(clip_sample=False, prediction_type=prediction))
    sample, output = draw(2, 3, *LATENT)
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


def test_a_guidance_that_was_never_asked_is_an_error(tiny, targets):
    with pytest.raises(RuntimeError, match="guidance was never asked within steer"), steer(tiny, ModePull(targets)):
        pass
    with (
        pytest.raises(RuntimeError, match=r"pipe.scheduler was exchanged within steer"),
        steer(tiny, ModePull(targets)),
    ):
        tiny.scheduler = diffusers.DDIMScheduler(clip_sample=False)
        tiny(class_labels=LABELS, num_inference_steps=2)


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
        draws = generators(0, 0, range(3))
        with steer(pipe, guidance, generators=draws):
            return tiny_kinds.call_img2img(pipe, draws, num_inference_steps=5)

    with pytest.warns(UserWarning, match="guidance acted at no step of this run"):
        run_with(window(ModePull(targets), above=0.99))  # of the schedule, but not of its last three fifths
    with pytest.raises(ValueError, match="the clean prediction is NaN"):
        run_with(lambda denoised, level: denoised * (torch.nan if level.share < 0.7 else 1))


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


def test_a_step_that_was_wrapped_within_the_context_leaves_nothing_steered(tiny, targets):
    plain = images_of(tiny)
    with steer(tiny, ModePull(targets)):
        inner = tiny.scheduler.step
        tiny.scheduler.step = functools.wraps(inner)(lambda *args, **options: inner(*args, **options))
        images_of(tiny)
    assert torch.equal(images_of(tiny), plain)


def test_channels_of_classifier_free_guidance_are_this_pipelines_own_affair(tiny):
    twin = diffusers.DiTPipeline(tiny.transformer, tiny.vae, diffusers.DDIMScheduler.from_config(tiny.scheduler.config))
    twin.set_progress_bar_config(disable=True)
    plain = images_of(twin)
    with steer(tiny, None, cfg_channels=3):
        assert torch.equal(images_of(twin), plain)
        assert not torch.equal(images_of(tiny), plain)


def test_an_object_that_holds_the_scheduler_and_loops_itself_is_steered(tiny, targets):
    class Loop:
        def __init__(self, pipe):
            self.scheduler = pipe.scheduler

        def run(self, sample):
            for timestep in self.scheduler.timesteps:
                sample = self.scheduler.step(torch.zeros_like(sample), timestep, sample).prev_sample
            return sample

    tiny.scheduler.set_timesteps(3)
    with steer(tiny, ModePull(targets, strength=1.0)):
        found = Loop(tiny).run(torch.zeros(3, *LATENT))
    torch.testing.assert_close(found, targets, rtol=0, atol=1e-4)


def test_a_descendant_with_a_step_of_its_own_is_tried():
    class Halved(diffusers.DDIMScheduler):
        def step(self, *args, **options):
            found = super().step(*args, **options)
            found.prev_sample = found.prev_sample / 2
            return found

    with pytest.raises(ValueError, match="the second fails"), steer(bare(Halved(clip_sample=False)), None):
        pass


def test_the_trial_at_the_door_leaves_all_generators_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("the state of every GPU was set"))
    state = torch.get_rng_state()
    with steer(bare(HomeMade()), None):
        pass
    assert torch.equal(torch.get_rng_state(), state)


def images_of(pipe, seed=0):
    draws = generators(seed, 0, range(3))
    return torch.as_tensor(pipe(class_labels=LABELS, generator=draws, num_inference_steps=3, output_type="np").images)


def test_another_thread_and_another_pipeline_of_the_same_scheduler_are_not_steered(tiny, targets):
    plain = images_of(tiny)
    twin = diffusers.DiTPipeline(tiny.transformer, tiny.vae, tiny.scheduler)
    twin.set_progress_bar_config(disable=True)
    found = {}
    with steer(tiny, ModePull(targets)):
        thread = threading.Thread(target=lambda: found.update(thread=images_of(tiny)))
        thread.start()
        thread.join()
        found["twin"] = images_of(twin)
        found["copy"] = images_of(copied := copy.deepcopy(tiny))
        found["steered"] = images_of(tiny)
    assert torch.equal(found["thread"], plain)
    assert torch.equal(found["twin"], plain)
    assert torch.equal(found["copy"], plain)
    assert not torch.equal(found["steered"], plain)
    assert torch.equal(images_of(copied), plain)  # it works on its own
    assert copied.scheduler.step.__self__ is copied.scheduler
    assert torch.equal(images_of(tiny), plain)


def test_two_threads_steer_one_pipeline_each_its_own_way(tiny, targets):
    alone, found, inside = {}, {}, threading.Barrier(2)
    guidances = {"mode": ModePull(targets), "still": lambda denoised, level: denoised.clone()}
    for name, guidance in guidances.items():
        with steer(tiny, guidance):
            alone[name] = images_of(tiny)

    def work(name):
        with steer(tiny, guidances[name]):
            inside.wait()  # both have entered
            with turns:  # a scheduler counts its steps: one run at a time
                found[name] = images_of(tiny)
            inside.wait()

    turns = threading.Lock()
    threads = [threading.Thread(target=work, args=(name,)) for name in guidances]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in guidances:
        assert torch.equal(found[name], alone[name])
    assert "step" not in vars(tiny.scheduler)


def test_contexts_left_out_of_order_leave_nothing_behind(tiny, targets):
    plain = images_of(tiny)
    first, second = steer(tiny, None), steer(tiny, ModePull(targets, strength=1.0))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not torch.equal(images_of(tiny), plain)  # the second is still there
    second.__exit__(None, None, None)
    assert torch.equal(images_of(tiny), plain)
    assert "step" not in vars(tiny.scheduler)
    assert not tiny.transformer._forward_hooks


def test_targets_of_one_prompt_are_not_given_to_another():
    """num_images_per_prompt orders images 0, 0, 1, 1: two targets would have been taken in turn."""
    pipe = tiny_kinds.make("StableDiffusionPipeline", diffusers.DDIMScheduler(clip_sample=False, steps_offset=1))
    targets = torch.randn(2, *LATENT, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    call = functools.partial(
        pipe, prompt_embeds=tiny_kinds.words(2), num_images_per_prompt=2, num_inference_steps=3, guidance_scale=1.0,
        height=16, width=16, output_type="latent",
    )  # fmt: skip
    with (
        pytest.raises(ValueError, match=r"got 2 targets for 4 images.*repeat_interleave"),
        steer(pipe, ModePull(targets, strength=1.0)),
    ):
        call()
    with steer(pipe, ModePull(targets.repeat_interleave(2, 0), strength=1.0)):
        found = call().images
    torch.testing.assert_close(found, targets[[0, 0, 1, 1]], rtol=0, atol=1e-4)
