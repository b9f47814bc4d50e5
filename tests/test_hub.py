import dataclasses
import io
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from mgd_helpers import hub
from mgd_helpers.catalog import PROFILES
from mgd_helpers.data import load_data

datasets = pytest.importorskip("datasets")


def rows(count, classes=("zero", "one"), size=8):
    """A `datasets.Dataset` of grey images whose brightness is 10 times their number."""
    features = datasets.Features({"picture": datasets.Image(), "kind": datasets.ClassLabel(names=list(classes))})
    pictures = [Image.fromarray(np.full((size, size), 10 * number, np.uint8)) for number in range(count)]
    return datasets.Dataset.from_dict({"picture": pictures, "kind": [i % len(classes) for i in range(count)]}, features)


def test_any_dataset_becomes_a_training_split():
    data = load_data(rows(6))
    assert data.class_names == ("zero", "one")
    assert data.train.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert torch.allclose((data.train.images[:, 0, 0, 0] + 1) * 127.5, 10.0 * torch.arange(6))
    assert len(data.test) == 0


def test_splits_of_a_dict_are_found_and_resized():
    data = load_data(datasets.DatasetDict(train=rows(6), validation=rows(2)), image_size=4)
    assert data.train.images.shape == (6, 1, 4, 4)
    assert len(data.test) == 2


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_makes_a_dataset_grey_or_coloured(channels):
    assert load_data(rows(6), channels=channels).train.images.shape == (6, channels, 8, 8)


def test_a_dataset_without_declared_columns_is_refused():
    with pytest.raises(ValueError, match="source must have a column of images and one of class labels"):
        load_data(datasets.Dataset.from_dict({"x": [1, 2]}))


def test_a_missing_set_says_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / "cifar10").mkdir()
    monkeypatch.setenv("MGD_DATA_DIR", str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"'cifar10' could not be read from the local copy .*144 MB.*MGD_DATA_DIR"
    ):
        load_data("cifar10")


# the sets of the catalogue, as small mirrors of the very layout of each

LAYOUTS = {
    "fashion_mnist": "fashion_mnist/{split}-00000-of-00001.parquet",
    "cifar10": "plain_text/{split}-00000-of-00001.parquet",
    "tiny_imagenet": "data/{split}-00000-of-00001-70d52db3c749a935.parquet",
    "imagenette": "320px/{split}/0000.parquet",
    "imagewoof": "320px/{split}/0000.parquet",
    "imagenet100": "data/{split}-00000-of-00001.parquet",
}
HUB_NAMES = {
    "fashion_mnist": ["T - shirt / top", *PROFILES["fashion_mnist"].class_names[1:]],
    "imagewoof": list(PROFILES["imagewoof"].other_names[0]),
    "imagenet100": [f"{name}, a synonym" for name in PROFILES["imagenet100"].class_names],
}
SIZES = (6, 4)


def write_mirror(folder, name, *, classes=None, sizes=SIZES, splits=None, modes=("RGB", "L")):
    """Images whose brightness is 10 times their number, in two modes by turns; label 7 i modulo the classes."""
    profile = PROFILES[name]
    image_column, label_column = profile.columns
    classes = list(classes or HUB_NAMES.get(name, profile.class_names))
    features = datasets.Features({image_column: datasets.Image(), label_column: datasets.ClassLabel(names=classes)})
    for split, size in zip(splits or profile.splits, sizes, strict=True):
        pictures = [Image.new("RGB", (40, 32), (10 * i,) * 3).convert(modes[i % 2]) for i in range(size)]
        labels = [7 * i % len(classes) for i in range(size)]
        file = folder / LAYOUTS[name].format(split=split)
        file.parent.mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict({image_column: pictures, label_column: labels}, features).to_parquet(file)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """`mirror(name, …)` writes a mirror of a set, which then is as small as that in the catalogue, too."""
    monkeypatch.setenv("MGD_DATA_DIR", str(tmp_path / "mirror"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))

    def write(name, **options):
        monkeypatch.setitem(PROFILES, name, dataclasses.replace(PROFILES[name], sizes=SIZES))
        write_mirror(tmp_path / "mirror" / name, name, **options)
        return tmp_path / "mirror" / name

    return write


def test_a_jpeg_copy_of_a_lossless_set_says_so(mirror):
    folder = mirror("cifar10")
    assert load_data("cifar10").note == ""
    labels = datasets.ClassLabel(names=list(PROFILES["cifar10"].class_names))
    columns = datasets.Features({"img": datasets.Image(), "label": labels})
    for split, size in zip(("train", "test"), SIZES, strict=True):
        content = io.BytesIO()
        Image.new("RGB", (32, 32)).save(content, "JPEG")
        rows = {"img": [{"bytes": content.getvalue(), "path": None}] * size, "label": [0] * size}
        datasets.Dataset.from_dict(rows, columns).to_parquet(folder / LAYOUTS["cifar10"].format(split=split))
    assert "JPEG copy" in load_data("cifar10").note


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_set_of_the_catalogue_is_read_from_its_mirror(mirror, name):
    mirror(name)
    profile = PROFILES[name]
    data = load_data(name, image_size=8)
    assert data.name == name
    assert data.class_names == profile.class_names
    assert (len(data.train), len(data.test)) == SIZES
    assert data.train.images.shape == (6, profile.channels, 8, 8)
    assert data.train.labels.tolist() == [7 * i % len(profile.class_names) for i in range(6)]
    brightness = (data.train.images.mean((1, 2, 3)) + 1) * 127.5
    torch.testing.assert_close(brightness, 10.0 * torch.arange(6), atol=1e-3, rtol=0)


