import json

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.runs import resolve


@pytest.fixture
def call(waves, tiny, tmp_path):
    def call(**options):
        defaults = {
            "images_per_class": 3,
            "out": tmp_path / "set",
            "guidance": "mode",
            "pipeline": tiny,
            "steps": 4,
            "seed": 0,
            "set_size": 50,
            "batch_size": 32,
            "class_labels": None,
            "latents": None,
            "strategy": "levels",
            "guidance_scale": None,
            "representative": "centroid",
        }
        return resolve(options.pop("data", waves), **(defaults | options))

    return call


def test_nothing_is_written(call, tmp_path):
    call()
    assert not list(tmp_path.iterdir())


def test_numbers_of_numpy_become_pythons(call):
    plain, numpy = (
        call(),
        call(images_per_class=np.int64(3), steps=np.int32(4), seed=np.uint8(0), batch_size=np.int64(8)),
    )
    assert plain.settings == numpy.settings
    assert json.loads(json.dumps(numpy.settings)) == numpy.settings
    assert call(guidance_scale=np.float32(2)).settings["guidance_scale"] == 2


def test_files_stand_class_by_class(call):
    assert list(call(images_per_class=2).files.items()) == [
        ((0, 0), "zero/00000.png"),
        ((0, 1), "zero/00001.png"),
        ((1, 0), "one/00000.png"),
        ((1, 1), "one/00001.png"),
    ]


ODD = [True, 2.5, "3", None, float("nan"), [2], -1]


@pytest.mark.parametrize("name", ["images_per_class", "steps", "set_size", "batch_size", "seed"])
@pytest.mark.parametrize("value", ODD)
def test_other_things_are_no_counts(call, name, value):
    with pytest.raises(ValueError, match=rf"{name} must be a whole number >= [01]; got "):
        call(**{name: value})


@pytest.mark.parametrize("value", [-1, -0.5, 1e9, float("nan"), float("inf"), True, "4", [4]])
def test_other_things_are_no_scales(call, value):
    with pytest.raises(ValueError, match="guidance_scale must be a number from 0 to 100; got"):
        call(guidance_scale=value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 1001}, "steps must be a whole number from 1 to 1000; got 1001"),
        ({"guidance": 5}, r"guidance must be one of none, mode, .*, or a factory \(targets, cloud, seed\) .*; got 5"),
        ({"guidance": "manifolds"}, "got 'manifolds'. Did you mean 'manifold'"),
        ({"strategy": "leafs"}, "strategy must be one of levels, leaves; got 'leafs'. Did you mean 'leaves'"),
        ({"representative": None}, "representative must be one of centroid, nearest_member; got None"),
        ({"images_per_class": 7}, "images_per_class must not exceed the 6 images of class 'zero'; got 7"),
        ({"out": ""}, "out must be the path of a folder; got ''"),
        ({"out": "a\0"}, "out must be the path of a folder"),
        ({"out": None}, "out must be the path of a folder; got None"),
        ({"out": __file__}, "out must be a folder, .* is a file"),
        ({"out": f"{__file__}/x"}, "out must be a folder, .* is a file"),
        ({"class_labels": [0, 1000]}, "its null class"),
        ({"latents": torch.zeros(12, 4, 4, 4)}, "latents must be floating-point"),
        ({"pipeline": 5}, "pipeline must be one of diffusers"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call, options, message):
    with pytest.raises(ValueError, match=message):
        call(**options)


def test_images_of_another_size_need_latents(call, waves):
    small = ImageSet(waves.train.images[..., :12, :12].contiguous(), waves.train.labels)
    data = Dataset("small", small, small, waves.class_names)
    with pytest.raises(ValueError, match=r"images of 16 x 16 for this pipeline; got 12 x 12\. .*image_size=16"):
        call(data=data)
    assert call(data=data, latents=torch.zeros(12, 4, 8, 8)).latents is not None


def test_images_may_carry_gradients_but_must_have_values(call, waves):
    images = waves.train.images.clone().requires_grad_()
    data = Dataset("grad", ImageSet(images, waves.train.labels), waves.test, waves.class_names)
    assert call(data=data).settings["data_hash"] == call().settings["data_hash"]
    meta = ImageSet(images.detach().to("meta"), waves.train.labels)
    with pytest.raises(ValueError, match="data must have images with values"):
        call(data=Dataset("meta", meta, waves.test, waves.class_names))


def test_settings_know_latents_code_package_and_encoder(call, tiny):
    latents = torch.zeros(12, 4, 8, 8)
    given, others = call(latents=latents).settings, call(latents=latents + 1).settings
    assert call().settings["latents"] is None
    assert given["latents"] != others["latents"]
    first, second = (call(guidance=rule).settings for rule in (lambda t, c, s: None, lambda t, c, s: 5))
    assert first["guidance"] == second["guidance"]
    assert first["guidance_code"] != second["guidance_code"]
    tiny.vae.to(torch.bfloat16)
    assert call(pipeline=tiny).settings["encoder_dtype"] == "bfloat16"


def test_what_cannot_be_known_is_said(call):
    counts = []
    assert (
        call(guidance=lambda t, c, s: counts).note == "The guidance also uses counts, of which nothing is known here."
    )
    assert call().note == ""


def test_schedulers_are_looked_at(call, tiny):
    tiny.scheduler = DDIMScheduler(clip_sample=True)
    with pytest.raises(ValueError, match="clip_sample=True"):
        call()


def test_a_shift_that_the_pipeline_would_forget_is_refused(call, tiny):
    tiny.vae.register_to_config(shift_factor=0.7)
    with pytest.raises(ValueError, match="without a shift_factor"):
        call()
