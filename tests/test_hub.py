import numpy as np
import pytest
import torch
from PIL import Image

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
