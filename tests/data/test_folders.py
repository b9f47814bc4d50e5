import numpy as np
import pytest
import torch
from damage import DAMAGE, TORN, as_one_file, edit
from PIL import Image

from mgd_helpers.data.datasets import load_data, read_generated
from mgd_helpers.data.image_sets import ImageSet
from mgd_helpers.data.records import RECORDS, RUN, faults, read_manifest
from mgd_helpers.data.saving import write_images


@pytest.fixture
def folder(waves, tmp_path):
    return write_images(tmp_path / "set", waves.train, class_names=waves.class_names)


def test_a_folder_without_faults_is_read_in_the_order_of_its_manifest(folder, waves):
    assert faults(folder, read_manifest(folder)) == {}
    found = load_data(folder)
    assert found.class_names == waves.class_names == ("zero", "one")  # sorted they would be the other way round
    assert found.train.labels.tolist() == [0] * 6 + [1] * 6


@pytest.mark.parametrize("why", DAMAGE)
def test_damaged_images_are_named(folder, waves, why):
    DAMAGE[why](folder / "one/00002.png")
    assert faults(folder, read_manifest(folder)) == {"one/00002.png": why}
    for read in (load_data, lambda folder: read_generated(folder, waves)):
        with pytest.raises(ValueError, match=rf"12 images of its .*; damaged: one/00002.png \({why}\)\. Repeat"):
            read(folder)


def test_missing_images_are_named(folder, waves):
    for index in range(5):
        (folder / f"one/0000{index}.png").unlink()
    with pytest.raises(ValueError, match=r"; missing: one/00000.png, one/00001.png, one/00002.png and 2 others\."):
        read_generated(folder, waves)


def test_foreign_pictures_are_named(folder, waves):
    (folder / "cat").mkdir()
    for name in ("one/photo.JPG", "cat/0.png"):
        Image.fromarray(np.zeros((16, 16), np.uint8)).save(folder / name)
    with pytest.raises(ValueError, match=r"; not of this run: cat/0.png, one/photo.JPG\..*take out run.json to"):
        read_generated(folder, waves)
    (folder / "cat/0.png").unlink()
    (folder / RUN).unlink()
    (folder / "cat").rmdir()
    assert len(read_generated(folder, waves)) == 13


def test_what_is_no_picture_of_a_class_disturbs_nobody(folder, waves):
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(folder / "overview.png")
    (folder / "one/notes.txt").write_text("mine")
    (folder / "one/._00000.png").write_text("")
    assert len(read_generated(folder, waves)) == 12


def test_a_manifest_of_an_earlier_version_has_no_checksums(folder, waves):
    def forget(manifest):
        del manifest["made_by"]
        for image in manifest["images"]:
            del image["sha256"]

    as_one_file(folder, forget)
    assert len(read_generated(folder, waves)) == 12
    (folder / "one/00001.png").write_bytes(b"half")
    (folder / "one/00002.png").unlink()
    assert faults(folder, read_manifest(folder)) == {"one/00001.png": "no image", "one/00002.png": "missing"}
    with pytest.raises(ValueError, match=r"missing: one/00002.png; damaged: one/00001.png \(no image\)"):
        read_generated(folder, waves)


def test_images_that_nobody_has_vouched_for_are_not_made_yet(folder, waves):
    edit(folder, lambda manifest: manifest["images"][0].pop("sha256"))
    assert faults(folder, read_manifest(folder)) == {"zero/00000.png": "not made yet"}
    with pytest.raises(ValueError, match=r"missing: zero/00000\.png"):
        read_generated(folder, waves)


@pytest.mark.parametrize("how", TORN)
def test_a_manifest_that_cannot_be_read_is_named(folder, how):
    TORN[how](folder / RUN)
    with pytest.raises(ValueError, match=r"run.json' must be a manifest .* cannot be read.*Take it out"):
        load_data(folder)


@pytest.mark.parametrize("content", ["{}", "[]", "5", '{"name": "My page", "icons": []}'])
def test_manifests_of_others_say_nothing(folder, content):
    (folder / RUN).write_text(content)
    (folder / RECORDS).unlink()
    assert load_data(folder).class_names == ("one", "zero")


@pytest.mark.parametrize(
    "file", ["../secret.png", "/etc/x.png", "a/../../b.png", "a\\b.png", "a\0.png", "", ".", None, 5]
)
def test_a_manifest_does_not_lead_out_of_its_folder(folder, file):
    edit(folder, lambda manifest: manifest["images"][0].update(file=file))
    with pytest.raises(ValueError, match="a file inside the folder; this one does not"):
        load_data(folder)


@pytest.mark.parametrize(
    ("key", "words"),
    [("settings", "must name the classes"), ("images", "manifest.jsonl, the list of its images")],
)
def test_a_manifest_that_lost_a_part_is_none_of_others(folder, key, words):
    edit(folder, lambda manifest: manifest.pop(key))
    with pytest.raises(ValueError, match=words):
        load_data(folder)


@pytest.mark.parametrize("settings", [None, 5, {}, {"classes": "ab"}, {"classes": [1]}, {"classes": ["zero"]}])
def test_a_manifest_says_its_classes(folder, settings):
    edit(folder, lambda manifest: manifest.update(settings=settings))
    with pytest.raises(ValueError, match="must name the classes"):
        load_data(folder)


def test_empty_images_of_a_record_are_none(tmp_path):
    write_images(tmp_path, ImageSet(torch.zeros(0, 1, 4, 4), torch.zeros(0, dtype=torch.int64)), class_names=("a",))
    assert read_manifest(tmp_path)["images"] == []
