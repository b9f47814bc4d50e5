import dataclasses
import json
import re
import shutil
import warnings

import diffusers
import pytest
import safetensors.torch
import torch

from mgd_helpers.data.catalog import PIPELINE_REVISIONS, PROFILES
from mgd_helpers.data.image_sets import ImageSet
from mgd_helpers.encoding import pipelines
from mgd_helpers.encoding.latents import decode, encode
from mgd_helpers.encoding.pipelines import PRETRAINED, load_pipeline, modules, weights_hash
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy
from mgd_helpers.guidance.sampling import sample
from mgd_helpers.guidance.toys import tiny_pipeline
from mgd_helpers.seeding import generators

SHIPPED = PRETRAINED / "digits"
DIT, _ = PIPELINE_REVISIONS


@pytest.fixture(scope="module")
def shipped():
    return load_pipeline("digits", device="cpu")


def test_a_folder_comes_back_ready_to_sample(tiny, tmp_path):
    tiny.save_pretrained(tmp_path)
    pipe = load_pipeline(tmp_path, device="cpu")
    assert type(pipe) is diffusers.DiTPipeline
    assert weights_hash(pipe) == weights_hash(tiny)
    for module in modules(pipe).values():
        assert not module.training
        assert not any(weight.requires_grad for weight in module.parameters())
        assert {weight.dtype for weight in module.parameters()} == {torch.float32}


def test_dtype_and_device_are_the_callers(tiny, tmp_path, device):
    tiny.save_pretrained(tmp_path)
    pipe = load_pipeline(str(tmp_path), device=device, dtype=torch.bfloat16)
    for module in modules(pipe).values():
        assert {(w.dtype, w.device.type) for w in module.parameters()} == {(torch.bfloat16, device.type)}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_are_read_in_their_type_and_never_in_another_first(tiny, tmp_path, monkeypatch, dtype):
    tiny.save_pretrained(tmp_path)
    seen, load = [], diffusers.DiffusionPipeline.from_pretrained

    def watched(*where, **options):
        pipe = load(*where, **options)
        seen.append({w.dtype for module in modules(pipe).values() for w in module.parameters()})
        return pipe

    monkeypatch.setattr(diffusers.DiffusionPipeline, "from_pretrained", watched)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_pipeline(tmp_path, device="cpu", dtype=dtype)
    assert seen == [{dtype}]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, None])
def test_half_precision_takes_the_files_that_hold_it_where_there_are_any(tiny, tmp_path, dtype):
    tiny.save_pretrained(tmp_path)
    with torch.no_grad():
        tiny.vae.encoder.conv_in.bias.fill_(7.0)  # so that the files can be told apart
    tiny.to(torch.float16).save_pretrained(tmp_path, variant="fp16")
    pipe = load_pipeline(tmp_path, device="cpu", dtype=dtype)
    assert pipe.vae.dtype == (dtype or torch.float32)
    assert bool((pipe.vae.encoder.conv_in.bias == 7).all()) == (dtype in (torch.float16, torch.bfloat16))


def test_a_pipeline_of_half_precision_samples(tiny, tmp_path):
    tiny.save_pretrained(tmp_path)
    whole = sample(load_pipeline(tmp_path, device="cpu"), [0, 1], steps=3)
    half = sample(load_pipeline(tmp_path, device="cpu", dtype=torch.bfloat16), [0, 1], steps=3)
    assert 0 < (whole - half).abs().max() < 0.1


def pickled(folder):
    for path in folder.rglob("*.safetensors"):
        torch.save(safetensors.torch.load_file(path), path.with_suffix(".bin"))
        path.unlink()


def truncated(folder):
    path = next(folder.glob("transformer/*.safetensors"))
    path.write_bytes(path.read_bytes()[:1000])


def of_another_size(folder):
    file = folder / "transformer/config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"attention_head_dim": 8}))


def of_an_unknown_class(folder):
    file = folder / "model_index.json"
    file.write_text(file.read_text().replace("DiTPipeline", "NoPipeline"))


BROKEN = {
    "pickled": pickled,
    "truncated": truncated,
    "empty weights": lambda folder: next(folder.glob("vae/*.safetensors")).write_bytes(b""),
    "no vae": lambda folder: shutil.rmtree(folder / "vae"),
    "index no JSON": lambda folder: (folder / "model_index.json").write_text("{"),
    "index empty": lambda folder: (folder / "model_index.json").write_text(""),
    "config no JSON": lambda folder: (folder / "vae/config.json").write_text("{"),
    "scheduler missing": lambda folder: shutil.rmtree(folder / "scheduler"),
    "another size": of_another_size,
    "unknown class": of_an_unknown_class,
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_folder_is_refused_with_the_remedy(tiny, tmp_path, how):
    tiny.save_pretrained(tmp_path)
    BROKEN[how](tmp_path)
    with pytest.raises(ValueError, match=r"must be a folder that pipe\.save_pretrained.* it cannot be loaded"):
        load_pipeline(tmp_path, device="cpu")


def test_a_hub_that_does_not_answer_is_named_with_the_remedy():
    with pytest.raises(FileNotFoundError, match=r"pipeline 'a/b' could not be loaded from the hub: .*network once, or"):
        load_pipeline("a/b", device="cpu")


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one():
    with pytest.raises(ValueError, match=r"Did you mean 'digits'\?"):
        load_pipeline("digit")


def test_a_device_that_is_none_is_refused(tiny, tmp_path):
    tiny.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="device must be a device"):
        load_pipeline(tmp_path, device="gpu")


