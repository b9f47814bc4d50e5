import diffusers
import pytest
import tiny as kinds
import torch

from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.encoding.facts import facts_of, write_facts
from mgd_helpers.encoding.kinds import (
    as_denoised,
    denoised_from,
    encoder_dtype,
    image_shape,
    kind_of,
    multiple,
    own_guidance_scale,
    reduction,
)
from mgd_helpers.encoding.latents import encode, pack
from mgd_helpers.encoding.pipelines import load_pipeline


def of(kind):
    flow = kinds.KINDS[kind].prediction == "flow_prediction"
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler() if flow else diffusers.DDIMScheduler(clip_sample=False)
    return kinds.KINDS[kind].build(scheduler)


@pytest.mark.parametrize(
    ("kind", "asked_by", "scale", "latent", "shape"),
    [
        ("DiTPipeline", "class_labels", 4.0, True, (1, 16, 16)),
        ("DDPMPipeline", "", None, False, (3, 8, 8)),
        ("DDIMPipeline", "", None, False, (3, 8, 8)),
        ("StableDiffusionPipeline", "prompt", 7.5, True, (3, 16, 16)),
        ("StableDiffusionXLPipeline", "prompt", 5.0, True, (3, 16, 16)),
        ("StableDiffusion3Pipeline", "prompt", 7.0, True, (3, 16, 16)),
        ("FluxPipeline", "prompt", 3.5, True, (3, 256, 256)),
    ],
)
def test_each_kind_is_told_by_its_call_and_its_parts(kind, asked_by, scale, latent, shape):
    pipe = of(kind)
    found = kind_of(pipe)
    assert (found.asked_by, found.guidance_scale, found.latent) == (asked_by, scale, latent)
    assert image_shape(pipe) == shape
    assert found.packed == (kind == "FluxPipeline")
    assert found.sized == (asked_by == "prompt")
    assert reduction(pipe) == (2 if latent else 1)
    assert encoder_dtype(pipe) == "float32"
    images = torch.zeros(2, *shape[:1], 16, 16)
    expected = images if not latent else pack(encode(pipe.vae, images)) if found.packed else encode(pipe.vae, images)
    assert torch.equal(denoised_from(pipe, images), expected)
    assert torch.equal(as_denoised(pipe, expected), expected)
    assert multiple(pipe) == 8


@pytest.mark.parametrize("pipe", [5, None, torch.nn.Linear(1, 1)])
def test_what_is_no_pipeline_is_refused(pipe):
    with pytest.raises(ValueError, match=rf"pipeline must be one of diffusers .*got {type(pipe).__name__}\."):
        kind_of(pipe)


def test_pipelines_that_do_not_start_from_noise_are_refused():
    with pytest.raises(ValueError, match=r"StableDiffusionImg2ImgPipeline takes image\. .*image_to_image=0\.6"):
        kind_of(of("StableDiffusionImg2ImgPipeline"))


def test_an_autoencoder_of_another_kind_is_refused():
    pipe = of("DDPMPipeline")
    pipe.vqvae = torch.nn.Identity()
    with pytest.raises(ValueError, match="has a vqvae"):
        kind_of(pipe)


def test_latents_that_are_packed_in_another_way_are_refused():
    pipe = of("StableDiffusionPipeline")
    pipe._pack_latents = lambda latents: latents
    with pytest.raises(ValueError, match="packs them in its own way"):
        kind_of(pipe)


def test_a_shift_that_the_pipeline_would_forget_is_refused(tiny):
    tiny.vae.register_to_config(shift_factor=0.7)
    with pytest.raises(ValueError, match=r"pipeline must have a vae without a shift_factor.*got 0\.7"):
        kind_of(tiny)
    tiny.vae.register_to_config(shift_factor=0.0)
    kind_of(tiny)


def test_what_stands_beside_a_pipeline_counts(tiny, tmp_path):
    assert own_guidance_scale(tiny) == 4.0
    tiny.save_pretrained(tmp_path)
    write_facts(tmp_path, guidance_scale=1.25, image_size=99)
    pipe = load_pipeline(tmp_path)
    assert facts_of(pipe)["guidance_scale"] == own_guidance_scale(pipe) == 1.25
    assert image_shape(pipe) == (1, 16, 16)  # a DiT can make no other


@pytest.mark.parametrize("name", ["digits", "fashion_mnist", "cifar10"])
def test_shipped_pipelines_say_what_the_catalogue_says(name):
    pipe, profile = load_pipeline(name), PROFILES[name]
    facts = facts_of(pipe)
    assert own_guidance_scale(pipe) == facts["guidance_scale"] == profile.guidance_scale
    assert image_shape(pipe) == (facts["channels"], facts["image_size"], facts["image_size"])
    assert (facts["channels"], facts["image_size"]) == (profile.channels, profile.image_size)
    assert 0 < facts["reconstruction_error"] < 0.02
