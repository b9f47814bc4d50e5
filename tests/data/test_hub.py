import dataclasses
import io
import shutil

import huggingface_hub
import numpy as np
import pytest
import torch
from hub_cache import HUB_NAMES, LAYOUTS
from PIL import Image

from mgd_helpers.data import hub
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.data.datasets import load_data

datasets = pytest.importorskip("datasets")
RAW = datasets.Image(decode=False)


def rows(count, classes=("zero", "one"), size=8, labels=None):
    """A `datasets.Dataset` of grey images whose brightness is 10 times their number."""
    features = datasets.Features({"picture": datasets.Image(), "kind": datasets.ClassLabel(names=list(classes))})
    pictures = [Image.fromarray(np.full((size, size), 10 * number, np.uint8)) for number in range(count)]
    labels = [i % len(classes) for i in range(count)] if labels is None else labels
    return datasets.Dataset.from_dict({"picture": pictures, "kind": labels}, features)


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


@pytest.mark.parametrize(
    "test", [rows(2, labels=[-1, -1]), rows(2, labels=[None, None]), rows(2).remove_columns("kind"), rows(0)]
)
def test_the_test_split_is_the_first_that_has_labels(test):
    splits = {"train": rows(6), "val": rows(5), "validation": rows(3)}
    assert len(load_data(datasets.DatasetDict(splits, test=test)).test) == 3
    assert len(load_data(datasets.DatasetDict(splits, test=rows(4))).test) == 4
    assert len(load_data(datasets.DatasetDict(train=rows(6), test=test)).test) == 0


@pytest.mark.parametrize("first", [0, 1])
def test_images_are_colored_if_any_is(first):
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    mixed = datasets.Dataset.from_dict(
        {"picture": [red, Image.new("L", (8, 8), 51)][:: 1 - 2 * first], "kind": [0, 1]}, rows(2).features
    )
    images = load_data(mixed).train.images[:, :, 0, 0]
    torch.testing.assert_close(images, torch.tensor([[1.0, -1, -1], [-0.6, -0.6, -0.6]]).roll(first, 0))
    gray = load_data(mixed, channels=1).train.images[:, :, 0, 0]
    torch.testing.assert_close((gray + 1) * 127.5, torch.tensor([[76.0], [51.0]]).roll(first, 0))  # luma of red
    with pytest.raises(ValueError, match=r"got \[3, 8, 8\] for training and \[1, 8, 8\] for testing. .*channels="):
        load_data(datasets.DatasetDict(train=mixed, test=rows(2)))


@pytest.mark.parametrize("kind", ["picture", "kind"])
def test_columns_of_which_only_one_could_be_meant_are_refused(kind):
    second = rows(2).select_columns([kind]).rename_column(kind, "second")
    two = datasets.concatenate_datasets([rows(2), second], axis=1)
    with pytest.raises(ValueError, match=r"must have one column .*'picture': .*'second': .*remove_columns"):
        load_data(two)
    assert len(load_data(two.remove_columns("second")).train) == 2


@pytest.mark.parametrize("bare", [-1, None])
@pytest.mark.parametrize("split", ["train", "test"])
def test_images_without_a_label_are_refused(split, bare):
    splits = {"train": rows(4), "test": rows(4)} | {split: rows(4, labels=[0, 1, bare, bare])}
    with pytest.raises(
        ValueError, match=rf"'dataset' must have a label >= 0; row 2 has {bare}, as have 1 others. .*filter"
    ):
        load_data(datasets.DatasetDict(splits))


def test_classes_in_another_order_in_the_test_split_are_refused():
    turned = rows(2, classes=("one", "zero"))
    with pytest.raises(ValueError, match=r"\['zero', 'one'\] for training and \['one', 'zero'\] for testing"):
        load_data(datasets.DatasetDict(train=rows(2), test=turned))
    turned = turned.align_labels_with_mapping({"zero": 0, "one": 1}, "kind")  # the remedy of the message
    assert load_data(datasets.DatasetDict(train=rows(2), test=turned)).test.labels.tolist() == [1, 0]


def test_plain_numbers_in_the_test_split_are_refused_with_a_remedy_that_works():
    plain = rows(2).cast_column("kind", datasets.Value("int64"))
    with pytest.raises(ValueError, match=r"and \[\] for testing.* test.cast_column\('kind'"):
        load_data(datasets.DatasetDict(train=rows(2), test=plain))
    named = plain.cast_column("kind", rows(2).features["kind"])
    assert load_data(datasets.DatasetDict(train=rows(2), test=named)).test.labels.tolist() == [0, 1]


