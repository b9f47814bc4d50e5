import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_digits

from mgd_helpers.data.datasets import load_data, read_generated
from mgd_helpers.data.fingerprints import data_hash
from mgd_helpers.data.folders import IMAGE_SUFFIXES
from mgd_helpers.data.image_sets import ImageSet, first_rows
from mgd_helpers.data.saving import write_images


def scans():
    """scikit-learn's digits on the scale [-1, 1], as they are before resizing."""
    pixels, labels = load_digits(return_X_y=True)
    return torch.from_numpy(pixels / 8 - 1).float(), torch.from_numpy(labels)


def test_digits_are_images_in_range_with_labels(digits):
    for part, size in ((digits.train, 1500), (digits.test, 297)):
        assert part.images.shape == (size, 1, 32, 32)
        assert part.images.dtype == torch.float32
        assert part.labels.dtype == torch.int64
        assert part.images.min() == -1
        assert part.images.max() == 1
    assert digits.class_names == tuple("0123456789")


def test_digits_are_stratified(digits):
    whole = torch.cat([digits.train.labels, digits.test.labels]).bincount()
    for part in (digits.train, digits.test):
        assert (part.labels.bincount() - whole * len(part) / 1797).abs().max() < 1


def test_train_and_test_share_no_scan_and_lose_none(digits):
    rows = {}
    for name, part in (("train", digits.train), ("test", digits.test)):
        rows[name] = {hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in part.images}
        assert len(rows[name]) == len(part)
    assert not rows["train"] & rows["test"]


def test_digits_keep_scan_and_label_together(digits):
    known, labels = scans()
    small = torch.nn.functional.interpolate(digits.test.images, size=8, mode="area").flatten(1)
    found = torch.cdist(small, known).argmin(1)
    assert torch.equal(labels[found], digits.test.labels)
    assert (found.diff() > 0).all()  # in their own order, each one once


def test_the_split_is_the_same_for_everybody(digits):
    known, _ = scans()
    small = torch.nn.functional.interpolate(digits.test.images, size=8, mode="area").flatten(1)
    found = torch.cdist(small, known).argmin(1)
    assert digits.test.labels.bincount().tolist() == [29, 30, 29, 30, 30, 30, 30, 30, 29, 30]
    assert hashlib.sha256(np.asarray(found, dtype="<i8").tobytes()).hexdigest()[:16] == "1d5d813b610838c5"


def test_what_a_caller_does_to_the_digits_stays_with_the_caller():
    load_data("digits").train.images.zero_()
    assert load_data("digits").train.images.std() > 0.1


def write(folder, pixels, **options):
    folder.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(folder, **options)


def test_a_folder_gives_its_classes_and_files_in_alphabetical_order(tmp_path):
    for name, value in (("b/2.png", 40), ("b/1.png", 30), ("a/9.png", 20), (".cache/1.png", 99)):
        write(tmp_path / name, np.full((5, 4), value))
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "manifest.json").write_text("{}")
    data = load_data(tmp_path)
    assert data.class_names == ("a", "b")
    assert data.name == tmp_path.name
    assert data.train.labels.tolist() == [0, 1, 1]
    assert ((data.train.images[:, 0, 0, 0] + 1) * 127.5).round().tolist() == [20, 30, 40]
    assert data.train.images.shape == (3, 1, 5, 4)
    assert len(data.test) == 0


def test_black_is_minus_one_and_white_is_one(tmp_path):
    write(tmp_path / "a/1.png", [[0, 255]])
    assert load_data(str(tmp_path)).train.images.flatten().tolist() == [-1, 1]


def test_colors_come_as_three_channels(tmp_path):
    pixels = np.arange(2 * 3 * 3).reshape(2, 3, 3)
    write(tmp_path / "a/1.png", pixels)
    found = load_data(tmp_path).train.images[0]
    np.testing.assert_allclose((found + 1) * 127.5, pixels.transpose(2, 0, 1), atol=1e-3)


