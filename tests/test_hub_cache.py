"""The stand-in for the hub is laid out as the real cache, and holds what the real one holds but for values."""

import os
import subprocess
import sys
from collections import Counter

import forks
import hub_cache
import pytest
import torch

from mgd_helpers.data.catalog import PIPELINE_REVISIONS, PROFILES
from mgd_helpers.data.datasets import load_data
from mgd_helpers.encoding.pipelines import load_pipeline
from mgd_helpers.guidance.sampling import sample

datasets = pytest.importorskip("datasets")
pytestmark = pytest.mark.slow


@pytest.fixture
def home(hub_home, monkeypatch):
    hub_cache.use(monkeypatch, hub_home)
    return hub_home


def test_contents_lie_in_blobs_and_snapshots_are_links_to_them(home):
    storages = {path.name for path in (home / "hub").iterdir()}
    assert {"models--facebook--DiT-XL-2-256", "datasets--frgfm--imagenette"} <= storages
    for storage in (home / "hub").iterdir():
        (snapshot,) = (storage / "snapshots").iterdir()
        files = [path for path in snapshot.rglob("*") if not path.is_dir()]
        assert files and all(path.is_symlink() for path in files)
        assert {path.resolve().parent for path in files} == {(storage / "blobs").resolve()}
        for ref in (path for path in (storage / "refs").rglob("*") if path.is_file()):
            assert ref.read_text() == snapshot.name
    (model,) = (home / "hub" / "models--facebook--DiT-XL-2-256" / "snapshots").iterdir()
    assert model.name == PIPELINE_REVISIONS[hub_cache.DIT]


@pytest.mark.parametrize("name", hub_cache.SETS)
def test_the_sets_have_the_sizes_the_columns_and_the_files_of_the_real_ones(home, name):
    profile, snapshot = PROFILES[name], hub_cache.put_data(home, name)
    for split, size in zip(profile.splits, profile.sizes, strict=True):
        part = datasets.Dataset.from_parquet(str(snapshot / hub_cache.LAYOUTS[name].format(split=split)))
        assert (len(part), tuple(part.features)) == (size, profile.columns)
        assert isinstance(part.features[profile.columns[0]], datasets.Image)
        assert part.features[profile.columns[1]].names == hub_cache.HUB_NAMES.get(name, list(profile.class_names))
        image = part[0][profile.columns[0]]
        assert image.format == ("PNG" if profile.lossless else "JPEG")
        assert image.size == hub_cache.PIXELS[name]


def test_imagenette_has_grey_images_among_its_own_and_all_become_coloured(home):
    data = load_data("imagenette", per_class=50, image_size=16)
    spread = data.train.images.amax(1) - data.train.images.amin(1)
    grey = (spread.amax((1, 2)) == 0).view(10, 50)
    assert torch.equal(grey.sum(1), torch.ones(10).long())


def test_the_images_of_a_class_are_alike_and_no_two_are_the_same(home):
    train = load_data("imagenette", per_class=30, image_size=16).train
    images = train.images.flatten(1)
    distances = torch.cdist(images, images).fill_diagonal_(torch.inf)
    assert distances.min() > 0.1
    assert (train.labels[distances.argmin(1)] == train.labels).float().mean() > 0.8


def test_the_model_has_the_shapes_and_the_labels_of_the_real_one(home):
    pipe = load_pipeline("imagenette", device="cpu")
    config = pipe.transformer.config
    assert (config.num_embeds_ada_norm, config.sample_size, config.in_channels, config.out_channels) == (1000, 32, 4, 8)
    assert (pipe.vae.config.latent_channels, pipe.vae.config.scaling_factor) == (4, 0.18215)
    profile = PROFILES["imagenette"]
    assert [pipe.labels[name] for name in profile.class_names] == list(profile.labels)
    assert set(pipe.labels.values()) == set(range(1000))
    assert sample(pipe, [0, 217], steps=2, guidance_scale=4.0).shape == (2, 3, 256, 256)


def test_the_pipeline_that_reads_text_has_the_parts_and_the_files_of_the_real_one(home):
    (snapshot,) = (home / "hub" / f"models--{hub_cache.STABLE_DIFFUSION.replace('/', '--')}" / "snapshots").iterdir()
    files = {path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if not path.is_dir()}
    words = {f"tokenizer/{name}" for name in ("vocab.json", "merges.txt", "tokenizer_config.json")}
    halves = {"unet/diffusion_pytorch_model.fp16.safetensors", "text_encoder/model.fp16.safetensors"}
    assert words | halves | {"tokenizer/special_tokens_map.json", "model_index.json"} <= files
    assert not [name for name in files if name.endswith((".bin", "tokenizer.json"))]
    pipe = load_pipeline(hub_cache.STABLE_DIFFUSION, device="cpu", dtype=torch.float16)
    assert {part.dtype for part in (pipe.unet, pipe.vae, pipe.text_encoder, pipe.safety_checker)} == {torch.float16}
    assert (type(pipe.scheduler).__name__, type(pipe.tokenizer).__name__) == ("PNDMScheduler", "CLIPTokenizer")
    tokens = pipe.tokenizer("a photo of a dog", padding="max_length", truncation=True).input_ids
    assert len(tokens) == pipe.text_encoder.config.max_position_embeddings == 77
    assert tokens != pipe.tokenizer("a photo of a cat", padding="max_length", truncation=True).input_ids
    asked = [{"prompt": text} for text in ("a dog", "a cat")]
    one, other = sample(pipe.to(torch.float32), asked, keys=[(0, 0)] * 2, steps=2)
    assert one.shape == (3, 512, 512) and not torch.equal(one, other)  # the text has its say


CODE = """
import mgd_helpers as mgd
lab = mgd.setup()
data, pipe = lab.load("imagenette", per_class=5)
for _ in range(2):
    latents = lab.encode(pipe, data.train.images)
print(data.train.labels.bincount().tolist(), tuple(latents.shape))
"""


def test_a_process_of_its_own_finds_all_by_the_variables(hub_home):
    variables = os.environ | hub_cache.environment(hub_home) | {"MGD_QUIET": "0", "CI": ""}
    ran = subprocess.run([sys.executable, "-c", CODE], env=variables, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == f"{[5] * 10} (50, 4, 32, 32)"
    assert ran.stdout.count("50 latents were read from") == 1  # the second time
    empty = variables | hub_cache.environment(hub_home / "nothing")
    ran = subprocess.run([*forks.python(), "-c", CODE], env=empty, capture_output=True, text=True)
    assert "FileNotFoundError: 'imagenette' could not be read from the hub" in ran.stderr


def test_a_set_of_another_size_is_refused_there_too(home, tmp_path, monkeypatch):
    hub_cache.use(monkeypatch, tmp_path)
    for split, size in (("train", 9468), ("validation", 3925)):
        file = tmp_path / "made" / hub_cache.LAYOUTS["imagenette"].format(split=split)
        hub_cache.write_split(file, "imagenette", split, size)
    profile = PROFILES["imagenette"]
    hub_cache.put(tmp_path, profile.hub_id, tmp_path / "made", kind="datasets", ref=profile.revision)
    with pytest.raises(ValueError, match=r"must hold \(9469, 3925\) images .*; got \(9468, 3925\)"):
        load_data("imagenette", per_class=1)


def test_a_label_of_the_real_file_has_all_its_names():
    labels = hub_cache.labels()
    assert len(labels) == 1000 and labels[0] == "tench, n01440764"
    assert max(Counter(name for text in labels.values() for name in text.split(", ")).values()) == 1
