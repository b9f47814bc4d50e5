import dataclasses

import pytest
import torch
import torch.nn.functional as F

from mgd_helpers.appraising import autoencoder_error, copies_of, parts_of, scores, small
from mgd_helpers.baselines import nearest_real, random_real, round_trip
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.data.saving import write_images
from mgd_helpers.encoding.facts import write_facts
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy


@pytest.fixture(scope="module")
def little(digits):
    """Digits at 8x8, which they were made from."""
    train, test = (ImageSet(F.avg_pool2d(part.images, 4), part.labels) for part in (digits.train, digits.test))
    return Dataset("little", train, test, digits.class_names)


@pytest.fixture
def written(little, tmp_path):
    """A set of training images in a folder, and what a manifest says of them."""
    rows = torch.cat([little.train.rows_of(label)[:3] for label in range(10)])
    folder = write_images(tmp_path / "set", little.train.take(rows), class_names=little.class_names)
    names = [little.class_names[label] for label in little.train.labels[rows]]
    records = [{"class": name, "members": [row]} for name, row in zip(names, rows.tolist(), strict=True)]
    return folder, records, rows


def test_scores_are_those_of_nearest_neighbours_by_hand(little, written):
    folder, records, rows = written
    parts = parts_of(folder, little, records)
    assert torch.equal(parts.real.images, little.train.images)
    assert torch.equal(parts.judges.images, little.test.images)
    ours, real, deviation, nearest = scores(parts)
    drawn = [random_real(little.train, images_per_class=3, seed=seed) for seed in range(5)]
    by_hand = torch.tensor([nearest_neighbor_accuracy(one, little.test) for one in drawn], dtype=torch.float64)
    assert (real, deviation) == pytest.approx((by_hand.mean().item(), by_hand.std().item()))
    chosen = little.train.take(rows)
    assert ours == pytest.approx(nearest_neighbor_accuracy(chosen, little.test), abs=0.01)  # 8 bits
    targets = [chosen.of_class(label) for label in range(10)]
    expected = nearest_real(little.train, little.train.images, targets)
    assert nearest == nearest_neighbor_accuracy(expected, little.test) == nearest_neighbor_accuracy(chosen, little.test)


def test_without_a_test_split_a_part_of_the_training_images_judges_and_no_draw_holds_it(little, written):
    folder, records, _ = written
    alone = dataclasses.replace(little, test=little.test.take([]))
    parts = parts_of(folder, alone, records)
    assert (len(parts.judges), len(parts.real)) == (300, 1200)
    real = {image.numpy().tobytes() for image in parts.real.images}
    assert not any(image.numpy().tobytes() in real for image in parts.judges.images[:50])
    assert "the set was made from all of them" in parts.said
    assert 0.5 < scores(parts)[1] < 1


def test_real_images_are_drawn_where_there_are_many(little, written, monkeypatch):
    monkeypatch.setattr("mgd_helpers.appraising.REAL", 100)
    monkeypatch.setattr("mgd_helpers.appraising.JUDGES", 50)
    folder, records, _ = written
    first, second = (parts_of(folder, little, records, seed=seed) for seed in (0, 1))
    assert first.real.labels.bincount().tolist() == [10] * 10
    assert first.judges.labels.bincount().tolist() == [5] * 10
    assert not torch.equal(first.real.images, second.real.images)


def test_targets_are_left_out_where_members_are_not_known(little, written):
    folder, records, _ = written
    parts = parts_of(folder, little, [{"class": record["class"]} for record in records])
    assert parts.targets == []
    assert scores(parts)[3] is None


def test_copies_are_images_as_near_as_held_out_ones_never_are(little, written):
    folder, records, _ = written
    parts = parts_of(folder, little, records)
    assert copies_of(parts) == 30
    fresh = dataclasses.replace(parts, generated=ImageSet(-parts.generated.images, parts.generated.labels))
    assert copies_of(fresh) == 0


def test_small_images_are_means_of_blocks_and_small_ones_stay(randn):
    images = randn(5, 3, 16, 16).clamp(-1, 1)
    rows = torch.tensor([4, 0])
    assert torch.equal(small(images, rows, 16), images[rows])
    torch.testing.assert_close(small(images, rows, 4), F.avg_pool2d(images[rows], 4))


def test_the_autoencoders_error_is_that_of_a_round_trip(waves, tiny, tmp_path):
    back = round_trip(tiny.vae, waves.train)
    error, known = autoencoder_error(tiny, waves)
    assert error == pytest.approx((back.images - waves.train.images).square().mean().item())
    assert known is None
    write_facts(tmp_path, reconstruction_error=0.25)
    tiny.register_to_config(_name_or_path=str(tmp_path))  # as if it were from there
    assert autoencoder_error(tiny, waves) == (error, 0.25)
    assert autoencoder_error(None, waves) == (None, None)


def test_images_that_the_autoencoder_does_not_take_have_no_error(little, tiny):
    assert autoencoder_error(tiny, little) == (None, None)
