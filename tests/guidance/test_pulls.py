import dataclasses
import inspect
import math

import pytest
import torch
from levels import LATENT, level_of

from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.guidance import strengths, tangent_at
from mgd_helpers.guidance.noise import NoiseLevel
from mgd_helpers.guidance.pulls import Guidance, ManifoldPull, ModePull
from mgd_helpers.guidance.released import ReleasedPull
from mgd_helpers.guidance.windows import window
from mgd_helpers.seeding import generator

DIM = 24


@pytest.fixture
def cloud(randn):
    return randn(40, *LATENT)


def dense_tangent(point, cloud, n_neighbors=24, rank=8):
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


def test_one_cloud_per_target_is_a_loop_over_targets(targets, denoised, randn):
    clouds = randn(3, 40, *LATENT)
    found = ManifoldPull(targets, clouds)(denoised, level_of(0.9))
    for row in range(3):
        one = ManifoldPull(targets[row : row + 1], clouds[row])(denoised[row : row + 1], level_of(0.9))
        torch.testing.assert_close(found[row : row + 1], one)


def test_each_image_may_have_neighbors_of_its_own_class_alone(targets, denoised, randn, device):
    cloud, labels, wanted = randn(90, *LATENT), torch.arange(90) % 3, torch.tensor([2, 0, 2])
    found = ManifoldPull(targets.to(device), cloud.to(device), groups=(wanted, labels))(
        denoised.to(device), level_of(0.9)
    )
    for row in range(3):
        own = ManifoldPull(targets[row : row + 1], cloud[labels == wanted[row]])
        alone = own(denoised[row : row + 1], level_of(0.9))
        torch.testing.assert_close(found[row : row + 1].cpu(), alone)


def test_the_nodes_of_a_tree_are_a_cloud_too(targets, denoised, randn):
    tree = bisect(randn(60, *LATENT), n_leaves=20)
    found = ManifoldPull(targets, tree.centroids)(denoised, level_of(0.9))
    for row in range(3):
        pull = (targets[row] - denoised[row]).flatten().double()
        expected = dense_tangent(denoised[row], tree.centroids) @ pull
        torch.testing.assert_close((found - denoised)[row].flatten().double(), expected, rtol=1e-4, atol=1e-4)