def test_a_test_split_with_labels_but_other_images_is_refused():
    other = rows(2).rename_column("picture", "photo")
    with pytest.raises(ValueError, match=r"images in column 'picture' in both splits; got .*'photo'.*rename_column"):
        load_data(datasets.DatasetDict(train=rows(2), test=other))


def test_streams_and_empty_sets_are_refused():
    for stream in (rows(2).to_iterable_dataset(), datasets.IterableDatasetDict(train=rows(2).to_iterable_dataset())):
        with pytest.raises(ValueError, match=r"must be a datasets.Dataset .*; got Iterable.* without streaming=True"):
            load_data(stream)
    for empty in (rows(0), datasets.DatasetDict(train=rows(0), test=rows(1)), datasets.DatasetDict(test=rows(1))):
        with pytest.raises(ValueError, match="source must have a split 'train' with images in it; got "):
            load_data(empty)


def test_a_row_that_is_no_image_is_named():
    content = io.BytesIO()
    Image.new("L", (2, 2)).save(content, "PNG")
    pictures = [{"bytes": content.getvalue(), "path": None}] * 1001 + [{"bytes": b"x", "path": None}]
    broken = datasets.Dataset.from_dict({"picture": pictures, "kind": [0] * 1002}, rows(1).features)
    with pytest.raises(ValueError, match=r"^row 1001 of 'dataset' must be an image that PIL reads"):
        load_data(broken)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_makes_a_dataset_gray_or_colored(channels):
    assert load_data(rows(6), channels=channels).train.images.shape == (6, channels, 8, 8)


def test_a_dataset_without_declared_columns_is_refused():
    with pytest.raises(ValueError, match="source must have one column of images and one of class labels"):
        load_data(datasets.Dataset.from_dict({"x": [1, 2]}))


@pytest.mark.parametrize("split", ["train", "test"])
def test_of_each_class_the_first_rows_are_decoded_and_no_others(split):
    pictures = [{"bytes": one["bytes"], "path": None} for one in rows(6).cast_column("picture", RAW)["picture"]]
    pictures[3]["bytes"] = pictures[4]["bytes"] = b"no image"
    broken = datasets.Dataset.from_dict({"picture": pictures, "kind": [1, 0, 1, 1, 1, 0]}, rows(1).features)
    data = load_data(datasets.DatasetDict({"train": rows(2), split: broken} | {"test": broken}), per_class=2)
    part = {"train": data.train, "test": data.test}[split]
    assert part.labels.tolist() == [1, 0, 1, 0]
    torch.testing.assert_close((part.images[:, 0, 0, 0] + 1) * 127.5, torch.tensor([0.0, 10, 20, 50]))
    with pytest.raises(ValueError, match=r"^row 3 of 'dataset' must be an image"):  # its place in the whole set
        load_data(broken, per_class=3)


def test_a_named_set_is_checked_as_a_whole_and_read_in_part(mirror):
    mirror("imagenette", labels=[*range(10), 0, 0, 0, *range(7)])
    data = load_data("imagenette", image_size=8, per_class=2)
    assert data.train.labels.tolist() == [*range(10), *range(7)]
    mirror("imagenette", missing=1)
    with pytest.raises(ValueError, match="must hold"):
        load_data("imagenette", image_size=8, per_class=1)


def test_a_missing_set_says_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / "cifar10").mkdir()
    monkeypatch.setenv("MGD_DATA_DIR", str(tmp_path))
    text = r"'cifar10' could not be read from the local copy '.*cifar10': .*contain any data files.* Download 'uoft-cs/"
    with pytest.raises(FileNotFoundError, match=text):
        load_data("cifar10")


@pytest.mark.parametrize("broken", [slice(None), slice(4, 40)])
def test_a_broken_copy_is_not_called_a_missing_network(mirror, broken):
    file = mirror("cifar10") / LAYOUTS["cifar10"].format(split="train")
    content = np.frombuffer(file.read_bytes(), np.uint8).copy()
    content[broken] = 120
    file.write_bytes(content.tobytes())
    with pytest.raises(FileNotFoundError, match=r"the local copy .*: .*(magic bytes|deserialize).* Download") as caught:
        load_data("cifar10")
    assert "network" not in str(caught.value)


# the sets of the catalogue, as small mirrors of the very layout of each


