import functools

import numpy
import pytest
import torch
import torch.nn.functional as F
from levels import level_of

from mgd_helpers.encoding.latents import decode, decoded
from mgd_helpers.guidance.matching import MatchPull, channels_first, mean_features, random_weights, unit
from mgd_helpers.guidance.per_class import PerClass
from mgd_helpers.seeding import generator

SHAPE = (3, 8, 8)


@pytest.fixture
def real(randn):
    return randn(90, *SHAPE) + 0.5


@pytest.fixture
def images(randn):
    return randn(6, *SHAPE)


def level(share=0.7, timestep=5):
    return level_of(share, torch.zeros(6, *SHAPE), timestep=timestep)


def reference_features(images, weights):
    """The same network without torch: convolution by loops, then instance norm, ReLU and mean pooling."""
    for weight in weights:
        padded = numpy.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
        rows, columns = images.shape[2:]
        seen = sum(
            numpy.einsum("bchw,oc->bohw", padded[:, :, i : i + rows, j : j + columns], weight[:, :, i, j])
            for i in range(3)
            for j in range(3)
        )
        mean, variance = seen.mean((2, 3), keepdims=True), seen.var((2, 3), keepdims=True)
        seen = numpy.maximum((seen - mean) / numpy.sqrt(variance + 1e-5), 0)
        images = seen.reshape(*seen.shape[:2], rows // 2, 2, columns // 2, 2).mean((3, 5))
    return images


def energy(images, goal, weights):
    return ((reference_features(images, weights).mean(0) - goal) ** 2).sum()


def test_the_network_is_that_of_numpy(images):
    weights = random_weights(images, 5, 2, generator=generator(0))
    assert [list(weight.shape) for weight in weights] == [[5, 3, 3, 3], [5, 5, 3, 3]]
    plain = [weight.double().numpy() for weight in weights]
    expected = torch.from_numpy(reference_features(images.double().numpy(), plain).mean(0))
    torch.testing.assert_close(mean_features(images, weights)[0].double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_step_is_that_of_numpy(real, images, fresh):
    """All looks from one draw or each from its own; gradients by finite differences along their own direction."""
    pull = MatchPull(real, rate=0.4, inner_steps=2, n_real=16, width=5, seed=3, fresh=fresh)
    moved, velocity = images.double().numpy(), 0
    for look in (0, 1) if fresh else (0, 0):
        drawn = generator(3, 5000, look)
        rows = torch.randperm(90, generator=drawn)[:16]
        weights = [w.double().numpy() for w in random_weights(images, 5, 2, generator=drawn)]
        goal = reference_features(real[rows].double().numpy(), weights).mean(0)
        gradient = pull.gradient(torch.from_numpy(moved).float(), level(), look).double().numpy()
        length = 1e-5 / numpy.abs(gradient).max()
        ends = [energy(moved + sign * length * gradient, goal, weights) for sign in (1, -1)]
        assert (ends[0] - ends[1]) / (2 * length) == pytest.approx((gradient**2).sum(), rel=1e-3)
        velocity = velocity / 2 + gradient / numpy.sqrt((gradient**2).mean())
        moved = moved - 0.4 / 2 * velocity
    torch.testing.assert_close(pull(images, level()).double(), torch.from_numpy(moved), rtol=1e-4, atol=1e-4)


def test_zero_rate_changes_no_bit(real, images):
    assert torch.equal(MatchPull(real, rate=0.0)(images, level()), images)
    assert torch.equal(MatchPull(real, rate=lambda level: torch.tensor(0.0))(images, level()), images)


def test_the_rate_may_follow_the_noise_level(real, images):
    by_function = MatchPull(real, rate=lambda level: level.share / 2)(images, level(0.6))
    torch.testing.assert_close(by_function, MatchPull(real, rate=0.3)(images, level(0.6)))


def test_permuted_images_give_the_permuted_result(real, images):
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    found = MatchPull(real)(images[order], level())
    torch.testing.assert_close(found, MatchPull(real)(images, level())[order], rtol=1e-4, atol=1e-5)


def test_it_goes_down_to_the_real_latents(real):
    """Images of another spread and place: after some steps random networks see what real latents look like."""
    images, kept = 0.2 * real[:10].flip(3) - 1.0, generator(99)
    pull, weights = MatchPull(real[10:], rate=0.3), random_weights(real, 64, 2, generator=kept)

    def gap(some):
        return (mean_features(some, weights) - mean_features(real[10:], weights)).square().sum().item()

    before = gap(images)
    for step in range(30):
        images = pull(images, level(timestep=step))
    assert gap(images) < before / 3


def test_the_gradient_vanishes_for_the_data_itself_and_on_average_for_many_images_drawn_from_it(real, randn):
    whole = MatchPull(real, n_real=len(real))
    assert whole.gradient(real, level()).abs().max() < 1e-6
    assert torch.equal(
        whole(real[:0].new_zeros(1, *SHAPE), level()).isfinite(), torch.ones(1, *SHAPE, dtype=torch.bool)
    )
    data = randn(4000, *SHAPE)
    sizes = {}
    for count in (8, 800):
        pulls = [MatchPull(data[2000:], n_real=2000, seed=seed).gradient(data[:count], level()) for seed in range(8)]
        sizes[count] = count * torch.stack(pulls).norm().item() / count**0.5  # of the mean's gradient, per image
    assert sizes[800] < sizes[8] / 5  # one over the root of a hundred, up to the real side's own share


def test_draws_depend_on_seed_timestep_and_look_alone(real, images):
    pull = MatchPull(real)
    assert torch.equal(pull(images, level()), MatchPull(real)(images, level()))
    other = [pull(images, level(timestep=6)), MatchPull(real, seed=1)(images, level())]
    assert all((found - pull(images, level())).abs().max() > 1e-3 for found in other)
    looks = [pull.gradient(images, level(), look) for look in (0, 1)]
    assert torch.cosine_similarity(*(look.flatten() for look in looks), dim=0) < 0.99


def test_classes_do_not_see_each_other(real, randn):
    images, classes = randn(7, *SHAPE), ["a", "b", "a", "b", "b", "a", "c"]
    pulls = {"a": MatchPull(real), "b": MatchPull(real + 1, seed=4)}
    together = PerClass(pulls, classes)(images, level_of(0.7, images))
    for one, pull in pulls.items():
        rows = [row for row, other in enumerate(classes) if other == one]
        alone = pull(images[rows], level_of(0.7, images[rows]))
        torch.testing.assert_close(together[rows], alone, rtol=0, atol=0)
    assert torch.equal(together[6], images[6])


@pytest.mark.parametrize("shape", [(16, 6), (3, 4, 8, 8)], ids=["tokens", "video"])
def test_tokens_and_videos_are_matched_too(randn, shape):
    real, images = randn(40, *shape), randn(4, *shape) - 1
    moved = MatchPull(real, rate=0.4)(images, level_of(0.7, images))
    assert moved.shape == images.shape and 0.2 < (moved - images).square().mean().sqrt() < 0.7
    assert channels_first(images).shape[1] == (6 if len(shape) == 2 else 3)


def test_it_runs_on_each_device_as_on_the_cpu(real, images, device):
    found = MatchPull(real.to(device))(images.to(device), level())
    torch.testing.assert_close(found.cpu(), MatchPull(real)(images, level()), rtol=1e-3, atol=1e-3)


def test_without_gradients_around_it_works_all_the_same(real, images):
    with torch.no_grad():
        found = MatchPull(real)(images, level())
    assert not found.requires_grad
    torch.testing.assert_close(found, MatchPull(real)(images, level()))


# --- through a decoder


def test_on_images_the_gradient_is_that_of_the_chain_rule(real, randn):
    images, matrix = randn(4, 2, 4, 4), randn(3, 2)

    def upsampled(latents):
        return F.interpolate(torch.einsum("oc,bchw->bohw", matrix, latents), scale_factor=2)

    pull = MatchPull(real, decode=upsampled, seed=2)
    seen = MatchPull(real, seed=2).gradient(upsampled(images), level())
    expected = torch.einsum("oc,bohw->bchw", matrix, 4 * F.avg_pool2d(unit(seen), 2))
    torch.testing.assert_close(pull.gradient(images, level()), expected, rtol=1e-4, atol=1e-5)


def test_a_change_is_the_same_for_generated_and_real_images(real, images):
    drawn = []

    def turned(some, generator):
        drawn.append(torch.rand((), generator=generator).item())
        return some.flip(3) if drawn[-1] < 0.5 else some

    MatchPull(real, change=turned)(images, level())
    assert len(drawn) == 3 and len(set(drawn)) == 1  # the real ones once, the images at each look
    drawn.clear()
    MatchPull(real, change=turned, fresh=True)(images, level())
    assert len(drawn) == 4 and drawn[::2] == drawn[1::2] and len(set(drawn)) == 2


def test_a_half_precision_vae_bears_it(tiny, waves):
    """Steps through a decoder in bfloat16 point where those in float32 do."""
    import copy

    latents = torch.randn(2, 4, 8, 8, generator=generator(1))
    half = copy.deepcopy(tiny.vae).to(torch.bfloat16)
    steps = [
        MatchPull(waves.train.images, decode=functools.partial(decoded, vae))(latents, level_of(0.3, latents)) - latents
        for vae in (tiny.vae, half)
    ]
    assert all(step.isfinite().all() and step.dtype == torch.float32 for step in steps)
    assert torch.cosine_similarity(*(step.flatten() for step in steps), dim=0) > 0.9
    torch.testing.assert_close(decoded(tiny.vae, latents).clamp(-1, 1), decode(tiny.vae, latents))


# --- what is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": float("nan")}, "rate must be a number"),
        ({"inner_steps": 0}, "inner_steps must be a whole number >= 1; got 0"),
        ({"n_real": 0}, "n_real must be a whole number >= 1; got 0"),
        ({"width": 0}, "width must be"),
        ({"depth": 4}, r"depth must leave something to pool: sides of at least 2\*\*depth = 16; got \[8, 8\]"),
        ({"seed": -1}, "seed must be a whole number >= 0; got -1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(real, options, message):
    with pytest.raises(ValueError, match=message):
        MatchPull(real, **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda real: real[:0], r"real must be latents \[M, C, h, w\] with M at least 1; got \[0, 3, 8, 8\]"),
        (lambda real: real.flatten(1), r"real must be latents .* got \[90, 192\]"),
        (lambda real: real / 0, "real must be finite; got NaN or infinite values"),
    ],
)
def test_real_latents_that_are_none_are_refused(real, make, message):
    with pytest.raises(ValueError, match=message):
        MatchPull(make(real))


def test_latents_of_another_pipeline_are_refused(real, randn):
    with pytest.raises(ValueError, match=r"real must be \[4, 8, 8\] each, .* got \[3, 8, 8\]. Encode them with this"):
        MatchPull(real)(randn(2, 4, 8, 8), level())
