import inspect

import pytest
import torch

from mgd_helpers.guidance import Guidance, ManifoldPull, ModePull, window
from mgd_helpers.noise import NoiseLevel
from mgd_helpers.released import ReleasedPull

LATENT = (2, 3, 4)
DIM = 24


def level_of(share, sample=None):
    noise = torch.tensor(share)
    return NoiseLevel((1 - noise**2).sqrt(), noise, 0, torch.zeros(3, *LATENT) if sample is None else sample)


@pytest.fixture
def targets(draw):
    return draw(3, *LATENT)


@pytest.fixture
def denoised(draw, targets):
    return targets + draw(3, *LATENT)


@pytest.fixture
def cloud(draw):
    return draw(40, *LATENT)


def dense_tangent(point, cloud, n_neighbors=12, rank=3):
    """P_T at one point by the definition, in float64."""
    point, cloud = point.flatten().double(), cloud.flatten(1).double()
    neighbors = cloud[(cloud - point).norm(dim=1).argsort()[:n_neighbors]]
    leading = torch.linalg.eigh(neighbors.T.cov()).eigenvectors[:, -rank:]
    return leading @ leading.T


def test_mode_pull_goes_the_given_part_of_the_way(targets, denoised, device):
    found = ModePull(targets.to(device), strength=0.3)(denoised.to(device), level_of(0.9))
    torch.testing.assert_close(found.cpu(), 0.7 * denoised + 0.3 * targets)


@pytest.mark.parametrize("make", [ModePull, lambda targets, **options: ManifoldPull(targets, CLOUD, **options)])
def test_zero_strength_changes_nothing_to_the_bit(targets, denoised, make):
    assert torch.equal(make(targets, strength=0.0)(denoised, level_of(0.9)), denoised)


CLOUD = torch.randn(40, *LATENT, generator=torch.Generator().manual_seed(9))


def test_full_mode_pull_lands_on_the_target(targets, denoised):
    torch.testing.assert_close(ModePull(targets, strength=1.0)(denoised, level_of(0.9)), targets)


def test_strength_may_follow_the_noise_level(targets, denoised, cloud):
    level = level_of(0.6)
    for make in (ModePull, lambda targets, **options: ManifoldPull(targets, cloud, **options)):
        by_function = make(targets, strength=lambda level: level.share / 2)(denoised, level)
        torch.testing.assert_close(by_function, make(targets, strength=0.3)(denoised, level))


def test_softness_zero_is_the_mode_pull(targets, denoised, cloud, device):
    targets, denoised = targets.to(device), denoised.to(device)
    mode = ModePull(targets, strength=0.4)(denoised, level_of(0.9))
    soft = ManifoldPull(targets, cloud.to(device), strength=0.4, softness=0.0)(denoised, level_of(0.9))
    assert torch.equal(mode, soft)


def test_softness_one_is_equation_4(targets, denoised, cloud, device):
    guidance = ManifoldPull(targets.to(device), cloud.to(device), strength=0.4)
    found = guidance(denoised.to(device), level_of(0.9)).cpu()
    for row in range(3):
        pull = (targets[row] - denoised[row]).flatten().double()
        normal = pull - dense_tangent(denoised[row], cloud) @ pull
        expected = denoised[row].flatten().double() + 0.4 * (pull - normal)
        torch.testing.assert_close(found[row].flatten().double(), expected, rtol=1e-4, atol=1e-4)


def test_softness_runs_straight_from_mode_to_equation_4(targets, denoised, cloud):
    moves = [ManifoldPull(targets, cloud, softness=s)(denoised, level_of(0.9)) - denoised for s in (0.0, 0.25, 1.0)]
    torch.testing.assert_close(moves[1], 0.75 * moves[0] + 0.25 * moves[2])


def test_full_manifold_pull_reaches_the_target_along_the_tangent_alone(targets, denoised, cloud):
    moved = ManifoldPull(targets, cloud, strength=1.0)(denoised, level_of(0.9))
    for row in range(3):
        projector = dense_tangent(denoised[row], cloud).float()
        left = projector @ (targets[row] - moved[row]).flatten()
        torch.testing.assert_close(left, torch.zeros(DIM), rtol=0, atol=1e-4)


def test_neighbors_and_rank_reach_the_tangent_space(targets, denoised, cloud):
    found = ManifoldPull(targets, cloud, n_neighbors=20, rank=7)(denoised, level_of(0.9))
    for row in range(3):
        pull = (targets[row] - denoised[row]).flatten().double()
        expected = dense_tangent(denoised[row], cloud, 20, 7) @ pull
        torch.testing.assert_close((found - denoised)[row].flatten().double(), expected, rtol=1e-4, atol=1e-4)


def test_one_cloud_per_target_is_a_loop_over_targets(targets, denoised, draw):
    clouds = draw(3, 40, *LATENT)
    found = ManifoldPull(targets, clouds)(denoised, level_of(0.9))
    for row in range(3):
        one = ManifoldPull(targets[row : row + 1], clouds[row])(denoised[row : row + 1], level_of(0.9))
        torch.testing.assert_close(found[row : row + 1], one)


def all_guidances(targets, draw):
    return [
        ModePull(targets),
        ManifoldPull(targets, draw(40, *LATENT)),
        ManifoldPull(targets, draw(3, 40, *LATENT)),
        ReleasedPull(targets),
        ReleasedPull(targets, keys=(5, 1, 2)),
        window(ModePull(targets), above=0.5),
    ]


