"""Only this pipeline is steered, only in this thread and within the context; all else stays as it is."""

import copy
import functools
import inspect
import threading

import diffusers
import pytest
import torch
from steered import LABELS, LATENT, images_of, run

from mgd_helpers import seeding
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.toys import tiny_pipeline


@pytest.fixture
def targets(randn):
    return randn(3, *LATENT)


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


def test_a_step_that_was_wrapped_within_the_context_leaves_nothing_steered(tiny, targets):
    plain = images_of(tiny)
    with steer(tiny, ModePull(targets)):
        inner = tiny.scheduler.step
        tiny.scheduler.step = functools.wraps(inner)(lambda *args, **options: inner(*args, **options))
        images_of(tiny)
    assert torch.equal(images_of(tiny), plain)


def test_saving_inside_the_context_saves_the_stock_pipeline(tiny, targets, tmp_path):
    tiny.save_pretrained(tmp_path / "plain")
    with steer(tiny, ModePull(targets)):
        tiny(class_labels=LABELS, num_inference_steps=2)
        tiny.save_pretrained(tmp_path / "steered")
    for file in (tmp_path / "plain").rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "steered" / file.relative_to(tmp_path / "plain")).read_bytes()


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


def test_pipelines_that_inspect_the_signature_still_find_eta_and_generator(tiny, targets):
    plain = inspect.signature(tiny.scheduler.step)
    with steer(tiny, None):
        assert inspect.signature(tiny.scheduler.step) == plain
    assert {"eta", "generator"} <= set(plain.parameters)


def test_other_arguments_of_step_are_handed_on(tiny, randn):
    tiny.scheduler.set_timesteps(4)
    sample = randn(3, *LATENT)

    def step():
        generator = torch.Generator().manual_seed(1)
        return tiny.scheduler.step(sample, 500, sample, eta=0.5, generator=generator, return_dict=False)[0]

    plain = step()
    with steer(tiny, lambda denoised, level: denoised):
        assert torch.equal(step(), plain)


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


def test_ancestral_noise_comes_from_the_generators_and_not_from_the_global_one():
    pipe = tiny_pipeline(diffusers.DDPMScheduler(clip_sample=False))
    torch.manual_seed(1)
    state = torch.get_rng_state()
    run(pipe, None)
    assert torch.equal(torch.get_rng_state(), state)
    generators = seeding.generators(0, 0, range(3))
    pipe(class_labels=LABELS, generator=generators, num_inference_steps=3)  # the stock pipeline passes none on
    assert not torch.equal(torch.get_rng_state(), state)
