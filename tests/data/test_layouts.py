import pytest
from PIL import Image

from mgd_helpers.data.layouts import find_layout


def lay(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(folder / name)


def classes(part):
    return {name: len(files) for name, files in part}


def test_images_below_a_class_are_its_own(tmp_path):
    lay(tmp_path, "a/1.png", "a/deep/2.png", "a/deep/er/3.png", "b/1.png")
    found = find_layout(tmp_path)
    assert classes(found.train) == {"a": 3, "b": 1}
    assert "2 images in folders below a class" in " ".join(found.said)


@pytest.mark.parametrize(
    ("train", "test"),
    [("train", "test"), ("Train", "Validation"), ("TRAIN", "val"), ("training", "testing"), ("Training", "Dev")],
)
def test_splits_are_known_in_any_spelling(tmp_path, train, test):
    lay(tmp_path, f"{train}/a/1.png", f"{train}/b/1.png", f"{test}/a/1.png", "extra/a/1.png")
    found = find_layout(tmp_path)
    assert (classes(found.train), classes(found.test)) == ({"a": 1, "b": 1}, {"a": 1})
    said = " ".join(found.said)
    assert repr(train) in said
    assert repr(test) in said
    assert "Not read: the split 'extra'." in said


def test_a_class_may_be_called_like_a_split(tmp_path):
    lay(tmp_path, "train/1.png", "car/1.png")
    assert classes(find_layout(tmp_path).train) == {"car": 1, "train": 1}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("photos/a/1.png", "photos/b/1.png"), "holds 'photos' alone, with a, b inside"),
        (("test/a/1.png", "val/a/1.png"), "must have a training split"),
        (("train/a/1.png", "Training/a/1.png"), "one folder for training"),
        (("train/a/1.png", "cars/a/1.png"), "one folder for training"),
        (("train/a/1.png", "test/b/1.png"), "must be those of the training split"),
        (("1.png", "2.png"), "For images that lie in one folder, put their classes into metadata.jsonl"),
    ],
)
def test_what_could_be_meant_in_two_ways_is_refused(tmp_path, names, words):
    lay(tmp_path, *names)
    with pytest.raises(ValueError, match=words):
        find_layout(tmp_path)


def test_composed_and_decomposed_accents_are_one_name(tmp_path):
    lay(tmp_path, "Caf\u00e9/1.png", "Cafe\u0301/2.png")
    found = find_layout(tmp_path)
    assert classes(found.train) == {"Caf\u00e9": 2}
    assert "two codings of its accents" in found.said[0]
