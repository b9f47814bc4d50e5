import numpy
import pytest
import torch
from levels import LATENT, level_of

from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.guidance.per_class import PerClass
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.transport import TransportPull, transport_plan


@pytest.fixture
def centers(randn):
    return 3 * randn(5, *LATENT)


MASSES = torch.tensor([1.0, 2.0, 3.0, 4.0, 10.0])


def reference_plan(cost, masses, epsilon, n_iterations):
    """Sinkhorn's iterations as in Cuturi (2013), by scaling a kernel."""
    kernel = numpy.exp(-cost / (epsilon * cost.mean()))
    u, rows, columns = numpy.ones(len(cost)), numpy.full(len(cost), 1 / len(cost)), masses / masses.sum()
    for _ in range(n_iterations):
        v = columns / (kernel.T @ u)
        u = rows / (kernel @ v)
    return u[:, None] * kernel * v


@pytest.mark.parametrize("n_iterations", [1, 2, 10, 11, 20])
@pytest.mark.parametrize("epsilon", [0.05, 0.5])
def test_the_plan_is_that_of_numpy(randn, epsilon, n_iterations):
    cost = randn(7, 5).square()
    found = transport_plan(cost, MASSES, epsilon=epsilon, n_iterations=n_iterations)
    expected = reference_plan(cost.double().numpy(), MASSES.double().numpy(), epsilon, n_iterations)
    torch.testing.assert_close(found.double(), torch.from_numpy(expected), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("epsilon", [0.02, 1e-3, 1e-4])
def test_what_underflows_as_a_kernel_is_carried_all_the_same(randn, epsilon):
    """One center lies far from all images: no entry of its column is a number of single precision."""
    centers = 3 * randn(10, 20)
    centers[0] += 20
    cost = torch.cdist(randn(10, 20), centers).square()
    kernel = torch.exp(-(cost - cost.amin(1, keepdim=True)) / (epsilon * cost.mean()))
    assert epsilon > 0.01 or kernel[:, 0].max() == 0
    plan = transport_plan(cost, torch.ones(10), epsilon=epsilon, n_iterations=500)
    torch.testing.assert_close(plan.sum(1), torch.full((10,), 0.1), rtol=0.01, atol=0)
    torch.testing.assert_close(plan.sum(0), torch.full((10,), 0.1), rtol=0.05, atol=0)


def test_mass_is_conserved(randn):
    cost = randn(40, 5).square()
    plan = transport_plan(cost, MASSES, epsilon=0.1, n_iterations=300)
    assert (plan >= 0).all()
    torch.testing.assert_close(plan.sum(1), torch.full((40,), 1 / 40))
    torch.testing.assert_close(plan.sum(0), MASSES / 20, rtol=1e-3, atol=1e-5)
    scaled = transport_plan(cost, 7 * MASSES, epsilon=0.1, n_iterations=300)
    torch.testing.assert_close(scaled, plan)


def test_full_strength_keeps_the_mean_of_the_centers(randn, centers):
    """What is carried arrives: the barycenters have the mean of the mass."""
    pull = TransportPull(centers, MASSES, strength=1.0, epsilon=0.2, n_iterations=300)
    moved = pull(randn(12, *LATENT), level_of(0.8))
    expected = (MASSES / MASSES.sum()) @ centers.flatten(1)
    torch.testing.assert_close(moved.mean(0).flatten(), expected, rtol=1e-3, atol=1e-3)


def test_where_the_plan_is_an_assignment_it_is_the_mode_pull(randn, centers):
    order = torch.tensor([3, 1, 4, 0, 2])
    images = centers[order] + 0.1 * randn(5, *LATENT)
    found = TransportPull(centers, strength=0.4, epsilon=1e-3)(images, level_of(0.8))
    torch.testing.assert_close(found, ModePull(centers[order], strength=0.4)(images, level_of(0.8)))


def test_no_two_images_go_to_one_center_where_there_is_one_for_each(randn, centers):
    """All start near the first center, and yet are shared out: an image is not pulled to the nearest."""
    images = centers[:1] + randn(5, *LATENT)
    moved = TransportPull(centers, strength=1.0, epsilon=0.003, n_iterations=3000)(images, level_of(0.8))
    assert len(torch.cdist(images.flatten(1), centers.flatten(1)).argmin(1).unique()) == 1
    nearest = torch.cdist(moved.flatten(1), centers.flatten(1)).argmin(1)
    assert sorted(nearest.tolist()) == [0, 1, 2, 3, 4]


def test_a_single_image_goes_to_the_mean_of_the_mass(randn, centers):
    moved = TransportPull(centers, MASSES, strength=1.0)(randn(1, *LATENT), level_of(0.8))
    expected = (MASSES / MASSES.sum()) @ centers.flatten(1)
    torch.testing.assert_close(moved.flatten(), expected, rtol=1e-4, atol=1e-4)


def test_zero_strength_changes_no_bit_and_strength_may_follow_the_level(randn, centers):
    images = randn(4, *LATENT)
    assert torch.equal(TransportPull(centers, strength=0.0)(images, level_of(0.8)), images)
    by_function = TransportPull(centers, strength=lambda level: level.share / 2)(images, level_of(0.6))
    torch.testing.assert_close(by_function, TransportPull(centers, strength=0.3)(images, level_of(0.6)))


def test_permuted_images_give_the_permuted_result(randn, centers):
    images, order = randn(6, *LATENT), torch.tensor([3, 0, 5, 1, 4, 2])
    pull = TransportPull(centers, MASSES)
    torch.testing.assert_close(pull(images[order], level_of(0.8)), pull(images, level_of(0.8))[order])


def test_classes_do_not_see_each_other(randn, centers):
    images, classes = randn(5, *LATENT), [1, 0, 1, 0, 2]
    pulls = {0: TransportPull(centers, MASSES), 1: TransportPull(centers + 2)}
    together = PerClass(pulls, classes)(images, level_of(0.8, images))
    for one, pull in pulls.items():
        rows = [row for row, other in enumerate(classes) if other == one]
        torch.testing.assert_close(together[rows], pull(images[rows], level_of(0.8)), rtol=0, atol=0)
    assert torch.equal(together[4], images[4])


def test_a_tree_gives_centers_and_masses(randn):
    cloud = randn(60, *LATENT)
    tree = bisect(cloud, n_leaves=7)
    pull = TransportPull.of_tree(tree, strength=0.2)
    assert pull.strength == 0.2 and pull.masses is not None and pull.masses.sum() == 60
    for leaf, center, mass in zip(tree.leaves, pull.centers, pull.masses, strict=True):
        assert mass == len(tree.members[leaf])
        torch.testing.assert_close(center, cloud[tree.members[leaf]].mean(0))


def test_images_on_one_point_stay_finite(centers):
    images = centers[:1].expand(3, *LATENT)
    for pull in (TransportPull(centers[:1].expand(2, *LATENT)), TransportPull(centers, epsilon=1e-3)):
        assert pull(images, level_of(0.8)).isfinite().all()


def test_it_runs_on_each_device_as_on_the_cpu(randn, centers, device):
    images = randn(4, *LATENT)
    found = TransportPull(centers.to(device), MASSES)(images.to(device), level_of(0.8))
    torch.testing.assert_close(found.cpu(), TransportPull(centers, MASSES)(images, level_of(0.8)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"masses": torch.ones(4)}, r"masses must be 5 positive numbers, one per center; got \[4\], the least 1"),
        ({"masses": torch.tensor([1.0, 1, 1, 1, 0])}, r"masses must be 5 positive numbers.* the least 0"),
        ({"masses": torch.full((5,), float("inf"))}, "masses must be 5 positive"),
        ({"strength": float("inf")}, "strength must be a number"),
        ({"epsilon": 0.0}, "epsilon must be a number > 0; got 0.0"),
        ({"n_iterations": 0}, "n_iterations must be a whole number >= 1; got 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(centers, options, message):
    with pytest.raises(ValueError, match=message):
        TransportPull(centers, **options)


def test_centers_that_are_none_are_refused(centers, randn):
    for odd, message in ((centers[:0], "centers must be"), (centers / 0, "centers must be finite")):
        with pytest.raises(ValueError, match=message):
            TransportPull(odd)
    with pytest.raises(ValueError, match=r"centers must be \[2, 4, 4\] each, .* got \[2, 3, 4\]"):
        TransportPull(centers)(randn(3, 2, 4, 4), level_of(0.8))


def test_one_pull_serves_images_of_single_and_of_double_precision(randn, centers):
    pull, images = TransportPull(centers, MASSES), randn(7, *LATENT)
    single, double = pull(images, level_of(0.6)), pull(images.double(), level_of(0.6))
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)
    assert not torch.equal(single.double(), double)  # single precision has not gone into it
