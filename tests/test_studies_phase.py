"""Toys of the phase study: their manifold, their denoiser, and the two coordinates of the map."""

import dataclasses
import functools
import math

import pytest
import torch
from diffusers import DDIMScheduler

import mgd_helpers as mgd
from mgd_helpers.guidance.noise import noise_level
from mgd_helpers.guidance.toys import PointCloudPipeline
from mgd_helpers.seeding import generator
from studies import cells, phase, phase_figure
from studies.arcs import Arcs, BluntPipeline

ANGLES = (0.0, 1.5, math.pi, 2 * math.pi)


@pytest.fixture
def scheduler():
    return DDIMScheduler(clip_sample=False, timestep_spacing="trailing")


# --- the manifold


@pytest.mark.parametrize("angle", ANGLES)
def test_the_distance_to_the_manifold_is_that_of_a_dense_search(angle, randn):
    arcs = Arcs(angle, dim=2, ambient=6)
    line = torch.linspace(-arcs.length / 2, arcs.length / 2, 601)
    dense, points = arcs.points(torch.cartesian_prod(line, line)), 2 * randn(20, 6)
    torch.testing.assert_close(arcs.off(points), torch.cdist(points, dense).amin(1), atol=2e-3, rtol=0)
    assert arcs.off(arcs.draw(20, generator(0))).max() < 1e-5


@pytest.mark.parametrize("angle", ANGLES)
def test_the_tangent_is_that_of_a_small_step_along_the_manifold(angle):
    arcs = Arcs(angle, dim=2, ambient=6)
    u = (torch.rand(8, 2, generator=generator(1)) - 0.5) * 0.9 * arcs.length
    steps = (arcs.points(u + 0.01) - arcs.points(u - 0.01)) / 0.02
    space = arcs.tangent(arcs.points(u))
    torch.testing.assert_close(space.tangent_part(steps), steps, atol=1e-3, rtol=0)
    torch.testing.assert_close(steps.norm(dim=1), torch.full((8,), 2**0.5), atol=1e-3, rtol=0)  # lengths stay


def test_closed_circles_go_both_ways():
    arcs = Arcs(2 * math.pi, dim=1, ambient=4)
    ends = arcs.points(torch.tensor([[-0.49], [0.48]]) * arcs.length)
    assert arcs.along(ends[:1], ends[1:]).item() == pytest.approx(0.03 * arcs.length, abs=1e-4)


# --- the denoiser


@pytest.mark.parametrize("angle", ANGLES[1:3])
def test_without_blur_it_is_the_exact_denoiser_of_a_dense_product(angle, scheduler, randn):
    arcs = Arcs(angle, dim=2, ambient=5)
    line = torch.linspace(-arcs.length / 2, arcs.length / 2, 401)
    cloud = PointCloudPipeline(arcs.points(torch.cartesian_prod(line, line)), scheduler)
    level = {"signal": 0.8, "noise": 0.6}
    sample = randn(6, 5)
    torch.testing.assert_close(
        BluntPipeline(arcs, 0.0, scheduler).denoise(sample, **level),
        cloud.denoise(sample, **level),
        atol=1e-4,
        rtol=1e-4,
    )


def test_a_blurred_denoiser_is_that_of_a_blurred_cloud(scheduler, randn):
    arcs, blur = Arcs(math.pi, dim=1, ambient=2), 0.4
    line = torch.linspace(-arcs.length / 2, arcs.length / 2, 401)
    around = torch.linspace(-2.4, 2.4, 49)
    offsets = torch.cartesian_prod(around, around)
    weights = torch.softmax(-offsets.square().sum(1) / (2 * blur**2), 0)
    points = arcs.points(line[:, None])[:, None] + offsets  # the exact one, by brute force
    sample = randn(5, 2)
    likely = (-(sample[:, None, None] - 0.8 * points).square().sum(-1) / (2 * 0.6**2)).exp() * weights
    expected = (likely[..., None] * points).sum((1, 2)) / likely.sum((1, 2))[:, None]
    found = BluntPipeline(arcs, blur, scheduler).denoise(sample, signal=0.8, noise=0.6)
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("blur", [0.0, 0.2])
def test_on_a_flat_manifold_the_projection_changes_nothing_along_it(blur, scheduler):
    arcs = Arcs(0.0)
    cloud = arcs.draw(200, generator(0))
    targets = mgd.pick_targets(mgd.bisect(cloud, n_leaves=4, seed=0), images_per_class=4, strategy="leaves").latents
    assert arcs.off(targets).max() < 1e-6
    pipe, made = BluntPipeline(arcs, blur, scheduler), []
    for pull in (mgd.ModePull(targets, strength=0.3), mgd.ManifoldPull(targets, tangent=arcs.tangent, strength=0.3)):
        with mgd.steer(pipe, pull):
            made.append(pipe(4, 6, generator=generator(1)).images)
    torch.testing.assert_close(*(arcs.foot(images) for images in made), atol=1e-4, rtol=0)
    plain, projected = (arcs.off(images).mean() for images in made)
    assert plain <= projected  # a pull to flat ground also takes out what the blur leaves
    assert (projected - plain > 0.01) == (blur > 0)


