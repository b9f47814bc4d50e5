import functools
import re

import pytest
import torch

from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.clustering.targets import pick_targets
from mgd_helpers.guidance.factories import GUIDANCES
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.guidance.options import OPTIONS, given_options, options_of, with_options

OFF = dict.fromkeys(OPTIONS)


def test_nothing_given_is_the_factory_itself():
    for name, factory in GUIDANCES.items():
        assert with_options(name, given_options(OFF, points=9)) is factory


def test_options_are_those_of_the_factorys_signature():
    assert {name: options_of(name) for name in ("none", "mode", "mgd3", "match", "transport")} == {
        "none": [],
        "mode": ["strength", "window"],
        "mgd3": [],
        "match": ["window"],
        "transport": ["strength", "window"],
    }
    assert options_of("manifold") == list(OPTIONS)


def test_what_is_bound_is_what_a_partial_by_hand_gives(randn):
    cloud = randn(30, 4)
    targets = pick_targets(bisect(cloud, n_leaves=3), images_per_class=3)
    given = given_options({"strength": 0.7, "window": 0.2, "softness": 0.5, "n_neighbors": 9, "rank": 2}, points=30)
    ours = with_options("manifold", given)(targets, cloud, 0)
    by_hand = functools.partial(GUIDANCES["manifold"], strength=0.7, above=0.2, softness=0.5, n_neighbors=9, rank=2)
    level = NoiseLevel(torch.tensor(0.6), torch.tensor(0.8), 0, randn(3, 4))
    denoised = randn(3, 4)
    assert torch.equal(ours(denoised, level), by_hand(targets, cloud, 0)(denoised, level))
    assert not torch.equal(ours(denoised, level), GUIDANCES["manifold"](targets, cloud, 0)(denoised, level))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": -1}, "strength must be a number >= 0; got -1"),
        ({"strength": "much"}, "strength must be a number >= 0; got 'much'"),
        ({"strength": float("nan")}, "strength must be a number >= 0; got nan"),
        ({"window": 1}, "window must be a number .* < 1; got 1"),
        ({"softness": 1.5}, "softness must be a number from 0 to 1; got 1.5"),
        ({"n_neighbors": 1}, "n_neighbors must lie between 2 and the 8 points"),
        ({"n_neighbors": 9}, "n_neighbors must lie between 2 and the 8 points"),
        ({"rank": 8}, "rank must lie between 1 and n_neighbors - 1 = 7; got 8"),
        ({"rank": "high"}, "rank must be a number or 'auto'; got 'high'"),
    ],
)
def test_what_no_guidance_takes_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        given_options(options, points=8)


@pytest.mark.parametrize("name", GUIDANCES)
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_is_bound_or_refused_with_those_that_have_it(name, option):
    given = {option: 0.5}
    if option in options_of(name):
        assert with_options(name, given).keywords == {OPTIONS[option]: 0.5}
    else:
        with pytest.raises(ValueError, match=f"{option} .* guidance='{re.escape(name)}'.* one of .*'manifold'"):
            with_options(name, given)
