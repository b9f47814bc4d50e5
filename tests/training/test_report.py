import json
from dataclasses import replace

import pytest
from PIL import Image

import mgd_helpers as mgd
from mgd_helpers.encoding.facts import read_facts
from mgd_helpers.training import report


@pytest.fixture(scope="module")
def trained(waves, tmp_path_factory):
    from mgd_helpers.training import SETTINGS

    tiny = {"vae_channels": (8, 8), "layers": 1, "heads": 2, "head_dim": 4, "vae_batch": 4, "dit_batch": 4}
    settings = replace(SETTINGS["digits"], vae_steps=2, dit_steps=2, sampling_steps=2, guidance_scale=1.25, **tiny)
    bordered = replace(waves, padding=1)  # as it is known of data that were read so
    return mgd.train(bordered, tmp_path_factory.mktemp("trained") / "pipe", settings=settings, device="cpu")


def test_a_trained_pipeline_lies_beside_what_was_found_of_it(trained):
    folder, metrics = trained.folder, trained.metrics
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    assert metrics["verdict"]["headline"] in (folder / "README.md").read_text() and metrics["verdict"]["good"] in (
        True,
        False,
        None,
    )
    assert str(trained).endswith(metrics["verdict"]["advice"])
    assert Image.open(folder / "contact_sheet.png").size == (12 * 18 + 16, 2 * 18)
    assert len(metrics["nearest_neighbor_accuracy"]["generated"]) == report.SEEDS


def test_its_facts_are_those_it_was_trained_and_sampled_with(trained):
    facts = read_facts(trained.folder)
    error = facts.pop("reconstruction_error")
    assert facts.pop("command").startswith("mgd.train(")
    assert error == trained.metrics["reconstruction_mse"]["held_out"] > 0
    assert facts == {
        "image_size": 16,
        "channels": 1,
        "padding": 1,
        "guidance_scale": 1.25,
        "steps": 2,
        "trained_on": "12 images of waves",
    }


def test_the_same_weights_are_measured_once_and_others_anew(trained, waves, monkeypatch):
    asked = []
    figures = report.figures
    monkeypatch.setattr(report, "figures", lambda *args, **options: asked.append(1) or figures(*args, **options))
    assert mgd.train(waves, trained.folder, settings=trained.settings, device="cpu") == trained and not asked
    file = trained.folder / "metrics.json"
    file.write_text(json.dumps(trained.metrics | {"weights": "others"}))
    assert mgd.train(waves, trained.folder, settings=trained.settings, device="cpu") == trained and len(asked) == 1
