import diffusers
import pytest
import torch

from mgd_helpers.guidance.pulls import ModePull
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.toys import PointCloudPipeline, spiral, tiny_pipeline


def ddim():
    return diffusers.DDIMScheduler(clip_sample=False, timestep_spacing="trailing")


def test_the_spiral_winds_outwards_to_a_distance_of_two():
    points = spiral(200)
    radius = points.norm(dim=1)
    assert (radius.diff() > 0).all()
    assert radius[-1].item() == pytest.approx(2)
    turned = torch.atan2(points[:, 1], points[:, 0]).diff().remainder(2 * torch.pi)
    torch.testing.assert_close(turned, turned.mean().expand(199), rtol=1e-3, atol=0)  # evenly spaced
    assert turned.sum().item() == pytest.approx(2.25 * torch.pi, rel=1e-3)


def test_spiral_noise_has_the_given_size_and_follows_the_seed():
    noise = spiral(5000, noise=0.1) - spiral(5000)
    assert noise.std().item() == pytest.approx(0.1, rel=0.05)
    assert torch.equal(spiral(10, noise=0.1, seed=1), spiral(10, noise=0.1, seed=1))
    assert not torch.equal(spiral(10, noise=0.1, seed=1), spiral(10, noise=0.1, seed=2))


def test_the_denoiser_is_the_mean_of_the_points_by_their_likelihood(randn, device):
    points, sample = randn(7, 2, 3), randn(4, 2, 3)
    pipe = PointCloudPipeline(points.to(device), ddim())
    found = pipe.denoise(sample.to(device), signal=0.8, noise=0.6).cpu()
    for row, x in enumerate(sample):
        likelihood = [torch.exp(-((x - 0.8 * p) ** 2).sum() / (2 * 0.6**2)) for p in points]
        expected = sum(w * p for w, p in zip(likelihood, points, strict=True)) / sum(likelihood)
        torch.testing.assert_close(found[row], expected)


def test_without_noise_the_denoiser_gives_the_nearest_point(randn):
    points = randn(7, 2)
    found = PointCloudPipeline(points, ddim()).denoise(points[2:4] + 0.01, signal=1.0, noise=1e-3)
    torch.testing.assert_close(found, points[2:4])


def schedulers():
    return {
        "DDIM": ddim(),
        "DDPM": diffusers.DDPMScheduler(clip_sample=False),
        "DPM-Solver++": diffusers.DPMSolverMultistepScheduler(),
        "Euler": diffusers.EulerDiscreteScheduler(),
        "v-prediction": diffusers.DDIMScheduler(
            clip_sample=False, timestep_spacing="trailing", prediction_type="v_prediction"
        ),
        "flow": diffusers.FlowMatchEulerDiscreteScheduler(),
    }


@pytest.mark.parametrize("name", schedulers())
def test_samples_land_on_the_points_and_reach_all_of_them(name):
    points = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]])
    torch.manual_seed(0)
    pipe = PointCloudPipeline(points, schedulers()[name])
    output = pipe(64, num_inference_steps=40, generator=torch.Generator().manual_seed(0))
    gaps, nearest = torch.cdist(output.images, points).min(1)
    assert gaps.max() < 0.05
    assert nearest.bincount(minlength=4).min() >= 6
    assert output.trajectory.shape == (41, 64, 2)
    assert torch.equal(output.trajectory[-1], output.images)


@pytest.mark.parametrize("name", schedulers())
def test_what_the_scheduler_gets_predicts_the_exact_clean_sample(name):
    pipe, gaps = PointCloudPipeline(spiral(50), schedulers()[name]), []

    def watch(denoised, level):
        exact = pipe.denoise(level.sample, signal=level.signal, noise=level.noise)
        gaps.append((denoised - exact).abs().max().item())
        return denoised

    with steer(pipe, watch):
        start = pipe(500, num_inference_steps=20, generator=torch.Generator().manual_seed(0)).trajectory[0]
    assert max(gaps) < 1e-3
    norm = pipe.scheduler.sigmas[0].item() if name == "Euler" else 1
    assert start.std().item() == pytest.approx(norm, rel=0.1)


@pytest.mark.parametrize("name", schedulers())
def test_a_full_pull_lands_on_the_target_in_the_toy_world_too(randn, name):
    targets = randn(3, 2)
    pipe = PointCloudPipeline(spiral(50), schedulers()[name])
    with steer(pipe, ModePull(targets, strength=1.0)):
        torch.testing.assert_close(pipe(3, num_inference_steps=8).images, targets, rtol=1e-3, atol=1e-3)


def test_the_tiny_pipeline_follows_its_seed_and_touches_no_global_randomness():
    state = torch.get_rng_state()
    one, same, other = tiny_pipeline(), tiny_pipeline(), tiny_pipeline(seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    weights = [torch.cat([p.flatten() for p in pipe.transformer.parameters()]) for pipe in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_tiny_pipeline_is_stock_small_and_makes_images_of_its_size():
    pipe = tiny_pipeline(image_size=32)
    assert type(pipe) is diffusers.DiTPipeline
    assert sum(p.numel() for part in (pipe.vae, pipe.transformer) for p in part.parameters()) < 50_000
    assert pipe(class_labels=[0], num_inference_steps=1, output_type="np").images.shape == (1, 32, 32, 1)


def test_the_tiny_pipeline_follows_its_class():
    pipe = tiny_pipeline()
    images = [
        pipe(
            class_labels=[label], num_inference_steps=2, generator=torch.Generator().manual_seed(0), output_type="np"
        ).images
        for label in (0, 1)
    ]
    assert abs(images[0] - images[1]).max() > 1e-3
