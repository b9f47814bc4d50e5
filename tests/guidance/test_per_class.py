import pytest
import torch
from levels import LATENT, level_of

from mgd_helpers.guidance.per_class import PerClass
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.windows import acts, window


def test_each_guidance_sees_the_rows_of_its_class_alone(randn):
    denoised, sample, variance = randn(3, 4, *LATENT)
    seen = []

    def watch(part, level):
        seen.append((part, level.sample, level.variance))
        return part + 1

    moved = PerClass({"a": watch}, ["a", "b", "a", "b"])(denoised, level_of(0.9, sample, variance=variance))
    for found, whole in zip(seen[0], (denoised, sample, variance), strict=True):
        assert torch.equal(found, whole[[0, 2]])
    assert torch.equal(moved[[0, 2]], denoised[[0, 2]] + 1)
    assert torch.equal(moved[[1, 3]], denoised[[1, 3]])  # a class without a guidance


def test_it_acts_where_any_of_its_guidances_does(randn):
    targets, denoised = randn(2, 1, *LATENT)
    early, late = window(ModePull(targets), above=0.8), window(ModePull(targets), below=0.3)
    both = PerClass({0: early, 1: late, 2: None}, [0, 1, 2])
    assert [acts(both, share) for share in (0.9, 0.5, 0.2)] == [True, False, True]
    three = denoised.expand(3, *LATENT)
    assert both(three, level_of(0.5, three)) is three
    moved = both(three, level_of(0.9, three)) != three
    assert moved.flatten(1).any(1).tolist() == [True, False, False]


def test_other_images_than_it_was_made_for_are_refused(randn):
    denoised = randn(3, *LATENT)
    with pytest.raises(ValueError, match="images must be the 2 that the guidances were given for; got 3"):
        PerClass({0: lambda part, level: part}, [0, 0])(denoised, level_of(0.9, denoised))
