"""Statements of the theory pages, each shown by the package or by simulation; a heading names the page.

What the tests of the package show is not repeated: the inertia law (clustering/test_bisecting), the laws of projections
(tangent/test_spaces), the dimension without bias (tangent/test_dimension), DDIM landing (guidance/test_toys), precision
and recall changing places with the sets (evaluation/test_precision_recall), the interval of five pairs
(evaluation/test_paired), and strengths as the steps of a scheduler (guidance/test_strengths).
"""

import math
from itertools import pairwise
from pathlib import Path

import diffusers
import pytest
import torch

import mgd_helpers as mgd
from mgd_helpers import seeding
from mgd_helpers.data import ImageSet
from mgd_helpers.evaluation.precision_recall import precision_recall
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy
from mgd_helpers.guidance import noise_level, strengths, toys
from tools.figures import question

LANDSCAPE = torch.tensor([[1.5, 0.0], [-1.0, 1.2], [-0.4, -1.6], [0.3, 0.4]], dtype=torch.float64)


# --- 01: ten images for a thousand -----------------------------------------------------------------------------------


def means_of_groups(count, seed):
    """So many images per class, each the mean of a random group of the class, as in lab 1."""
    train, made = question.digits().train, []
    for label in range(10):
        own = train.of_class(label)
        shuffled = own[torch.randperm(len(own), generator=seeding.generator(seed, label))]
        made.append(torch.stack([group.mean(0) for group in shuffled.chunk(count)]))
    return ImageSet(torch.cat(made), torch.arange(10).repeat_interleave(torch.tensor([len(own) for own in made])))


def worth(chosen):
    return nearest_neighbor_accuracy(chosen, question.digits().test)


def test_the_bundled_data_has_fifteen_hundred_images_for_training(digits):
    assert (len(digits.train), len(digits.class_names)) == (1500, 10)


@pytest.mark.slow
def test_more_images_are_better_and_each_further_one_brings_less():
    found = question.by_count()
    means = {count: sum(draws) / len(draws) for count, draws in found.items()}
    gains = [(means[more] - means[less]) / (more - less) for less, more in pairwise(means)]
    assert gains == sorted(gains, reverse=True) and gains[-1] > 0
    bands = [max(draws) - min(draws) for draws in found.values()]
    assert max(bands) == pytest.approx(bands[0], abs=0.01), "chance decides most with one image"


@pytest.mark.slow
def test_one_mean_image_is_worth_ten_real_ones_and_fifty_means_less_than_fifty_real_ones():
    real = {count: sum(draws) / len(draws) for count, draws in question.by_count().items()}
    one = worth(question.mean_images())
    assert one > max(question.by_count()[1]) and one == pytest.approx(real[10], abs=0.01)
    fifty = sum(worth(means_of_groups(50, seed)) for seed in range(8)) / 8
    assert one + 0.03 < fifty < real[50] - 0.005


@pytest.mark.slow
def test_the_ten_that_lie_far_apart_beat_most_of_two_hundred_random_choices_and_not_the_best():
    draws, rule = sorted(question.by_draw()), worth(question.far_apart())
    assert len(draws) == 200 and 100 < sum(draw < rule for draw in draws) < 200
    assert (round(draws[0], 2), round(draws[-1], 2)) == (0.83, 0.94), "as the figure's text says"
    assert sum(0.88 <= round(draw, 2) <= 0.92 for draw in draws) > 120


# --- 03: encoding ----------------------------------------------------------------------------------------------------


def test_the_encoders_noise_is_a_tenth_of_the_spread_of_the_latents_or_less(digits):
    """So noise in training is not what makes latents of the labs near or far."""
    vae = mgd.load_pipeline("digits").vae
    with torch.no_grad():
        posterior = vae.encode(digits.train.images[:300]).latent_dist
    assert 0.05 < (posterior.std.square().mean().sqrt() / posterior.mean.std()).item() < 0.1


def test_samples_of_posteriors_lie_farther_apart_than_their_means_by_the_variances(randn):
    mean, other = randn(2, 6, dtype=torch.float64)
    deviation, other_deviation = randn(2, 6, dtype=torch.float64).abs()
    drawn = mean + deviation * randn(200_000, 6, dtype=torch.float64)
    others = other + other_deviation * randn(200_000, 6, dtype=torch.float64)
    expected = (mean - other).square().sum() + (deviation.square() + other_deviation.square()).sum()
    assert (drawn - others).square().sum(1).mean().item() == pytest.approx(expected.item(), rel=0.01)


