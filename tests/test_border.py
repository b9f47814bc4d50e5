import numpy as np
import pytest
import torch

from mgd_helpers import border


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_come_back_as_pythons_own(value):
    found = border.whole("steps", value, at_least=1, at_most=3)
    assert (type(found), found) == (int, 3)


@pytest.mark.parametrize("value", [True, 2.0, 2.5, float("nan"), "3", None, [2], 0, 9, np.float64(2), np.bool_(True)])
def test_other_things_are_no_whole_numbers(value):
    with pytest.raises(ValueError, match=r"steps must be a whole number from 1 to 5; got"):
        border.whole("steps", value, at_least=1, at_most=5)


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5), np.int64(1)])
def test_numbers_come_back_as_pythons_own(value):
    found = border.number("scale", value, at_least=0, at_most=1)
    assert type(found) is float
    assert found == value


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), -0.1, 1.1, "1", None, [1], 1j])
def test_other_things_are_no_numbers(value):
    with pytest.raises(ValueError, match=r"scale must be a number from 0 to 1; got"):
        border.number("scale", value, at_least=0, at_most=1)
    with pytest.raises(ValueError, match=r"rate must be a number above 0; got"):
        border.number("rate", 0, above=0)


def test_a_word_that_is_nearly_right_is_answered_with_the_right_one():
    assert border.one_of("guidance", "mode", ["none", "mode"]) == "mode"
    with pytest.raises(ValueError, match=r"guidance must be one of none, manifold; got 'manfold'. Did you mean 'mani"):
        border.one_of("guidance", "manfold", ["none", "manifold"])
    with pytest.raises(ValueError, match=r"guidance must be one of none, mode, or a factory; got 5\.$"):
        border.one_of("guidance", 5, ["none", "mode"], or_else=", or a factory")


def test_devices_that_are_not_there_are_refused():
    assert border.device("device", "cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="device must be a device such as"):
        border.device("device", "gpu")
    with pytest.raises(ValueError, match="device must be a device of this machine"):
        border.device("device", f"cuda:{torch.cuda.device_count()}")
