import pytest
import torch

from mgd_helpers.guidance.clouds import diffuse, sphere_points, timestep_key
from mgd_helpers.guidance.noise import NoiseLevel


@pytest.fixture
def targets(randn):
    return randn(3, 2, 4, 4)


def level_of(share, timestep=7.5):
    noise = torch.tensor(share)
    return NoiseLevel((1 - noise**2).sqrt(), noise, timestep, torch.zeros(1, 2, 4, 4))


def test_sphere_points_lie_at_the_distances_of_the_released_code(targets, device):
    cloud = sphere_points(targets.to(device), radius=0.5, n_points=80).cpu()
    distances = (cloud - targets[:, None]).flatten(2).norm(dim=-1)
    torch.testing.assert_close(distances[:, :40], torch.linspace(0.1, 0.5, 40).expand(3, 40), rtol=1e-3, atol=1e-5)
    assert distances[:, 40:].max() <= 0.5 + 1e-5
    assert 0.2 < distances[:, 40:].mean() < 0.3


def test_directions_have_no_preference(targets):
    offsets = sphere_points(targets, radius=0.5, n_points=4000)[0] - targets[0]
    unit = torch.nn.functional.normalize(offsets.flatten(1))
    assert unit.mean(0).norm() < 3 / 4000**0.5
    torch.testing.assert_close(unit.T @ unit / 4000, torch.eye(32) / 32, rtol=0, atol=0.01)


def test_a_cloud_depends_on_seed_key_and_step_alone(targets):
    cloud = sphere_points(targets, radius=0.5, seed=2, keys=(5, 6, 7), step=3)
    one = sphere_points(targets[1:2], radius=0.5, seed=2, keys=(6,), step=3)
    assert torch.equal(cloud[1:2], one)
    for other in ({"seed": 1}, {"keys": (1, 2, 3)}, {"step": 4}, {"step": None}):
        options = {"seed": 2, "keys": (5, 6, 7), "step": 3} | other
        assert not torch.equal(sphere_points(targets, radius=0.5, **options), cloud)


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_diffused_points_are_signal_and_noise(randn, device, share):
    cloud, level = randn(4000, 2, 4, 4).to(device), level_of(share)
    noise = (diffuse(cloud, level) - level.signal * cloud) / max(share, 1e-9)
    if share == 0:
        torch.testing.assert_close(diffuse(cloud, level), cloud)
    else:
        assert noise.mean().abs() < 0.01 and (noise.std() - 1).abs() < 0.01
        assert (noise * cloud).mean().abs() < 0.02  # it knows nothing of the points


def test_noise_is_drawn_per_timestep_and_where_asked_per_target(targets):
    clouds = sphere_points(targets, radius=0.5, n_points=20)
    together = diffuse(clouds, level_of(0.6), per_target=True, seed=1, keys=(4, 5, 6))
    alone = diffuse(clouds[1:2], level_of(0.6), per_target=True, seed=1, keys=(5,))
    assert torch.equal(together[1:2], alone)
    shared = clouds[0]
    assert torch.equal(diffuse(shared, level_of(0.6), seed=1), diffuse(shared, level_of(0.6), seed=1))
    assert not torch.equal(diffuse(shared, level_of(0.6)), diffuse(shared, level_of(0.6, timestep=8)))


def test_half_precision_points_are_diffused_in_float32(targets):
    assert diffuse(targets.half(), level_of(0.6)).dtype == torch.float32
    assert sphere_points(targets.half(), radius=0.5, n_points=4).dtype == torch.float16


def test_fractional_timesteps_have_keys_of_their_own():
    assert len({timestep_key(level_of(0.6, timestep)) for timestep in (0.0, 0.25, 0.5, torch.tensor(999.0), 998)}) == 5


def test_what_makes_no_cloud_is_refused(targets):
    with pytest.raises(ValueError, match=r"radius must be a number > 0; got 0.0"):
        sphere_points(targets, radius=0.0)
    with pytest.raises(ValueError, match="keys must be one per target; got 1 for 3 targets"):
        sphere_points(targets, radius=0.1, keys=(1,))
