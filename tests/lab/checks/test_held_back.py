"""What the project of lab 10 holds back: halves of every class, looks that are counted, the rival, and the interval."""

import json

import pytest
import torch

import mgd_helpers as mgd
from mgd_helpers.evaluation.copies import nearest_images
from mgd_helpers.lab.checks.answers import Slip
from mgd_helpers.lab.checks.held_back import LOOKS, count_look, halves, nearest_real, outcome

TEN = torch.arange(10)


@pytest.fixture
def means(digits):
    return mgd.ImageSet(torch.stack([digits.train.of_class(label).mean(0) for label in range(10)]), TEN)


def test_the_halves_are_halves_of_every_class_and_of_nothing_else(digits):
    tuning, held_back = halves(digits)
    assert len(tuning.test) + len(held_back.test) == len(digits.test)
    both = torch.cat([tuning.test.images, held_back.test.images]).flatten(1)
    assert torch.equal(both.sum(1).sort().values, digits.test.images.flatten(1).sum(1).sort().values)
    for label in range(10):
        sizes = [len(half.test.rows_of(label)) for half in (tuning, held_back)]
        assert sizes[0] - sizes[1] in (0, 1)
    assert torch.equal(halves(digits)[0].test.images, tuning.test.images)


def test_looks_are_counted_and_so_are_sets(tmp_path, means):
    other = mgd.ImageSet(means.images * 0.5, TEN)
    found = [count_look(tmp_path / "mine", images) for images in (means, means, other)]
    assert found == [(1, 1), (2, 1), (3, 2)]
    assert len(json.loads((tmp_path / LOOKS).read_text())) == 3


def test_the_rival_is_the_nearest_training_image(digits):
    assert torch.equal(nearest_real().labels, TEN)
    assert nearest_images(nearest_real().images, digits.train.images)[0].max() == 0
    latents = mgd.encode(mgd.load_pipeline("digits").vae, digits.train.of_class(3)).flatten(1)
    row = (latents - latents.mean(0)).square().sum(1).argmin()
    assert torch.equal(nearest_real().images[3], digits.train.of_class(3)[row])


def test_a_count_that_cannot_be_read_is_a_slip(tmp_path, means):
    (tmp_path / LOOKS).write_text("[3]")
    with pytest.raises(Slip, match="looks cannot be counted"):
        count_look(tmp_path / "mine", means)


@pytest.mark.slow
def test_the_rival_does_not_beat_itself():
    accuracy, difference = outcome(nearest_real(), 1, 1)[1:]
    left, right = accuracy.split(": ")[1].split(", nearest real images ")
    assert left + "." == right and difference.startswith("difference: +0.0 points")
