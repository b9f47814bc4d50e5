import numpy as np
import pytest
import torch

from mgd_helpers import arguments


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_come_back_as_pythons_own(value):
    found = arguments.whole("steps", value, at_least=1, at_most=3)
    assert (type(found), found) == (int, 3)


@pytest.mark.parametrize("value", [True, 2.0, 2.5, float("nan"), "3", None, [2], 0, 9, np.float64(2), np.bool_(True)])
def test_other_things_are_no_whole_numbers(value):
    with pytest.raises(ValueError, match=r"steps must be a whole number from 1 to 5; got"):
        arguments.whole("steps", value, at_least=1, at_most=5)


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5), np.int64(1)])
def test_numbers_come_back_as_pythons_own(value):
    found = arguments.number("scale", value, at_least=0, at_most=1)
    assert type(found) is float
    assert found == value


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), -0.1, 1.1, "1", None, [1], 1j])
def test_other_things_are_no_numbers(value):
    with pytest.raises(ValueError, match=r"scale must be a number from 0 to 1; got"):
        arguments.number("scale", value, at_least=0, at_most=1)
    with pytest.raises(ValueError, match=r"rate must be a number > 0; got"):
        arguments.number("rate", 0, above=0)


def test_a_word_that_is_nearly_right_is_answered_with_the_right_one():
    assert arguments.one_of("guidance", "mode", ["none", "mode"]) == "mode"
    with pytest.raises(ValueError, match=r"guidance must be one of none, manifold; got 'manfold'. Did you mean 'mani"):
        arguments.one_of("guidance", "manfold", ["none", "manifold"])
    with pytest.raises(ValueError, match=r"guidance must be one of none, mode, or a factory; got 5\.$"):
        arguments.one_of("guidance", 5, ["none", "mode"], or_else=", or a factory")


def test_devices_that_are_not_there_are_refused():
    assert arguments.device("device", "cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="device must be a device such as"):
        arguments.device("device", "gpu")
    with pytest.raises(ValueError, match="device must be a device of this machine"):
        arguments.device("device", f"cuda:{torch.cuda.device_count()}")


@pytest.mark.parametrize("value", [1, 0, None, "yes", np.float64(1)])
def test_flags_are_true_or_false(value):
    assert arguments.flag("cutmix", True) is True
    with pytest.raises(ValueError, match=r"cutmix must be True or False; got"):
        arguments.flag("cutmix", value)


def test_remedies_and_open_ends_are_said():
    with pytest.raises(ValueError, match=r"steps must be a whole number <= 0; got 1\. Take none\.$"):
        arguments.whole("steps", 1, at_most=0, remedy="Take none.")
    with pytest.raises(ValueError, match=r"share must be a number > 0 and < 1; got 1\.$"):
        arguments.number("share", 1, above=0, below=1)
    with pytest.raises(ValueError, match=r"share must be a number >= 0 and < 1; got 1\.$"):
        arguments.number("share", 1, at_least=0, below=1)
    with pytest.raises(ValueError, match=r"steps must be a whole number; got 'many'\.$"):
        arguments.whole("steps", "many")


def test_functions_and_tensors_are_told_from_other_things():
    assert arguments.function("metric", len) is len
    with pytest.raises(ValueError, match="metric must be a function; got 'mmd'"):
        arguments.function("metric", "mmd")
    for value in ([1.0], np.zeros(2), None):
        with pytest.raises(ValueError, match=rf"x must be a torch\.Tensor; got {type(value).__name__}\. For a list "):
            arguments.tensor("x", value)


IMAGES = torch.zeros(3, 1, 2, 2)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            IMAGES.byte(),
            r"images must be floating-point .*; got torch.uint8, .*\. For pixels 0 to 255 pass images / 127.5 - 1\.$",
        ),
        (IMAGES.bool(), r"got torch.bool, .*\. For zeros and ones pass 2.0 \* images - 1\.$"),
        (IMAGES + 255, r"must lie in \[-1, 1\]; got \[255, 255\]\. For pixels 0 to 255 pass images / 127.5 - 1\.$"),
        (IMAGES + 65535, r"For pixels 0 to 65535 pass images / 32767.5 - 1\.$"),
        (IMAGES + 1.2, r"got \[1\.2, 1\.2\]\. Undo a standardization, or cut off .* with images.clamp\(-1, 1\)\.$"),
        (IMAGES - 2.5, r"got \[-2\.5, -2\.5\]\. Undo a standardization"),
        (IMAGES * torch.nan, r"must lie in \[-1, 1\]; got NaN, in 3 of 3 images\. Find out"),
        (IMAGES.double() + torch.inf, r"got \[inf, inf\]"),
    ],
)
def test_images_outside_of_their_range_are_answered_by_what_came(images, message):
    with pytest.raises(ValueError, match=message):
        arguments.pixels("images", images)
    assert arguments.pixels("images", IMAGES.half() - 1.0005).dtype == torch.float16