def test_palettes_and_transparency_become_color(tmp_path):
    for number, mode in enumerate(("P", "RGBA")):
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.new("RGB", (4, 4), (255, 0, 0)).convert(mode).save(tmp_path / f"a/{number}.png")
    found = load_data(tmp_path).train.images
    assert found.shape == (2, 3, 4, 4)
    assert torch.equal(found[:, 0], torch.ones(2, 4, 4))
    assert torch.equal(found[:, 1:], -torch.ones(2, 2, 4, 4))


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_makes_a_mixed_folder_gray_or_colored(tmp_path, channels):
    write(tmp_path / "a/1.png", np.full((4, 4), 40))
    write(tmp_path / "a/2.png", np.full((4, 4, 3), 40))
    found = load_data(tmp_path, channels=channels).train.images
    torch.testing.assert_close(found, torch.full((2, channels, 4, 4), 40 / 127.5 - 1))


@pytest.mark.parametrize(
    ("source", "channels", "message"),
    [
        ("digits", 2, r"channels must be 1 \(gray\), 3 \(color\) or None .*; got 2"),
        (".", 2, r"channels must be 1 \(gray\), 3 \(color\) or None .*; got 2"),
    ],
)
def test_channels_that_a_source_cannot_have_are_refused(source, channels, message):
    with pytest.raises(ValueError, match=message):
        load_data(source, channels=channels)


def test_image_size_resizes_the_shorter_side_and_crops_the_center(tmp_path):
    left_and_right = np.zeros((8, 24))
    left_and_right[:, 8:16] = 200
    write(tmp_path / "a/1.png", left_and_right)
    found = load_data(tmp_path, image_size=8).train.images
    assert found.shape == (1, 1, 8, 8)
    torch.testing.assert_close(found, torch.full_like(found, 200 / 127.5 - 1))


@pytest.mark.parametrize(("padding", "border"), [(None, 2), (0, 0), (3, 3)])
def test_a_border_is_part_of_the_size_and_the_data_know_it(tmp_path, padding, border):
    for split in ("train", "test"):
        write(tmp_path / split / "a/1.png", np.full((28, 28), 200))
    data = load_data(tmp_path, image_size=32, padding=padding)
    for part in (data.train, data.test):
        assert part.shape == (1, 1, 32, 32) and (part.images > -1).sum() == (32 - 2 * border) ** 2
    assert data.padding == border
    assert (f"2 images are set in a black border of width {border}." in data.found) == (border > 0)
    assert load_data(tmp_path).padding == 0


def test_digits_get_a_border_too(tmp_path):
    inside, data = load_data("digits", image_size=24, per_class=1), load_data("digits", padding=4, per_class=1)
    assert torch.equal(data.train.images, F.pad(inside.train.images, [4] * 4, value=-1))
    assert (data.padding, inside.padding) == (4, 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"padding": 2}, "padding must come with image_size, of which it is a part; got 2"),
        ({"padding": 16, "image_size": 32}, "padding must be a whole number .*15; got 16"),
        ({"padding": -1, "image_size": 32}, "padding must be a whole number .* got -1"),
        ({"padding": True, "image_size": 32}, "padding must be a whole number"),
    ],
)
def test_a_border_that_leaves_no_image_is_refused(tmp_path, given, message):
    write(tmp_path / "a/1.png", np.full((28, 28), 200))
    with pytest.raises(ValueError, match=message):
        load_data(tmp_path, **given)


def test_what_distill_writes_comes_back_pixel_by_pixel(tmp_path, waves):
    pixels = ((waves.train.images + 1) * 127.5).round()
    for number, image in enumerate(pixels):
        write(tmp_path / f"a/{number:02d}.png", image[0])
    torch.testing.assert_close(load_data(tmp_path).train.images, pixels / 127.5 - 1)


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3)])
def test_what_is_read_is_kept_as_bytes_and_is_the_same_to_the_bit(tmp_path, shape):
    drawn = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    for number, image in enumerate(drawn):
        write(tmp_path / f"{'ab'[number > 2]}/{number}.png", image)
    data, pixels = load_data(tmp_path), torch.from_numpy(drawn.reshape(5, 9, 7, -1)).permute(0, 3, 1, 2).contiguous()
    assert torch.equal(data.train.kept, pixels) and data.train.kept.dtype == torch.uint8
    assert torch.equal(data.train.images, pixels.float() / 127.5 - 1)
    numbers = replace(data, train=ImageSet(pixels.float() / 127.5 - 1, torch.tensor([0, 0, 0, 1, 1])))
    assert data_hash(data) == data_hash(numbers)
    read = read_generated(tmp_path, numbers)
    assert torch.equal(read.kept, pixels) and read.labels.tolist() == [0, 0, 0, 1, 1]


