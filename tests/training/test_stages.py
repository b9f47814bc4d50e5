from dataclasses import replace

import pytest
import torch

from mgd_helpers.encoding.latents import decode, encode
from mgd_helpers.training.architectures import make_scheduler
from mgd_helpers.training.losses import hide
from mgd_helpers.training.stages import train_dit, train_vae, whiten_channels

ALPHAS = make_scheduler().alphas_cumprod


def test_whitening_gives_every_channel_zero_mean_and_unit_variance(tiny, waves):
    images = waves.train.images
    whiten_channels(tiny.vae, images)
    latents = encode(tiny.vae, images)
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=1e-4)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(4), rtol=1e-4, atol=0)


def test_whitening_leaves_reconstructions_as_they_are(tiny, waves):
    images = waves.train.images
    before = decode(tiny.vae, encode(tiny.vae, images))
    raw = encode(tiny.vae, images)
    whiten_channels(tiny.vae, images)
    torch.testing.assert_close(decode(tiny.vae, encode(tiny.vae, images)), before, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(encode(tiny.vae, images), raw, atol=1e-2)


@torch.no_grad()
def test_whitening_scales_the_spread_of_the_posterior_like_its_mean(tiny, waves):
    images = waves.train.images
    before = tiny.vae.encode(images).latent_dist
    whiten_channels(tiny.vae, images)
    after = tiny.vae.encode(images).latent_dist
    scale = after.mean.std((0, 2, 3)) / before.mean.std((0, 2, 3))
    torch.testing.assert_close(after.std, before.std * scale.view(1, -1, 1, 1), rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_a_dit_resumed_from_a_checkpoint_is_the_dit_of_one_go(settings, tmp_path, monkeypatch, weights):
    latents, labels = torch.randn(12, 4, 8, 8), torch.arange(12) % 2
    longer = replace(settings, dit_steps=502)

    def dit_of(name):
        return train_dit(latents, labels, longer, alphas=ALPHAS, work=tmp_path / name)[0]

    whole = dit_of("whole")
    mse_loss, calls = torch.nn.functional.mse_loss, []

    def power_cut(*args):
        calls.append(1)
        if len(calls) == 502:
            raise KeyboardInterrupt
        return mse_loss(*args)

    monkeypatch.setattr(torch.nn.functional, "mse_loss", power_cut)
    with pytest.raises(KeyboardInterrupt):
        dit_of("cut")
    monkeypatch.undo()
    assert torch.load(tmp_path / "cut" / "dit.pt", weights_only=True)["step"] == 500
    assert torch.equal(weights(dit_of("cut")), weights(whole))


def test_training_the_vae_gives_a_white_latent_and_the_same_one_each_time(settings, waves, tmp_path, weights):
    images = waves.train.images
    torch.manual_seed(5)
    wanted = torch.rand(2)
    torch.manual_seed(5)
    vaes = [train_vae(images, settings, work=tmp_path / name)[0] for name in ("one", "two")]
    assert torch.equal(weights(vaes[0]), weights(vaes[1]))
    torch.testing.assert_close(encode(vaes[0], images).std((0, 2, 3)), torch.ones(4), rtol=1e-3, atol=0)
    assert torch.equal(torch.rand(2), wanted), "random numbers outside go on as if nothing had happened"


def test_losses_of_ones_own_are_asked_with_what_the_package_draws(settings, waves, tmp_path):
    asked = []

    def vae_loss(vae, images, noise, kl_weight):
        asked.append((images.shape, noise.shape, kl_weight))
        return vae.decode(vae.encode(images).latent_dist.mean).sample.square().mean()

    def dit_loss(dit, latents, labels, timesteps, noise, alphas):
        asked.append((labels.tolist(), timesteps.tolist()))
        assert latents.shape == noise.shape and torch.equal(alphas, ALPHAS)
        return dit(latents, timestep=timesteps, class_labels=labels).sample.square().mean()

    def all_hidden(labels, draws, share):
        assert draws.shape == labels.shape and share == settings.label_drop
        return hide(labels, draws, 1.0)

    vae, _ = train_vae(waves.train.images, settings, work=tmp_path, loss=vae_loss)
    assert asked[0] == ((4, 1, 16, 16), (4, 4, 8, 8), settings.kl_weight) and len(asked) == 4
    latents, labels = encode(vae, waves.train.images), waves.train.labels
    train_dit(latents, labels, settings, alphas=ALPHAS, work=tmp_path, loss=dit_loss, hide=all_hidden)
    hidden, timesteps = asked[-1]
    assert hidden == [1000] * 4
    assert [step // 250 for step in timesteps] == [0, 1, 2, 3], "a noise level from each quarter"


def test_images_of_a_side_that_does_not_fit_are_refused(settings, tmp_path):
    for shape in ((2, 1, 16, 18), (2, 1, 18, 18)):
        with pytest.raises(ValueError, match=r"square, with a side that is a multiple of 4; got 1[68]x18\. Load"):
            train_vae(torch.zeros(shape), settings, work=tmp_path)


def test_the_autoencoder_of_a_set_kept_as_bytes_is_that_of_its_numbers(settings, kept, tmp_path, weights):
    sets = {"bytes": kept[0].train, "numbers": kept[1].train, "tensor": kept[1].train.images}
    found = [weights(train_vae(images, settings, work=tmp_path / name)[0]) for name, images in sets.items()]
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
