import copy
import dataclasses
import pickle

import numpy as np
import pytest
import torch

from mgd_helpers.data import image_sets
from mgd_helpers.data.image_sets import Dataset, ImageSet, at, first_rows, image_set
from mgd_helpers.data.images import from_uint8


def test_of_class_gives_the_images_of_one_class_in_order(digits):
    expected = [image for image, label in zip(digits.test.images, digits.test.labels, strict=True) if label == 4]
    assert torch.equal(digits.test.of_class(4), torch.stack(expected))


GRAY, LABELS = torch.zeros(3, 1, 2, 2), torch.tensor([0, 1, 0])


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (GRAY, LABELS[:2], "images and labels must have the same length; got 3 and 2"),
        (
            GRAY.byte(),
            LABELS,
            r"images must be floating-point .*; got torch.uint8, \[3, 1, 2, 2\]. .*images / 127.5 - 1",
        ),
        (GRAY[:, 0], LABELS, r"images must be \[N, C, H, W\]; got \[3, 2, 2\].*images\[:, None\]"),
        (GRAY + 255, LABELS, r"images must lie in \[-1, 1\]; got \[255, 255\]. .*images / 127.5 - 1"),
        (GRAY.index_fill(0, LABELS[:1], -1.002), LABELS, r"images must lie in \[-1, 1\]; got \[-1.002, 0\]. .*clamp"),
        (GRAY.index_fill(0, LABELS[:1], torch.nan), LABELS, r"images must lie in \[-1, 1\]; got NaN, in 1 of 3 images"),
        (GRAY, LABELS.float(), r"labels must be int64 \[N\]; got torch.float32, \[3\]. .*labels.long"),
        (GRAY, LABELS[:, None], r"labels must be int64 \[N\]; got torch.int64, \[3, 1\]"),
        (GRAY, LABELS - 1, "labels must be >= 0; got -1"),
    ],
)
def test_what_is_no_image_set_is_refused(images, labels, message, unchecked):
    with pytest.raises(ValueError, match=message):
        unchecked(ImageSet.__init__)(object.__new__(ImageSet), images, labels)


def test_an_image_set_may_be_rounded_half_as_precise_empty_or_without_values():
    for images in (GRAY + 1.0005, GRAY.half() - 1, GRAY.bfloat16() + 1, GRAY.to("meta")):
        assert len(ImageSet(images, LABELS.to(images.device))) == 3
    assert len(ImageSet(GRAY[:0], LABELS[:0])) == 0


def test_lists_and_arrays_are_no_image_set_and_a_data_set_has_two(unchecked):
    for options, message in [
        ({"labels": [0, 1, 0]}, "labels must be a torch.Tensor; got list. .*torch.as_tensor"),
        ({"images": GRAY.numpy()}, "images must be a torch.Tensor; got ndarray. .*torch.as_tensor"),
    ]:
        with pytest.raises(ValueError, match=message):
            unchecked(ImageSet.__init__)(object.__new__(ImageSet), **{"images": GRAY, "labels": LABELS} | options)
    whole = ImageSet(GRAY, LABELS)
    assert image_set("train", whole) is whole
    with pytest.raises(ValueError, match=r"train must be an ImageSet; got Dataset. Pass one of its splits, .train or"):
        image_set("train", Dataset("it", whole, whole, ("zero", "one")))
    with pytest.raises(ValueError, match=r"train must be an ImageSet or a path; got tuple. Make one .* ImageSet\("):
        image_set("train", (GRAY, LABELS), or_else=" or a path")
    with pytest.raises(ValueError, match=r"device must be a device such as .*; got 'gpu'"):
        whole.to("gpu")


