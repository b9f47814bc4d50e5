"""Which schedulers are accepted, and why others are refused; pair by pair, with every pipeline, in test_matrix.py."""

import re

import diffusers
import pytest
import tiny as tiny_kinds
import torch
from steered import LATENT, run
from tiny import bare

from mgd_helpers.guidance import schedulers
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.steering import _steered, check, steer
from mgd_helpers.guidance.toys import tiny_pipeline


@pytest.fixture
def targets(randn):
    return randn(3, *LATENT)


def test_lists_name_schedulers_that_exist_or_existed_and_do_not_overlap():
    lists = [set(schedulers.ON_TARGET), set(schedulers.NEAR_TARGET), set(schedulers.REFUSED)]
    assert sum(map(len, lists)) == len(set.union(*lists))
    assert {name for name in schedulers.ON_TARGET if not hasattr(diffusers, name)} == set()


@pytest.mark.parametrize("name", ["DDIMScheduler", "EulerDiscreteScheduler", "FlowMatchEulerDiscreteScheduler"])
def test_the_laws_hold_for_schedulers_that_are_known_to_keep_them(name):
    config = {"clip_sample": False} if name == "DDIMScheduler" else {}
    scheduler = getattr(diffusers, name)(**config)
    assert schedulers.broken_law(scheduler, _steered) == ""
    check(bare(scheduler))


def test_a_scheduler_that_clamps_breaks_the_second_law():
    scheduler = diffusers.DDIMScheduler(clip_sample=True, clip_sample_range=0.1)
    assert schedulers.broken_law(scheduler, _steered).startswith("a full pull ends")


def named(name):
    """A scheduler of that name, of which nothing else is known: some need a library that is not there."""
    return type(name, (), {"config": None, "step": lambda self: None})()


@pytest.mark.parametrize("name", schedulers.REFUSED)
def test_schedulers_that_scale_outputs_themselves_are_refused_by_name(name):
    remedy = schedulers.REFUSED[name]
    with (
        pytest.raises(ValueError, match=rf"scheduler {name} cannot be steered: it is known .* Use {re.escape(remedy)}"),
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
    remedy = rf"Use {name}.from_config\(pipe.scheduler.config, clip_sample=False\)"
    with pytest.raises(ValueError, match=rf"scheduler {name} has clip_sample=True, .*\. {remedy}"), steer(tiny, None):
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
        (HomeMade(error=0.1), r"a full pull ends 0\.1 of its length away from its target"),
        (named("MyOwnScheduler"), "it could not be tried: "),
    ],
)
def test_an_untried_scheduler_that_breaks_a_law_is_refused_and_told_which(scheduler, law):
    name = type(scheduler).__name__
    message = rf"scheduler {name} cannot be steered: {law}.*Use DDIMScheduler, .* or FlowMatchEulerDiscreteScheduler"
    with pytest.raises(ValueError, match=message), steer(bare(scheduler), None):
        pass


def test_a_scheduler_that_changes_its_mind_breaks_the_first_law():
    calls = iter(range(1000))
    other = type(
        "Changing", (HomeMade,), {"step": lambda self, output, t, x: HomeMade.step(self, output + next(calls), t, x)}
    )
    with (
        pytest.raises(ValueError, match="a pull of zero changes the samples"),
        steer(bare(other()), None),
    ):
        pass


def test_a_descendant_with_a_step_of_its_own_is_tried():
    class Halved(diffusers.DDIMScheduler):
        def step(self, *args, **options):
            found = super().step(*args, **options)
            found.prev_sample = found.prev_sample / 2
            return found

    with pytest.raises(ValueError, match="a full pull ends"), steer(bare(Halved(clip_sample=False)), None):
        pass


def test_the_trial_on_a_toy_leaves_all_generators_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("the state of every GPU was set"))
    state = torch.get_rng_state()
    with steer(bare(HomeMade()), None):
        pass
    assert torch.equal(torch.get_rng_state(), state)
