import copy
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mgd_helpers.encoding.compatibility import (
    check_images,
    check_latents,
    labels_of,
    latent_shape,
    train_steps,
)
from mgd_helpers.encoding.latents import encode
from mgd_helpers.guidance.toys import tiny_pipeline

NAMES = ("zero", "one")


@pytest.fixture
def labels(tiny, unchecked):
    return lambda given, pipe=tiny, **options: unchecked(labels_of)(pipe, given, {}, NAMES, **options)


@pytest.mark.parametrize(
    "given",
    [
        [1, 0],
        (1, 0),
        np.array([1, 0]),
        torch.tensor([1, 0]),
        [np.int64(1), 0],
        ["one", "zero"],
        {"zero": 1, "one": 0},
        {"one": 0, "zero": 1},
        {"zero": "one", "one": 0},
        {"zero": "one", "one": "zero"},
    ],
)
def test_labels_come_as_lists_arrays_and_mappings(labels, given):
    found = labels(given)
    assert found == [1, 0]
    assert {type(label) for label in found} == {int}


def test_labels_are_looked_up_by_name(labels):
    assert labels(None) == [0, 1]


def told(tiny, names):
    """The pipeline with other classes, by what its file says of them; `names` are apart by commas."""
    pipe = copy.copy(tiny)
    pipe.labels = {name.strip(): label for label, text in names.items() for name in text.split(",")}
    pipe._internal_dict = SimpleNamespace(id2label=names)
    return pipe


def test_labels_without_a_name_are_taken_with_a_warning(labels, tiny):
    with pytest.warns(UserWarning, match=r"class_labels \[999\] have no name in the pipeline"):
        assert labels({"zero": 999, "one": 0}) == [999, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert labels([998, 999], told(tiny, {})) == [998, 999]  # it has no names at all
        labels([1, 0])


ORDER = r"in the order of data.class_names \(zero, one\)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            [0, 1000],
            rf"class_labels must be classes of the pipeline, 0 to 999; got 1000 for 'one', .* its null .*{ORDER}",
        ),
        ([-1, 0], rf"class_labels must be a whole number from 0 to 999; got -1 for class 'zero'. Labels are {ORDER}"),
        ([0, 10**9], r"from 0 to 999; got 1000000000 for class 'one'"),
        ([0, 1001], r"from 0 to 999; got 1001 for class 'one'"),
        ([0.0, 1.0], r"from 0 to 999; got 0.0 for class 'zero'"),
        (torch.tensor([0.0, 1.0]), r"from 0 to 999; got 0.0 for class 'zero'"),
        ([True, 0], r"from 0 to 999; got True for class 'zero'"),
        ([None, 0], r"from 0 to 999; got None for class 'zero'"),
        ([[0], [1]], r"from 0 to 999; got \[0\] for class 'zero'"),
        ([0], rf"class_labels must be one per class, 2; got 1. Pass them {ORDER}, or as a mapping"),
        (5, "class_labels must be one per class, 2; got 5"),
        (torch.tensor(5), "class_labels must be one per class, 2; got 5"),
        ("01", "class_labels must be one per class, 2; got '01'"),
        (["zer", "one"], "class_labels must be labels that .*; got 'zer' for class 'zero'. Did you mean 'zero'"),
        ({"zero": 0}, r"class_labels must map each class of the data; got no label for \['one'\]"),
        ({"zero": 0, "one": 1, "two": 2}, r"unknown names \['two'\]\. The classes are zero, one"),
    ],
)
def test_labels_that_the_pipeline_has_not_are_refused(labels, given, message):
    with pytest.raises(ValueError, match=message):
        labels(given)


def test_names_that_the_pipeline_does_not_know_ask_for_labels(tiny):
    order = r"in the order of data.class_names \(zero, ones\)"
    with pytest.raises(ValueError, match=rf"knows no class named \['ones'\]\. .*mapping .* or {order}.*mean 'one'"):
        labels_of(tiny, None, {}, ("zero", "ones"))
    assert labels_of(tiny, None, {}, ("ZERO", "ones"), class_map={"ones": 1}) == [0, 1]
    assert labels_of(tiny, None, {"ones": 1}, ("ZERO", "ones")) == [0, 1]  # that come with the data


APART = "class_map must keep 'zero' and 'one' apart, or map both"


