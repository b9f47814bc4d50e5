import json
from dataclasses import replace

import pytest
import torch

import mgd_helpers as mgd
from mgd_helpers import Dataset, ImageSet


def test_data_in_a_stock_pipeline_out(settings, waves, tmp_path, weights, device):
    done = mgd.train(waves, tmp_path / "out", settings=settings, device=device)
    assert str(done).startswith(f"pipeline in {tmp_path / 'out'} (autoencoder ")
    pipe = mgd.load_pipeline(tmp_path / "out", device=device)
    assert type(pipe).__module__.startswith("diffusers.") and pipe.labels == {"zero": 0, "one": 1}
    images = mgd.sample(pipe, [0, 1, 1], steps=2)
    assert images.shape == (3, 1, 16, 16) and images.isfinite().all()
    left = [tmp_path / "out" / name for name in (".metrics.json.12.part", "training/.vae.pt.34.part")]
    for part in left:
        part.touch()
    again = mgd.train(waves, tmp_path / "out", settings=settings, device=device)
    assert not any(part.exists() for part in left), "what a killed run has left is taken away"
    assert again == done, "what is finished is not trained again"
    other = mgd.train(waves, tmp_path / "other", settings=settings, device=device, work=tmp_path / "work")
    pair = [weights(mgd.load_pipeline(one.folder).transformer) for one in (done, other)]
    torch.testing.assert_close(*pair, rtol=1e-3, atol=1e-4)  # a GPU adds up in any order
    assert {path.name for path in (tmp_path / "work").iterdir()} == {"dit.pt", "vae.pt", "train.log", "settings.json"}
    assert not (tmp_path / "other" / "training").exists()


def test_a_distilled_set_comes_out_of_a_pipeline_of_ones_own(settings, waves, tmp_path):
    mgd.train(waves, tmp_path / "out", settings=settings, device="cpu")
    options = {"images_per_class": 2, "guidance": "mode", "steps": 2}
    report = mgd.distill(waves, out=tmp_path / "set", pipeline=tmp_path / "out", **options)
    assert report.images == 4 and report.labels == {"zero": 0, "one": 1}


def test_a_folder_of_another_training_is_refused_by_what_differs(settings, waves, tmp_path):
    mgd.train(waves, tmp_path, settings=settings, device="cpu")
    before = (tmp_path / "training" / "settings.json").read_text()
    assert json.loads(before)["images"] == [12, 1, 16, 16]
    with pytest.raises(ValueError, match=r"\(dit_steps was 4 and is 6\)\. Choose another folder, or delete it"):
        mgd.train(waves, tmp_path, settings=replace(settings, dit_steps=6), device="cpu")
    turned = replace(waves, train=ImageSet(waves.train.images.flip(0), waves.train.labels))
    with pytest.raises(ValueError, match="data was"):
        mgd.train(turned, tmp_path, settings=settings, device="cpu")
    assert (tmp_path / "training" / "settings.json").read_text() == before


def test_data_that_cannot_be_learned_are_refused_before_any_work(settings, waves, tmp_path):
    many = replace(waves, class_names=tuple(f"class {number}" for number in range(1001)))
    empty = Dataset("empty", ImageSet(waves.train.images[:0], waves.train.labels[:0]), waves.test, ("zero", "one"))
    for data, told in ((many, "12 images, 1001 classes"), (empty, "0 images, 2 classes")):
        with pytest.raises(ValueError, match=f"at most 1000 classes; got {told}"):
            mgd.train(data, tmp_path / "out", settings=settings)
    with pytest.raises(ValueError, match="out must be a folder"):
        (tmp_path / "file").touch()
        mgd.train(waves, tmp_path / "file", settings=settings)
    assert not (tmp_path / "out").exists()


def test_the_minutes_are_planned_once_and_a_folder_is_read_at_a_size(settings, waves, tmp_path, monkeypatch):
    from mgd_helpers.training import own_pipeline

    monkeypatch.setattr(own_pipeline, "settings_for", lambda data: replace(settings, dit_steps=2, vae_steps=2))
    folder = mgd.write_images(tmp_path / "waves", waves.train, class_names=("zero", "one"))
    asked = {"size": 16, "minutes": 1.0, "device": "cpu", "seed": 4}
    done = mgd.train(folder, tmp_path / "out", **asked)
    assert (done.settings.vae_steps, done.settings.dit_steps, done.settings.seed) == (6, 6, 4)
    assert done.metrics["held_out"] == "Held out were 2 of 12 images, 20% of each class."
    assert mgd.load_pipeline(done.folder, device="cpu").transformer.config.sample_size == 8
    monkeypatch.setattr(own_pipeline, "plan", None)  # it is not asked again
    (done.folder / "model_index.json").unlink()
    told = []
    monkeypatch.setattr(own_pipeline, "tell", told.append)
    assert mgd.train(folder, tmp_path / "out", **asked) == done
    assert told == ["In 1 minutes: 6 steps of the autoencoder, 6 of the denoiser."]
    with pytest.raises(ValueError, match=r"minutes was 1\.0 and is 2\.0"):
        mgd.train(folder, tmp_path / "out", **asked | {"minutes": 2.0})


def test_sizes_that_do_not_fit_are_refused_with_one_that_does(settings, waves, tmp_path):
    folder = mgd.write_images(tmp_path / "waves", waves.train, class_names=("zero", "one"))
    with pytest.raises(ValueError, match=r"multiple of 4; got 30x30\. .* or train\(…, size=3[02]\)"):
        mgd.train(folder, tmp_path / "out", size=30, settings=settings)
    with pytest.raises(ValueError, match="minutes must be a number > 0; got 0"):
        mgd.train(folder, tmp_path / "out", minutes=0.0)
    assert not (tmp_path / "out").exists()
