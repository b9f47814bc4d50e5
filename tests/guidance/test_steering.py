"""The laws of `steer`, under each scheduler that DiTPipeline is steered with."""

import pytest
import torch
from steered import LABELS, LATENT, run
from tiny import scheduler_of

from mgd_helpers.guidance.pulls import ManifoldPull, ModePull
from mgd_helpers.guidance.released import ReleasedPull
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.toys import tiny_pipeline
from mgd_helpers.guidance.windows import window


@pytest.fixture
def targets(randn):
    return randn(3, *LATENT)


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
        assert images.dtype == plain.dtype
        assert torch.equal(images, plain), name


def test_no_guidance_and_no_generators_is_the_stock_pipeline(tiny):
    def images():
        generator = torch.Generator().manual_seed(0)
        return torch.as_tensor(
            tiny(class_labels=LABELS, num_inference_steps=3, generator=generator, output_type="np").images
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
    pipe = tiny_pipeline(scheduler_of(kind))
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


def test_nested_guidances_act_one_after_the_other(tiny, targets):
    with steer(tiny, ModePull(targets, strength=1.0)):
        _, latents = run(tiny, lambda denoised, level: denoised + 1)  # the inner one moves first, the outer one decides
    torch.testing.assert_close(latents, targets, rtol=1e-4, atol=1e-4)


def test_released_pull_runs_in_a_pipeline_and_is_reproducible(tiny, targets):
    one, other = (run(tiny, ReleasedPull(targets), guidance_scale=4.0)[0] for _ in range(2))
    assert torch.equal(one, other)
