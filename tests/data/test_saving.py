import json

import pytest
import torch

from mgd_helpers.data.datasets import load_data, read_generated
from mgd_helpers.data.image_sets import ImageSet
from mgd_helpers.data.images import from_uint8, to_uint8
from mgd_helpers.data.saving import write_images


def on_the_grid(images):
    return from_uint8(to_uint8(images))


def test_reading_is_the_inverse(digits, tmp_path):
    drawn = digits.train.take(torch.arange(0, 1500, 30))
    found = load_data(write_images(tmp_path / "a/b", drawn, class_names=digits.class_names))
    order = drawn.labels.argsort(stable=True)
    assert torch.equal(found.train.labels, drawn.labels[order])
    torch.testing.assert_close(found.train.images, drawn.images[order], rtol=0, atol=0.501 / 127.5)
    again = load_data(write_images(tmp_path / "again", found.train, class_names=found.class_names))
    assert torch.equal(again.train.images, found.train.images)  # to the bit, once rounded
    assert again.class_names == digits.class_names


def test_colors_come_back(tmp_path):
    images = on_the_grid(torch.rand(3, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1)
    write_images(tmp_path, ImageSet(images, torch.tensor([0, 1, 1])), class_names=["a", "b"])
    torch.testing.assert_close(load_data(tmp_path).train.images, images, rtol=0, atol=1e-6)


def test_names_come_back_whatever_they_are(waves, tmp_path):
    names = ("../x", "", "a/b", "Cat", "cat", "train", "CON", "10", "2")
    images = ImageSet(waves.train.images[:9], torch.arange(9))
    folder = write_images(tmp_path / "out", images, class_names=names)
    assert {path.parent.parent for path in tmp_path.glob("**/*/*/*.png")} == {folder}
    found = load_data(folder)
    assert found.class_names == names
    assert torch.equal(found.train.images, on_the_grid(images.images))


def test_names_of_splits_come_back(waves, tmp_path):
    folder = write_images(tmp_path, waves.train, class_names=("train", "test"))
    assert load_data(folder).class_names == ("train", "test")
    (folder / "run.json").unlink()
    assert len(load_data(folder).train) == 12  # and are no splits without it, either


def test_a_second_call_mends(waves, tmp_path):
    write_images(tmp_path, waves.train, class_names=waves.class_names)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    (tmp_path / "zero/00001.png").unlink()
    (tmp_path / "one/00003.png").write_bytes(b"half")
    (tmp_path / "zero/00002.png").unlink()
    (tmp_path / "zero/00002.png").mkdir()
    write_images(tmp_path, waves.train, class_names=waves.class_names)
    assert {path: path.read_bytes() for path in before} == before
    (moved,) = (tmp_path / "zero").glob("*.moved")
    assert moved.is_dir()


def test_other_images_go_elsewhere(waves, tmp_path):
    write_images(tmp_path, waves.train, class_names=waves.class_names)
    for images, names in ((waves.test, waves.class_names), (waves.train, ("a", "b"))):
        with pytest.raises(ValueError, match="folder must be new, empty, or hold exactly these images"):
            write_images(tmp_path, images, class_names=names)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("")
    with pytest.raises(ValueError, match="folder must be a new or empty folder"):
        write_images(tmp_path / "mine", waves.train, class_names=waves.class_names)


def test_the_manifest_says_what_wrote_it(waves, tmp_path):
    write_images(tmp_path, waves.train, class_names=waves.class_names)
    (entry,) = json.loads((tmp_path / "run.json").read_text())["made_by"]
    assert (entry["images"], entry["device"]) == (12, "cpu")
    assert "torch" in entry["versions"]


def test_baselines_can_be_evaluated_from_a_folder(digits, tmp_path):
    from mgd_helpers.baselines.real_images import random_real

    drawn = random_real(digits.train, images_per_class=2, seed=0)
    found = read_generated(write_images(tmp_path, drawn, class_names=digits.class_names), digits)
    assert torch.equal(found.labels, drawn.labels)


@pytest.mark.parametrize(
    ("names", "message"),
    [(("zero",), "at least 2 for labels up to 1; got 1"), (("a", "a"), "must all be different"), ((0, 1), "strings")],
)
def test_names_are_checked_before_anything_is_written(waves, tmp_path, names, message, unchecked):
    with pytest.raises(ValueError, match=message):
        unchecked(write_images)(tmp_path / "out", waves.train, class_names=names)
    with pytest.raises(ValueError, match="folder must be the path of a folder; got ''"):
        write_images("", waves.train, class_names=waves.class_names)
    assert not list(tmp_path.iterdir())