def write_mirror(folder, name, *, classes=None, labels=None, named=True, missing=0, splits=None):
    """Images whose brightness is their number, colour and grey by turns; by default label 7 i modulo the classes."""
    profile = PROFILES[name]
    image_column, label_column = profile.columns
    classes = list(classes or HUB_NAMES.get(name, profile.class_names))
    kind = datasets.ClassLabel(names=classes) if named else datasets.Value("int64")
    features = datasets.Features({image_column: datasets.Image(), label_column: kind})
    for split, size in zip(splits or profile.splits, profile.sizes, strict=True):
        size -= missing
        pictures = [Image.new(("RGB", "L")[i % 2], (40, 32), (i % 200,) * (3, 1)[i % 2]) for i in range(size)]
        labels = labels or [7 * i % len(classes) for i in range(max(profile.sizes))]
        file = folder / LAYOUTS[name].format(split=split)
        file.parent.mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict({image_column: pictures, label_column: labels[:size]}, features).to_parquet(file)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """`mirror(name, …)` writes a mirror of a set: two training images and a test image of each class."""
    monkeypatch.setenv("MGD_DATA_DIR", str(tmp_path / "mirror"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))

    def write(name, **options):
        count = len(PROFILES[name].class_names)
        monkeypatch.setitem(PROFILES, name, dataclasses.replace(PROFILES[name], sizes=(2 * count, count)))
        write_mirror(tmp_path / "mirror" / name, name, **options)
        return tmp_path / "mirror" / name

    return write


def test_a_jpeg_copy_of_a_lossless_set_says_so(mirror):
    folder = mirror("cifar10")
    assert load_data("cifar10").note == ""
    labels = datasets.ClassLabel(names=list(PROFILES["cifar10"].class_names))
    columns = datasets.Features({"img": datasets.Image(), "label": labels})
    for split, size in (("train", 20), ("test", 10)):
        content = io.BytesIO()
        Image.new("RGB", (32, 32)).save(content, "JPEG")
        rows = {"img": [{"bytes": content.getvalue(), "path": None}] * size, "label": list(range(10)) * (size // 10)}
        datasets.Dataset.from_dict(rows, columns).to_parquet(folder / LAYOUTS["cifar10"].format(split=split))
    assert "JPEG copy" in load_data("cifar10").note


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_set_of_the_catalogue_is_read_from_its_mirror(mirror, name):
    mirror(name)
    profile = PROFILES[name]
    data = load_data(name, image_size=8)
    assert data.name == name
    assert data.class_names == profile.class_names
    count = len(profile.class_names)
    assert (len(data.train), len(data.test)) == (2 * count, count)
    assert data.train.images.shape == (2 * count, profile.channels, 8, 8)
    assert data.train.labels.tolist() == [7 * i % count for i in range(2 * count)]
    brightness = (data.train.images.mean((1, 2, 3)) + 1) * 127.5
    torch.testing.assert_close(brightness, torch.arange(2.0 * count) % 200, atol=1e-3, rtol=0)


def test_there_is_a_layout_for_every_set_that_is_not_bundled():
    assert set(LAYOUTS) == set(PROFILES) - {"digits"}


@pytest.mark.parametrize(("name", "channels"), [("fashion_mnist", 3), ("cifar10", 1)])
def test_named_sets_become_gray_or_colored_on_request(mirror, name, channels):
    mirror(name)
    found, usual = load_data(name, channels=channels), load_data(name)
    assert found.train.images.shape == (20, channels, 32, 32)
    torch.testing.assert_close(found.train.images.mean(1), usual.train.images.mean(1), atol=1 / 127, rtol=0)


@pytest.mark.parametrize(("name", "side"), [("fashion_mnist", 32), ("tiny_imagenet", 64), ("imagenette", 256)])
def test_named_sets_come_at_the_size_of_their_pipeline(mirror, name, side):
    mirror(name)
    assert load_data(name).train.images.shape[2:] == (side, side)


def test_one_resolution_is_read_where_a_copy_has_several(mirror):
    folder = mirror("imagewoof")
    for other in ("160px", "full_size"):
        shutil.copytree(folder / "320px", folder / other)
    assert len(load_data("imagewoof", image_size=8).train) == 20


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
    mirror(name, missing=1)
    train, test = PROFILES[name].sizes
    message = rf"'{name}' must hold \({train}, {test}\) .*; got \({train - 1}, {test - 1}\). Is '.*{name}' complete"
    with pytest.raises(ValueError, match=message):
        load_data(name, image_size=8)


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("cifar10", [*range(1, 11), *range(1, 11)], r"all equally often; split 'train' .* {10: 2, 0: 0, "),
        ("cifar10", [0, *range(9), *range(10)], r"all equally often; split 'train' .* {9: 1, .*0: 3}"),
        ("imagenette", [-1, *range(1, 10), *range(10)], r"each at least once; split 'train' .* {-1: 1, 0: 1, "),
        ("imagenette", [*range(9), 0, *range(10)], r"each at least once; split 'validation' .* {9: 0, .*0: 2}"),
    ],
)
def test_labels_that_are_not_those_of_the_set_are_refused(mirror, name, labels, message):
    mirror(name, labels=labels, named=False)
    with pytest.raises(ValueError, match=rf"'{name}' must have the labels 0 to 9, {message}"):
        load_data(name, image_size=8)