def test_there_is_a_layout_for_every_set_that_is_not_bundled():
    assert set(LAYOUTS) == set(PROFILES) - {"digits"}


@pytest.mark.parametrize(("name", "side"), [("fashion_mnist", 32), ("tiny_imagenet", 64), ("imagenette", 256)])
def test_named_sets_come_at_the_size_of_their_pipeline(mirror, name, side):
    mirror(name)
    assert load_data(name).train.images.shape[2:] == (side, side)


def test_one_resolution_is_read_where_a_copy_has_several(mirror):
    folder = mirror("imagewoof")
    for other in ("160px", "full_size"):
        shutil.copytree(folder / "320px", folder / other)
    assert len(load_data("imagewoof", image_size=8).train) == 6


def test_folders_of_images_named_by_number_are_a_mirror_too(mirror, monkeypatch):
    folder = mirror("imagewoof")
    shutil.rmtree(folder)
    monkeypatch.setitem(PROFILES, "imagewoof", dataclasses.replace(PROFILES["imagewoof"], sizes=(10, 10)))
    for split in ("train", "val"):
        for i, number in enumerate(PROFILES["imagewoof"].other_names[1]):
            (folder / split / number).mkdir(parents=True)
            Image.new("RGB", (40, 32), (10 * i,) * 3).save(folder / split / number / f"{i}.png")
    data = load_data("imagewoof", image_size=8)
    brightness = (data.train.images.mean((1, 2, 3)) + 1) * 127.5
    torch.testing.assert_close(brightness, 10.0 * data.train.labels, atol=1e-3, rtol=0)
    assert data.class_names[0] == "Shih-Tzu"


def test_the_dogs_are_called_what_they_are_and_not_what_the_hub_says(mirror):
    mirror("imagewoof")
    data = load_data("imagewoof", image_size=8)
    assert data.train.labels[0] == 0  # which the hub calls Australian terrier
    assert data.class_names[0] == "Shih-Tzu"


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_incomplete_copy_is_refused(mirror, name):
    mirror(name, sizes=(5, 4))
    with pytest.raises(
        ValueError, match=rf"'{name}' must hold \(6, 4\) images .*; got \(5, 4\). Is '.*{name}' complete"
    ):
        load_data(name, image_size=8)


@pytest.mark.parametrize("name", LAYOUTS)
def test_another_order_of_classes_is_refused(mirror, name):
    names = list(PROFILES[name].class_names)
    mirror(name, classes=[*names[:1], names[2], names[1], *names[3:]])
    with pytest.raises(ValueError, match=rf"'{name}' must have the .* classes .*and class 1 is '{names[2]}'"):
        load_data(name, image_size=8)


def test_too_few_classes_are_refused(mirror):
    mirror("imagenette", classes=PROFILES["imagenette"].class_names[:9])
    with pytest.raises(ValueError, match=r"must have the 10 classes .* has 9"):
        load_data("imagenette", image_size=8)


def test_a_missing_split_or_column_is_refused(mirror):
    mirror("tiny_imagenet", splits=("train", "test"))
    with pytest.raises(
        ValueError, match=r"must have the splits and columns .*'valid'.*; got .*'test'.* Is .* that data"
    ):
        load_data("tiny_imagenet", image_size=8)


def test_the_mirror_wins_over_the_hub(mirror, monkeypatch):
    asked = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *where, **options: asked.append((where, options)) or {})
    folder = mirror("imagenette")
    with pytest.raises(ValueError, match="must have the splits"):
        load_data("imagenette")
    monkeypatch.delenv("MGD_DATA_DIR")
    with pytest.raises(ValueError, match="must have the splits"):
        load_data("imagenette")
    assert asked == [
        ((str(folder),), {"data_dir": "320px"}),
        (("frgfm/imagenette",), {"data_dir": "320px", "revision": "refs/convert/parquet"}),
    ]


@pytest.mark.parametrize("name", LAYOUTS)
def test_without_mirror_and_hub_the_way_is_told(name, tmp_path, monkeypatch):
    def offline(*where, **options):
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    monkeypatch.setattr(hub, "_check_memory", lambda *_: None)
    monkeypatch.setenv("MGD_DATA_DIR", str(tmp_path))  # there, and empty
    profile = PROFILES[name]
    message = rf"from the hub \({profile.hub_id}\).*{profile.megabytes} MB .*folder '{name}' .*MGD_DATA_DIR"
    with pytest.raises(FileNotFoundError, match=message):
        load_data(name)


def test_a_set_too_large_for_the_machine_is_refused_before_anything_is_read(monkeypatch):
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 16 * 2**18}
    monkeypatch.setattr(hub.os, "sysconf", pages.get)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: pytest.fail("nothing must be read"))
    with pytest.raises(MemoryError, match=r"'imagenet100' at image_size=256 takes 96 GiB, and this machine has 16"):
        load_data("imagenet100")
