"""Every tensor of a lab on a GPU is where the lab is, and in its type: seen on a GPU that is not there."""

import diffusers
import fake_gpu
import hub_cache
import pytest
import torch

from mgd_helpers import arguments
from mgd_helpers.encoding.latents import decode, encode
from mgd_helpers.encoding.pipelines import modules
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.sampling import sample
from mgd_helpers.lab.session import Lab

HALF = [torch.float16, torch.bfloat16]


@pytest.fixture
def loaded(hub_home, monkeypatch):
    """A function: the data, and the pipeline that `Lab.load` hands to the GPU, once it has been there."""
    hub_cache.use(monkeypatch, hub_home)
    monkeypatch.setattr(arguments, "pixels", lambda name, images: images)  # it looks at values
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)

    def load(dtype, per_class=2):
        asked = []
        to = lambda pipe, *where, **options: asked.append((where, options)) or pipe  # noqa: E731
        with monkeypatch.context() as patch:
            patch.setattr(diffusers.DiffusionPipeline, "to", to)
            data, pipe = Lab(1, 0, torch.device("cuda"), dtype).load("imagenette", per_class)
        assert asked == [((torch.device("cuda"),), {})]  # where the lab is; the type is there before
        pipe.scheduler = fake_gpu.OnTheHost.from_config(pipe.scheduler.config)
        return data, pipe

    return load


@pytest.mark.slow
@pytest.mark.parametrize("dtype", HALF)
def test_load_reads_the_weights_in_the_type_of_the_lab_and_the_images_for_the_host(loaded, dtype):
    data, pipe = loaded(dtype)
    assert {weight.dtype for part in modules(pipe).values() for weight in part.parameters()} == {dtype}
    assert {data.train.images.dtype, data.test.images.dtype} == {torch.float32}
    assert {data.train.images.device.type, data.test.labels.device.type} == {"cpu"}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", HALF)
def test_images_go_to_the_gpu_in_its_type_and_latents_come_back_in_float32(loaded, monkeypatch, dtype):
    data, pipe = loaded(dtype)
    with fake_gpu.fake_gpu(monkeypatch):
        fake_gpu.move(pipe)
        seen = fake_gpu.places(pipe.vae, "encode", monkeypatch)
        latents = Lab(1, 0, torch.device("cuda"), dtype).encode(pipe, data.train.images)
        assert (latents.device.type, latents.dtype, latents.shape) == ("cpu", torch.float32, (20, 4, 32, 32))
        on_gpu = encode(pipe.vae, torch.empty(3, 3, 256, 256, device="cuda"), batch_size=2)
        assert (on_gpu.device.type, on_gpu.dtype) == ("cuda", torch.float32)
        assert seen == [("cuda", dtype)] * 3


@pytest.mark.slow
@pytest.mark.parametrize("dtype", HALF)
def test_latents_are_decoded_there_and_images_come_back_in_float32(loaded, monkeypatch, dtype):
    _, pipe = loaded(dtype)
    with fake_gpu.fake_gpu(monkeypatch):
        fake_gpu.move(pipe)
        seen = fake_gpu.places(pipe.vae.decoder, "forward", monkeypatch)
        for device in ("cpu", "cuda"):
            images = decode(pipe.vae, torch.empty(3, 4, 32, 32, device=device), batch_size=2)
            assert (images.device.type, images.dtype, images.shape) == (device, torch.float32, (3, 3, 256, 256))
        assert seen == [("cuda", dtype)] * 4


@pytest.mark.slow
@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("output", ["images", "latents"])
def test_a_guided_run_stays_there_and_its_images_come_back_in_float32(loaded, monkeypatch, dtype, output):
    _, pipe = loaded(dtype)
    with fake_gpu.fake_gpu(monkeypatch):
        fake_gpu.move(pipe)
        networks = [fake_gpu.places(pipe.transformer, "forward", monkeypatch)]
        networks.append(fake_gpu.places(pipe.vae, "decode", monkeypatch))
        pull, seen = ModePull(torch.empty(3, 4, 32, 32, device="cuda")), []

        def guidance(denoised, level):
            seen.append((denoised.device.type, denoised.dtype))
            return pull(denoised, level)

        found = sample(pipe, [0, 217, 217], guidance=guidance, steps=2, guidance_scale=4.0, output=output)
    assert (found.device.type, found.dtype) == ("cpu", torch.float32)
    assert seen == [("cuda", torch.float32)] * 2  # what a guidance reckons with
    assert networks[0] == [("cuda", dtype)] * 2  # both halves of classifier-free guidance at once
    assert networks[1] == ([("cuda", dtype)] if output == "images" else [])


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["type", "place"])
def test_a_tensor_in_another_type_or_place_fails_there(loaded, monkeypatch, wrong):
    data, pipe = loaded(torch.float16)
    if wrong == "type":
        pipe.vae.to(torch.float32)
    with fake_gpu.fake_gpu(monkeypatch):
        fake_gpu.move(pipe)
        encode_here = pipe.vae.encode
        if wrong == "place":
            pipe.vae.encode = lambda block: encode_here(block.cpu())
            with pytest.raises(RuntimeError, match="device"):
                encode(pipe.vae, data.train.images)
        else:
            with pytest.raises(RuntimeError, match=r"dtype|type"):
                sample(pipe, [0, 217], steps=1)