def test_labels_without_names_are_taken_where_they_are_those_of_the_set(mirror):
    mirror("imagenette", named=False, labels=[*range(9), 9, *[0] * 10])  # unequal classes, as they are there
    assert load_data("imagenette", image_size=8).train.labels.bincount().tolist() == [11, *[1] * 9]


@pytest.mark.parametrize("name", LAYOUTS)
def test_another_order_of_classes_is_refused(mirror, name):
    names = list(PROFILES[name].class_names)
    mirror(name, classes=[*names[:1], names[2], names[1], *names[3:]])
    with pytest.raises(ValueError, match=rf"'{name}' must have the .* classes .*and class 1 is '{names[2]}'"):
        load_data(name, image_size=8)


def test_another_order_in_the_test_split_alone_is_refused(mirror, monkeypatch):
    mirror("imagenette")
    found = datasets.load_dataset(str(PROFILES["imagenette"].local()), data_dir="320px")
    turned = datasets.ClassLabel(names=list(PROFILES["imagenette"].class_names[::-1]))
    found["validation"] = found["validation"].cast_column("label", turned)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: found)
    with pytest.raises(ValueError, match=r"split 'validation' of .*and class 0 is 'parachute'"):
        load_data("imagenette", image_size=8)


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
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *where, **options: asked.append((where, options)))
    folder = mirror("imagenette")
    with pytest.raises(ValueError, match="must have the splits"):
        load_data("imagenette")
    assert asked == [((str(folder),), {"data_dir": "320px"})]


@pytest.mark.parametrize(
    ("name", "revision", "files"),
    [("imagenette", "refs/convert/parquet", "320px/*.parquet"), ("cifar10", None, "*.parquet")],
)
def test_of_the_hub_only_the_files_of_the_set_are_downloaded(name, revision, files, tmp_path, monkeypatch):
    asked = []
    answer = lambda *where, **options: asked.append((where, options)) or str(tmp_path)  # noqa: E731
    monkeypatch.setattr(huggingface_hub, "snapshot_download", answer)
    monkeypatch.setattr(hub, "check_memory", lambda *_: None)
    with pytest.raises(FileNotFoundError, match="could not be read from the hub"):
        load_data(name)
    options = {"repo_type": "dataset", "revision": revision, "allow_patterns": files}
    assert asked == [((PROFILES[name].hub_id,), options)]


@pytest.mark.parametrize("name", LAYOUTS)
def test_without_mirror_and_hub_the_way_is_told(name, tmp_path, monkeypatch):
    def offline(*where, **options):
        raise ConnectionError("no answer\nand much more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    monkeypatch.setattr(hub, "check_memory", lambda *_: None)
    monkeypatch.setenv("MGD_DATA_DIR", str(tmp_path))  # there, and empty
    profile = PROFILES[name]
    message = rf"the hub: 'no answer'\..* {profile.megabytes} MB .*'{profile.hub_id}' into a folder '{name}' .*MGD_DATA"
    with pytest.raises(FileNotFoundError, match=message):
        load_data(name)


def test_a_set_too_large_for_the_machine_is_refused_before_anything_is_read(monkeypatch):
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 16 * 2**18}
    monkeypatch.setattr("os.sysconf", pages.get)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: pytest.fail("nothing must be read"))
    with pytest.raises(MemoryError, match=r"'imagenet100' takes 30.1 GiB as 131,689 images .* has 16 free\."):
        load_data("imagenet100")
    with pytest.raises(MemoryError, match=r"takes 18.3 GiB as 80,000 images of 256x256x3, .* has 16 free\."):
        load_data("imagenet100", per_class=750)  # 75,000 and all 5,000


def test_any_set_too_large_for_the_machine_is_refused_at_its_first_image(monkeypatch):
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1}.get)
    load_data(rows(12, size=16))  # 3072 bytes, and a quarter more
    with pytest.raises(MemoryError, match=r"'dataset' takes .* as 17 images of 16x16, .*per_class="):
        load_data(rows(17, size=16))
