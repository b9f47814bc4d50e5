import inspect
from types import SimpleNamespace

import pytest
import torch

from mgd_helpers.encoding import memory
from mgd_helpers.encoding.latents import decode, encode, pack


@pytest.fixture
def vae(tiny):
    return tiny.vae


@pytest.fixture
def images(waves):
    return waves.train.images


@torch.no_grad()
def test_latents_are_scaled_posterior_means(vae, images, device):
    found = encode(vae.to(device), images)
    expected = torch.cat([vae.encode(image[None].to(device)).latent_dist.mode() for image in images])
    torch.testing.assert_close(found, expected.cpu() * vae.config.scaling_factor, rtol=1e-4, atol=1e-5)
    assert found.device == images.device


def test_one_image_has_one_latent(vae, images):
    assert torch.equal(encode(vae, images), encode(vae, images))


@pytest.mark.parametrize("batch_size", [1, 5, 12, 100])
def test_batch_size_does_not_change_the_result(vae, images, batch_size):
    latents = encode(vae, images)
    torch.testing.assert_close(encode(vae, images, batch_size=batch_size), latents, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(decode(vae, latents, batch_size=batch_size), decode(vae, latents), rtol=1e-4, atol=1e-5)


class Halving:
    """A VAE whose latent is half its image, with a scaling factor of 3 and a shift of 0.1."""

    config = SimpleNamespace(in_channels=1, latent_channels=1, scaling_factor=3.0, shift_factor=0.1)
    device, dtype = torch.device("cpu"), torch.float32

    def encode(self, images):
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=images / 2))

    def decode(self, latents):
        return SimpleNamespace(sample=latents * 2)


def test_shift_is_subtracted_before_scaling_and_decode_undoes_both(images):
    latents = encode(Halving(), images)
    torch.testing.assert_close(latents, (images / 2 - 0.1) * 3)
    torch.testing.assert_close(decode(Halving(), latents), images)


def test_decoded_images_stay_within_range():
    found = decode(Halving(), torch.tensor([-9.0, 0.0, 9.0]).view(3, 1, 1, 1))
    torch.testing.assert_close(found.flatten(), torch.tensor([-1.0, 0.2, 1.0]))


def test_half_precision_networks_give_float32(vae, images):
    vae.to(torch.bfloat16)
    latents = encode(vae, images)
    assert latents.dtype == decode(vae, latents).dtype == torch.float32


def test_no_gradient_is_kept(vae, images):
    assert not encode(vae, images).requires_grad


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 3, 16, 16), r"images must be \[N, 1, H, W\] for this VAE; got \[2, 3, 16, 16\]"),
        (torch.zeros(1, 16, 16), r"images must be \[N, 1, H, W\] for this VAE; got \[1, 16, 16\]"),
        (
            torch.full((2, 1, 16, 16), 255.0),
            r"images must lie in \[-1, 1\]; got \[255, 255\]. For pixels 0 to 255 pass images / 127.5 - 1",
        ),
        (torch.zeros(2, 1, 16, 16).byte(), r"images must be floating-point .*; got torch.uint8.* images / 127.5 - 1"),
        ([[0.0]], "images must be a torch.Tensor; got list"),
        (torch.full((2, 1, 16, 16), torch.nan), r"images must lie in \[-1, 1\]; got NaN, in 2 of 2 images"),
    ],
)
def test_images_that_do_not_fit_are_refused(vae, images, message):
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(encode)(vae, images)


def short_of_memory(function, most, seen):
    def asked(rows, *args):
        seen.append(len(rows))
        if len(rows) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return function(rows, *args)

    return asked


def test_where_memory_is_short_batches_are_halved_and_go_on(vae, images, monkeypatch):
    latents, seen, said = encode(vae, images), [], []
    back = decode(vae, latents)
    monkeypatch.setattr(memory, "tell", said.append)
    monkeypatch.setattr(vae, "encode", short_of_memory(vae.encode, 3, seen))
    torch.testing.assert_close(encode(vae, images), latents, rtol=1e-4, atol=1e-5)
    assert seen == [12, 8, 4, 2, 2, 2, 2, 2, 2] and len(said) == 1  # 64, 32, 16, 8, 4, 2
    real = type(vae).decode
    small = lambda vae, rows: short_of_memory(lambda some: real(vae, some), 5, seen)(rows)  # noqa: E731
    monkeypatch.setattr(type(vae), "decode", small)
    seen.clear()
    torch.testing.assert_close(decode(vae, latents, batch_size=7), back, rtol=1e-4, atol=1e-5)
    assert seen == [7, 4, 4, 4]
    assert said[1:] == ["CUDA out of memory; going on with batch_size=4."]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_an_autoencoder_that_overflows_is_named_with_the_remedy(vae, images, dtype):
    latents = encode(vae, images)
    vae.to(dtype)
    for part in (vae.encoder, vae.decoder):
        part.conv_in.weight.data.fill_(3e4 if dtype == torch.float16 else torch.nan)
    message = f"the VAE must give finite {{}}; got NaN or infinite values in {dtype}. .*dtype=torch.bfloat16"
    with pytest.raises(ValueError, match=message.format("latents")):
        encode(vae, images)
    with pytest.raises(ValueError, match=message.format("images")):
        decode(vae, latents)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (4, 8, 8)])
def test_latents_that_do_not_fit_are_refused(vae, shape):
    with pytest.raises(ValueError, match=r"latents must be \[N, 4, h, w\] for this VAE; got"):
        inspect.unwrap(decode)(vae, torch.zeros(shape))


def test_packing_reorders_and_nothing_else(randn):
    latents = randn(5, 4, 6, 8)
    packed = pack(latents)
    assert packed.shape == (5, 12, 16)
    assert torch.equal(packed.flatten(1).sort(1).values, latents.flatten(1).sort(1).values)
    assert torch.equal(packed[:, 0].view(5, 4, 2, 2), latents[:, :, :2, :2])
    torch.testing.assert_close(
        torch.cdist(packed.flatten(1), packed.flatten(1)), torch.cdist(*[latents.flatten(1)] * 2)
    )
    with pytest.raises(ValueError, match=r"latents must have even height and width to be packed; got \[1, 4, 3, 8\]"):
        pack(randn(1, 4, 3, 8))


@pytest.mark.parametrize("batch_size", [5, 64])
def test_a_set_kept_as_bytes_has_the_latents_of_its_numbers(vae, kept, batch_size):
    as_bytes, numbers = (encode(vae, one.train, batch_size=batch_size) for one in kept)
    assert torch.equal(as_bytes, numbers)
    assert torch.equal(as_bytes, encode(vae, kept[1].train.images, batch_size=batch_size))


def test_of_a_set_kept_as_bytes_a_batch_at_a_time_becomes_numbers(vae, kept, monkeypatch):
    seen = []
    monkeypatch.setattr("mgd_helpers.data.image_sets.from_uint8", lambda found: seen.append(len(found)) or found / 255)
    encode(vae, kept[0].train, batch_size=4)
    assert max(seen) == 4