def test_the_hash_follows_every_weight_and_only_the_weights(tiny):
    before = weights_hash(tiny)
    assert re.fullmatch("[0-9a-f]{64}", before)
    assert weights_hash(tiny_pipeline(diffusers.DDPMScheduler())) == before
    for module in modules(tiny).values():
        with torch.no_grad():
            weight = list(module.parameters())[-1].view(-1)
            weight[0] += 1e-3
            assert weights_hash(tiny) != before
            weight[0] -= 1e-3
    tiny.vae.to(torch.bfloat16)
    assert weights_hash(tiny) != before


def test_modules_are_the_networks_in_alphabetical_order(tiny):
    assert list(modules(tiny).items()) == [("transformer", tiny.transformer), ("vae", tiny.vae)]


@pytest.mark.parametrize("name", ["digit", "a/b/c"])
def test_names_that_lead_nowhere_are_refused(name):
    shipped = r"\(cifar10, digits, fashion_mnist\)"
    message = rf"name must be a shipped pipeline {shipped}, a folder .*, or a hub id like 'facebook/.*; got"
    with pytest.raises(ValueError, match=message):
        load_pipeline(name)


def test_folders_without_a_pipeline_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a folder with a model_index.json"):
        load_pipeline(tmp_path)


def test_loading_leaves_the_logging_of_diffusers_as_it_was(tiny, tmp_path):
    from diffusers.utils import logging

    tiny.save_pretrained(tmp_path)
    before = logging.get_verbosity()
    load_pipeline(tmp_path, device="cpu")
    assert logging.get_verbosity() == before


def test_a_data_set_stands_for_its_pipeline(tiny, tmp_path, monkeypatch):
    tiny.save_pretrained(tmp_path)
    monkeypatch.setitem(PROFILES, "imagenette", dataclasses.replace(PROFILES["imagenette"], pipeline=str(tmp_path)))
    assert weights_hash(load_pipeline("imagenette", device="cpu")) == weights_hash(tiny)


@pytest.mark.parametrize("name", ["imagenette", "imagewoof", "imagenet100", DIT])
def test_the_public_dit_is_asked_for_at_a_commit_that_has_safetensors(name, tiny, monkeypatch):
    asked = []
    load = lambda *where, **options: asked.append((where, options)) or tiny  # noqa: E731
    monkeypatch.setattr(diffusers.DiffusionPipeline, "from_pretrained", load)
    load_pipeline(name, device="cpu")
    (where, options) = asked[0]
    assert where == ("facebook/DiT-XL-2-256",)
    assert options == {
        "use_safetensors": True,
        "local_files_only": False,
        "revision": PIPELINE_REVISIONS[DIT],
        "torch_dtype": torch.float32,
    }
    assert re.fullmatch("[0-9a-f]{40}", options["revision"])  # a commit: nobody can put other weights there


def test_a_folder_needs_no_revision(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny.save_pretrained(tmp_path / DIT)  # a copy of one's own, under the hub's name
    assert weights_hash(load_pipeline(DIT, device="cpu")) == weights_hash(tiny)


def test_a_data_set_without_a_pipeline_names_the_remedy():
    message = r"'tiny_imagenet' is a data set without a pipeline of its own\. Train one, .*pipeline=…, class_labels=…"
    with pytest.raises(ValueError, match=message):
        load_pipeline("tiny_imagenet")


# what ships inside the package


def test_the_shipped_pipeline_is_stock_and_small_and_safe():
    pipe = diffusers.DiTPipeline.from_pretrained(SHIPPED, local_files_only=True, use_safetensors=True)
    assert type(pipe.vae) is diffusers.AutoencoderKL
    files = [file for file in SHIPPED.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 12 * 2**20
    assert {file.suffix for file in files} <= {".safetensors", ".json", ".md", ".png"}
    assert json.loads((SHIPPED / "model_index.json").read_text())["_class_name"] == "DiTPipeline"


def test_the_shipped_pipeline_knows_the_classes_of_the_data(shipped, digits):
    assert {name: shipped.labels[name] for name in digits.class_names} == {str(digit): digit for digit in range(10)}


def test_the_shipped_scheduler_leaves_latents_alone_and_starts_from_pure_noise(shipped):
    assert shipped.scheduler.config.clip_sample is False
    assert shipped.scheduler.config.timestep_spacing == "trailing"


def test_shipped_latents_have_zero_mean_and_unit_variance(shipped, digits):
    latents = encode(shipped.vae, digits.train.images)
    assert latents.shape == (1500, 4, 8, 8)
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=0.01)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(4), rtol=0, atol=0.01)


def test_the_shipped_vae_gives_held_out_scans_back(shipped, digits):
    error = decode(shipped.vae, encode(shipped.vae, digits.test.images)) - digits.test.images
    assert error.square().mean() <= 1e-3


@pytest.mark.slow
def test_held_out_scans_are_recognised_by_100_generated_images(shipped, digits):
    images, labels = [], torch.arange(10).repeat_interleave(10)
    for digit in range(10):
        output = shipped(
            class_labels=[digit] * 10,
            generator=generators(0, digit, range(10)),
            guidance_scale=1.5,
            num_inference_steps=20,
            output_type="np",
        )
        images.append(torch.from_numpy(output.images).permute(0, 3, 1, 2) * 2 - 1)
    assert nearest_neighbor_accuracy(ImageSet(torch.cat(images), labels), digits.test) >= 0.84


def test_what_ships_is_found_by_name(monkeypatch, tmp_path, tiny):
    tiny.save_pretrained(tmp_path / "toy")
    monkeypatch.setattr(pipelines, "PRETRAINED", tmp_path)
    assert weights_hash(load_pipeline("toy", device="cpu")) == weights_hash(tiny)
