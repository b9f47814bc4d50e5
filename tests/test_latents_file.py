import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import ddim, scheduler_of

import mgd_helpers as mgd
from mgd_helpers.latents_file import encode_data, facts_of_file, read_latents


def test_latents_are_those_of_encode_in_the_order_of_the_images(waves, tiny, tmp_path):
    file = tmp_path / "below" / "latents.safetensors"
    said = encode_data(waves, pipeline=tiny, out=file)
    assert said.startswith("latents of 12 images, [4, 8, 8] each") or "latents of 12 images" in said
    assert torch.equal(read_latents(file), mgd.encode(tiny.vae, waves.train.images))
    assert torch.equal(load_file(file)["labels"], waves.train.labels)


def test_distill_takes_them(waves, tiny, tmp_path):
    encode_data(waves, pipeline=tiny, out=tmp_path / "latents.safetensors")
    latents = read_latents(tmp_path / "latents.safetensors")
    report = mgd.distill(
        waves, images_per_class=1, out=tmp_path / "out", pipeline=tiny, latents=latents, steps=2, report=False
    )
    assert report.new == 2


@pytest.mark.parametrize("content", [None, b"nothing", {"other": torch.zeros(2)}])
def test_another_file_is_refused_and_has_no_facts(tmp_path, content):
    file = tmp_path / "x.safetensors"
    if isinstance(content, dict):
        save_file(content, file)
    elif content:
        file.write_bytes(content)
    with pytest.raises(ValueError, match="latents must be a file that mgd encode wrote"):
        read_latents(file)
    assert facts_of_file(file) is None


@pytest.mark.parametrize(("out", "words"), [(".", "out must be a file"), ("", "out must be the path")])
def test_a_folder_is_no_file(waves, tiny, tmp_path, monkeypatch, out, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words):
        encode_data(waves, pipeline=tiny, out=out)


def test_a_folder_is_read_as_distill_reads_it_and_otherwise_on_request(waves, tiny, tmp_path):
    large = mgd.ImageSet(waves.train.images.repeat_interleave(2, 2).repeat_interleave(2, 3), waves.train.labels)
    folder = mgd.write_images(tmp_path / "data", large, class_names=waves.class_names)
    file = tmp_path / "latents.safetensors"
    encode_data(folder, pipeline=tiny, out=file, split=0.34)
    shape, made = facts_of_file(file)
    assert shape == [8, 4, 8, 8] and made["data"] == "data" and made["pipeline"].endswith("DiTPipeline")
    options = {"images_per_class": 1, "pipeline": tiny, "steps": 2, "split": 0.34, "latents": read_latents(file)}
    assert mgd.distill(folder, out=tmp_path / "out", **options).new == 2
    with pytest.raises(ValueError, match="must have images of 16 x 16"):
        encode_data(folder, pipeline=tiny, out=tmp_path / "other", image_size=32)
    with pytest.raises(ValueError, match="split must be left out for a Dataset"):
        encode_data(waves, pipeline=tiny, out=tmp_path / "other", split=0.5)
    assert not (tmp_path / "other").exists()


def test_a_pipeline_of_pixels_has_no_latents(waves, tmp_path):
    with pytest.raises(ValueError, match="pipeline must have an autoencoder; DDIMPipeline denoises pixels"):
        encode_data(waves, pipeline=ddim(scheduler_of("DDIM")), out=tmp_path / "x")


def test_images_of_another_size_are_refused_before_any_work(waves, tiny, tmp_path):
    odd = mgd.Dataset(
        "odd",
        mgd.ImageSet(waves.train.images[..., :8, :8].contiguous(), waves.train.labels),
        waves.test,
        waves.class_names,
    )
    with pytest.raises(ValueError, match="must have images of 16 x 16"):
        encode_data(odd, pipeline=tiny, out=tmp_path / "x")
    assert not list(tmp_path.iterdir())