@pytest.mark.parametrize(
    ("class_map", "found"),
    [
        (None, [0, 1]),
        ({"zero": 1}, rf"{APART}: both come to 1, 'one' by name\. Map 'one', too"),
        ({"zero": "one"}, rf"{APART}: both come to 1, 'one' by name"),
        ({"one": "ZERO"}, rf"{APART}: both come to 0, 'zero' by name"),
        ({"zero": 1, "one": 1}, [1, 1]),
        ({"zero": "one", "one": 1}, [1, 1]),
        ({"zero": 1, "one": 0}, [1, 0]),
    ],
)
def test_a_map_of_a_part_leaves_no_two_classes_with_one_label_unsaid(labels, class_map, found):
    if isinstance(found, str):
        with pytest.raises(ValueError, match=found):
            labels(None, class_map=class_map)
    else:
        assert labels(None, class_map=class_map) == found


@pytest.mark.parametrize("given", [[1, 1], {"zero": 1, "one": 1}, ["one", "one"]])
def test_labels_that_are_all_given_may_be_the_same(labels, given):
    assert labels(given) == [1, 1]


@pytest.mark.parametrize(
    ("names", "classes", "found"),
    [
        ({0: "crane", 1: "crane"}, ("crane", "other"), r"'crane' is the name of the classes \[0, 1\]"),
        ({0: "crane, heron", 1: "crane, hoist"}, ("heron", "hoist"), [0, 1]),
        ({0: "crane, heron", 1: "crane, hoist"}, ("Crane", "hoist"), r"'Crane' is the name of the classes \[0, 1\]"),
        ({0: "crane, heron", 1: "hoist"}, ("Crane", "heron"), "apart, .* both come to 0, 'Crane' and 'heron' by name"),
        ({0: "A", 1: "a"}, ("a", "A"), [1, 0]),
        ({0: "A", 1: "B"}, ("a", "A"), "keep 'a' and 'A' apart"),
    ],
)
def test_names_of_several_classes_and_classes_of_several_names(tiny, names, classes, found):
    pipe = told(tiny, names)
    if isinstance(found, str):
        with pytest.raises(ValueError, match=found):
            labels_of(pipe, None, {}, classes)
    else:
        assert labels_of(pipe, None, {}, classes) == found
    assert labels_of(pipe, None, {}, classes, class_map={classes[0]: 1, classes[1]: 0}) == [1, 0]


def test_a_pipeline_gives_its_steps_and_its_shape(tiny):
    assert train_steps(tiny) == 1000
    assert latent_shape(tiny) == (4, 8, 8)


@pytest.mark.parametrize("side", [28, 30, 64, 8])
def test_images_of_another_size_are_told_the_right_one(tiny, side):
    check_images(tiny, torch.zeros(2, 1, 16, 16))
    with pytest.raises(ValueError, match=rf"images of 16 x 16 for this pipeline; got {side} x {side}.*image_size=16\)"):
        check_images(tiny, torch.zeros(2, 1, side, side))
    with pytest.raises(ValueError, match=r"images of 1 channels .*; got 3.*channels=1\)"):
        check_images(tiny, torch.zeros(2, 3, 16, 16))


def test_the_size_that_is_asked_for_is_the_one_that_fits(waves):
    pipe = tiny_pipeline(image_size=32)
    with pytest.raises(ValueError, match="image_size=32"):
        check_images(pipe, waves.train.images)
    assert encode(pipe.vae, torch.zeros(1, 1, 32, 32)).shape[1:] == latent_shape(pipe)


def test_latents_are_tensors_or_become_such(tiny):
    latents = torch.randn(3, 4, 8, 8)
    assert check_latents(tiny, latents, 3) is not None
    assert torch.equal(check_latents(tiny, latents.numpy(), 3), latents)
    assert not check_latents(tiny, latents.clone().requires_grad_(), 3).requires_grad


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (torch.zeros(4, 4, 8, 8), "latents must be those of the 3 training images, in their order; got 4"),
        (torch.tensor(1.0), "latents must be those of the 3 training images"),
        (torch.zeros(3, 4, 4, 8), r"numbers \['N', 4, 8, 8\], as this .*got torch.float32, \[3, 4, 4, 8\]\. Make"),
        (torch.zeros(3, 4, 8, 8).long(), "floating-point numbers .* got torch.int64"),
        (torch.full((3, 4, 8, 8), torch.nan), "latents must be finite, and within ±10000"),
        (torch.full((3, 4, 8, 8), torch.inf), "latents must be finite"),
        (torch.full((3, 4, 8, 8), 1e20), r"latents must be finite, and within ±10000; got \[1e\+20, 1e\+20\]"),
        ("text", "latents must be a tensor; got str"),
        ([["a"]], "latents must be a tensor; got list"),
    ],
)
def test_latents_that_do_not_fit_are_refused(tiny, latents, message):
    with pytest.raises(ValueError, match=message):
        check_latents(tiny, latents, 3)
