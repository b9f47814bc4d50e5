"""tools/train_pipeline.py: what makes the shipped pipelines."""

import importlib.util
import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mgd_helpers.encoding.latents import decode, encode
from mgd_helpers.encoding.pipelines import PRETRAINED, load_pipeline

TOOL = Path(__file__).resolve().parent.parent / "tools" / "train_pipeline.py"


@pytest.fixture(scope="module")
def tool():
    import sys

    spec = importlib.util.spec_from_file_location("train_pipeline", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["train_pipeline"] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def profile(tool):
    return replace(
        tool.PROFILES["digits"], vae_channels=(8, 8), vae_steps=4, vae_batch=4, layers=1, heads=2, head_dim=4,
        dit_steps=4, dit_batch=4, ema_decay=0.5,
    )  # fmt: skip


def weights(module):
    return torch.cat([weight.flatten() for weight in module.state_dict().values()])


def silent(line):
    pass


def test_whitening_gives_every_channel_zero_mean_and_unit_variance(tool, tiny, waves):
    images = waves.train.images
    tool.whiten_channels(tiny.vae, images)
    latents = encode(tiny.vae, images)
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=1e-4)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(4), rtol=1e-4, atol=0)


def test_whitening_leaves_reconstructions_as_they_are(tool, tiny, waves):
    images = waves.train.images
    before = decode(tiny.vae, encode(tiny.vae, images))
    raw = encode(tiny.vae, images)
    tool.whiten_channels(tiny.vae, images)
    torch.testing.assert_close(decode(tiny.vae, encode(tiny.vae, images)), before, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(encode(tiny.vae, images), raw, atol=1e-2)


@torch.no_grad()
def test_whitening_scales_the_spread_of_the_posterior_like_its_mean(tool, tiny, waves):
    images = waves.train.images
    before = tiny.vae.encode(images).latent_dist
    tool.whiten_channels(tiny.vae, images)
    after = tiny.vae.encode(images).latent_dist
    scale = after.mean.std((0, 2, 3)) / before.mean.std((0, 2, 3))
    torch.testing.assert_close(after.std, before.std * scale.view(1, -1, 1, 1), rtol=1e-3, atol=1e-5)


def trained(tool, work, *, steps, stop_at=None):
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
    return tool.train("layer", torch.nn.Linear(3, 1), loss_of, **options)[0]


def test_a_resumed_training_gives_the_weights_of_an_uninterrupted_one(tool, tmp_path):
    whole = trained(tool, tmp_path / "whole", steps=1010)
    with pytest.raises(KeyboardInterrupt):
        trained(tool, tmp_path / "cut", steps=1010, stop_at=700)
    assert torch.load(tmp_path / "cut" / "layer.pt", weights_only=True)["step"] == 500
    assert torch.equal(weights(trained(tool, tmp_path / "cut", steps=1010)), weights(whole))


def test_a_finished_training_is_not_trained_again(tool, tmp_path):
    whole = trained(tool, tmp_path, steps=5)
    assert torch.equal(weights(trained(tool, tmp_path, steps=5, stop_at=1)), weights(whole))


def test_a_dit_resumed_from_a_checkpoint_is_the_dit_of_one_go(tool, profile, tmp_path, monkeypatch):
    latents, labels = torch.randn(12, 4, 8, 8), torch.arange(12) % 2
    longer = replace(profile, dit_steps=502)

    def train(name):
        (tmp_path / name).mkdir(exist_ok=True)
        return tool.train_dit(longer, latents, labels, tool.make_scheduler(), tmp_path / name, silent)[0]

    whole = train("whole")
    mse_loss, calls = torch.nn.functional.mse_loss, []

    def power_cut(*args):
        calls.append(1)
        if len(calls) == 502:
            raise KeyboardInterrupt
        return mse_loss(*args)

    monkeypatch.setattr(tool.F, "mse_loss", power_cut)
    with pytest.raises(KeyboardInterrupt):
        train("cut")
    monkeypatch.undo()
    assert torch.load(tmp_path / "cut" / "dit.pt", weights_only=True)["step"] == 500
    assert torch.equal(weights(train("cut")), weights(whole))


def test_training_the_vae_gives_a_white_latent_and_the_same_one_each_time(tool, profile, waves, tmp_path):
    images = waves.train.images
    vaes = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        vaes.append(tool.train_vae(profile, images, tmp_path / name, silent)[0])
    assert torch.equal(weights(vaes[0]), weights(vaes[1]))
    torch.testing.assert_close(encode(vaes[0], images).std((0, 2, 3)), torch.ones(4), rtol=1e-3, atol=0)


def test_label_dropout_of_the_blocks_is_off(tool, profile):
    dit = tool.make_dit(profile, 8)
    assert dit.config.num_embeds_ada_norm == tool.NULL_CLASS == 1000
    assert [block.norm1.emb.class_embedder.dropout_prob for block in dit.transformer_blocks] == [0.0]


def test_the_scheduler_starts_from_pure_noise_and_clamps_nothing(tool):
    scheduler = tool.make_scheduler()
    scheduler.set_timesteps(50)
    assert scheduler.timesteps[0] == 999
    assert scheduler.config.clip_sample is False
    assert math.sqrt(scheduler.alphas_cumprod[999]) < 0.01


def test_generated_sets_are_labelled_images_in_range(tool, profile, tiny):
    small = replace(profile, sampling_steps=2)
    images = tool.generate(tiny, small, 2, per_class=3, seed=0)
    assert images.images.shape == (6, 1, 16, 16)
    assert images.images.abs().max() <= 1
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PRETRAINED.glob("*/model_index.json")))
def test_shipped_cards_state_the_figures_of_their_weights(tool, name):
    folder = PRETRAINED / name
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["profile"] == json.loads(json.dumps(asdict(tool.PROFILES[name])))
    assert (folder / "README.md").read_text() == tool.card(name, tool.PROFILES[name], load_pipeline(name), metrics)
    assert sum(file.stat().st_size for file in folder.rglob("*.safetensors")) < 25e6
    stored = load_file(next((folder / "transformer").glob("*.safetensors")))
    assert {weight.dtype for weight in stored.values()} == {getattr(torch, tool.PROFILES[name].stored_as)}
    assert load_pipeline(name).transformer.dtype == torch.float32