# --- 04: clustering --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("split_by", "large_is_split"), [("inertia", True), ("variance", False)])
def test_the_leaf_split_next_has_the_largest_sum_of_squares_not_the_largest_mean(randn, split_by, large_is_split):
    large, wide = randn(200, 2), 2 * randn(12, 2) + 40  # sums about 400 and 96, means about 2 and 8
    tree = mgd.bisect(torch.cat([large, wide]), n_leaves=3, split_by=split_by)
    parts = [len(set(rows.tolist())) for rows in tree.labels.split([200, 12])]
    assert parts == ([2, 1] if large_is_split else [1, 2])


@pytest.mark.slow
def test_levels_leave_latents_farther_from_their_nearest_target_than_leaves_do(digits):
    """In every class of the digits: what the default gives up."""
    latents = mgd.encode(mgd.load_pipeline("digits").vae, digits.train.images)
    for label in range(10):
        own = latents[digits.train.labels == label]
        tree = mgd.bisect(own, n_leaves=10, seed=0)
        far = {}
        for strategy in ("leaves", "levels"):
            targets = mgd.pick_targets(tree, images_per_class=10, strategy=strategy).latents
            far[strategy] = torch.cdist(own.flatten(1), targets.flatten(1)).amin(1).square().mean()
        assert far["leaves"] < far["levels"]


# --- 05: tangents, and the appendices on dimension and on other tangents ---------------------------------------------


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_given_the_farthest_of_k_neighbours_the_ratios_to_it_are_independent_and_uniform(randn, dimension):
    """Points uniform in a ball: (r_j / r_k)^d, in any order, are draws from [0, 1] that know nothing of r_k."""
    n_points, k, rounds = 60, 10, 4000
    directions = torch.nn.functional.normalize(randn(rounds, n_points, dimension, dtype=torch.float64), dim=2)
    generator = torch.Generator().manual_seed(1)
    radii = torch.rand(rounds, n_points, 1, generator=generator, dtype=torch.float64) ** (1 / dimension)
    near = (radii * directions).norm(dim=2).sort(dim=1).values[:, :k]
    ratios = (near[:, :-1] / near[:, -1:]) ** dimension
    grid = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    share_below = (ratios[:, :, None] < grid).double().mean((0, 1))
    assert (share_below - grid).abs().max() < 0.01, "uniform"
    sums = ratios.sum(1)
    assert sums.var().item() == pytest.approx((k - 1) / 12, rel=0.08), "independent: variances add"
    assert torch.corrcoef(torch.stack([sums, near[:, -1]]))[0, 1].abs() < 0.05, "they know nothing of r_k"
    logs = -ratios.log()
    assert logs.mean().item() == pytest.approx(1, rel=0.02)
    naive = (k - 1) / logs.sum(1)  # in units of the dimension
    assert naive.mean().item() == pytest.approx((k - 1) / (k - 2), rel=0.015), "E[1 / Gamma]: too large by this much"
    assert ((k - 2) / logs.sum(1)).mean().item() == pytest.approx(1, rel=0.015)


@pytest.mark.parametrize("angle", [0.1, 0.7, 1.5, 2.5])
def test_on_a_sphere_the_error_of_the_tangent_at_the_target_is_the_chord(randn, angle):
    """Exactly 2 sin(angle / 2), with true tangents in place of estimated ones."""
    here, aside, *others = torch.linalg.qr(randn(5, 5, dtype=torch.float64)).Q.T
    target = math.cos(angle) * here + math.sin(angle) * aside
    turned = math.cos(angle) * aside - math.sin(angle) * here
    at_place = mgd.TangentSpace.from_basis(here[None], torch.stack([aside, *others])[None])
    at_target = mgd.TangentSpace.from_basis(target[None], torch.stack([turned, *others])[None])
    pull = (target - here)[None]
    exact, cached = at_place.tangent_part(pull), at_target.tangent_part(pull)
    error = ((cached - exact).norm() / exact.norm()).item()
    assert error == pytest.approx(2 * math.sin(angle / 2), rel=1e-9)
    assert error == pytest.approx(pull.norm().item(), rel=1e-9)


@pytest.mark.parametrize(("rank", "dim"), [(3, 24), (11, 256)])
def test_a_random_subspace_keeps_its_share_of_the_dimensions(randn, rank, dim):
    frames = torch.linalg.qr(randn(400, dim, rank)).Q
    vector = torch.nn.functional.normalize(randn(dim), dim=0)
    assert (vector @ frames).square().sum(1).mean().item() == pytest.approx(rank / dim, rel=0.1)


# --- 02 and 06: noise and guidance, and the appendix on strengths ----------------------------------------------------


def best_guess(noisy, signal, noise):
    return toys.PointCloudPipeline(LANDSCAPE, None).denoise(noisy, signal=signal, noise=noise)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_tweedies_formula_is_the_conditional_mean(randn, share):
    signal, noise = math.sqrt(1 - share**2), share
    noisy = (2 * randn(50, 2, dtype=torch.float64)).requires_grad_()
    log_density = torch.logsumexp(-(noisy[:, None] - signal * LANDSCAPE).square().sum(2) / (2 * noise**2), dim=1)
    (score,) = torch.autograd.grad(log_density.sum(), noisy)
    tweedie = (noisy + noise**2 * score) / signal
    torch.testing.assert_close(tweedie.detach(), best_guess(noisy.detach(), signal, noise))