def test_rows_doubled_by_classifier_free_guidance_move_alike(targets, denoised, draw):
    twice = torch.cat([denoised, denoised])
    for guidance in all_guidances(targets, draw):
        expected = guidance(denoised, level_of(0.9, denoised + 1))
        found = guidance(twice, level_of(0.9, torch.cat([denoised + 1] * 2)))
        torch.testing.assert_close(found, torch.cat([expected] * 2))


def test_an_image_moves_alike_alone_and_in_a_batch(targets, denoised, draw):
    cloud, sample = draw(40, *LATENT), denoised + 1

    def alone(row):
        mine = targets[row : row + 1]
        return [ModePull(mine), ManifoldPull(mine, cloud), ReleasedPull(mine, keys=(10 + row,))]

    together = [ModePull(targets), ManifoldPull(targets, cloud), ReleasedPull(targets, keys=(10, 11, 12))]
    for row in range(3):
        for one, many in zip(alone(row), together, strict=True):
            found = one(denoised[row : row + 1], level_of(0.9, sample[row : row + 1]))
            torch.testing.assert_close(found, many(denoised, level_of(0.9, sample))[row : row + 1], atol=1e-4, rtol=0)


def test_all_guidances_keep_the_protocol(targets, draw):
    assert all(isinstance(guidance, Guidance) for guidance in all_guidances(targets, draw))


@pytest.mark.parametrize(
    ("share", "inside"), [(1.0, False), (0.81, False), (0.8, True), (0.6, True), (0.5, False), (0.2, False)]
)
def test_a_window_is_open_by_noise_share(targets, denoised, share, inside):
    moved = window(ModePull(targets), above=0.5, below=0.8)(denoised, level_of(share))
    assert (moved is denoised) == (not inside)


def test_a_window_without_bounds_is_always_open(targets, denoised):
    for share in (1.0, 0.5, 1e-3):
        assert not torch.equal(window(ModePull(targets))(denoised, level_of(share)), denoised)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: ModePull(torch.zeros(3)), r"targets must be \[K, \*latent\] with K at least 1; got \[3\]"),
        (lambda _: ModePull(torch.zeros(0, 4, 2)), r"targets must be .* K at least 1; got \[0, 4, 2\]"),
        (lambda t: ModePull(t / 0), "targets must be finite; .* Check the latents they were made from"),
        (lambda t: ManifoldPull(t * torch.nan, CLOUD), "targets must be finite"),
        (lambda t: ReleasedPull(t * torch.nan), "targets must be finite"),
        (
            lambda t: ManifoldPull(t, torch.zeros(40, 7)),
            r"cloud must be \[M, \*latent\] or \[K, M, \*latent\] for targets",
        ),
        (
            lambda t: ManifoldPull(t, CLOUD.expand(2, *CLOUD.shape)),
            r"for targets \[3, 2, 3, 4\]; got \[2, 40, 2, 3, 4\]",
        ),
        (lambda t: ManifoldPull(t, CLOUD[:5]), "n_neighbors must lie between 2 and the 5 points"),
        (lambda t: ManifoldPull(t, CLOUD[:5].expand(3, 5, *LATENT)), "n_neighbors must lie between 2 and the 5 points"),
        (
            lambda t: ManifoldPull(t, CLOUD, softness=1.5),
            r"softness must lie in \[0, 1\] \(0: mode pull, 1: .* got 1.5",
        ),
        (lambda t: ManifoldPull(t, CLOUD, softness=-0.1), r"softness must lie in \[0, 1\]"),
        (lambda t: ManifoldPull(t, CLOUD, rank=12), "rank must lie between 1 and n_neighbors - 1 = 11; got 12"),
        (lambda t: ReleasedPull(t, keys=(1, 2)), "keys must be one per target; got 2 for 3 targets"),
        (lambda t: ReleasedPull(t, radius=0.0), "radius must be positive; got 0.0"),
        (lambda t: ReleasedPull(t, bandwidth=-1.0), "bandwidth must be positive; got -1.0"),
        (lambda t: ReleasedPull(t, n_points=5), "n_neighbors must lie between 2 and the 5 points"),
        (lambda t: ReleasedPull.preset("imagenet", t), "name must be one of imagenette, .*; got 'imagenet'"),
        (lambda t: window(ModePull(t), above=0.5, below=0.5), "above and below must .* got above=0.5, below=0.5"),
        (lambda t: window(ModePull(t), above=-0.1), "above and below must satisfy 0 <= above"),
        (lambda t: window(ModePull(t), below=1.1), "above and below must satisfy .* <= 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(targets, make, message):
    with pytest.raises(ValueError, match=message):
        make(targets)


@pytest.mark.parametrize("make", [ModePull, lambda targets: ManifoldPull(targets, CLOUD), ReleasedPull])
def test_pipelines_that_do_not_fit_the_targets_are_told(targets, make):
    guidance = make(targets)
    with pytest.raises(
        ValueError, match=r"targets are \[2, 3, 4\] each, but the pipeline denoises \[4, 8, 8\]; encode"
    ):
        guidance(torch.zeros(3, 4, 8, 8), level_of(0.9))
    with pytest.raises(ValueError, match="targets must be one per image; got 3 targets for 4 rows"):
        guidance(torch.zeros(4, *LATENT), level_of(0.9))


def test_guidances_are_frozen(targets):
    for kind in (ModePull, ManifoldPull, ReleasedPull):
        assert kind.__dataclass_params__.frozen
        assert "strength" in inspect.signature(kind).parameters
