import diffusers
import numpy as np
import pytest
import tiny
import torch
from levels import level_of

from mgd_helpers import seeding
from mgd_helpers.guidance.noise import NoiseLevel, noise_level
from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.released import WINDOW, ReleasedPull
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.windows import window

LATENT = (4, 8, 8)
TRAINED = {"beta_start": 1e-4, "beta_end": 2e-2, "beta_schedule": "linear", "clip_sample": False}
SETTINGS = {
    "imagenette": (0.05, 0.2),
    "imagewoof": (0.1, 0.2),
    "imagenet100": (0.1, 0.1),
    "imagenet1k": (0.1, 0.1),
}


@pytest.fixture
def targets(randn):
    return randn(3, *LATENT)


# --- the released update, transcribed: one image, NumPy, float64 -----------------------------------------------------


def radius_by_hand(step, radius, multiplier=2.0, warm_up=5):
    progress = max(0.0, (warm_up - step) / warm_up)
    return radius * (1 + (multiplier - 1) * (np.exp(progress) - 1) / (np.e - 1))


def cloud_by_hand(target, signal, noise, radius, numbers, n_points=300):
    """Points on spheres around the target, half at even and half at random distances, then diffused."""
    directions, uniform, epsilon = numbers
    half = n_points // 2
    points = []
    for index in range(n_points):
        even = 0.1 + (radius - 0.1) * index / (half - 1)
        distance = even if index < half else radius * uniform[index - half]
        points.append(target + distance * directions[index] / np.linalg.norm(directions[index]))
    return signal * np.array(points) + noise * epsilon


def normal_by_hand(x, cloud, bandwidth, k=12, rank=3, ridge=1e-5):
    """The pull of unit length, times tanh: a dense covariance with a ridge, and its leading eigenvectors."""
    distances = np.linalg.norm(cloud - x, axis=1)
    neighbors = cloud[np.argsort(distances)[:k]]
    mean = neighbors.mean(0)
    centred = neighbors - mean
    covariance = centred.T @ centred / (k - 1) + ridge * np.eye(len(x))
    leading = np.linalg.eigh(covariance)[1][:, ::-1][:, :rank]
    normal = -((x - mean) - leading @ (leading.T @ (x - mean)))
    return np.tanh(distances.min() / bandwidth) * normal / (np.linalg.norm(normal) + 1e-8)