def test_unknown_sources_are_refused():
    message = "source must be one of digits, .*, a folder .*; got 'digit'. Check the spelling"
    with pytest.raises(ValueError, match=message):
        load_data("digit")


@pytest.mark.parametrize(("image_size", "channels"), [(8, 1), (32, 3), (64, None)])
def test_digits_come_at_other_sizes_and_in_color(image_size, channels):
    usual, data = load_data("digits"), load_data("digits", image_size=image_size, channels=channels, per_class=3)
    assert data.train.images.shape == (30, channels or 1, image_size, image_size)
    assert torch.equal(data.train.images, data.train.images[:, :1].expand_as(data.train.images))
    rows = first_rows(usual.train.labels.tolist(), 3)
    assert torch.equal(data.train.labels, usual.train.labels[rows])
    if image_size == 32:
        assert torch.equal(data.train.images[:, :1], usual.train.images[rows])
    small = F.interpolate(data.train.images[:, :1], 8, mode="area")
    assert (small - F.interpolate(usual.train.images[rows], 8, mode="area")).abs().mean() < 0.1


def test_folders_without_images_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match=r"source must hold images in one sub-folder per class; .* holds none"):
        load_data(tmp_path)


def test_images_of_different_sizes_are_refused(tmp_path):
    write(tmp_path / "a/1.png", np.zeros((4, 4)))
    write(tmp_path / "a/2.png", np.zeros((4, 5)))
    with pytest.raises(ValueError, match=r"images of .* must have one size; got .*Pass image_size"):
        load_data(tmp_path)


def test_a_class_without_images_is_refused_and_named(tmp_path):
    write(tmp_path / "a/1.png", np.zeros((4, 4)))
    (tmp_path / "b").mkdir()
    (tmp_path / "b/1.psd").write_text("not read")
    with pytest.raises(ValueError, match=r"one sub-folder .* holds none of \['b'\]. Use .png, .*.tiff files"):
        load_data(tmp_path)


def test_all_files_of_the_suffixes_are_read(tmp_path):
    for number, suffix in enumerate(IMAGE_SUFFIXES):
        write(tmp_path / f"a/{number}{suffix.upper()}", np.full((4, 4), 100))
    found = load_data(tmp_path, channels=1).train.images
    torch.testing.assert_close(found, torch.full((7, 1, 4, 4), 100 / 127.5 - 1), rtol=0, atol=0.03)  # JPEG, WebP


def test_a_file_that_is_no_image_is_named(tmp_path):
    write(tmp_path / "a/1.png", np.zeros((4, 4)))
    (tmp_path / "a/2.png").write_text("no image")
    with pytest.raises(ValueError, match=rf"^a/2.png of '{tmp_path}' must be an image"):
        load_data(tmp_path)


def splits(folder, *names):
    """Classes one and two in folders of splits, an image each: brightness 10, 20 in the first, 30, 40 in the next."""
    for number, split in enumerate(names):
        for label, name in enumerate(("one", "two")):
            write(folder / split / name / "1.png", np.full((4, 4), 10 + 20 * number + 10 * label))


def brightness(part):
    return ((part.images[:, 0, 0, 0] + 1) * 127.5).round().tolist()


@pytest.mark.parametrize("names", [("train", "test"), ("train", "val"), ("train", "test", "val", "validation")])
def test_a_folder_of_splits_gives_training_and_test_images_of_its_own(tmp_path, names):
    splits(tmp_path, *names)
    write(tmp_path / names[1] / "two" / "2.png", np.full((4, 4), 50))
    data = load_data(tmp_path)
    assert data.class_names == ("one", "two")
    assert data.name == tmp_path.name
    assert (brightness(data.train), data.train.labels.tolist()) == ([10, 20], [0, 1])
    assert (brightness(data.test), data.test.labels.tolist()) == ([30, 40, 50], [0, 1, 1])


