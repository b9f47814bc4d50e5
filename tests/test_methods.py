import json

import pytest
import torch

from mgd_helpers import baselines
from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.clustering.targets import pick_targets
from mgd_helpers.data.datasets import load_data
from mgd_helpers.distillation import distill
from mgd_helpers.encoding.latents import encode
from mgd_helpers.methods import DECODED, DIFFUSION, METHODS

OTHERS = [method for method in METHODS if method != DIFFUSION]


@pytest.fixture
def run(waves, tiny, tmp_path):
    def call(method, **options):
        defaults = {"images_per_class": 3, "out": tmp_path / "set", "method": method}
        defaults |= {"pipeline": tiny} if method in DECODED else {}
        return distill(waves, **(defaults | options))

    return call


def by_hand(method, waves, tiny, space):
    """The set as the baselines give it, class after class."""
    train = waves.train
    points = {"pixels": train.images, "latents": encode(tiny.vae, train.images)}[space]
    trees = [bisect(points[train.labels == label], n_leaves=3, seed=0) for label in (0, 1)]
    targets = [pick_targets(tree, images_per_class=3).latents for tree in trees]
    return {
        "nearest-real": lambda: baselines.nearest_real(train, points, targets),
        "random-real": lambda: baselines.random_real(train, images_per_class=3, seed=0),
        "herding": lambda: baselines.herding(train, images_per_class=3),
        "k-center": lambda: baselines.k_center(train, images_per_class=3),
        "decoded-targets": lambda: baselines.decoded_targets(tiny.vae, targets),
        "round-trip": lambda: baselines.round_trip(tiny.vae, baselines.random_real(train, images_per_class=3, seed=0)),
    }[method]().images


@pytest.mark.parametrize("method", OTHERS)
def test_a_method_writes_what_its_baseline_gives(run, waves, tiny, method):
    report = run(method)
    expected = by_hand(method, waves, tiny, "latents" if method in DECODED else "pixels")
    torch.testing.assert_close(load_data(report.folder).train.images, expected, rtol=0, atol=0.005)
    assert report.manifest["settings"]["method"] == method
    assert report.manifest["complete"]


def test_nearest_real_takes_the_latents_of_a_pipeline_that_is_given(run, waves, tiny, tmp_path):
    latents = encode(tiny.vae, waves.train.images)
    given = run("nearest-real", pipeline=tiny, latents=latents).folder
    expected = by_hand("nearest-real", waves, tiny, "latents")
    torch.testing.assert_close(load_data(given).train.images, expected, rtol=0, atol=0.005)


@pytest.mark.parametrize("method", OTHERS)
def test_a_method_goes_on_where_it_stopped_and_knows_its_settings(run, method):
    folder = run(method).folder
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    (folder / "one/00001.png").unlink()
    (folder / "zero/00000.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="damaged"):
        assert run(method).new == 2
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == before
    with pytest.raises(ValueError, match=r"of the same settings.*images_per_class differ"):
        run(method, images_per_class=2)


def test_members_are_the_chosen_rows_themselves(run, waves):
    report = run("herding")
    written = load_data(report.folder).train.images
    for image, record in zip(written, report.manifest["images"], strict=True):
        (row,) = record["members"]
        torch.testing.assert_close(waves.train.images[row], image, rtol=0, atol=0.005)
        assert waves.class_names[waves.train.labels[row]] == record["class"]
        assert record["node"] is None
    assert report.labels == {}
    json.dumps(report.manifest)


def test_a_set_by_diffusion_and_one_by_a_method_are_not_mixed(run):
    run("random-real")
    with pytest.raises(ValueError, match="out must be a folder of the same settings"):
        run("herding")
    with pytest.raises(ValueError, match="out must be a folder of the same settings"):
        run(DIFFUSION, pipeline="digits", class_labels=[0, 1], latents=torch.zeros(12, 4, 8, 8))


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("random", {}, "method must be one of diffusion, .*; got 'random'. Did you mean 'random-real'"),
        ("herding", {"pipeline": "digits"}, "pipeline must be left out with method='herding', .*; got 'digits'"),
        ("herding", {"strength": 1}, "strength must be left out with method='herding'; got 1"),
        ("round-trip", {"pipeline": None}, "pipeline must be given for data 'waves'"),
        ("decoded-targets", {"pipeline": "digits"}, "images of 32 x 32 for this pipeline; got 16 x 16"),
        ("random-real", {"images_per_class": 7}, "images_per_class must not exceed the 6 images of class 'zero'"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(run, tmp_path, method, options, message):
    with pytest.raises(ValueError, match=message):
        run(method, **options)
    assert not (tmp_path / "set").exists()
