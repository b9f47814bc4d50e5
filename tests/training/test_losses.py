from types import SimpleNamespace

import pytest
import torch

from mgd_helpers.training.architectures import make_dit, make_scheduler, make_vae
from mgd_helpers.training.losses import autoencoder_loss, hide, noise_loss

ALPHAS = make_scheduler().alphas_cumprod


def test_the_loss_of_an_autoencoder_is_that_written_out(settings, waves, randn):
    vae, images, noise = make_vae(settings, 1, 16), waves.train.images, randn(12, 4, 8, 8)
    posterior = vae.encode(images).latent_dist
    mean, log_variance = posterior.parameters.chunk(2, dim=1)
    decoded = vae.decode(mean + (log_variance / 2).exp() * noise).sample
    apart = decoded - images
    kl = (mean.square() + log_variance.exp() - 1 - log_variance).mean() / 2
    for weight in (0.0, 3.0):
        written_out = apart.square().mean() + 0.1 * apart.abs().mean() + weight * kl
        torch.testing.assert_close(autoencoder_loss(vae, images, noise, weight), written_out)


class Oracle:
    """A transformer that knows the clean latents, and so finds the noise; it keeps the labels that it is told."""

    def __init__(self, latents):
        self.latents = latents

    def __call__(self, noisy, *, timestep, class_labels):
        self.labels = class_labels
        level = ALPHAS.double()[timestep].view(-1, 1, 1, 1)
        return SimpleNamespace(sample=(noisy.double() - level.sqrt() * self.latents) / (1 - level).sqrt())


def test_whoever_finds_the_noise_has_no_loss_and_who_says_nothing_has_one(randn):
    latents, noise, labels = randn(500, 2, 4, 4), randn(500, 2, 4, 4), torch.arange(500)
    timesteps = torch.arange(500) * 2
    oracle = Oracle(latents)
    assert noise_loss(oracle, latents, labels, timesteps, noise.double(), ALPHAS) < 1e-8
    assert torch.equal(oracle.labels, labels)

    def silent(noisy, **conditions):
        return SimpleNamespace(sample=torch.zeros_like(noisy))

    assert noise_loss(silent, latents, labels, timesteps, noise, ALPHAS).item() == pytest.approx(1, abs=0.03)


def test_as_many_labels_are_hidden_as_draws_lie_below_the_share():
    labels, draws = torch.arange(1000) % 10, torch.rand(1000, generator=torch.Generator().manual_seed(0))
    hidden = hide(labels, draws, 0.2)
    assert torch.equal(hidden == 1000, draws < 0.2) and torch.equal(hidden[draws >= 0.2], labels[draws >= 0.2])
    assert torch.equal(hide(labels, draws, 0.0), labels) and (hide(labels, draws, 1.0) == 1000).all()
    assert torch.equal(labels, torch.arange(1000) % 10), "the labels themselves stay"


@torch.no_grad()
def test_losses_stay_on_a_gpu_and_refuse_what_lies_elsewhere(settings, monkeypatch):
    from fake_gpu import fake_gpu

    networks = make_vae(settings, 1, 16), make_dit(settings, 8)
    with fake_gpu(monkeypatch) as gpu:
        vae, dit = (network.to_empty(device="cuda") for network in networks)
        images, noise = torch.rand(4, 1, 16, 16, device="cuda"), torch.randn(4, 4, 8, 8, device="cuda")
        alphas, timesteps = torch.rand(1000, device="cuda"), torch.arange(4, device="cuda")
        labels = hide(timesteps, torch.rand(4, device="cuda"), 0.1)
        both = [autoencoder_loss(vae, images, noise, 0.1), noise_loss(dit, noise, labels, timesteps, noise, alphas)]
        assert [(loss.device.type, loss.dtype) for loss in both] == [("cuda", torch.float32)] * 2
        assert labels.device.type == "cuda" and not gpu.looks
        with pytest.raises(Exception, match="device"):
            noise_loss(dit, noise, labels, timesteps, noise, alphas.to("cpu"))
        with pytest.raises(Exception, match="device"):
            autoencoder_loss(vae, images, noise.to("cpu"), 0.1)
