import functools

import pytest
import torch

from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.clustering.targets import pick_targets
from mgd_helpers.guidance import factories
from mgd_helpers.guidance.matching import MatchPull
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.guidance.pulls import ManifoldPull, ModePull
from mgd_helpers.guidance.released import WINDOW, ReleasedPull
from mgd_helpers.guidance.transport import TransportPull

LATENT = (2, 4, 4)


@pytest.fixture
def given(randn):
    cloud = randn(40, *LATENT)
    return pick_targets(bisect(cloud, n_leaves=3), images_per_class=3), cloud, 7


def level(share, sample):
    noise = torch.tensor(share)
    signal = (1 - noise**2).sqrt()
    return NoiseLevel(signal, noise, 5, sample, (signal, noise / 2))


def test_a_name_is_its_function_and_its_settings_are_documented():
    single, sets = ["none", "mode", "mgd3", "manifold", "released"], ["match", "transport", "match+transport"]
    assert list(factories.GUIDANCES) == single + sets
    for name, function in factories.GUIDANCES.items():
        assert function is getattr(factories, name.replace("+", "_"))
        assert function.__doc__


def test_each_is_the_pull_of_its_name_within_its_window(given, randn):
    targets, cloud, seed = given
    x = randn(3, *LATENT)
    pulls = {
        "mode": (ModePull(targets.latents, 0.3), 0.5),
        "mgd3": (ModePull.preset("mgd3", targets.latents), WINDOW),
        "manifold": (ManifoldPull(targets.latents, cloud), 0.5),
        "released": (ReleasedPull(targets.latents, seed=seed, keys=targets.nodes), WINDOW),
        "match": (MatchPull(cloud, seed=seed), 0.0),
        "transport": (TransportPull.of_tree(bisect(cloud, n_leaves=40, seed=seed)), 0.5),
    }
    for name, (pull, above) in pulls.items():
        guidance = factories.GUIDANCES[name](*given)
        now = level((above + 1) / 2, x)
        assert torch.equal(guidance(x, now), pull(x, now)), name
        assert guidance(x, level(max(above - 0.01, 0.0), x)) is x
    assert factories.none(*given) is None


def test_settings_are_bound_by_name(given, randn):
    targets, cloud, seed = given
    x = randn(3, *LATENT)
    now = level(0.8, x)
    bound = functools.partial(factories.mode, strength=0.7, above=0.0)(*given)
    assert torch.equal(bound(x, now), ModePull(targets.latents, 0.7)(x, now))
    settings = {"strength": 0.4, "softness": 0.5, "n_neighbors": 12, "rank": 3}
    bound = functools.partial(factories.manifold, **settings)(*given)
    assert torch.equal(bound(x, now), ManifoldPull(targets.latents, cloud, **settings)(x, now))
    bound = functools.partial(factories.released, strength=0.2)(*given)
    pull = ReleasedPull(targets.latents, 0.2, 0.2, seed=seed, keys=targets.nodes)
    assert torch.equal(bound(x, level(0.98, x)), pull(x, level(0.98, x)))


def test_the_place_of_the_tangent_has_a_name(given, randn):
    x = randn(3, *LATENT)
    found = {
        place: factories.manifold(*given, tangent=place)(x, level(0.8, x)) for place in ("denoised", "target", "sample")
    }
    assert (found["denoised"] - found["target"]).abs().max() > 1e-4
    assert (found["denoised"] - found["sample"]).abs().max() > 1e-4
    with pytest.raises(
        ValueError, match=r"tangent must be one of denoised, target, sample; got 'targets'\. Did you mean"
    ):
        factories.manifold(*given, tangent="targets")


def test_a_small_class_has_as_many_neighbors_as_it_has_images(randn):
    for count in (2, 3, 9):
        cloud = randn(count, *LATENT)
        targets = pick_targets(bisect(cloud, n_leaves=2), images_per_class=2)
        x = randn(2, *LATENT)
        assert factories.manifold(targets, cloud, 0)(x, level(0.8, x)).isfinite().all()


def test_both_is_transport_and_then_matching(given, randn):
    x = randn(3, *LATENT)
    both = factories.match_transport(*given, rate=0.1, strength=0.7)
    for share in (0.8, 0.3):  # where both act, and where matching goes on alone
        now = level(share, x)
        first = factories.transport(*given, strength=0.7)(x, now)
        assert torch.equal(both(x, now), factories.match(*given, rate=0.1)(first, now))
        assert torch.equal(first, x) == (share == 0.3)


def test_a_class_of_few_distinct_latents_has_as_many_centers(given, randn):
    targets, cloud, seed = given
    few = cloud[torch.arange(40) % 7]
    assert len(factories.transport(targets, few, seed).guidance.centers) == 7
    assert len(factories.transport(targets, cloud, seed, n_centers=5).guidance.centers) == 5