@pytest.fixture
def pixels():
    return torch.randint(256, (7, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


SEVEN = torch.tensor([0, 1, 2, 0, 1, 2, 0])


def test_a_set_kept_as_bytes_gives_the_numbers_that_they_stand_for(pixels):
    kept, plain = ImageSet.of_bytes(pixels, SEVEN), ImageSet(from_uint8(pixels), SEVEN)
    assert kept.kept is pixels and plain.images is plain.kept
    for one in (kept, plain):
        assert torch.equal(one.images, plain.images) and one.images.dtype == one.dtype == torch.float32
        assert one.shape == (7, 3, 4, 5) and one.device == torch.device("cpu") and len(one) == 7
        for rows in (3, slice(2, 5), [4, 1], torch.tensor([6, 6]), SEVEN == 2):
            assert torch.equal(one.at(rows), plain.images[rows]) and torch.equal(at(one, rows), at(plain.images, rows))
        for size in (None, 1, 3, 7, 100):
            assert torch.equal(torch.cat(list(one.batches(size))), plain.images)
        assert [len(batch) for batch in one.batches(3)] == [3, 3, 1]
        assert torch.equal(one.of_class(0), plain.images[[0, 3, 6]])


def test_a_set_kept_as_bytes_stays_so(pixels):
    kept = ImageSet.of_bytes(pixels, SEVEN)
    changed = [kept.take([5, 0]), kept.take([]), kept.to("cpu"), kept.to("meta"), kept.with_labels(SEVEN + 1)]
    changed += [copy.deepcopy(kept), pickle.loads(pickle.dumps(kept))]
    assert {one.kept.dtype for one in changed} == {torch.uint8}
    assert torch.equal(kept.take([5, 0]).images, from_uint8(pixels[[5, 0]]))
    assert kept.with_labels(SEVEN + 1).labels.tolist() == (SEVEN + 1).tolist()
    with pytest.raises(dataclasses.FrozenInstanceError):
        kept.labels = SEVEN


def test_only_as_many_images_become_numbers_as_are_asked_for(pixels, monkeypatch):
    seen = []
    monkeypatch.setattr(image_sets, "from_uint8", lambda found: seen.append(found.numel() // 60) or from_uint8(found))
    kept = ImageSet.of_bytes(pixels, SEVEN)
    kept.take([1, 2]).to("cpu").with_labels(SEVEN[:2])
    assert (kept.shape, kept.dtype, len(kept), seen) == ((7, 3, 4, 5), torch.float32, 7, [])
    next(iter(kept.batches(2)))
    kept.of_class(1)
    kept.at(slice(3))
    assert seen == [2, 2, 3]


def test_what_are_no_bytes_of_images_is_refused(pixels, unchecked):
    of_bytes = unchecked(ImageSet.of_bytes.__func__)
    for given, labels, message in [
        (
            from_uint8(pixels),
            SEVEN,
            r"pixels must be bytes \(uint8\) .*; got torch.float32, .*ImageSet\(images, labels",
        ),
        (pixels[:, 0], SEVEN, r"pixels must be \[N, C, H, W\]; got \[7, 4, 5\].*pixels\[:, None\]"),
        (pixels, SEVEN[:2], "pixels and labels must have the same length; got 7 and 2"),
        (pixels, SEVEN - 1, "labels must be >= 0; got -1"),
        ([0, 1], SEVEN, "pixels must be a torch.Tensor; got list"),
    ]:
        with pytest.raises(ValueError, match=message):
            of_bytes(ImageSet, given, labels)


def test_take_gives_rows_in_their_order(waves):
    train = waves.train
    for rows in ([3, 1], (3, 1), torch.tensor([3, 1]), np.array([3, 1]), torch.tensor([3, 1], dtype=torch.uint8)):
        taken = train.take(rows)
        assert torch.equal(taken.images, train.images[[3, 1]])
        assert torch.equal(taken.labels, train.labels[[3, 1]])
    assert torch.equal(train.take(train.labels == 1).images, train.of_class(1))
    assert torch.equal(train.take(train.rows_of(1)).images, train.of_class(1))
    assert train.rows_of(1).tolist() == [1, 3, 5, 7, 9, 11]
    assert len(train.take([])) == 0
    assert len(train.take(range(12))) == 12


@pytest.mark.parametrize("rows", [[12], [-1], [0.5], "ab", None, [[0]], torch.ones(3, dtype=torch.bool), 5, {0}])
def test_rows_that_are_none_are_refused(waves, rows):
    with pytest.raises(ValueError, match="rows must"):
        waves.train.take(rows)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a",), "class_names must name every class, at least 2 for labels up to 1; got 1"),
        (("a", "a"), "class_names must all be different; got 'a' 2 times"),
        ("ab", "class_names must be a sequence of strings"),
    ],
)
def test_class_names_are_checked(waves, names, message):
    with pytest.raises(ValueError, match=message):
        Dataset("x", waves.train, waves.test, names)
    assert Dataset("x", waves.train, waves.test, ["a", "b", "c"]).class_names == ("a", "b", "c")


def test_first_rows_are_the_first_of_each_label_in_their_order():
    labels = torch.randint(5, (200,), generator=torch.Generator().manual_seed(0)).tolist()
    for per_class in (1, 7, 1000):
        expected = sorted(
            row for label in range(5) for row in [i for i in range(200) if labels[i] == label][:per_class]
        )
        assert first_rows(labels, per_class) == expected
    assert first_rows(labels, None) == list(range(200))