def test_a_test_split_may_lack_classes_and_has_the_labels_of_the_training_split(tmp_path):
    splits(tmp_path, "train")
    write(tmp_path / "test/two/1.png", np.full((4, 4), 90))
    assert load_data(tmp_path).test.labels.tolist() == [1]
    write(tmp_path / "test/three/1.png", np.full((4, 4), 90))
    with pytest.raises(ValueError, match=r"classes of .* must be those of the training split; got also \['three'\]"):
        load_data(tmp_path)


def test_folders_that_are_called_otherwise_are_classes(tmp_path):
    splits(tmp_path, "train", "cars")
    with pytest.raises(ValueError, match=r"one folder for training, .* or a folder per class; .* has cars, train\."):
        load_data(tmp_path)


@pytest.mark.parametrize("other", [(4, 5), (4, 4, 3)])
def test_splits_of_different_shapes_are_refused(tmp_path, other):
    splits(tmp_path, "train")
    write(tmp_path / "test/one/1.png", np.zeros(other))
    with pytest.raises(ValueError, match=r"got \[1, 4, 4\] for training and \[.* for testing. Pass image_size"):
        load_data(tmp_path)
    assert load_data(tmp_path, image_size=4, channels=3).test.images.shape == (1, 3, 4, 4)


def test_a_folder_too_large_for_the_machine_is_refused_at_its_first_image(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1}.get)
    splits(tmp_path, "one")
    load_data(tmp_path / "one", image_size=32)  # 2048 bytes, and a quarter more
    with pytest.raises(MemoryError, match=r"takes .* as 2 images of 64x64, .*per_class=…, .* smaller image_size"):
        load_data(tmp_path / "one", image_size=64)


@pytest.mark.parametrize("per_class", [1, 2, 40])
def test_of_each_class_the_first_come_and_no_more(digits, per_class):
    found = load_data("digits", per_class=per_class)
    for label in range(10):
        for part, whole in ((found.train, digits.train), (found.test, digits.test)):
            expected = whole.of_class(label)[:per_class]  # the test split has 29 or 30 of each
            assert torch.equal(part.of_class(label), expected)
    rows = (digits.train.images[:, None] == found.train.images).flatten(2).all(2).nonzero()[:, 0]
    assert (rows.diff() > 0).all()  # in the order of the set
    assert (found.name, found.class_names, found.note) == (digits.name, digits.class_names, digits.note)


def test_of_a_folder_only_those_are_opened(tmp_path):
    splits(tmp_path, "train", "test")
    for split in ("train", "test"):
        (tmp_path / split / "two/2.png").write_text("no image")
        write(tmp_path / split / "one/0.png", np.full((4, 4), 5))
    data = load_data(tmp_path, per_class=1)
    assert (brightness(data.train), data.train.labels.tolist()) == ([5, 20], [0, 1])
    assert (brightness(data.test), data.test.labels.tolist()) == ([5, 40], [0, 1])
    with pytest.raises(ValueError, match=r"^train/two/2.png"):
        load_data(tmp_path, per_class=2)


def test_of_a_folder_with_a_manifest_the_first_listed_come_and_all_are_checked(tmp_path, waves):
    folder = write_images(tmp_path / "set", waves.train, class_names=waves.class_names)
    found = load_data(folder, per_class=2)
    assert found.train.labels.tolist() == [0, 0, 1, 1]
    assert torch.equal(found.train.images, load_data(folder).train.take([0, 1, 6, 7]).images)
    (folder / "one/00005.png").unlink()
    with pytest.raises(ValueError, match=r"missing: one/00005\.png"):
        load_data(folder, per_class=2)


@pytest.mark.parametrize("per_class", [0, -1, 1.5, True])
def test_a_number_per_class_that_is_none_is_refused(unchecked, per_class):
    with pytest.raises(ValueError, match="per_class must be a whole number >= 1; got"):
        unchecked(load_data)("digits", per_class=per_class)


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one():
    with pytest.raises(ValueError, match=r"Did you mean 'digits'\?"):
        load_data("digit")