def test_neighborhoods_may_adapt_to_the_place(targets, denoised, randn):
    plane = torch.zeros(300, *LATENT)
    plane[:, 0, 0, :2] = randn(300, 2)
    found = ManifoldPull(targets, plane, n_neighbors="auto", rank="auto")(denoised, level_of(0.9))
    expected = torch.zeros_like(targets)
    expected[:, 0, 0, :2] = (targets - denoised)[:, 0, 0, :2]
    torch.testing.assert_close(found - denoised, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("own", [False, True])
def test_the_tangent_may_be_taken_at_the_target_once_and_for_all(targets, denoised, randn, device, own):
    cloud = randn(3, 40, *LATENT) if own else randn(40, *LATENT)
    place = tangent_at.target(targets.to(device), cloud.to(device))
    guidance = ManifoldPull(targets.to(device), tangent=place)
    found = guidance(denoised.to(device), level_of(0.9)).cpu()
    for row in range(3):
        pull = (targets[row] - denoised[row]).flatten().double()
        expected = dense_tangent(targets[row], cloud[row] if own else cloud) @ pull
        torch.testing.assert_close((found - denoised)[row].flatten().double(), expected, rtol=1e-4, atol=1e-4)
    first = place(denoised.to(device), level_of(0.9))
    assert place(denoised.to(device) + 1, level_of(0.5)) is first


def test_the_error_of_the_tangent_at_the_target_shrinks_with_the_distance_to_it(randn):
    """On a sphere: the nearer the prediction is to the target, the less the two tangents differ."""
    cloud = torch.nn.functional.normalize(randn(3000, 3))
    target = torch.tensor([[0.0, 0.0, 1.0]])
    errors = []
    for angle in (0.8, 0.4, 0.2):
        here = torch.tensor([[math.sin(angle), 0.0, math.cos(angle)]])
        moves = [
            ManifoldPull(target, tangent=place)(here, level_of(0.9, here)) - here
            for place in (
                tangent_at.denoised(cloud, n_neighbors=20, rank=2),
                tangent_at.target(target, cloud, n_neighbors=20, rank=2),
            )
        ]
        errors.append(((moves[0] - moves[1]).norm() / moves[0].norm()).item())
    assert errors[0] > errors[1] > errors[2]
    assert errors == pytest.approx([2 * math.sin(angle / 2) for angle in (0.8, 0.4, 0.2)], rel=0.05)


@pytest.mark.parametrize("own", [False, True])
def test_the_tangent_at_the_sample_is_equation_5(targets, denoised, randn, device, own):
    cloud, sample = (randn(3, 40, *LATENT) if own else randn(40, *LATENT)), randn(3, *LATENT)
    level = level_of(0.9, sample)
    place = tangent_at.sample(cloud.to(device), seed=4, keys=(5, 6, 7))
    guidance = ManifoldPull(targets.to(device), tangent=place)
    on_device = level_of(0.9, sample.to(device))
    found = guidance(denoised.to(device), on_device).cpu()
    for row in range(3):
        if own:
            epsilon = torch.randn(40, *LATENT, generator=generator(4, 5 + row, 0))
        else:
            epsilon = torch.randn(40, *LATENT, generator=generator(4, 0))
        noisy = level.signal * (cloud[row] if own else cloud) + level.noise * epsilon
        pull = (targets[row] - denoised[row]).flatten().double()
        expected = dense_tangent(sample[row], noisy) @ pull
        torch.testing.assert_close((found - denoised)[row].flatten().double(), expected, rtol=1e-4, atol=1e-4)


def test_a_noisy_patch_makes_strict_projection_vanish(randn):
    """D = 4096: of a pull along a flat manifold clean neighbours keep much, a dozen noisy ones next to nothing."""
    frame = torch.linalg.qr(randn(4096, 5)).Q.T
    cloud = (3 * randn(400, 5) @ frame).view(-1, 4, 32, 32)
    targets, denoised = (3 * randn(2, 6, 5) @ frame).view(2, 6, 4, 32, 32)
    level = level_of(0.9)
    level = level_of(0.9, level.signal * denoised + level.noise * randn(6, 4, 32, 32))
    kept = {}
    for place in ("denoised", "sample"):
        tangent = getattr(tangent_at, place)(cloud, n_neighbors=12, rank=3)
        moved = ManifoldPull(targets, tangent=tangent)(denoised, level)
        share = (moved - denoised).flatten(1).square().sum(1) / (targets - denoised).flatten(1).square().sum(1)
        kept[place] = share.mean().item()
    assert kept["denoised"] > 0.4  # three of five directions
    assert kept["sample"] < 0.02


def test_the_clean_tangent_is_the_limit_of_noisy_ones(randn):
    """With more and more points under noise, Eq. 5 does what clean neighbours do."""
    frame = torch.linalg.qr(randn(24, 3)).Q.T
    targets, denoised = (randn(2, 3, 3) @ frame).view(2, 3, *LATENT)
    level = level_of(0.5)
    level = level_of(0.5, level.signal * denoised)
    clean = (targets - denoised).flatten(1)
    errors = []
    for count in (40, 200, 1000):
        cloud = (randn(count, 3) @ frame).view(-1, *LATENT)
        guidance = ManifoldPull(targets, tangent=tangent_at.sample(cloud, n_neighbors=count, rank=3))
        errors.append(((guidance(denoised, level) - denoised).flatten(1) - clean).norm() / clean.norm())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.25 * errors[0]


def test_mgd3_is_the_mode_pull_of_a_ddpm_step_and_nothing_else(targets, denoised):
    level = NoiseLevel(torch.tensor(0.6), torch.tensor(0.8), 0, denoised, (torch.tensor(0.8), torch.tensor(0.6)))
    strength = strengths.posterior(0.1)(level)
    found = ModePull.preset("mgd3", targets)(denoised, level)
    torch.testing.assert_close(found, denoised + strength * (targets - denoised))


def all_guidances(targets, randn):
    groups = (torch.tensor([0, 1, 0]), torch.arange(80) % 2)
    return [
        ModePull(targets),
        ManifoldPull(targets, randn(40, *LATENT)),
        ManifoldPull(targets, randn(3, 40, *LATENT)),
        ManifoldPull(targets, randn(80, *LATENT), groups=groups),
        ManifoldPull(targets, randn(40, *LATENT), n_neighbors="auto", rank="auto"),
        ManifoldPull(targets, tangent=tangent_at.sample(randn(3, 40, *LATENT))),
        ManifoldPull(targets, tangent=tangent_at.target(targets, randn(3, 40, *LATENT))),
        ReleasedPull(targets),
        ReleasedPull(targets, keys=(5, 1, 2)),
        window(ModePull(targets), above=0.5),
    ]


def test_every_image_has_its_own_target(targets, denoised, randn):
    """Neither one target for all nor targets in turn: whoever wants that says so."""
    for guidance in all_guidances(targets, randn):
        for rows in (1, 6):
            with pytest.raises(
                ValueError, match=rf"got 3 targets for {rows} images.*targets.repeat_interleave\(n, 0\)"
            ):
                guidance(denoised[:1].repeat(rows, 1, 1, 1), level_of(0.9, denoised[:1].repeat(rows, 1, 1, 1)))


def test_an_image_moves_alike_alone_and_in_a_batch(targets, denoised, randn):
    cloud, sample = randn(40, *LATENT), denoised + 1

    def alone(row):
        mine = targets[row : row + 1]
        return [ModePull(mine), ManifoldPull(mine, cloud), ReleasedPull(mine, keys=(10 + row,))]

    together = [ModePull(targets), ManifoldPull(targets, cloud), ReleasedPull(targets, keys=(10, 11, 12))]
    for row in range(3):
        for one, many in zip(alone(row), together, strict=True):
            found = one(denoised[row : row + 1], level_of(0.9, sample[row : row + 1]))
            torch.testing.assert_close(found, many(denoised, level_of(0.9, sample))[row : row + 1], atol=1e-4, rtol=0)


def test_all_guidances_keep_the_protocol(targets, randn):
    assert all(isinstance(guidance, Guidance) for guidance in all_guidances(targets, randn))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: ModePull(torch.zeros(3)), r"targets must be \[K, \*latent\] with K at least 1; got \[3\]"),
        (lambda _: ModePull(torch.zeros(0, 4, 2)), r"targets must be .* K at least 1; got \[0, 4, 2\]"),
        (lambda t: ModePull(t / 0), "targets must be finite; .* Check the latents that they are made of"),
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
            r"softness must be a number from 0 to 1; got 1.5",
        ),
        (lambda t: ManifoldPull(t, CLOUD, softness=-0.1), "softness must be a number from 0 to 1; got -0.1"),
        (lambda t: ManifoldPull(t, CLOUD, rank=24), "rank must lie between 1 and n_neighbors - 1 = 23; got 24"),
        (
            lambda t: ManifoldPull(t, CLOUD, groups=(torch.zeros(3).long(), torch.zeros(9).long())),
            "groups must label the 3 targets and the 40 p",
        ),
        (lambda t: ManifoldPull(t), "cloud or tangent must be given, exactly one of them; got neither"),
        (lambda t: ManifoldPull(t, CLOUD, tangent=tangent_at.denoised(CLOUD)), "cloud or tangent .* got both"),
        (lambda t: ManifoldPull(t, CLOUD / 0), "cloud must be finite; .* Check the latents"),
        (lambda t: ReleasedPull(t, keys=(1, 2)), "keys must be one per target; got 2 for 3 targets"),
        (lambda t: ModePull(t, strength=math.nan), "strength must be a number; got nan"),
        (lambda t: ManifoldPull(t, CLOUD, strength=math.inf), "strength must be a number; got inf"),
        (lambda t: ReleasedPull(t, normal_strength=math.nan), "normal_strength must be a number; got nan"),
        (lambda t: ManifoldPull(t, CLOUD, rank=1.5), "rank must be a whole number, or a share .* got 1.5"),
        (lambda t: ModePull.preset("mgd2", t), "name must be 'mgd3'; got 'mgd2'"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(targets, make, message):
    with pytest.raises(ValueError, match=message):
        make(targets)


@pytest.mark.parametrize("make", [ModePull, lambda targets: ManifoldPull(targets, CLOUD), ReleasedPull])
def test_pipelines_that_do_not_fit_the_targets_are_told(targets, make):
    guidance = make(targets)
    with pytest.raises(
        ValueError, match=r"targets must be \[4, 8, 8\] each, as the pipeline .*; got \[2, 3, 4\]. Encode them"
    ):
        guidance(torch.zeros(3, 4, 8, 8), level_of(0.9))
    with pytest.raises(ValueError, match="targets must be one per image; got 3 targets for 4 images"):
        guidance(torch.zeros(4, *LATENT), level_of(0.9))


def test_a_guidance_can_be_changed_by_replace(targets):
    for pull in (ManifoldPull(targets, CLOUD), ManifoldPull(targets, tangent=tangent_at.denoised(CLOUD))):
        half, level = dataclasses.replace(pull, strength=0.5), level_of(0.9)
        moved = [guidance(0 * targets, level) for guidance in (pull, half)]
        torch.testing.assert_close(moved[1], moved[0] / 2)


def test_guidances_are_frozen(targets):
    for kind in (ModePull, ManifoldPull, ReleasedPull):
        assert kind.__dataclass_params__.frozen
        assert "strength" in inspect.signature(kind).parameters
