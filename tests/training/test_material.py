from dataclasses import replace

import pytest
import torch

from mgd_helpers import ImageSet, write_images
from mgd_helpers.data.images import png
from mgd_helpers.data.splits import split_rows
from mgd_helpers.training.material import read_material


@pytest.fixture(scope="module")
def folder(waves, tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("data") / "waves", waves.train, class_names=("zero", "one"))


def without_test(data):
    return replace(data, test=ImageSet(data.test.images[:0], data.test.labels[:0]))


def test_a_folder_is_read_at_the_size_asked_for_and_a_share_held_back(folder, tmp_path):
    for size, expected in ((None, 32), (16, 16)):
        data, told = read_material(folder, tmp_path / "out", size=size, split=0.34)
        assert data.train.images.shape == (8, 1, expected, expected) and len(data.test) == 4
        assert data.test.labels.tolist() == [0, 0, 1, 1] and told == "Held out were 4 of 12 images, 34% of each class."
    assert read_material(str(folder), tmp_path, channels=3)[0].train.images.shape[1] == 3


@pytest.mark.parametrize(("size", "padding"), [(32, 2), (None, 2), (16, 0)])
def test_the_border_of_small_images_stays_known(waves, tmp_path, size, padding):
    larger = ImageSet(torch.nn.functional.interpolate(waves.train.images, 28), waves.train.labels)
    write_images(tmp_path / "data", larger, class_names=("zero", "one"))
    assert read_material(tmp_path / "data", tmp_path / "out", size=size)[0].padding == padding


def test_a_test_split_that_is_there_stays(waves, tmp_path):
    data, told = read_material(waves, tmp_path)
    assert data is waves and told == "Held out were the 4 images of the data's own test split."


def test_where_there_is_none_the_rows_of_split_rows_are_held_back(waves, tmp_path):
    data, _ = read_material(without_test(waves), tmp_path)
    train, held = split_rows(waves.train.labels, 0.2, seed=0)
    assert torch.equal(data.train.images, waves.train.images[train])
    assert torch.equal(data.test.images, waves.train.images[held])


def test_of_one_image_per_class_all_are_trained_on_and_it_is_said(waves, tmp_path):
    data, told = read_material(replace(without_test(waves), train=waves.train.take([0, 1])), tmp_path)
    assert len(data.train) == len(data.test) == 2 and told.startswith("No class has a second image")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"size": 32}, r"size=32, channels=None, and images of shape \[1, 16, 16\]\. Load them so: load_data"),
        ({"channels": 3}, "channels=3, and images of shape"),
        ({"size": 4}, "size must be a whole number >= 8; got 4"),
        ({"split": 1}, "split must be a number < 1|split must be a number > 0 and < 1"),
    ],
)
def test_what_does_not_fit_loaded_data_is_refused(waves, tmp_path, given, told):
    with pytest.raises(ValueError, match=told):
        read_material(waves, tmp_path, **given)


def test_an_output_inside_the_data_is_refused(folder):
    for out in (folder, folder / "zero" / "pipe"):
        with pytest.raises(ValueError, match="out must lie outside the folder of the data"):
            read_material(folder, out)


def test_columns_are_those_of_load_data(waves, tmp_path):
    folder = tmp_path / "flat"
    for row, image in enumerate(waves.train.images[:4]):
        write_png(folder / f"{row}.png", image)
    rows = [f"{row}.png,one,{'ab'[row % 2]}" for row in range(4)]
    (folder / "metadata.csv").write_text("\n".join(["file_name,x,y", *rows]))
    data, _ = read_material(folder, tmp_path / "out", label_column="y", split=0.5)
    assert data.class_names == ("a", "b")
    with pytest.raises(ValueError, match="label_column must be left out for a Dataset"):
        read_material(waves, tmp_path / "out", label_column="y")


def write_png(file, image):
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(png(image))
