"""What `steer` promises beyond the matrix of schedulers, on small pipelines of every kind."""

import diffusers
import pytest
import tiny
import torch

from mgd_helpers import seeding
from mgd_helpers.encoding.latents import pack
from mgd_helpers.guidance.pulls import ManifoldPull, ModePull
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.windows import window

STEPS = 5


def scheduler_of(kind, name=None, **config):
    if tiny.KINDS[kind].prediction == "flow_prediction":
        return getattr(diffusers, name or "FlowMatchEulerDiscreteScheduler")(**config)
    config = {"steps_offset": 1, "prediction_type": tiny.KINDS[kind].prediction} | config
    if name in (None, "DDIMScheduler"):
        return diffusers.DDIMScheduler(clip_sample=False, **config)
    return getattr(diffusers, name)(**config)


def run(kind, pipe, guidance, *, images=(0, 1, 2), **options):
    generators = seeding.generators(0, 0, images)
    with steer(pipe, guidance, generators=generators):
        return tiny.KINDS[kind].call(pipe, generators, num_inference_steps=STEPS, **options)


def targets_of(kind, count=3):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, *tiny.KINDS[kind].latent, generator=generator).clamp(-0.9, 0.9)


DRAWING = [  # pipelines under samplers that draw noise at every step
    ("DiTPipeline", "DDPMScheduler", {"clip_sample": False}),
    ("DiTPipeline", "DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    ("DDPMPipeline", "DDPMScheduler", {"clip_sample": False}),
    ("StableDiffusionPipeline", "EulerAncestralDiscreteScheduler", {}),
    ("StableDiffusionPipeline, v-prediction", "LCMScheduler", {}),
    ("StableDiffusionImg2ImgPipeline", "DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    ("StableDiffusionXLPipeline", "KDPM2AncestralDiscreteScheduler", {}),
    ("StableDiffusion3Pipeline", "FlowMatchEulerDiscreteScheduler", {"stochastic_sampling": True}),
    ("FluxPipeline", "FlowMatchLCMScheduler", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name", "config"), DRAWING + [(kind, None, {}) for kind in tiny.KINDS], ids=lambda part: str(part)[:40]
)
def test_an_image_depends_on_its_own_generator_alone(kind, name, config):
    pipe = tiny.make(kind, scheduler_of(kind, name, **config))
    targets, cloud = targets_of(kind), targets_of(kind, 30)

    def guided(images):
        # near pure noise the clean prediction of random weights is rounding over a tiny signal: neighbours may swap
        pull = ManifoldPull(targets[list(images)], cloud, strength=0.3, softness=0.5)
        return run(kind, pipe, window(pull, below=0.99), images=images)

    torch.manual_seed(1)
    state = torch.get_rng_state()
    together = guided((0, 1, 2))
    close = {"rtol": 1e-3, "atol": 1e-3 * together.std().item()}
    torch.testing.assert_close(torch.cat([guided((image,)) for image in range(3)]), together, **close)
    torch.testing.assert_close(guided((2, 0)), together[[2, 0]], **close)
    assert (together[1] - together[2]).abs().max() > 0.01 * together.std()
    assert torch.equal(torch.get_rng_state(), state)  # no draw from the global generator


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_half_precision_denoisers_are_steered_in_float32(kind, dtype):
    pipe, targets, seen = tiny.make(kind, scheduler_of(kind)).to(dtype), targets_of(kind), []

    def watched(denoised, level):
        seen.append(denoised.dtype)
        return ModePull(targets, strength=1.0)(denoised, level)

    plain = run(kind, pipe, None)
    assert plain.isfinite().all()
    assert torch.equal(run(kind, pipe, ModePull(targets, strength=0.0)), plain)
    found = run(kind, pipe, watched)
    assert set(seen) == {torch.float32}
    torch.testing.assert_close(found.float(), targets, rtol=0, atol=40 * torch.finfo(dtype).eps)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["DiTPipeline", "StableDiffusionPipeline", "FluxPipeline"])
def test_compiled_denoisers_are_steered_alike(kind):
    pipe, targets = tiny.make(kind, scheduler_of(kind)), targets_of(kind)
    eager = run(kind, pipe, ModePull(targets, strength=0.3))
    part = "unet" if hasattr(pipe, "unet") else "transformer"
    setattr(pipe, part, torch.compile(getattr(pipe, part), backend="aot_eager"))
    plain = run(kind, pipe, None)
    assert torch.equal(run(kind, pipe, ModePull(targets, strength=0.0)), plain)
    close = {"rtol": 1e-3, "atol": 1e-3 * plain.std().item()}
    torch.testing.assert_close(run(kind, pipe, ModePull(targets, strength=0.3)), eager, **close)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["StableDiffusionPipeline", "StableDiffusionXLPipeline"])
def test_rescaled_classifier_free_guidance_is_over_before_ours_begins(kind):
    pipe, targets = tiny.make(kind, scheduler_of(kind)), targets_of(kind)
    plain = run(kind, pipe, None, guidance_rescale=0.7)
    assert not torch.equal(plain, run(kind, pipe, None))
    assert torch.equal(run(kind, pipe, ModePull(targets, strength=0.0), guidance_rescale=0.7), plain)
    found = run(kind, pipe, ModePull(targets, strength=1.0), guidance_rescale=0.7)
    torch.testing.assert_close(found, targets, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["DDIMScheduler", "DPMSolverMultistepScheduler", "EulerDiscreteScheduler"])
def test_denoising_may_start_from_the_noised_target(name):
    kind = "StableDiffusionImg2ImgPipeline"
    pipe, targets, seen = tiny.make(kind, scheduler_of(kind, name)), targets_of(kind), []

    def watched(denoised, level):
        seen.append(level)
        return denoised

    run(kind, pipe, watched, image=targets)
    assert len(seen) == int(0.6 * STEPS)  # the first steps are left out
    assert seen[0].share < 0.999
    # what the first step is given is the target under the noise of that level, and of the image's own generator
    noise = torch.cat(
        [torch.randn(1, *targets.shape[1:], generator=generator) for generator in seeding.generators(0, 0, range(3))]
    )
    torch.testing.assert_close(seen[0].sample, seen[0].signal * targets + seen[0].noise * noise, rtol=1e-3, atol=1e-3)
    found = run(kind, pipe, ModePull(targets, strength=1.0), image=targets)
    torch.testing.assert_close(found, targets, rtol=0, atol=1e-5)


def test_flux_is_guided_by_packed_targets():
    latents = torch.randn(3, tiny.CHANNELS, tiny.SIZE, tiny.SIZE, generator=torch.Generator().manual_seed(0))
    packed = pack(latents)
    theirs = diffusers.FluxPipeline._pack_latents(latents, 3, tiny.CHANNELS, tiny.SIZE, tiny.SIZE)
    assert torch.equal(packed, theirs)
    pipe = tiny.make("FluxPipeline", scheduler_of("FluxPipeline"))
    found = run("FluxPipeline", pipe, ModePull(packed, strength=1.0))
    torch.testing.assert_close(found, packed, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"targets must be \[16, 16\] each, .*; got \[4, 8, 8\]"):
        run("FluxPipeline", pipe, ModePull(latents))


def test_a_pixel_model_with_a_learned_variance_is_steered_through_its_own_pipeline():
    kind = "DDPMPipeline"
    scheduler = diffusers.DDPMScheduler(clip_sample=False, variance_type="learned_range")
    pipe, targets, seen = tiny.make(kind, scheduler, out_channels=6), targets_of(kind), []

    def watched(denoised, level):
        seen.append(level.variance.shape)
        return ModePull(targets, strength=1.0)(denoised, level)

    assert torch.equal(run(kind, pipe, ModePull(targets, strength=0.0)), run(kind, pipe, None))
    torch.testing.assert_close(run(kind, pipe, watched), targets, rtol=0, atol=1e-5)
    assert seen == [(3, 3, 8, 8)] * STEPS


def test_a_dit_decodes_whatever_one_asks_for():
    """Its latents are to be had from what its VAE is given, as here, or not at all."""
    pipe = tiny.make("DiTPipeline", scheduler_of("DiTPipeline"))
    images = pipe(
        class_labels=[1], num_inference_steps=2, output_type="latent", generator=seeding.generators(0, 0, [0])
    ).images
    assert images.shape[1:] == (16, 16, 1)  # an image, under another name


def test_videos_have_one_more_axis_and_are_steered_like_images(randn):
    sample, output, targets = randn(3, 2, 4, 3, 8, 8)  # batch, channels, frames, height, width
    scheduler = diffusers.DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    scheduler.set_timesteps(4)
    with steer(tiny.bare(scheduler), ModePull(targets, strength=1.0)):
        for timestep in scheduler.timesteps:
            sample = scheduler.step(output, timestep, sample).prev_sample
    torch.testing.assert_close(sample, targets, rtol=0, atol=1e-5)