def test_least_squares_gives_the_conditional_mean(randn):
    """Any other guess costs more on average, by its mean squared distance from that mean."""
    share, count = 0.7, 200_000
    signal, noise = math.sqrt(1 - share**2), share
    picked = torch.randint(len(LANDSCAPE), (count,), generator=torch.Generator().manual_seed(2))
    clean = LANDSCAPE[picked]
    noisy = signal * clean + noise * randn(count, 2, dtype=torch.float64)
    mean = best_guess(noisy, signal, noise)
    nearest = LANDSCAPE[torch.cdist(noisy, signal * LANDSCAPE).argmin(1)]
    least = (clean - mean).square().sum(1).mean()
    for other in (nearest, noisy / signal, 0.9 * mean, mean + 0.2 * torch.sin(3 * noisy)):
        extra = (other - mean).square().sum(1).mean()
        assert extra > 0.005
        assert (clean - other).square().sum(1).mean().item() == pytest.approx((least + extra).item(), rel=0.01)


def test_the_weight_of_the_clean_latent_in_a_ddpm_step_is_that_of_two_normal_densities():
    """The mean of z_t' given z_t and z_0, by conditioning a normal distribution: its weight of z_0 is coef."""
    scheduler = diffusers.DDPMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(20)
    for timestep in scheduler.timesteps[:-1]:
        level = noise_level(scheduler, timestep, torch.zeros(1, 2))
        now, then = level.signal.double() ** 2, level.following[0].double() ** 2
        kept = now / then  # z_t = √kept z_t' + √(1 - kept) ε
        gain = kept.sqrt() * (1 - then) / (1 - now)  # covariance of z_t' and z_t, over the variance of z_t, given z_0
        coef = then.sqrt() - gain * now.sqrt()
        assert coef.item() == pytest.approx((then.sqrt() * (1 - kept) / (1 - now)).item(), rel=1e-6)
        assert coef.item() == pytest.approx(1 / strengths.mean(1.0)(level).item(), rel=1e-3)


