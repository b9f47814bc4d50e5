"""A stand-in for the hub: its cache on this machine, laid out as the real one, with tiny models and small images.

`build(home)` makes what `HF_HOME=home HF_HUB_OFFLINE=1` then finds without a network, and so does

    python tests/hub_cache.py FOLDER

which prints the variables to set. The models have the classes, the labels and the shapes of the real ones, and random
weights; the data sets have the real files, columns, class names and numbers of images, and made-up images. Nothing
that is checked of a real set need be relaxed for them.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from mgd_helpers.data.catalog import CATALOG, PIPELINE_REVISIONS, PROFILES

DIT, STABLE_DIFFUSION = PIPELINE_REVISIONS
LAYOUTS = {  # the files of each set on the hub
    "fashion_mnist": "fashion_mnist/{split}-00000-of-00001.parquet",
    "cifar10": "plain_text/{split}-00000-of-00001.parquet",
    "tiny_imagenet": "data/{split}-00000-of-00001-70d52db3c749a935.parquet",
    "imagenette": "320px/{split}/0000.parquet",
    "imagewoof": "320px/{split}/0000.parquet",
    "imagenet100": "data/{split}-00000-of-00001.parquet",
}
HUB_NAMES = {  # of the classes, where the catalogue has other ones
    "fashion_mnist": ["T - shirt / top", *PROFILES["fashion_mnist"].class_names[1:]],
    "imagewoof": list(PROFILES["imagewoof"].other_names[0]),
    "imagenet100": [f"{name}, a synonym" for name in PROFILES["imagenet100"].class_names],
}
SETS = ("imagenette", "fashion_mnist", "cifar10")  # that `build` makes
PIXELS = {"imagenette": (80, 60), "imagewoof": (80, 60), "fashion_mnist": (28, 28), "cifar10": (32, 32)}
DISTINCT = 150  # images of a class that differ; the next ones begin again


def build(home: Path, *, sets: tuple[str, ...] = SETS) -> Path:
    """Make the cache in the folder `home`, with the pipelines and some sets of the catalogue; gives `home`."""
    put_pipeline(home, DIT, imagenet_pipeline(), commit=PIPELINE_REVISIONS[DIT])
    put_stable_diffusion(home)
    for name in sets:
        put_data(home, name)
    return home


def environment(home: Path) -> dict[str, str]:
    """The variables with which a process finds all in `home`, asks no network, and keeps its latents there, too."""
    folders = {"HF_HOME": home, "HF_HUB_CACHE": home / "hub", "HF_DATASETS_CACHE": home / "datasets"}
    folders["MGD_CACHE_DIR"] = home / "latents"
    return {name: str(folder) for name, folder in folders.items()} | {"HF_HUB_OFFLINE": "1", "MGD_DATA_DIR": ""}


def use(monkeypatch, home: Path) -> None:
    """The same for this process: the libraries have read their variables when they were imported."""
    import datasets
    import huggingface_hub

    for name, value in environment(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", home / "datasets")


def put(home: Path, repo: str, folder: Path, *, kind: str = "models", commit: str = "0" * 40, ref: str = "") -> Path:
    """Put the files of a folder into the cache as those of a repository at a commit, which `ref` names, too.

    Contents lie in `blobs`, under their hash; `snapshots/<commit>` has links to them; `refs/<ref>` holds the commit.
    Gives the snapshot.
    """
    place = storage(home, repo, kind)
    snapshot = place / "snapshots" / commit
    for source in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = source.read_bytes()
        blob = place / "blobs" / hashlib.sha256(content).hexdigest()
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link = snapshot / source.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    if ref:
        file = place / "refs" / ref
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(commit)
    return snapshot


def storage(home: Path, repo: str, kind: str) -> Path:
    return home / "hub" / f"{kind}--{repo.replace('/', '--')}"


def put_pipeline(home: Path, repo: str, pipe, **options) -> Path:
    """Save a pipeline into the cache; `options` are those of `put`, and of `save_pretrained` (`variant`)."""
    variant = options.pop("variant", None)
    with tempfile.TemporaryDirectory() as folder:
        pipe.save_pretrained(folder, safe_serialization=True, variant=variant)
        return put(home, repo, Path(folder), **options)


def put_stable_diffusion(home: Path, **options) -> Path:
    """Put the pipeline that reads text into the cache, in both precisions, under the names that the real files have."""
    import tiny

    with tempfile.TemporaryDirectory() as folder:
        pipe = tiny.stable_diffusion_1_5(**options)
        for variant in (None, "fp16"):
            pipe.save_pretrained(folder, safe_serialization=True, variant=variant)
            pipe = pipe.to(dtype=torch.float16)
        shutil.rmtree(Path(folder) / "tokenizer")  # where transformers 5 has saved it in one file, and the hub has four
        (Path(folder) / "tokenizer").mkdir()
        tiny.tokenizer(Path(folder) / "tokenizer")
        for name in ("model_index.json", "feature_extractor/preprocessor_config.json"):
            file = Path(folder) / name  # without torchvision, transformers writes the name of a stand-in of its own
            file.write_text(file.read_text(encoding="utf-8").replace("CLIPImageProcessorPil", "CLIPImageProcessor"))
        return put(home, STABLE_DIFFUSION, Path(folder), commit=PIPELINE_REVISIONS[STABLE_DIFFUSION])


def put_data(home: Path, name: str) -> Path:
    """Write a set of the catalogue into the cache, unless it is there, with as many images as the real one has."""
    profile = PROFILES[name]
    snapshot = storage(home, profile.hub_id, "datasets") / "snapshots" / sha1(name)
    if snapshot.is_dir():
        return snapshot
    with tempfile.TemporaryDirectory() as folder:
        for split, size in zip(profile.splits, profile.sizes, strict=True):
            write_split(Path(folder) / LAYOUTS[name].format(split=split), name, split, size)
        ref = profile.revision or "main"
        return put(home, profile.hub_id, Path(folder), kind="datasets", commit=sha1(name), ref=ref)


def write_split(file: Path, name: str, split: str, size: int) -> None:
    """A split as a Parquet file: `Imagenette` in the order of its classes, the others mixed, as the real ones are."""
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    profile = PROFILES[name]
    classes = HUB_NAMES.get(name, list(profile.class_names))
    labels = np.arange(size) % len(classes)
    counts = np.arange(size) // len(classes) % DISTINCT
    if not profile.balanced:
        order = np.argsort(labels, kind="stable")
        labels, counts = labels[order], counts[order]
    kind = datasets.ClassLabel(names=classes)
    schema = datasets.Features(dict(zip(profile.columns, (datasets.Image(), kind), strict=True))).arrow_schema
    files = {}
    for label, count in zip(labels.tolist(), counts.tolist(), strict=True):
        key = label, count
        files[key] = files.get(key) or picture(name, split, label, count)
    rows = [files[label, count] for label, count in zip(labels.tolist(), counts.tolist(), strict=True)]
    images = pa.StructArray.from_arrays(
        [pa.array(rows, pa.binary()), pa.array([None] * size, pa.string())], fields=list(schema.field(0).type)
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_arrays([images, pa.array(labels, pa.int64())], schema=schema)
    pq.write_table(table, file, compression="zstd", row_group_size=1000)


def picture(name: str, split: str, label: int, count: int) -> bytes:
    """An image file: blobs whose place and colour are those of the class, moved and tinted a little by turns.

    The real sets hold JPEG (Imagenette, some of them grey) and PNG.
    """
    from PIL import Image

    rng = np.random.default_rng([label, count, profile_number(name), split == PROFILES[name].splits[0]])
    pattern = class_pattern(label) + 0.25 * rng.standard_normal((6, 6, 3))
    pixels = np.clip(128 + 60 * np.roll(pattern, rng.integers(-1, 2, 2), (0, 1)), 0, 255).astype(np.uint8)
    width, height = PIXELS.get(name, (64, 64))
    smooth = Image.Resampling.NEAREST if PROFILES[name].lossless else Image.Resampling.BICUBIC  # small files of both
    image = Image.fromarray(pixels).resize((width, height), smooth)
    grey = PROFILES[name].channels == 1 or (not PROFILES[name].lossless and count % 50 == 49)
    if count % 2 and width != height:
        image = image.transpose(Image.Transpose.ROTATE_90)
    content = io.BytesIO()
    (image.convert("L") if grey else image).save(content, "PNG" if PROFILES[name].lossless else "JPEG")
    return content.getvalue()


@functools.cache
def class_pattern(label: int) -> np.ndarray:
    return np.random.default_rng([label]).standard_normal((6, 6, 3))


def profile_number(name: str) -> int:
    return list(PROFILES).index(name)


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def imagenet_pipeline():
    """The public DiT for 256 pixels: its classes and labels, its shapes and its scheduler, one thin layer of each part.

    It predicts a variance, has 1000 classes and a null class, and a VAE of factor 8. Of the names of its classes those
    of the catalogue are the real ones.
    """
    from diffusers import DDIMScheduler, DiTPipeline
    from tiny import imagenet_dit, imagenet_vae

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformer = imagenet_dit(num_layers=1, num_attention_heads=2, attention_head_dim=4)
        torch.nn.init.normal_(transformer.proj_out_2.weight, std=0.3)  # a fresh one predicts almost nothing
        vae = imagenet_vae(4, 4, 4, 4, layers=1, groups=2)
    pipe = DiTPipeline(transformer, vae, DDIMScheduler(clip_sample=False), id2label=labels())
    pipe.register_to_config(id2label=labels())
    return pipe


def labels() -> dict[int, str]:
    """What each of the 1000 labels means: names with commas between them, as in the file of the real pipeline."""
    rows = [row for entry in CATALOG["profiles"].values() for row in entry.get("classes", ())]
    known = {label: f"{name}, {number}" for name, label, number in rows}
    return {label: known.get(label, f"class {label}, another name of class {label}") for label in range(1000)}


if __name__ == "__main__":
    home = Path(sys.argv[1]).absolute()
    shutil.rmtree(home / "hub", ignore_errors=True)
    for name, value in environment(build(home)).items():
        print(f"export {name}={json.dumps(value)}")
