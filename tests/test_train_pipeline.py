"""tools.train_pipeline and tools.training: what makes the shipped pipelines."""

import json
import math
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import load_file

from mgd_helpers.encoding.callers import NULL_CLASS
from mgd_helpers.encoding.latents import decode, encode
from mgd_helpers.encoding.pipelines import PRETRAINED, load_pipeline
from tools import train_pipeline
from tools.__main__ import main
from tools.training.card import card
from tools.training.measures import generate
from tools.training.networks import make_dit, make_scheduler
from tools.training.profiles import PROFILES
from tools.training.resumable import train
from tools.training.stages import train_dit, train_vae, whiten_channels


@pytest.fixture
def profile():
    tiny = {"vae_channels": (8, 8), "layers": 1, "heads": 2, "head_dim": 4}
    return replace(PROFILES["digits"], vae_steps=4, vae_batch=4, dit_steps=4, dit_batch=4, ema_decay=0.5, **tiny)


def weights(module):
    return torch.cat([weight.flatten() for weight in module.state_dict().values()])


def silent(line):
    pass


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


def trained(work, *, steps, stop_at=None):
    """A linear layer that learns to add, interrupted where `stop_at` is given."""
    work.mkdir(exist_ok=True)
    torch.manual_seed(0)
    calls = []

    def loss_of(model, generator):
        calls.append(1)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        rows = torch.randn(8, 3, generator=generator)
        return (model(rows) - rows.sum(1, keepdim=True)).square().mean()

    options = {"steps": steps, "learning_rate": 0.1, "ema_decay": 0.9, "seed": 0, "work": work, "log": silent}
    return train("layer", torch.nn.Linear(3, 1), loss_of, **options)[0]


@pytest.mark.slow
def test_a_resumed_training_gives_the_weights_of_an_uninterrupted_one(tmp_path):
    whole = trained(tmp_path / "whole", steps=1010)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", steps=1010, stop_at=700)
    assert torch.load(tmp_path / "cut" / "layer.pt", weights_only=True)["step"] == 500
    assert torch.equal(weights(trained(tmp_path / "cut", steps=1010)), weights(whole))


def test_a_finished_training_is_not_trained_again(tmp_path):
    whole = trained(tmp_path, steps=5)
    assert torch.equal(weights(trained(tmp_path, steps=5, stop_at=1)), weights(whole))


@pytest.mark.slow
def test_a_dit_resumed_from_a_checkpoint_is_the_dit_of_one_go(profile, tmp_path, monkeypatch):
    latents, labels = torch.randn(12, 4, 8, 8), torch.arange(12) % 2
    longer = replace(profile, dit_steps=502)

    def dit_of(name):
        (tmp_path / name).mkdir(exist_ok=True)
        return train_dit(longer, latents, labels, make_scheduler(), tmp_path / name, silent)[0]

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


def test_training_the_vae_gives_a_white_latent_and_the_same_one_each_time(profile, waves, tmp_path):
    images = waves.train.images
    vaes = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        vaes.append(train_vae(profile, images, tmp_path / name, silent)[0])
    assert torch.equal(weights(vaes[0]), weights(vaes[1]))
    torch.testing.assert_close(encode(vaes[0], images).std((0, 2, 3)), torch.ones(4), rtol=1e-3, atol=0)


def test_label_dropout_of_the_blocks_is_off(profile):
    dit = make_dit(profile, 8)
    assert dit.config.num_embeds_ada_norm == NULL_CLASS == 1000
    assert [block.norm1.emb.class_embedder.dropout_prob for block in dit.transformer_blocks] == [0.0]


def test_the_scheduler_starts_from_pure_noise_and_clamps_nothing():
    scheduler = make_scheduler()
    scheduler.set_timesteps(50)
    assert scheduler.timesteps[0] == 999
    assert scheduler.config.clip_sample is False
    assert math.sqrt(scheduler.alphas_cumprod[999]) < 0.01


def test_generated_sets_are_labelled_images_in_range(profile, tiny):
    small = replace(profile, sampling_steps=2)
    images = generate(tiny, small, 2, per_class=3, seed=0)
    assert images.images.shape == (6, 1, 16, 16)
    assert images.images.abs().max() <= 1
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PRETRAINED.glob("*/model_index.json")))
def test_shipped_cards_state_the_figures_of_their_weights(name):
    folder = PRETRAINED / name
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["profile"] == json.loads(json.dumps(asdict(PROFILES[name])))
    assert (folder / "README.md").read_text() == card(name, PROFILES[name], load_pipeline(name), metrics)
    assert sum(file.stat().st_size for file in folder.rglob("*.safetensors")) < 25e6
    stored = load_file(next((folder / "transformer").glob("*.safetensors")))
    assert {weight.dtype for weight in stored.values()} == {getattr(torch, PROFILES[name].stored_as)}
    assert load_pipeline(name).transformer.dtype == torch.float32


def test_the_command_line_knows_the_profiles(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["train", "digit"])
    assert stopped.value.code == 2
    assert f"{', '.join(train_pipeline.PROFILES)}; got 'digit'" in capsys.readouterr().err
