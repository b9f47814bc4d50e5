from itertools import combinations

import pytest
import torch

from mgd_helpers import seeding


def normal(generator):
    return torch.randn(2000, generator=generator)


def test_same_key_gives_same_draws():
    assert torch.equal(normal(seeding.generator(7, 3, 1)), normal(seeding.generator(7, 3, 1)))


def test_different_keys_give_uncorrelated_draws():
    keys = [(0,), (0, 0), (0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (2**32, 0), (2**40, 0, 0)]
    draws = [normal(seeding.generator(*key)) for key in keys]
    for one, other in combinations(draws, 2):
        assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1]) < 0.1


def test_a_class_has_one_generator_per_image_whatever_the_others():
    third = normal(seeding.generators(5, 2, [0, 1, 2])[2])
    assert torch.equal(third, normal(seeding.generators(5, 2, [2])[0]))
    assert torch.equal(third, normal(seeding.generator(5, 2, 2)))


def test_generators_do_not_touch_the_global_state():
    before = torch.get_rng_state()
    seeding.generator(1, 2, 3)
    assert torch.equal(before, torch.get_rng_state())


def test_negative_keys_are_refused():
    with pytest.raises(ValueError, match="each of seed, class and image must be a whole number >= 0; got -1"):
        seeding.generator(0, -1, 2)


def test_streams_stay_as_they_are():
    assert seeding.generator(0, 3, 1).initial_seed() == 2924377994389699343