def numbers_by_hand(seed, key, timestep, n_points=300, dim=256):
    """The same random numbers that ReleasedPull uses: only these are taken from the package."""
    step = int(1000 * float(timestep))
    spheres, noise = seeding.generator(seed, key, step, 0), seeding.generator(seed, key, step)
    directions = torch.randn(n_points, dim, generator=spheres).double().numpy()
    uniform = torch.rand(n_points - n_points // 2, generator=spheres).double().numpy()
    return directions, uniform, torch.randn(n_points, dim, generator=noise).double().numpy()


def ddpm_by_hand(x, epsilon, said, target, alphas, steps, index, settings, numbers, noise):
    """mean + λ σ g + μ w n + σ noise, with the learned variance between its two bounds."""
    now, then = alphas[steps[index]], alphas[steps[index + 1]]
    beta = 1 - now / then
    clean = (x - np.sqrt(1 - now) * epsilon) / np.sqrt(now)
    mean = np.sqrt(then) * beta / (1 - now) * clean + np.sqrt(now / then) * (1 - then) / (1 - now) * x
    share = (said + 1) / 2
    sigma = np.exp(0.5 * (share * np.log(beta) + (1 - share) * np.log(beta * (1 - then) / (1 - now))))
    radius, bandwidth = settings
    cloud = cloud_by_hand(target, np.sqrt(now), np.sqrt(1 - now), radius_by_hand(index, radius), numbers)
    mode = -(clean - target) * 0.1 * sigma
    return mean + mode + 0.1 * normal_by_hand(x, cloud, bandwidth) + sigma * noise


def ddim_by_hand(x, epsilon, target, alphas, steps, index, settings, numbers):
    """Both pulls are added to the clean prediction; epsilon is computed again from it."""
    now, then = alphas[steps[index]], alphas[steps[index + 1]]
    clean = (x - np.sqrt(1 - now) * epsilon) / np.sqrt(now)
    radius, bandwidth = settings
    cloud = cloud_by_hand(target, np.sqrt(now), np.sqrt(1 - now), radius_by_hand(index, radius), numbers)
    clean = clean - 0.1 * (clean - target)
    clean = clean + 0.1 * normal_by_hand(x, cloud, bandwidth)
    epsilon = (x - np.sqrt(now) * clean) / np.sqrt(1 - now)
    return np.sqrt(then) * clean + np.sqrt(1 - then) * epsilon


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("index", [0, 2, 23])
@pytest.mark.parametrize("update", ["ddpm", "ddim"])
def test_the_preset_is_the_released_update_to_a_millionth(targets, randn, name, index, update):
    alphas = np.cumprod(1 - np.linspace(1e-4, 2e-2, 1000))
    if update == "ddpm":
        scheduler = diffusers.DDPMScheduler(variance_type="learned_range", timestep_spacing="linspace", **TRAINED)
        steps = np.linspace(0, 999, 50).round().astype(int)[::-1]
    else:
        scheduler = diffusers.DDIMScheduler(timestep_spacing="leading", **TRAINED)
        steps = np.arange(0, 1000, 20)[::-1]
    scheduler.set_timesteps(50)
    timestep = scheduler.timesteps[index]
    assert timestep == steps[index]
    epsilon, clean, wrong, said = randn(4, 3, *LATENT)
    said = said.tanh()
    x = float(alphas[steps[index]] ** 0.5) * clean + float((1 - alphas[steps[index]]) ** 0.5) * epsilon
    predicted = epsilon + 0.001 * wrong
    pipe = tiny.bare(scheduler)
    output = torch.cat([predicted, said], 1) if update == "ddpm" else predicted
    with steer(pipe, ReleasedPull.preset(name, targets, update=update), generators=seeding.generators(0, 0, range(3))):
        found = scheduler.step(output, timestep, x).prev_sample.double().numpy()
    for row in range(3):
        flat = [value[row].flatten().double().numpy() for value in (x, predicted, said, targets)]
        numbers = numbers_by_hand(0, row, timestep)
        common = (alphas, steps, index, SETTINGS[name], numbers)
        if update == "ddpm":
            noise = torch.randn(1, *LATENT, generator=seeding.generators(0, 0, [row])[0]).flatten().double().numpy()
            expected = ddpm_by_hand(*flat, *common, noise)
        else:
            expected = ddim_by_hand(flat[0], flat[1], flat[3], *common)
        deviation = np.abs(found[row].flatten() - expected).max() / np.abs(expected).max()
        assert deviation < 1e-6


# --- other settings, keys and devices --------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.97, 0.7])
@pytest.mark.parametrize("keys", [None, (4, 0, 9)])
def test_released_pull_is_its_formula_with_other_settings(targets, randn, device, share, keys):
    denoised, sample = randn(2, 3, *LATENT)
    options = {"radius": 0.3, "bandwidth": 5.0, "n_points": 50, "n_neighbors": 9, "rank": 4, "seed": 3}
    guidance = ReleasedPull(targets.to(device), strength=0.2, normal_strength=0.7, keys=keys, **options)
    level = level_of(share, sample.to(device))
    found = guidance(denoised.to(device), level).cpu()
    for row in range(3):
        x, c, z = (values[row].flatten().double().numpy() for values in (sample, targets, denoised))
        numbers = numbers_by_hand(3, row if keys is None else keys[row], 0, n_points=50)
        cloud = cloud_by_hand(c, float(level.signal), float(level.noise), 0.3, numbers, n_points=50)
        expected = z + 0.2 * (c - z) + 0.7 * normal_by_hand(x, cloud, 5.0, k=9, rank=4)
        np.testing.assert_allclose(found[row].flatten(), expected, atol=1e-4)


def released_directions(radius, level, targets):
    denoised = torch.zeros_like(targets)
    guidance = ReleasedPull(targets, strength=0.0, normal_strength=1.0, radius=radius)
    return guidance(denoised, level).flatten(1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("latent", "radii", "cosine"),
    [((4, 32, 32), (0.1, 0.3, 1.0), 0.999), ((4, 8, 8), (0.1, 0.3), 0.999), ((4, 8, 8), (1.0,), 0.98)],
)
def test_the_released_radius_is_inert(randn, latent, radii, cosine):
    targets, epsilon = randn(2, 4, *latent)
    level = level_of(0.9, targets)
    level = level_of(0.9, level.signal * targets + level.noise * epsilon)
    reference = released_directions(0.05, level, targets)
    for radius in radii:
        found = torch.cosine_similarity(released_directions(radius, level, targets), reference)
        assert found.min() > cosine


def test_the_pull_along_the_normal_has_unit_length(randn):
    level = level_of(0.9, randn(4, *LATENT))
    torch.testing.assert_close(released_directions(0.1, level, randn(4, *LATENT)).norm(dim=1), torch.ones(4))


@pytest.mark.parametrize("other", [{"seed": 1}, {"keys": (7, 8, 9)}])
def test_the_cloud_depends_on_seed_key_and_timestep(targets, randn, other):
    denoised = randn(3, *LATENT)
    plain, level = ReleasedPull(targets), level_of(0.9, denoised)
    assert not torch.equal(plain(denoised, level), ReleasedPull(targets, **other)(denoised, level))
    assert not torch.equal(plain(denoised, level), plain(denoised, level_of(0.9, denoised, timestep=20)))


@pytest.mark.parametrize("name", SETTINGS)
def test_presets_are_the_released_settings(targets, name):
    radius, bandwidth = SETTINGS[name]
    for update in ("ddpm", "ddim"):
        preset = ReleasedPull.preset(name, targets, update=update)
        assert preset.bandwidth == bandwidth
        assert (preset.n_points, preset.n_neighbors, preset.rank) == (300, 12, 3)
        radii = [preset.radius(NoiseLevel(*[torch.tensor(0.5)] * 2, 0, targets, step=step)) for step in range(8)]
        assert radii == pytest.approx([radius_by_hand(step, radius) for step in range(8)])
    assert (preset.strength, preset.normal_strength) == (0.1, 0.1)


@pytest.mark.parametrize(
    "scheduler",
    [
        diffusers.DDPMScheduler(timestep_spacing="linspace", **TRAINED),
        diffusers.DDIMScheduler(timestep_spacing="leading", **TRAINED),
    ],
    ids=["DDPM", "DDIM"],
)
def test_the_window_holds_the_24_steps_before_the_released_stop(targets, scheduler):
    scheduler.set_timesteps(50)
    inside = [noise_level(scheduler, timestep, targets).share > WINDOW for timestep in scheduler.timesteps]
    assert inside == [True] * 24 + [False] * 26


@pytest.mark.slow
def test_a_released_run_as_a_whole(targets):
    """50 DDPM steps with a learned variance, classifier-free guidance 4.0 on three channels; MGD³ beside it."""
    scheduler = diffusers.DDPMScheduler(variance_type="learned_range", timestep_spacing="linspace", **TRAINED)
    pipe, found = tiny.make("DiTPipeline", scheduler, out_channels=8), {}
    for name, pull in {
        "none": None,
        "mgd3": window(ModePull.preset("mgd3", targets), above=WINDOW),
        "released": window(ReleasedPull.preset("imagenette", targets), above=WINDOW),
    }.items():
        generators = seeding.generators(0, 0, range(3))
        with steer(pipe, pull, generators=generators, cfg_channels=3):
            found[name] = tiny.call_dit(pipe, generators, num_inference_steps=50, guidance_scale=4.0)
        assert found[name].isfinite().all()
    assert not torch.equal(found["none"], found["mgd3"])
    assert not torch.equal(found["mgd3"], found["released"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t: ReleasedPull(t, keys=(1, 2)), "keys must be one per target; got 2 for 3 targets"),
        (lambda t: ReleasedPull(t, radius=0.0), "radius must be a number > 0; got 0.0"),
        (lambda t: ReleasedPull(t, bandwidth=-1.0), "bandwidth must be a number > 0; got -1.0"),
        (lambda t: ReleasedPull(t, n_points=5), "n_neighbors must lie between 2 and the 5 points"),
        (lambda t: ReleasedPull.preset("imagenet", t), "name must be one of imagenette, .*; got 'imagenet'"),
        (lambda t: ReleasedPull.preset("imagenette", t, update="sde"), "update must be 'ddpm' or 'ddim'; got 'sde'"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(targets, make, message):
    with pytest.raises(ValueError, match=message):
        make(targets)
