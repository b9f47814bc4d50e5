import pytest
import torch
from levels import level_of

from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.windows import acts, window


@pytest.mark.parametrize(
    ("share", "inside"), [(1.0, False), (0.81, False), (0.8, True), (0.6, True), (0.5, False), (0.2, False)]
)
def test_a_window_is_open_by_noise_share(targets, denoised, share, inside):
    moved = window(ModePull(targets), above=0.5, below=0.8)(denoised, level_of(share))
    assert (moved is denoised) == (not inside)


def test_a_window_without_bounds_is_always_open(targets, denoised):
    for share in (1.0, 0.5, 1e-3):
        assert not torch.equal(window(ModePull(targets))(denoised, level_of(share)), denoised)


def test_a_window_within_a_window_is_open_where_both_are(targets):
    both = window(window(ModePull(targets), above=0.5), below=0.8)
    assert [acts(both, share) for share in (0.9, 0.7, 0.4)] == [False, True, False]
    assert acts(lambda denoised, level: denoised, 0.4)  # it says nothing, and so may act
    assert not acts(None, 0.4)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"above": 0.5, "below": 0.5}, "above and below must .* got above=0.5, below=0.5"),
        ({"above": -0.1}, "above and below must satisfy 0 <= above"),
        ({"below": 1.1}, "above and below must satisfy .* <= 1"),
    ],
)
def test_windows_that_hold_nothing_are_refused(targets, bounds, message):
    with pytest.raises(ValueError, match=message):
        window(ModePull(targets), **bounds)
