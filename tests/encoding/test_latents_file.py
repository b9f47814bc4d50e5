import pytest
import torch
from safetensors.torch import load_file, save_file

import mgd_helpers as mgd
from mgd_helpers.encoding.latents_file import encode_data, read_latents


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
def test_another_file_is_refused(tmp_path, content):
    file = tmp_path / "x.safetensors"
    if isinstance(content, dict):
        save_file(content, file)
    elif content:
        file.write_bytes(content)
    with pytest.raises(ValueError, match="latents must be a file that mgd encode wrote"):
        read_latents(file)


def test_a_folder_is_no_file(waves, tiny, tmp_path):
    with pytest.raises(ValueError, match="out must be a file"):
        encode_data(waves, pipeline=tiny, out=tmp_path)


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
