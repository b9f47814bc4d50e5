import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.evaluation.reading import read_sets


def saved(folder, images: ImageSet, names, *, size=None):
    """A folder such as `distill` writes; the names of its files."""
    files = []
    for index, (image, label) in enumerate(zip(images.images, images.labels, strict=True)):
        files.append(f"{names[label]}/{index:05d}.png")
        (folder / files[-1]).parent.mkdir(parents=True, exist_ok=True)
        pixels = Image.fromarray(((image[0] + 1) * 127.5).round().byte().numpy())
        (pixels if size is None else pixels.resize((size, size))).save(folder / files[-1])
    return files


def test_sets_come_with_their_names_and_their_data(waves, tmp_path):
    saved(tmp_path, waves.train, waves.class_names)
    half = ImageSet(waves.train.images[:6], waves.train.labels[:6])
    apart = replace(waves, test=ImageSet(waves.test.images.neg(), waves.test.labels))
    reading = read_sets({"half": half, "folder": tmp_path}, against=apart)
    assert {name: len(images) for name, images in reading.sets.items()} == {"half": 6, "folder": 12}
    assert torch.equal(reading.sets["half"].images, half.images)
    assert (reading.data.name, reading.device, reading.note) == ("waves", torch.device("cpu"), "")
    assert list(read_sets(half, against=waves).sets) == ["generated"]
    assert list(read_sets(str(tmp_path), against=waves).sets) == [str(tmp_path)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_images_of_any_precision_become_float32_without_gradients(waves, dtype):
    images = ImageSet(waves.train.images.to(dtype).requires_grad_(True), waves.train.labels)
    found = read_sets(images, against=Dataset("same", images, images, waves.class_names))
    for part in (found.sets["generated"], found.data.train, found.data.test):
        assert part.images.dtype == torch.float32
        assert not part.images.requires_grad
    assert torch.equal(found.sets["generated"].images, images.images.float())


def test_the_device_is_checked_and_used(waves, device, unchecked):
    reading = read_sets(waves.train, against=waves, device=device)
    assert reading.sets["generated"].images.device.type == reading.data.test.images.device.type == device.type
    with pytest.raises(ValueError, match=r"device must be a device such as .*; got 'gpu'"):
        read_sets(waves.train, against=waves, device="gpu")
    with pytest.raises(ValueError, match="device must be a device of this machine; got 'cuda:99'"):
        read_sets(waves.train, against=waves, device="cuda:99")


@pytest.mark.parametrize(
    ("generated", "message"),
    [
        (5, r"generated must be an ImageSet or a folder of images; got int"),
        (None, r"generated must be an ImageSet or a folder of images; got NoneType"),
        ({"mine": 5}, r"generated 'mine' must be an ImageSet or a folder of images; got int"),
        ("nowhere", r"generated must be a folder of images, .*; got 'nowhere', which is no folder. Check the spelling"),
        ("digits", r"generated must be a folder of images, .*; got 'digits', which is no folder"),
        ({}, "generated must hold at least one set; got none"),
    ],
)
def test_what_is_no_set_is_refused(waves, unchecked, generated, message):
    with pytest.raises(ValueError, match=message):
        unchecked(read_sets)(generated, against=waves)


def test_a_data_set_is_answered_with_its_splits(waves, unchecked):
    with pytest.raises(ValueError, match=r"generated must be .*; got Dataset. Pass one of its splits, .train or .test"):
        unchecked(read_sets)(waves, against=waves)
    with pytest.raises(ValueError, match=r"against must be a Dataset, .*; got an ImageSet. Dataset\(name, train, test"):
        unchecked(read_sets)(waves.train, against=waves.test)


def test_empty_sets_are_refused_and_missing_classes_where_every_class_is_asked_for(waves):
    empty = ImageSet(waves.train.images[:0], waves.train.labels[:0])
    with pytest.raises(ValueError, match="generated 'none' must hold at least one image; got none"):
        read_sets({"none": empty}, against=waves, every_class=False)
    ones = ImageSet(waves.train.of_class(1), torch.ones(6, dtype=torch.long))
    assert len(read_sets(ones, against=waves, every_class=False).sets["generated"]) == 6
    with pytest.raises(ValueError, match=r"generated must hold images of every class.*got none of class \['zero'\]"):
        read_sets(ones, against=waves)


def test_the_test_split_itself_is_named_in_the_note(waves):
    copy = ImageSet(waves.test.images.clone(), waves.test.labels)
    noted = Dataset("noted", waves.train.take(range(4, 12)), waves.test, waves.class_names, note="A copy.")
    assert read_sets({"all": noted.train}, against=noted).note == "A copy."
    turned = copy.take([3, 2, 1, 0])
    note = read_sets({"all": noted.train, "mine": copy, "turned": turned}, against=noted).note
    said = [f"'{name}' is the test split itself, and its scores no measure." for name in ("mine", "turned")]
    assert note == f"A copy. {' '.join(said)}"


def test_test_images_among_others_are_counted(waves, tmp_path):
    note = read_sets({"all": waves.train, "some": waves.train.take([2, 3, 4, 5])}, against=waves).note
    assert note == (
        "4 of the 12 images of 'all' are test images: its scores flatter it. "
        "2 of the 4 images of 'some' are test images: its scores flatter it."
    )
    saved(tmp_path, waves.train, waves.class_names)  # the data themselves, of which a part is held out
    said = read_sets(tmp_path, against=tmp_path, split=0.34).note
    assert f"4 of the 12 images of '{tmp_path}' are test images" in said


def test_a_folder_of_another_size_is_refused_with_the_way_to_resize_it(waves, tmp_path):
    saved(tmp_path, waves.train, waves.class_names, size=8)
    with pytest.raises(
        ValueError, match=r"folder .* must hold images of 16x16 pixels, like 'waves'; got 8x8. .*image_size=16"
    ):
        read_sets(tmp_path, against=waves)


def test_a_folder_that_lacks_images_of_its_manifest_is_refused(waves, tmp_path):
    files = saved(tmp_path, waves.train, waves.class_names)
    manifest = tmp_path / "manifest.json"
    for text in ("[1]", "{}", '{"images": 3}', json.dumps({"images": [{"file": file} for file in files]})):
        manifest.write_text(text)  # of others
        assert len(read_sets(tmp_path, against=waves).sets[str(tmp_path)]) == 12
    images = [{"file": file, "class": file.split("/")[0]} for file in files]
    manifest.write_text(json.dumps({"settings": {"classes": ["zero", "one"]}, "images": images}))
    assert len(read_sets(tmp_path, against=waves).sets[str(tmp_path)]) == 12
    (tmp_path / files[3]).unlink()
    with pytest.raises(ValueError, match=rf"hold the 12 images of its manifest and no others; missing: {files[3]}"):
        read_sets(tmp_path, against=waves)


def test_data_by_name_are_loaded_and_unknown_ones_refused(digits, unchecked):
    assert read_sets(digits.test, against="digits").data.name == "digits"
    for against in ("digit", 5):
        with pytest.raises(ValueError, match=f"^against: source must be one of digits, .*; got '{against}'. Check"):
            unchecked(read_sets)(digits.test, against=against)