def test_four_times_the_steps_halve_sigma_and_double_its_sum():
    def sigmas(steps):
        scheduler = diffusers.DDPMScheduler(timestep_spacing="trailing")
        scheduler.set_timesteps(steps)
        levels = [noise_level(scheduler, timestep, torch.zeros(1, 2)) for timestep in scheduler.timesteps]
        return [(strengths.posterior(1.0)(level) / strengths.mean(1.0)(level)).item() for level in levels]

    sums = {steps: sum(sigmas(steps)) for steps in (50, 200, 800)}
    assert sums[200] / sums[50] == pytest.approx(2, rel=0.1) and sums[800] / sums[200] == pytest.approx(2, rel=0.1)
    middle = {steps: sigmas(steps)[steps // 2] for steps in (50, 200)}
    assert middle[200] / middle[50] == pytest.approx(0.5, rel=0.1)


# Mean distances to the curve and to the target, of 120 samples under the mode and the manifold pull. The spiral, the
# targets and the settings of lab 6, section 5; guidance acts while the noise share exceeds `above`.
STOPPING = {
    (0.0, 0.3): ((0.216, 0.69), (0.038, 1.05)),
    (0.0, 1.0): ((0.300, 0.00), (0.059, 0.59)),
    (0.1, 0.3): ((0.017, 0.98), (0.018, 1.14)),
    (0.1, 1.0): ((0.021, 0.33), (0.017, 0.65)),
    (0.5, 0.3): ((0.019, 1.21), (0.019, 1.34)),
    (0.5, 1.0): ((0.019, 0.72), (0.017, 1.01)),
}
UNGUIDED = (0.017, 1.48)


@pytest.fixture(scope="module")
def ends_on_the_spiral():
    spiral = toys.spiral(300, noise=0.02, seed=0)
    tree = mgd.bisect(spiral, n_leaves=3, seed=0)
    goals = tree.centroids[list(tree.leaves)].repeat_interleave(40, dim=0)
    pipe = toys.PointCloudPipeline(spiral, diffusers.DDIMScheduler(clip_sample=False, timestep_spacing="trailing"))

    def end(guidance):
        with mgd.steer(pipe, guidance):
            points = pipe(len(goals), generator=torch.Generator().manual_seed(1)).images
        return torch.cdist(points, spiral).amin(1).mean().item(), (points - goals).norm(dim=1).mean().item()

    def both(above, strength):
        mode = mgd.ModePull(goals, strength=strength)
        manifold = mgd.ManifoldPull(goals, spiral, strength=strength, n_neighbors=8, rank=1)
        return [end(mgd.window(pull, above=above)) for pull in (mode, manifold)]

    return end(None), {case: both(*case) for case in STOPPING}


def test_a_stop_at_one_tenth_leaves_one_of_fifty_steps_alone():
    scheduler = diffusers.DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    scheduler.set_timesteps(50)
    shares = [noise_level(scheduler, timestep, torch.zeros(1, 2)).share for timestep in scheduler.timesteps]
    assert [share <= 0.1 for share in shares] == [False] * 49 + [True]


@pytest.mark.slow
def test_a_pull_that_stops_ends_on_the_curve_without_a_tangent(ends_on_the_spiral):
    (off_free, to_free), found = ends_on_the_spiral
    for (above, _), ((off_mode, to_mode), (off_manifold, to_manifold)) in found.items():
        assert to_mode < to_manifold < to_free
        assert off_mode > 5 * off_manifold if above == 0 else max(off_mode, off_manifold) < 1.3 * off_free


@pytest.mark.slow
def test_the_numbers_of_the_page_on_guidance_are_found(ends_on_the_spiral):
    free, found = ends_on_the_spiral
    assert free == pytest.approx(UNGUIDED, abs=0.006)
    for case, rows in STOPPING.items():
        for row, printed in zip(found[case], rows, strict=True):
            assert row[0] == pytest.approx(printed[0], abs=0.002) and row[1] == pytest.approx(printed[1], abs=0.02)


def test_the_page_on_guidance_names_these_numbers():
    page = (Path(__file__).parents[1] / "book" / "06_guidance.md").read_text(encoding="utf-8")
    mode = {above: rows[0] for (above, strength), rows in STOPPING.items() if strength == 0.3}
    assert f"the mode pull ends {mode[0.0][0]:.3f}\noff the curve on average." in page
    assert f"Stopped at one half, it ends {mode[0.5][0]:.3f} off, and unguided samples {UNGUIDED[0]:.3f}." in page


# --- 08 and 09: luck and measures -------------------------------------------------------------------------------------


def test_five_outliers_of_500_lift_precision_and_hardly_density(randn):
    """Fakes beside the data: the wide balls of a few real outliers reach them, one ball each and not five."""
    real, beside = randn(500, 8), torch.zeros(8)
    beside[0] = 8
    generated = randn(300, 8) + beside
    with_outliers = torch.cat([6 * randn(5, 8), real[5:]])
    before, after = (precision_recall(generated=generated, real=rows) for rows in (real, with_outliers))
    assert before["precision"] < 0.01 and before["density"] < 0.01
    assert after["precision"] > 0.2
    assert after["density"] < 0.3 * after["precision"]
    assert after["coverage"] < 0.02


@pytest.mark.parametrize(("pairs", "quantile"), [(5, 2.8), (16, 2.1)])
def test_an_interval_reaches_more_standard_errors_where_pairs_are_few(randn, pairs, quantile):
    differences = randn(pairs, 1, dtype=torch.float64)
    found = mgd.paired_difference(torch.zeros(pairs, 1).double(), differences)
    reach = (found.high - found.low) / 2
    assert reach / (differences.std().item() / math.sqrt(pairs)) == pytest.approx(quantile, abs=0.05)


def power(pairs, *, trials=2000, effect=0.5):
    """How often the interval of the book excludes zero, where the mean difference is `effect` times its spread."""
    generator = torch.Generator().manual_seed(pairs)
    differences = effect + torch.randn(trials, pairs, 1, generator=generator, dtype=torch.float64)
    found = [mgd.paired_difference(torch.zeros(pairs, 1).double(), row) for row in differences]
    return sum(not difference.low <= 0 <= difference.high for difference in found) / trials


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "share"), [(16, 0.47), (34, 0.80)])
def test_sixteen_pairs_find_half_a_spread_every_second_time_and_thirty_four_four_times_in_five(pairs, share):
    assert power(pairs) == pytest.approx(share, abs=0.035)


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.3, 0.5, 1.0])
def test_eight_spreads_over_the_difference_squared_and_two_make_four_in_five(effect):
    assert power(round(8 / effect**2 + 2), effect=effect, trials=1500) == pytest.approx(0.8, abs=0.04)


def test_twenty_intervals_of_equal_methods_raise_an_alarm_64_times_in_a_hundred():
    assert pytest.approx(0.64, abs=0.005) == 1 - 0.95**20


def test_the_error_by_counting_of_500_images_is_two_points():
    assert math.sqrt(2 / 3 * (1 - 2 / 3) / 500) == pytest.approx(0.021, abs=0.0005)
    assert 1.96 * math.sqrt(2) * 0.0211 == pytest.approx(0.06, abs=0.005)
