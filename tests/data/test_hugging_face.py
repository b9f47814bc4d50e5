import numpy as np
import pytest
import torch
from PIL import Image

datasets = pytest.importorskip("datasets")

from mgd_helpers.data.datasets import load_data  # noqa: E402


def rows(labels, kind, *, images=None, image=None):
    pictures = images or [Image.new("L", (4, 4), 10 * number) for number in range(len(labels))]
    features = datasets.Features({"image": image or datasets.Image(), "label": kind})
    return datasets.Dataset.from_dict({"image": pictures, "label": labels}, features)


def test_text_and_whole_numbers_are_classes():
    text = load_data(rows(["dog", "cat", "dog"], datasets.Value("string")))
    assert (text.class_names, text.train.labels.tolist()) == (("cat", "dog"), [1, 0, 1])
    whole = load_data(rows([10, 9, 10], datasets.Value("int64")))
    assert (whole.class_names, whole.train.labels.tolist()) == (("9", "10"), [1, 0, 1])


@pytest.mark.parametrize("shape", [(4, 5, 3), (3, 4, 5), (4, 5, 1), (1, 4, 5)])
def test_arrays_of_bytes_are_images(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
    made = rows([0, 1], datasets.Value("int64"), images=list(pixels), image=datasets.Array3D(shape, "uint8"))
    found = load_data(made).train.images
    expected = torch.from_numpy(pixels if shape[0] in (1, 3) else pixels.transpose(0, 3, 1, 2))
    assert torch.equal(((found + 1) * 127.5).round().byte(), expected)


def test_arrays_of_other_numbers_are_refused():
    kind = datasets.Array3D((4, 4, 3), "float32")
    made = rows([0], datasets.Value("int64"), images=[np.full((4, 4, 3), 0.5)], image=kind)
    with pytest.raises(ValueError, match="must be whole numbers 0 to 255"):
        load_data(made)


def test_splits_in_any_spelling_and_those_left_out_are_said():
    part = rows(["a", "b"], datasets.Value("string"))
    data = load_data(datasets.DatasetDict(Train=part, Validation=part, more=part))
    assert (len(data.train), len(data.test)) == (2, 2)
    assert "test images of 'Validation'" in data.found
    assert "Not read: the splits 'more'" in data.found


def test_classes_that_only_the_test_split_has_are_refused():
    kind = datasets.Value("string")
    with pytest.raises(ValueError, match=r"must be those of the training split; got also \['c'\]"):
        load_data(datasets.DatasetDict(train=rows(["a", "b"], kind), test=rows(["c"], kind)))
