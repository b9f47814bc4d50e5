import math

import pytest
import torch

import mgd_helpers as mgd
from mgd_helpers import ImageSet
from mgd_helpers.students.recipes import Recipe
from mgd_helpers.training.quality import figures


def test_a_pipeline_that_copies_real_images_is_as_good_as_they_are_and_said_to_copy(tiny, waves):
    found = figures(tiny.vae, waves, [waves.train, waves.train], recipe=Recipe(steps=2, batch_size=4))
    near, apart = found["nearest_neighbor_accuracy"], found["distance_to_nearest_training_image"]
    assert near["generated"] == [near["all_real_training"]] * 2 and len(near["random_real_round_trip"]) == 2
    assert apart["generated"] == [0, 0]
    error = (mgd.decode(tiny.vae, mgd.encode(tiny.vae, waves.test.images)) - waves.test.images).square().mean().item()
    assert found["reconstruction_mse"]["held_out"] == pytest.approx(error)
    assert found["reconstruction_psnr"] == pytest.approx(10 * math.log10(4 / error))
    judge = found["classifier_trained_on_real"]
    assert judge["kind"] == "convnet3, width 32, 2 steps"
    assert all(0 <= judge[name] <= 1 for name in ("held_out", "held_out_round_trip", "generated_mean"))


def test_a_class_of_one_image_does_for_the_comparison(tiny, waves):
    few = ImageSet(waves.train.images[:5], torch.tensor([0, 0, 0, 0, 1]))
    data = mgd.Dataset("few", few, waves.test, ("zero", "one"))
    assert len(figures(tiny.vae, data, [few], recipe=Recipe(steps=1))["nearest_neighbor_accuracy"]["random_real"]) == 1
