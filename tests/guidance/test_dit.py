import diffusers
import numpy as np
import pytest
import tiny
import torch

from mgd_helpers import seeding
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.steering import steer

STEPS, SCALE = 10, 4.0


def learned(**options):
    config = {"clip_sample": False, "variance_type": "learned_range", "timestep_spacing": "linspace"} | options
    return tiny.make("DiTPipeline", diffusers.DDPMScheduler(**config), out_channels=8)


def run(pipe, guidance=None, *, scale=SCALE, **options):
    generators = seeding.generators(0, 0, range(3))
    with steer(pipe, guidance, generators=generators, **options):
        return tiny.call_dit(pipe, generators, num_inference_steps=STEPS, guidance_scale=scale)


def by_hand(pipe, *, scale, cfg_channels, strength=0.0, targets=0.0):
    """The original DiT sampler: DDPM of few steps with a learned variance, in NumPy and float64 around the model."""
    generators = seeding.generators(0, 0, range(3))
    x = torch.cat([torch.randn(1, 4, 8, 8, generator=generator) for generator in generators]).double().numpy()
    alphas = np.cumprod(1 - np.linspace(1e-4, 2e-2, 1000))
    steps = np.linspace(0, 999, STEPS).round().astype(int)[::-1]
    for index, step in enumerate(steps):
        rows = torch.tensor(np.concatenate([x, x]), dtype=torch.float32)
        labels = torch.tensor([1, 1, 1, 1000, 1000, 1000])
        said = pipe.transformer(rows, timestep=torch.full((6,), int(step)), class_labels=labels).sample.double().numpy()
        with_class, without = said[:3], said[3:]
        epsilon = with_class[:, :4].copy()
        epsilon[:, :cfg_channels] += (scale - 1) * (with_class - without)[:, :cfg_channels]
        now, then = alphas[step], alphas[steps[index + 1]] if index + 1 < len(steps) else 1.0
        beta = 1 - now / then
        clean = (x - np.sqrt(1 - now) * epsilon) / np.sqrt(now)
        clean = clean + strength * (targets - clean)
        mean = np.sqrt(then) * beta / (1 - now) * clean + np.sqrt(now / then) * (1 - then) / (1 - now) * x
        noise = 0.0
        if index + 1 < len(steps):
            share = (with_class[:, 4:] + 1) / 2
            log_variance = share * np.log(beta) + (1 - share) * np.log((1 - then) / (1 - now) * beta)
            drawn = (
                torch.cat([torch.randn(1, 4, 8, 8, generator=generator) for generator in generators]).double().numpy()
            )
            noise = np.exp(0.5 * log_variance) * drawn
        x = mean + noise
    return x


@pytest.mark.slow
@pytest.mark.parametrize("cfg_channels", [None, 3, 1])
@pytest.mark.parametrize("strength", [0.0, 0.2])
def test_a_dit_under_steer_is_the_original_sampler_written_out(cfg_channels, strength):
    pipe, targets = learned(), torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    found = run(pipe, ModePull(targets, strength=strength), cfg_channels=cfg_channels)
    expected = by_hand(
        pipe, scale=SCALE, cfg_channels=cfg_channels or 4, strength=strength, targets=targets.double().numpy()
    )
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * expected.std())


def test_left_alone_the_pipeline_drops_the_variance_that_the_scheduler_needs():
    pipe = learned()
    with pytest.raises(Exception):  # noqa: B017  (whatever diffusers makes of it)
        pipe(class_labels=[1], num_inference_steps=2)
    assert run(pipe).isfinite().all()
    assert not pipe.transformer._forward_hooks  # and nothing is left behind


def test_nested_guidances_share_one_variance():
    pipe, targets = learned(), torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    alone = run(pipe, ModePull(targets, strength=0.2))
    with steer(pipe, None):
        assert torch.equal(run(pipe, ModePull(targets, strength=0.2)), alone)


def test_unconditional_images_are_not_taken_for_the_unconditional_half():
    pipe = tiny.make("DiTPipeline", diffusers.DDIMScheduler(clip_sample=False))

    def images(**options):
        generators = seeding.generators(0, 0, range(2))
        with steer(pipe, None, **options):
            return pipe(class_labels=[1000] * 2, generator=generators, guidance_scale=1.0, num_inference_steps=3).images

    for plain, limited in zip(images(), images(cfg_channels=3), strict=True):
        assert plain == limited


def test_three_channels_are_four_where_there_is_no_classifier_free_guidance():
    pipe = learned()
    assert torch.equal(run(pipe, scale=1.0, cfg_channels=3), run(pipe, scale=1.0))
    assert not torch.equal(run(pipe, cfg_channels=3), run(pipe))
    assert torch.equal(run(pipe, cfg_channels=4), run(pipe))


@pytest.mark.slow
def test_three_channels_work_without_a_learned_variance_and_compiled():
    pipe = tiny.make("DiTPipeline", diffusers.DDIMScheduler(clip_sample=False))
    eager = run(pipe, cfg_channels=3)
    pipe.transformer = torch.compile(pipe.transformer, backend="aot_eager")
    torch.testing.assert_close(run(pipe, cfg_channels=3), eager, rtol=1e-3, atol=1e-3 * eager.std().item())


def test_what_a_pipeline_cannot_do_is_refused():
    with pytest.raises(ValueError, match="cfg_channels must lie between 1 and the latents' 4 channels; got 5"):
        run(learned(), cfg_channels=5)
    pipe = tiny.make("DiTPipeline", diffusers.DDPMScheduler(clip_sample=False, variance_type="learned_range"))
    with pytest.raises(ValueError, match=r"expects a learned variance, which this model .*\. Use variance_type"):
        run(pipe)
    pipe = tiny.make("DDPMPipeline", diffusers.DDPMScheduler())
    with (
        pytest.raises(ValueError, match="cfg_channels is for DiTPipeline; got DDPMPipeline"),
        steer(pipe, None, cfg_channels=3),
    ):
        pass