# --- the two coordinates


def test_a_kick_moves_the_sample_by_what_it_says_and_only_once(scheduler):
    arcs = Arcs(math.pi)
    cloud = arcs.draw(300, generator(0))
    targets = mgd.pick_targets(mgd.bisect(cloud, n_leaves=3, seed=0), images_per_class=3, strategy="leaves").latents
    pipe, paths, kick = BluntPipeline(arcs, 0.2, scheduler), [], phase.Kick(targets, cloud)
    for guidance in (None, kick):
        with mgd.steer(pipe, guidance):
            paths.append(pipe(3, 25, generator=generator(1)).trajectory)
    moved = paths[1] - paths[0]
    first = int((moved.flatten(1).abs().amax(1) > 1e-6).int().argmax())
    signal, noise = noise_level(scheduler, scheduler.timesteps[first - 1], targets).following
    before = noise_level(scheduler, scheduler.timesteps[first - 1], targets).share
    assert noise / torch.hypot(signal, noise) <= phase.HALF < before
    torch.testing.assert_close(moved[first], signal * phase.KICK * kick.directions, atol=1e-4, rtol=0)
    torch.testing.assert_close(kick.directions.norm(dim=1), torch.ones(3))
    assert kick.left(moved[first]) == pytest.approx(signal.item(), abs=1e-3)
    assert 0 < kick.left(moved[-1]) < 0.9 * signal  # blunt, so some of it stays


def test_a_kick_in_a_random_way_is_as_long_off_the_manifold_and_elsewhere(scheduler):
    cloud = Arcs(math.pi).draw(300, generator(0))
    level = noise_level(scheduler, 500, cloud[:3])
    level = dataclasses.replace(level, share=0.6, following=(torch.tensor(0.9), torch.tensor(0.4)))
    towards, anywhere, again = (
        phase.Kick(cloud[3:6], cloud, drawn=drawn) for drawn in (None, generator(1), generator(1))
    )
    for kick in (towards, anywhere, again):
        kick(cloud[:3], level)
        torch.testing.assert_close(kick.directions.norm(dim=1), torch.ones(3))
        assert kick.tangent(cloud[:3], level).tangent_part(kick.directions).abs().max() < 1e-5
    assert torch.equal(anywhere.directions, again.directions)
    assert torch.cosine_similarity(towards.directions, anywhere.directions).abs().max() < 0.6


def test_a_mean_lies_as_far_off_as_the_curve_makes_it():
    shares = []
    for angle in (0.0, math.pi / 2, math.pi):
        cloud = Arcs(angle).draw(400, generator(0))
        tree = mgd.bisect(cloud, n_leaves=4, seed=0)
        shares.append(phase.normal_share(mgd.pick_targets(tree, images_per_class=4, strategy="leaves"), cloud))
    assert shares[0] < 1e-5 < 0.05 < shares[1] < shares[2] < 1


# --- from cells to the map


def world(plain, projected, unguided=(0.0, 10.0, 0.0)):
    lines = {stop: [[0.0, *plain]] * len(phase.STRENGTHS) for stop in phase.STOPS}
    ours = {stop: [[0.0, *projected]] * len(phase.STRENGTHS) for stop in phase.STOPS}
    return {"curvature": 0.1, "bluntness": 0.2, "unguided": list(unguided), "mode": lines, "tangent": ours}


def test_a_gain_is_taken_at_equal_strength_or_at_equal_nearness():
    found = phase_figure.World({}, (world((0.0, 4.0), (5.0, 1.0)), world((0.0, 4.2), (5.0, 1.0))))
    assert found.place == (0.1, 0.2)
    assert found.gain("never stopped", 1.0, equally_near=False).mean == pytest.approx(3.1)
    assert found.gain("never stopped", 1.0).mean == pytest.approx(1.05)  # half of the way from the unguided line


def test_a_phase_map_that_is_not_measured_says_how_to_do_it(monkeypatch, tmp_path):
    notes = []
    monkeypatch.setattr(cells, "RESULTS", tmp_path)
    monkeypatch.setattr(phase_figure, "display", lambda note: notes.append(note.data))
    assert phase_figure.draw_phases() is None
    assert notes == ["*Not measured yet; `python -m studies phase toy` does it.*"]


def test_the_phase_map_has_a_panel_for_every_measure_and_stop():
    figure = phase_figure.draw_phases()
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert len(titles) == 2 * len(set(titles)) == 2 * len(phase.STOPS) * len(phase_figure.SHOWN)
    names = [text.get_text() for text in figure.legends[0].texts]
    assert names == [phase_figure.DATA_SETS[data].title for data in phase_figure.DATA_SETS]


def test_the_study_takes_the_toy_and_the_data_sets(monkeypatch):
    from studies.__main__ import main

    runs = []
    monkeypatch.setattr(phase, "run", functools.wraps(phase.run)(lambda data: runs.append(data)))
    main(["phase"])
    assert runs == [*phase_figure.DATA_SETS, "toy"]
