import diffusers
import pytest
import tiny as kinds
import torch

from mgd_helpers import seeding
from mgd_helpers.guidance.late_start import late_start
from mgd_helpers.guidance.noise import noise_levels
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.steering import steer

STEPS = 10


def pipeline(kind, name, **config):
    if kinds.KINDS[kind].prediction != "flow_prediction":
        config = {"steps_offset": 1} | config
        if name.startswith(("DDIM", "DDPM")):
            config = {"clip_sample": False} | config
        if name != "DDIMScheduler" and name != "PNDMScheduler":
            config.pop("steps_offset", None)
        if name == "PNDMScheduler":
            config = {"skip_prk_steps": True} | config
    return kinds.make(kind, getattr(diffusers, name)(**config))


def run(kind, pipe, start, strength, guidance=None, seed=0):
    generators = seeding.generators(seed, 0, range(3))
    with steer(pipe, guidance, generators=generators), late_start(pipe, start, strength):
        return kinds.KINDS[kind].call(pipe, generators, num_inference_steps=STEPS)


def starts(kind):
    return torch.randn(3, *kinds.KINDS[kind].latent, generator=torch.Generator().manual_seed(3)).clamp(-0.9, 0.9)


PAIRS = [
    ("DiTPipeline", "DDIMScheduler"),
    ("DiTPipeline", "DPMSolverMultistepScheduler"),
    ("DDPMPipeline", "DDPMScheduler"),
    ("DDIMPipeline", "DDIMScheduler"),
    ("StableDiffusionPipeline", "PNDMScheduler"),
    ("StableDiffusionPipeline", "EulerDiscreteScheduler"),
    ("StableDiffusionPipeline", "HeunDiscreteScheduler"),
    ("StableDiffusionPipeline", "UniPCMultistepScheduler"),
    ("StableDiffusionPipeline", "DPMSolverSinglestepScheduler"),
    ("StableDiffusionXLPipeline", "EulerAncestralDiscreteScheduler"),
    ("StableDiffusion3Pipeline", "FlowMatchEulerDiscreteScheduler"),
    ("StableDiffusion3Pipeline", "FlowMatchHeunDiscreteScheduler"),
    ("FluxPipeline", "FlowMatchEulerDiscreteScheduler"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_any_pipeline_begins_late_from_what_it_is_given(kind, name):
    pipe, start = pipeline(kind, name), starts(kind)
    seen, networks = [], []

    def watched(denoised, level):
        seen.append(level)
        return denoised

    network = getattr(pipe, "unet", None) or pipe.transformer
    network.register_forward_pre_hook(lambda *_: networks.append(1))
    half = run(kind, pipe, start, 0.5, watched)
    order = getattr(pipe.scheduler, "order", 1)
    total = len(pipe.scheduler.timesteps)
    first = order * (-(-total // order) - round(0.5 * -(-total // order)))
    assert len(seen) == total - first
    # the first step that is taken sees the start under noise of its level, and of the image's own generator
    level, noise = seen[0], torch.stack([(seen[0].sample[row] - seen[0].signal * start[row]) for row in range(3)])
    noise = noise / level.noise
    assert 0.8 < noise.std() < 1.2
    ahead = seen[0].share
    assert ahead < noise_levels(pipe.scheduler)[0].share
    assert all(later.share <= ahead + 1e-6 for later in seen)
    # other starts end elsewhere, and so do other seeds
    assert not torch.allclose(half, run(kind, pipe, -start, 0.5), atol=1e-3)
    assert not torch.allclose(half, run(kind, pipe, start, 0.5, seed=1), atol=1e-4)
    # a full pull ends where it pulls to, as from noise
    found = run(kind, pipe, start, 0.5, ModePull(start, strength=1.0))
    near = 0.11 if name == "PNDMScheduler" else 1e-4
    assert (found - start).norm() / start.norm() < near
    # all steps are the plain run, and nothing stays behind
    with steer(pipe, None, generators=(generators := seeding.generators(0, 0, range(3)))):
        plain = kinds.KINDS[kind].call(pipe, generators, num_inference_steps=STEPS)
    assert torch.equal(run(kind, pipe, start, 1.0), plain)
    assert "step" not in vars(pipe.scheduler)
    assert "forward" not in vars(network)


@pytest.mark.parametrize("kind", ["DiTPipeline", "StableDiffusionPipeline", "FluxPipeline"])
def test_a_single_step_of_many_leaves_the_start_nearly_as_it_is(kind):
    name = "FlowMatchEulerDiscreteScheduler" if kind == "FluxPipeline" else "DDIMScheduler"
    pipe, start = pipeline(kind, name), starts(kind)
    generators = seeding.generators(0, 0, range(3))
    with steer(pipe, None, generators=generators), late_start(pipe, start, 0.001):
        found = kinds.KINDS[kind].call(pipe, generators, num_inference_steps=100)
    assert (found - start).abs().mean() < 0.1


def test_the_denoiser_rests_until_then():
    kind = "DDIMPipeline"
    pipe, calls = pipeline(kind, "DDIMScheduler"), []
    forward = pipe.unet.forward
    pipe.unet.forward = lambda *args, **kwargs: calls.append(1) or forward(*args, **kwargs)
    run(kind, pipe, starts(kind), 0.3)
    assert len(calls) == 1 + 3
    run(kind, pipe, starts(kind), 1.0)
    assert len(calls) == 1 + 3 + STEPS


@pytest.mark.parametrize("strength", [0.0, -1.0, 1.01, float("nan")])
def test_other_shares_are_refused(strength, tiny):
    with (
        pytest.raises(ValueError, match="image_to_image must be a number > 0 and <= 1; got"),
        late_start(tiny, torch.zeros(1, 4, 8, 8), strength),
    ):
        pass


def test_starts_of_another_shape_are_refused(tiny):
    with pytest.raises(ValueError, match=r"start must be a sample for each image, \[3, 4, 8, 8\]; got \[3, 4, 4, 4\]"):
        run("DiTPipeline", tiny, torch.zeros(3, 4, 4, 4), 0.5)


@pytest.mark.parametrize(
    ("name", "config"), [("LMSDiscreteScheduler", {}), ("PNDMScheduler", {"skip_prk_steps": False})]
)
def test_a_scheduler_that_cannot_begin_late_is_refused(name, config):
    pipe = pipeline("StableDiffusionPipeline", name, **config)
    with pytest.raises(ValueError, match=f"image_to_image must be left out with {name}"):
        run("StableDiffusionPipeline", pipe, starts("StableDiffusionPipeline"), 0.5)
