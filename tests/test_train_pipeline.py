"""tools.train_pipeline and tools.training: what is measured of the shipped pipelines, and their cards."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import load_file

from mgd_helpers.encoding.pipelines import PRETRAINED, load_pipeline
from mgd_helpers.training.settings import SETTINGS
from tools import train_pipeline
from tools.__main__ import main
from tools.training.card import card
from tools.training.measures import generate


def test_generated_sets_are_labelled_images_in_range(tiny):
    small = replace(SETTINGS["digits"], sampling_steps=2)
    images = generate(tiny, small, 2, per_class=3, seed=0)
    assert images.images.shape == (6, 1, 16, 16)
    assert images.images.abs().max() <= 1
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PRETRAINED.glob("*/model_index.json")))
def test_shipped_cards_state_the_figures_of_their_weights(name):
    folder = PRETRAINED / name
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["profile"] == json.loads(json.dumps({"data": name} | asdict(SETTINGS[name])))
    assert (folder / "README.md").read_text() == card(name, SETTINGS[name], load_pipeline(name), metrics)
    assert sum(file.stat().st_size for file in folder.rglob("*.safetensors")) < 25e6
    stored = load_file(next((folder / "transformer").glob("*.safetensors")))
    assert {weight.dtype for weight in stored.values()} == {getattr(torch, SETTINGS[name].stored_as)}
    assert load_pipeline(name).transformer.dtype == torch.float32


def test_the_command_line_knows_the_profiles(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["train", "digit"])
    assert stopped.value.code == 2
    assert f"{', '.join(train_pipeline.SETTINGS)}; got 'digit'" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_trains_measures_and_writes_a_card(tmp_path, monkeypatch, capsys):
    tiny = replace(SETTINGS["digits"], vae_channels=(8, 8, 8), layers=1, heads=2, head_dim=4, sampling_steps=2)
    tiny = replace(tiny, vae_steps=3, vae_batch=4, dit_steps=3, dit_batch=4)
    monkeypatch.setattr(train_pipeline, "SETTINGS", {"digits": tiny})
    measured = []

    def measure(pipe, settings, data):
        measured.append((pipe, settings))
        return json.loads((PRETRAINED / "digits" / "metrics.json").read_text()), data.train.images[:20]

    monkeypatch.setattr(train_pipeline, "measure", measure)
    assert main(["train", "digits", "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")]) == 0
    assert "| training (wall clock, with other work on the machine) | VAE 3 steps" in capsys.readouterr().out
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert written["profile"]["vae_steps"] == 3 and written["training"]["dit_seconds"] > 0
    assert measured[0][1] == tiny and (tmp_path / "out" / "samples.png").exists()
    assert (tmp_path / "work" / "train.log").read_text().count("\n") == 2
